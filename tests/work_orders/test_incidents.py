"""Many cases of one cause are one incident; two cases of one machine can be merged, and parted again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.work_orders.world import CUSTOMER, DISPATCHER, SUNDAY, TECHNICIAN, TENANT, World
from work_orders import service
from work_orders.domain.incidents import GATHERED_FROM, Member, cause_of, waits
from work_orders.domain.machine import SYSTEM, IllegalTransition, NotPermitted
from work_orders.domain.requests import RequestKind
from work_orders.service import door_tables as d
from work_orders.service import tables as t
from work_orders.service.door import Request, take_request
from work_orders.service.errors import BadInput
from work_orders.service.incidents import dissolve, gather, release
from work_orders.service.intake import take
from work_orders.service.merging import merge, unmerge
from work_orders.service.unit import unit

GROUP = "waterworks-site/2026-11-22T00:00"


def test_the_cause_is_what_began_first() -> None:
    later = SUNDAY + timedelta(seconds=1)
    assert cause_of([Member("b", later), Member("c", SUNDAY), Member("a", later)]) == "c"
    assert cause_of([Member("b", SUNDAY), Member("a", SUNDAY)]) == "a"
    assert cause_of([]) is None
    assert [waits(n) for n in (0, GATHERED_FROM - 1, GATHERED_FROM)] == [False, False, True]


def many(world: World, count: int) -> list[str]:
    devices = [f"q{n}" for n in range(count)]
    for device in devices:
        service.add_asset(world.shared, TENANT, device, "pump", site_id="waterworks-site", serial=f"B{device[1:]}-7")
    return devices


def strike(world: World, devices: list[str], rounds: int = 3) -> None:
    """Alarms of one group at all of them, `rounds` forecasts each; the last device's began first."""
    for n in range(1, rounds + 1):
        with unit(world.shared, TENANT, SYSTEM) as work:
            for k, device in enumerate(devices):
                since = SUNDAY + timedelta(seconds=len(devices) - k)
                take(work, world.forecast(n, device=device, group=GROUP, alarm_since=since))
        world.clock.at += timedelta(hours=1)


def test_a_group_of_forecasts_makes_one_incident_with_one_order(world: World) -> None:
    devices = many(world, 25)
    strike(world, devices)
    incident = world.only(d.incidents)
    cases = {r.asset_id: r for r in world.rows(t.cases)}
    assert len(world.rows(d.incident_cases)) == len(cases) == 25
    assert incident.cause_case_id == cases["q24"].id
    assert [o.case_id for o in world.rows(t.orders)] == [incident.cause_case_id]
    assert len(world.rows(t.notices)) == 1
    assert {r.path for id, r in cases.items() if id != "q24"} == {"gathered"}
    assert world.actions().count("incident_opened") == 1
    assert len(world.rows(t.decisions)) == 75  # nothing was lost


def test_two_machines_at_once_decide_for_themselves(world: World) -> None:
    strike(world, many(world, 2))
    assert len(world.rows(d.incident_cases)) == len(world.rows(t.orders)) == 2


def test_one_alarm_alone_is_no_incident(world: World) -> None:
    strike(world, many(world, 1))
    assert not world.rows(d.incidents)


def test_a_person_lets_the_orders_go(world: World) -> None:
    strike(world, many(world, 6))
    incident = str(world.only(d.incidents).id)
    with pytest.raises(NotPermitted):
        release(world.shared, TENANT, incident, TECHNICIAN)
    one = next(str(r.id) for r in world.rows(t.cases) if r.asset_id == "q0")
    assert release(world.shared, TENANT, incident, DISPATCHER, cases=[one]) == 1
    with pytest.raises(BadInput):
        release(world.shared, TENANT, incident, DISPATCHER, cases=[one])
    assert release(world.shared, TENANT, incident, DISPATCHER) == 4
    assert [o.state for o in world.rows(t.orders)] == ["approved"] * 6
    assert len(world.rows(t.notices)) == 6


def test_a_dissolved_incident_lets_each_decide_again(world: World) -> None:
    devices = many(world, 6)
    strike(world, devices)
    assert dissolve(world.shared, TENANT, str(world.only(d.incidents).id), DISPATCHER) == 5
    world.take(3, device="q0", first=4)
    assert len(world.rows(t.orders)) == 2


def test_an_incident_ends_with_its_last_case(world: World) -> None:
    devices = many(world, 6)
    strike(world, devices, 1)
    for device in devices[:5]:
        world.clear(device)
    assert world.only(d.incidents).closed_at is None
    world.clear(devices[5])
    assert world.only(d.incidents).closed_at == world.clock.at


def test_cases_are_gathered_by_hand_once(world: World) -> None:
    world.take(1)
    world.take(1, device="p2")
    cases = [str(r.id) for r in world.rows(t.cases)]
    incident = gather(world.shared, TENANT, cases, "The hall was flooded", DISPATCHER)
    assert {r.incident_id for r in world.rows(d.incident_cases)} == {incident}
    with pytest.raises(BadInput):
        gather(world.shared, TENANT, cases, "Again", DISPATCHER)


def two_cases(world: World) -> tuple[str, str]:
    """A report without a component, and what a forecast opened later."""
    report = take_request(world.shared, TENANT, Request(RequestKind.REPORT, "p1", text="Loud"), CUSTOMER)
    world.take(1)
    return str(report.case), next(str(r.id) for r in world.rows(t.cases) if r.kind == "forecast")


def test_a_merge_moves_requests_and_can_be_undone(any_world: World) -> None:
    world = any_world
    report, forecast = two_cases(world)
    before = sorted(map(tuple, world.rows(d.requests)))
    merge(world.shared, TENANT, report, forecast, DISPATCHER, reason="The same noise")
    assert {r.case_id for r in world.rows(d.requests)} == {forecast}
    merged = next(r for r in world.rows(t.cases) if r.id == report)
    assert (merged.state, merged.merged_into, merged.closed_at) == ("merged", forecast, world.clock.at)
    world.clock.at += timedelta(hours=1)
    assert unmerge(world.shared, TENANT, report, DISPATCHER) == "triaging"
    assert sorted(map(tuple, world.rows(d.requests))) == before
    assert next(r for r in world.rows(t.cases) if r.id == report).closed_at is None
    with pytest.raises(IllegalTransition):
        unmerge(world.shared, TENANT, report, DISPATCHER)


def test_what_comes_after_a_merge_goes_where_it_belongs(world: World) -> None:
    report, forecast = two_cases(world)
    merge(world.shared, TENANT, forecast, report, DISPATCHER)
    world.take(4, first=2)
    assert {r.case_id for r in world.rows(t.intake)} == {report}
    assert not world.rows(t.orders)  # what was merged decides nothing
    assert len(world.rows(t.cases)) == 2
    assert unmerge(world.shared, TENANT, forecast, DISPATCHER) == "monitoring"
    assert {r.case_id for r in world.rows(t.intake)} == {forecast}
    world.take(3, first=7)
    assert world.only(t.orders).case_id == forecast


def test_a_merge_takes_the_notice_of_the_merged_case_back(world: World) -> None:
    report, forecast = two_cases(world)
    world.take(2, first=2)
    assert world.only(t.orders).state == "approved"
    with pytest.raises(BadInput, match="other way round"):
        merge(world.shared, TENANT, forecast, report, DISPATCHER)
    world.take(3, component="seal", failure_mode="seal_leak", alarm_id="s", p=0.9)
    seal = next(str(r.id) for r in world.rows(t.cases) if r.component == "seal")
    merge(world.shared, TENANT, seal, forecast, DISPATCHER)
    states = {r.case_id: r.state for r in world.rows(t.notices)}
    assert states == {seal: "withdrawn", forecast: "queued"}
    assert {r.case_id: r.state for r in world.rows(t.orders)} == {seal: "cancelled", forecast: "approved"}


def test_what_cannot_be_merged(world: World) -> None:
    report, forecast = two_cases(world)
    complaint = take_request(world.shared, TENANT, Request(RequestKind.COMPLAINT, "p1"), CUSTOMER).case
    world.take(1, device="p2")
    other = next(str(r.id) for r in world.rows(t.cases) if r.asset_id == "p2")
    for case, into in ((report, report), (report, other), (str(complaint), report), (report, str(complaint))):
        with pytest.raises(BadInput):
            merge(world.shared, TENANT, case, into, DISPATCHER)
    with pytest.raises(NotPermitted):
        merge(world.shared, TENANT, report, forecast, CUSTOMER)


def test_a_merge_of_a_merge_is_undone_in_any_order(world: World) -> None:
    report, forecast = two_cases(world)
    world.take(1, component="seal", failure_mode="seal_leak", alarm_id="s")
    seal = next(str(r.id) for r in world.rows(t.cases) if r.component == "seal")
    before = {r.id: r.case_id for r in world.rows(d.requests)}
    merge(world.shared, TENANT, report, seal, DISPATCHER)
    merge(world.shared, TENANT, seal, forecast, DISPATCHER)
    later = take_request(world.shared, TENANT, Request(RequestKind.REPORT, "p1", "seal", text="Wet"), CUSTOMER)
    assert (later.case, later.new) == (forecast, False)
    unmerge(world.shared, TENANT, report, DISPATCHER)
    unmerge(world.shared, TENANT, seal, DISPATCHER)
    assert {r.id: r.case_id for r in world.rows(d.requests)} == before | {later.request: seal}


def test_cases_of_an_incident_that_is_over_are_gathered_anew(world: World) -> None:
    world.take(1)
    world.take(1, device="p2")
    cases = [r.id for r in world.rows(t.cases)]
    first = gather(world.shared, TENANT, cases, "One gateway", DISPATCHER)
    dissolve(world.shared, TENANT, first, DISPATCHER)
    world.clock.at += timedelta(hours=1)
    second = gather(world.shared, TENANT, cases, "One site", DISPATCHER)
    assert {r.incident_id for r in world.rows(d.incident_cases)} == {second}
