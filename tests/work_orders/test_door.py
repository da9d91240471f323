"""The one door: whatever asks for service finds the one open case of its asset and component."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from tests.work_orders.test_races import race
from tests.work_orders.world import CUSTOMER, DISPATCHER, STRANGER, TECHNICIAN, TENANT, World
from work_orders import service
from work_orders.domain.case_states import CaseState
from work_orders.domain.machine import SYSTEM, Actor, NotPermitted, Role
from work_orders.domain.requests import COMPLAINT, MAY, OpenCase, RequestKind, joins, may_bring
from work_orders.queries.door import undecided
from work_orders.service import door_tables as d
from work_orders.service import labels
from work_orders.service import tables as t
from work_orders.service.door import Opened, Request, place_request, take_request
from work_orders.service.errors import BadInput, NotFound
from work_orders.service.opening import order_visit
from work_orders.service.planning import book_visit

K = RequestKind
MONITORING = CaseState.MONITORING
JOINS = [
    (K.REPORT, "bearing", [OpenCase("c", "bearing", MONITORING)], "c"),
    (K.REPORT, "seal", [OpenCase("c", "bearing", MONITORING)], None),
    (K.REPORT, "", [OpenCase("c", "bearing", MONITORING)], "c"),
    (K.REPORT, "", [OpenCase("c", "bearing", CaseState.RESOLVED)], None),
    (K.REPORT, "", [OpenCase("c", "bearing", MONITORING), OpenCase("e", "seal", MONITORING)], None),
    (K.REPORT, "", [OpenCase("c", "bearing", MONITORING), OpenCase("e", COMPLAINT, MONITORING)], "c"),
    (K.REPORT, "", [OpenCase("e", COMPLAINT, MONITORING)], None),
    (K.REPORT, "", [OpenCase("c", "bearing", MONITORING), OpenCase("w", "", CaseState.RESOLVED)], "w"),
    (K.PREVENTIVE, "", [OpenCase("c", "bearing", MONITORING)], None),
    (K.COMPLAINT, COMPLAINT, [OpenCase("c", "bearing", MONITORING)], None),
    (K.COMPLAINT, COMPLAINT, [OpenCase("e", COMPLAINT, MONITORING)], "e"),
    (K.FORECAST, "bearing", [], None),
]


@pytest.mark.parametrize(("kind", "component", "cases", "expected"), JOINS)
def test_which_open_case_a_request_joins(
    kind: RequestKind, component: str, cases: list[OpenCase], expected: str | None
) -> None:
    assert joins(kind, component, cases) == expected


def test_every_kind_has_its_bringers_and_an_auditor_brings_nothing() -> None:
    assert set(MAY) == set(RequestKind)
    for kind in RequestKind:
        with pytest.raises(NotPermitted):
            may_bring(kind, Role.AUDITOR)
        may_bring(kind, Role.SYSTEM)


def bring(
    world: World, actor: Actor = CUSTOMER, kind: RequestKind = K.REPORT, asset: str = "p1", **more: Any
) -> Opened:
    return take_request(world.shared, TENANT, Request(kind, asset, **more), actor)


def test_a_report_opens_a_case_and_a_second_one_joins_it(world: World) -> None:
    first = bring(world, text="It is loud", contact="+49 1")
    second = bring(world, DISPATCHER, K.PHONE, text="Still loud", who="Ida on the phone")
    assert (first.new, second.new, first.case) == (True, False, second.case)
    assert [(r.kind, r.text, r.who) for r in sorted(world.rows(d.requests), key=lambda r: r.kind)] == [
        ("phone", "Still loud", "Ida on the phone"),
        ("report", "It is loud", "Ida Kunde"),
    ]
    case = world.only(t.cases)
    assert (case.kind, case.state, case.component, case.reason) == ("report", "triaging", "", "It is loud")


def test_a_report_joins_what_the_forecast_opened(world: World) -> None:
    world.take(1)
    assert bring(world, text="It is loud").case == world.only(t.cases).id
    assert sorted(r.kind for r in world.rows(d.requests)) == ["forecast", "report"]


def test_later_forecasts_add_no_request(world: World) -> None:
    world.take(3)
    assert [r.kind for r in world.rows(d.requests)] == ["forecast"]
    assert len(world.rows(t.intake)) == 3


def test_the_same_number_of_a_source_is_the_same_request(any_world: World) -> None:
    world = any_world
    system = Actor("ERP", Role.INTEGRATION)
    race(lambda n: bring(world, system, K.EXTERNAL, source="erp", external="4711", text="Pump stands"), 8)
    assert len(world.rows(d.requests)) == len(world.rows(t.cases)) == 1
    assert bring(world, system, K.EXTERNAL, source="erp", external="4711").repeated
    assert not bring(world, system, K.EXTERNAL, source="crm", external="4711").repeated


def test_racing_reports_open_one_case_and_lose_none(any_world: World) -> None:
    world = any_world
    race(lambda n: bring(world, component="seal", text=f"report {n}"), 12)
    assert len(world.rows(t.cases)) == 1
    assert {r.text for r in world.rows(d.requests)} == {f"report {n}" for n in range(12)}


def test_a_complaint_stands_beside_the_technical_case(world: World) -> None:
    world.take(1)
    complaint = bring(world, kind=K.COMPLAINT, text="Nobody calls back")
    assert complaint.new
    assert {(r.kind, r.component) for r in world.rows(t.cases)} == {("forecast", "bearing"), ("complaint", COMPLAINT)}


def test_a_request_without_a_machine_waits_until_somebody_knows_it(world: World) -> None:
    kept = bring(world, SYSTEM, K.EMAIL, asset="", text="Our pump leaks", who="ida@example.org", external="<m1@x>")
    assert kept.case is None
    assert not world.rows(t.cases)
    with pytest.raises(NotPermitted):
        place_request(world.shared, TENANT, kept.request, "p2", TECHNICIAN)
    case = place_request(world.shared, TENANT, kept.request, "p2", DISPATCHER, component="seal")
    assert case == world.only(t.cases).id == place_request(world.shared, TENANT, kept.request, "p1", DISPATCHER)
    assert (world.only(d.requests).case_id, world.only(t.cases).component) == (case, "seal")


REFUSED = [
    (STRANGER, Request(K.REPORT, "p1"), NotFound),
    (CUSTOMER, Request(K.REPORT, "p9"), NotFound),
    (CUSTOMER, Request(K.PHONE, "p1"), NotPermitted),
    (CUSTOMER, Request(K.REPORT, "p1", component="wing"), BadInput),
    (CUSTOMER, Request(K.REPORT, "p1", failure_mode="moth"), BadInput),
    (CUSTOMER, Request(K.REPORT, "p1", text="x" * 4001), BadInput),
]


@pytest.mark.parametrize(("actor", "request_", "error"), REFUSED)
def test_what_the_door_refuses_leaves_nothing(
    world: World, actor: Actor, request_: Request, error: type[Exception]
) -> None:
    with pytest.raises(error):
        take_request(world.shared, TENANT, request_, actor)
    assert not world.rows(d.requests)
    assert not world.rows(t.cases)


def test_a_breakdown_comes_through_the_door(world: World) -> None:
    case = service.report_breakdown(world.shared, TENANT, "p1", "seal_leak", CUSTOMER, as_found="It runs out")
    row = world.only(d.requests)
    assert (row.kind, row.case_id, row.component, row.text) == ("breakdown", case, "seal", "It runs out")
    world.clock.at += timedelta(minutes=5)
    assert service.report_breakdown(world.shared, TENANT, "p1", "seal_leak", CUSTOMER) == case
    assert len(world.rows(d.requests)) == 1


def test_a_machine_that_stands_still_is_urgent_though_nobody_knows_why(world: World) -> None:
    bring(world, kind=K.BREAKDOWN, text="It stands still")
    assert world.only(t.cases).broke_down_at == world.clock.at


def test_a_breakdown_that_was_placed_later_counts_from_when_it_was_said(world: World) -> None:
    kept = bring(world, DISPATCHER, K.BREAKDOWN, asset="", text="It stands")
    said = world.clock.at
    world.clock.at += timedelta(hours=2)
    place_request(world.shared, TENANT, kept.request, "p1", DISPATCHER)
    assert world.only(t.cases).broke_down_at == said


def test_a_request_without_a_machine_gets_a_number_of_its_own_after_another_one_was_placed(world: World) -> None:
    kept = bring(world, DISPATCHER, K.PHONE, asset="", text="A pump leaks")
    place_request(world.shared, TENANT, kept.request, "p1", DISPATCHER)
    assert bring(world, DISPATCHER, K.PHONE, asset="", text="Another one leaks").request != kept.request


def test_what_is_said_between_the_repair_and_its_review_is_not_closed_with_it(world: World) -> None:
    case = bring(world, text="It leaks").case
    order = order_visit(world.shared, TENANT, str(case), DISPATCHER)
    day = (world.clock.at + timedelta(days=1)).date()
    book_visit(world.shared, TENANT, order, day, "pm", DISPATCHER, agreed_by="Ida", dispatch=True)
    for action in ("start", "finish"):
        service.order_action(world.shared, TENANT, order, action, DISPATCHER)
    service.record_finding(world.shared, TENANT, order, "true", DISPATCHER, failure_mode="bearing_wear")
    assert world.only(t.cases).state == "resolved"
    assert bring(world, text="It leaks again").case == case
    service.order_action(world.shared, TENANT, order, "close", DISPATCHER)
    assert (world.only(t.cases).state, world.only(t.cases).closed_at) == ("triaging", None)
    with world.database.read() as connection:
        assert [r.case_id for r in undecided(connection, TENANT)] == [case]


def test_a_nul_in_what_somebody_says_is_left_out(any_world: World) -> None:
    bring(any_world, text="It\0 leaks", contact="+49\0 1", external="a\0b")
    row = any_world.only(d.requests)
    assert (row.text, row.contact, row.external_id) == ("It leaks", "+49 1", "ab")
    forged = base64.urlsafe_b64encode(b'["a\\u0000","a","p1",1]').decode().rstrip("=")
    with any_world.database.read() as connection:
        assert labels.read(connection, f"{forged}.x") is None


def test_a_machine_that_broke_down_after_a_no_waits_for_a_person(world: World) -> None:
    service.decline_notice(world.shared, TENANT, world.offered(), "later", CUSTOMER)
    service.report_breakdown(world.shared, TENANT, "p1", "bearing_wear", CUSTOMER)
    with world.database.read() as connection:
        assert [(r.case_id, r.kind) for r in undecided(connection, TENANT)] == [(world.only(t.cases).id, "breakdown")]
