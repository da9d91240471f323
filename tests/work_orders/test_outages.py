"""A dead gateway is one incident; a group of thousands costs each of its cases no more than a small one."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from contracts.records import PRESENCE, Outage, encode
from plumbing import log
from tests.work_orders.test_incidents import GROUP, many, strike
from tests.work_orders.world import CUSTOMER, DISPATCHER, SUNDAY, TENANT, World
from work_orders.adapters.outage_reader import take_outage
from work_orders.domain.requests import RequestKind
from work_orders.service import door_tables as d
from work_orders.service import incidents
from work_orders.service import tables as t
from work_orders.service.door import Request, take_request
from work_orders.service.incidents import AT_ONCE, dissolve, gather, release
from work_orders.service.unit import Unit


def say(world: World, device: str, *behind: str, over: bool = False) -> None:
    """What ingest tells of an outage."""
    now = world.clock.at
    told = Outage(1, TENANT, device, list(behind), now, now if over else None)
    with world.database.write() as connection:
        log.append(connection, TENANT, PRESENCE, device, encode(told), now)
    while take_outage(world.shared):
        pass


def members(world: World) -> set[str]:
    return {r.case_id for r in world.rows(d.incident_cases)}


def test_a_dead_gateway_is_one_incident_that_ends_when_it_is_back(any_world: World) -> None:
    world = any_world
    before = take_request(world.shared, TENANT, Request(RequestKind.REPORT, "p1", "seal", text="Wet"), CUSTOMER)
    world.clock.at += timedelta(hours=1)
    say(world, "gate", "p1", "p2")
    incident = world.only(d.incidents)
    assert (incident.kind, incident.title) == ("gateway", "gate is off line, and 2 devices behind it")
    assert members(world) == set()  # what was there before has another cause
    during = take_request(world.shared, TENANT, Request(RequestKind.REPORT, "p2", text="No values"), CUSTOMER)
    elsewhere = take_request(world.shared, TENANT, Request(RequestKind.BREAKDOWN, "p3", text="Burst"), DISPATCHER)
    assert members(world) == {during.case}
    assert {before.case, elsewhere.case}.isdisjoint(members(world))
    say(world, "gate", "p1")
    say(world, "gate", "p1")
    assert world.only(d.incidents).title == "gate is off line, and p1 behind it"
    assert {r.device for r in world.rows(d.incident_devices)} == {"gate", "p1"}
    say(world, "gate", "p1", over=True)
    say(world, "gate", "p1", over=True)
    assert world.only(d.incidents).closed_at == world.clock.at
    assert not world.rows(t.notices)
    assert [a for a in world.actions() if a.startswith("incident")] == [
        "incident_opened", "incident_changed", "incident_closed",
    ]  # fmt: skip
    say(world, "gate", "p1")
    assert len(world.rows(d.incidents)) == 2


def test_a_case_that_began_with_the_outage_is_gathered_when_it_is_told(world: World) -> None:
    opened = take_request(world.shared, TENANT, Request(RequestKind.REPORT, "p1", text="No values"), CUSTOMER)
    say(world, "gate", "p1", "p2")
    assert members(world) == {opened.case}


def test_a_device_alone_is_no_incident_of_the_service(world: World) -> None:
    say(world, "p1")
    say(world, "p1", over=True)
    assert not world.rows(d.incidents)


def test_forecasts_of_a_dead_gateways_machines_tell_no_customer_until_it_is_back(world: World) -> None:
    devices = many(world, 5)
    say(world, "gate", *devices)
    world.clock.at += timedelta(minutes=5)
    world.take(3, device="q0")
    assert not world.rows(t.notices)
    assert not world.rows(t.orders)
    case = world.only(t.cases)
    assert case.path == "gathered"
    say(world, "gate", *devices, over=True)
    assert world.only(t.cases).path is None
    world.take(3, device="q0", first=4)
    assert len(world.rows(t.orders)) == 1


def test_its_incident_outlives_its_cases(world: World) -> None:
    devices = many(world, 5)
    say(world, "gate", *devices)
    world.take(1, device="q0")
    world.clear("q0")
    assert world.only(t.cases).closed_at is not None
    assert world.only(d.incidents).closed_at is None


def crowd(world: World, count: int) -> list[str]:
    """So many cases more that wait with the incident of `strike`, as `q1` does; their ids."""
    asset = next(r._asdict() for r in world.rows(t.assets) if r.id == "q1")
    case = next(r._asdict() for r in world.rows(t.cases) if r.asset_id == "q1")
    member = next(r._asdict() for r in world.rows(d.incident_cases) if r.case_id == case["id"])
    ids = [f"C-more-{n}" for n in range(count)]
    with world.database.write() as connection:
        connection.execute(sa.insert(t.assets), [asset | {"id": f"z{n}"} for n in range(count)])
        connection.execute(
            sa.insert(t.cases),
            [case | {"id": id, "asset_id": f"z{n}", "prediction_id": None} for n, id in enumerate(ids)],
        )
        connection.execute(sa.insert(d.incident_cases), [member | {"case_id": id} for id in ids])
    return ids


def test_a_case_of_thousands_costs_what_one_of_a_few_does(world: World) -> None:
    devices = many(world, 8)
    strike(world, devices[:6])
    asked: list[int] = []

    def one_more(device: str) -> int:
        asked.clear()
        world.take(1, device=device, first=9, group=GROUP, alarm_since=SUNDAY + timedelta(minutes=1))
        return len(asked)

    with world.database.write() as connection:
        engine = connection.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *_: asked.append(1))
    few = one_more("q6")
    crowd(world, 2000)
    assert one_more("q7") == few
    assert dissolve(world.shared, TENANT, str(world.only(d.incidents).id), DISPATCHER) >= 2000


def test_thousands_are_let_go_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    strike(world, many(world, 6))
    ids = crowd(world, 2 * AT_ONCE)
    portions: list[int] = []
    let_go = incidents._let_go

    def counted(work: Unit, cases: list[str]) -> None:
        portions.append(len(cases))
        let_go(work, cases)

    monkeypatch.setattr(incidents, "_let_go", counted)
    assert release(world.shared, TENANT, str(world.only(d.incidents).id), DISPATCHER) == len(ids) + 5
    assert portions == [AT_ONCE, AT_ONCE, 5]
    assert len(world.rows(t.orders)) == len(ids) + 6


def test_what_a_process_that_died_left_is_let_go_with_the_next_try(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    strike(world, many(world, 6))
    crowd(world, AT_ONCE)
    incident = str(world.only(d.incidents).id)
    let_go = incidents._let_go
    done: list[int] = []

    def once(work: Unit, cases: list[str]) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(1)
        let_go(work, cases)

    with monkeypatch.context() as patched:
        patched.setattr(incidents, "_let_go", once)
        with pytest.raises(KeyboardInterrupt):
            release(world.shared, TENANT, incident, DISPATCHER)
    assert len(world.rows(t.orders)) == AT_ONCE + 1
    assert release(world.shared, TENANT, incident, DISPATCHER) == 5
    assert len(world.rows(t.orders)) == AT_ONCE + 6


def test_a_hundred_cases_are_gathered_by_hand_in_portions(world: World) -> None:
    strike(world, many(world, 6))
    ids = crowd(world, 2 * AT_ONCE)
    dissolve(world.shared, TENANT, str(world.only(d.incidents).id), DISPATCHER)
    incident = gather(world.shared, TENANT, ids, "One batch", DISPATCHER)
    assert {r.case_id for r in world.rows(d.incident_cases) if r.incident_id == incident} == set(ids)
