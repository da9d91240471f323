"""A machine that broke down is an open case until somebody was there, and a miss unless a forecast came before."""

from __future__ import annotations

import pytest

from tests.work_orders.world import CUSTOMER, DISPATCHER, TECHNICIAN, TENANT, World
from work_orders import service
from work_orders.domain.autonomy_states import Record
from work_orders.domain.machine import Actor
from work_orders.domain.requests import RequestKind
from work_orders.queries.timeline import timeline
from work_orders.service import sla_tables as s
from work_orders.service import tables as t
from work_orders.service.door import Request, take_request
from work_orders.service.opening import order_visit
from work_orders.service.track_record import standings


def record(world: World) -> Record:
    with world.database.read() as connection:
        return next(x.record for x in standings(connection, TENANT) if not x.customer_id)


def visited(world: World, case: str, result: str = "true") -> None:
    """A person sends somebody, who finds something."""
    order = order_visit(world.shared, TENANT, case, DISPATCHER)
    service.assign_technician(world.shared, TENANT, order, "tom", DISPATCHER, agreed_by="phone", dispatch=True)
    for action in ("start", "finish"):
        service.order_action(world.shared, TENANT, order, action, TECHNICIAN)
    service.record_finding(world.shared, TENANT, order, result, TECHNICIAN, failure_mode="bearing_wear")
    service.order_action(world.shared, TENANT, order, "close", DISPATCHER)


@pytest.mark.parametrize("actor", [CUSTOMER, TECHNICIAN, DISPATCHER])
def test_whoever_says_that_it_broke_down_the_case_is_open_and_promised_for(world: World, actor: Actor) -> None:
    case = service.report_breakdown(world.shared, TENANT, "p1", "bearing_wear", actor)
    row = world.only(t.cases)
    assert (row.id, row.state, row.closed_at, row.broke_down_at) == (case, "triaging", None, world.clock.at)
    assert {(r.metric, r.kind, r.state) for r in world.rows(s.clocks)} >= {("restore", "breakdown", "running")}
    (label,) = (r for r in world.rows(t.findings) if r.superseded_at is None)
    assert (label.result, label.order_id) == ("missed", None), "the label does not wait for a visit"


def test_what_was_declined_and_broke_down_can_be_ordered(world: World) -> None:
    service.decline_notice(world.shared, TENANT, world.offered(), "not now", CUSTOMER)
    case = service.report_breakdown(world.shared, TENANT, "p1", "bearing_wear", CUSTOMER)
    assert world.only(t.cases).state == "monitoring"
    visited(world, case)
    assert world.only(t.cases).state == "closed"
    assert record(world) == Record(right=1)


def test_what_is_mended_already_needs_nobody(world: World) -> None:
    service.report_breakdown(world.shared, TENANT, "p1", "bearing_wear", TECHNICIAN, replaced=True)
    assert (world.only(t.cases).state, world.only(t.findings).result) == ("closed", "missed")


@pytest.mark.parametrize("kind", [RequestKind.BREAKDOWN, RequestKind.PHONE])
def test_a_failure_that_no_forecast_saw_is_a_miss_whatever_the_technician_calls_it(
    world: World, kind: RequestKind
) -> None:
    case = str(take_request(world.shared, TENANT, Request(kind, "p1", text="It stands still"), DISPATCHER).case)
    visited(world, case)
    assert world.only(t.findings).result == "missed"
    assert record(world) == Record(missed=1)
    with world.database.read() as connection:
        told = [e.text for e in timeline(connection, TENANT, "p1")]
    assert not [x for x in told if "forecast was right" in x]


def test_a_forecast_that_came_after_the_breakdown_foresaw_nothing(world: World) -> None:
    case = service.report_breakdown(world.shared, TENANT, "p1", "bearing_wear", CUSTOMER)
    world.take(1, first=5, p=0.01)
    visited(world, case)
    in_force = [r for r in world.rows(t.findings) if r.superseded_at is None]
    assert [(r.result, r.order_id is None) for r in in_force] == [("missed", False)]
    assert record(world) == Record(missed=1)


def test_a_report_that_was_nothing_is_no_false_forecast(world: World) -> None:
    case = str(take_request(world.shared, TENANT, Request(RequestKind.BREAKDOWN, "p1"), DISPATCHER).case)
    visited(world, case, "false")
    assert record(world) == Record()
