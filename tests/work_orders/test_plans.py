"""Preventive plans in the service: jobs open when due, ride along with a visit, and are done with the work."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from contracts.asset_model import Running
from contracts.points import DeviceRows, StoreUnreachable
from plumbing.sql import to_us
from tests.work_orders.test_crashes import crash_everywhere
from tests.work_orders.test_sla import MONDAY
from tests.work_orders.world import CUSTOMER, DISPATCHER, PUMP, TECHNICIAN, World
from work_orders import service
from work_orders.domain.machine import NotPermitted
from work_orders.domain.plans import COUNTED_HOURS, HOURS, Condition, Spec
from work_orders.service import plan_tables as p
from work_orders.service import sla_tables as s
from work_orders.service import tables as t
from work_orders.service.errors import BadInput, Stale
from work_orders.service.plans import make_plan, move_plan, record_reading

DAY = timedelta(days=1)


def plan(world: World, asset: str = "p1", begins: datetime = MONDAY, **values: Any) -> str:
    world.clock.at = max(world.clock.at, MONDAY)
    given: dict[str, Any] = {"title": "Grease the bearings", "tasks": ("Grease", "Listen"), "every_days": 30, **values}
    return make_plan(world.shared, world.tenant, asset, Spec(**given), DISPATCHER, begins=begins)


def due(world: World) -> datetime | None:
    found: datetime | None = world.only(p.plans).due_at
    return found


def work(world: World, order: str, *actions: str) -> None:
    for action in actions:
        actor = DISPATCHER if action == "dispatch" else TECHNICIAN
        service.order_action(world.shared, world.tenant, order, action, actor)


def test_a_job_is_opened_before_it_is_due_and_the_next_counts_from_when_it_was_done(world: World) -> None:
    plan(world)
    assert due(world) == MONDAY + 30 * DAY
    world.later(days=22)
    assert world.rows(t.orders) == []
    world.later(days=2)
    world.later(hours=1)  # once
    order = world.only(t.orders)
    assert (order.type, order.state, order.priority, order.minutes) == ("preventive", "approved", "normal", 60)
    assert [r.text for r in world.rows(t.tasks)] == ["Grease the bearings: Grease", "Grease the bearings: Listen"]
    assert world.only(t.cases).kind == "preventive"
    assert world.rows(s.clocks) == []  # nobody waits for an answer
    service.assign_technician(world.shared, world.tenant, order.id, "tom", DISPATCHER, dispatch=True)
    world.later(days=2)
    work(world, order.id, "start", "finish")
    assert due(world) == world.clock.at + 30 * DAY
    assert [(r.result, r.n) for r in world.rows(p.jobs)] == [("done", 1)]


def test_it_rides_along_with_a_visit_that_comes_to_the_site_anyway(any_world: World) -> None:
    world = any_world
    plan(world, asset="p2", begins=MONDAY - 25 * DAY, lead_days=0)
    order = world.booked()  # of p1, at the same site, in a day or two: the job is due on Saturday
    job = world.only(p.jobs)
    assert (job.order_id, job.case_id, job.result) == (order, None, "")
    assert "a trip of its own is saved, about 200 EUR" in job.sentence
    assert len(world.rows(t.orders)) == 1
    texts = [r.text for r in sorted(world.rows(t.tasks), key=lambda r: r.n)]
    assert texts[-2:] == ["Pump 2, Grease the bearings: Grease", "Pump 2, Grease the bearings: Listen"]
    assert world.only(t.orders).minutes == 90 + 60
    world.later(days=30)  # it is not opened a second time
    assert len(world.rows(t.orders)) == 1
    with world.database.write() as connection:
        connection.execute(t.tasks.update().where(t.tasks.c.n == job.first_task).values(state="done"))
    work(world, order, "start", "finish")
    assert world.only(p.jobs).result == "done"
    assert due(world) == world.clock.at + 30 * DAY


@pytest.mark.parametrize(
    ("values", "asset"),
    [({"begins": MONDAY}, "p2"), ({}, "p3"), ({"skill": "electrical"}, "p2")],
    ids=["due much later", "another site", "a skill that nobody who comes has"],
)
def test_it_does_not_ride_along_where_it_should_not(world: World, values: dict[str, Any], asset: str) -> None:
    plan(world, asset=asset, **{"begins": MONDAY - 25 * DAY, "lead_days": 0, **values})
    world.booked()
    assert world.rows(p.jobs) == []


def test_a_plan_that_falls_due_joins_a_visit_that_was_booked_before(world: World) -> None:
    world.clock.at = MONDAY
    order = world.booked()
    plan(world, asset="p2", begins=MONDAY - 29 * DAY)
    world.later(minutes=1)
    assert world.only(p.jobs).order_id == order


def test_what_did_not_get_done_is_due_again(world: World) -> None:
    plan(world, asset="p2", begins=MONDAY - 25 * DAY, lead_days=0)
    order = world.booked()
    service.order_action(world.shared, world.tenant, order, "cancel", DISPATCHER, reason="wrong")
    assert world.only(p.jobs).result == "missed"
    world.later(days=6)
    assert sorted(r.type for r in world.rows(t.orders)) == ["predictive", "preventive"]


def test_a_job_left_out_is_missed_only_once_the_office_has_closed_the_order(world: World) -> None:
    plan(world, asset="p2", begins=MONDAY - 25 * DAY, lead_days=0)
    order = world.booked()
    work(world, order, "start", "finish")
    service.record_finding(world.shared, world.tenant, order, "prevented", TECHNICIAN, as_found="worn")
    assert world.only(p.jobs).result == ""
    service.order_action(world.shared, world.tenant, order, "reject", DISPATCHER, reason="the grease")
    with world.database.write() as connection:
        connection.execute(t.tasks.update().where(t.tasks.c.n == world.only(p.jobs).first_task).values(state="done"))
    work(world, order, "finish")
    assert world.only(p.jobs).result == "done"


def test_a_crash_while_a_job_is_opened_leaves_no_half_of_it(world: World) -> None:
    plan(world)
    world.clock.at += 24 * DAY
    assert crash_everywhere(world, lambda: service.tick(world.shared, world.tenant)) > 20
    assert len(world.rows(t.orders)) == len(world.rows(p.jobs)) == 1


def test_two_plans_of_a_machine_share_an_order(world: World) -> None:
    plan(world)
    plan(world, title="Check the oil", tasks=("Check",))
    world.later(days=24)
    assert world.only(t.orders).minutes == 120
    assert len(world.rows(t.tasks)) == 3
    assert len(world.rows(p.jobs)) == 2


def test_readings_move_the_date(world: World) -> None:
    plan(world, every_days=0, every_hours=100.0, when=Condition("pressure_drop", 2.5))
    assert due(world) is None
    record_reading(world.shared, world.tenant, "p1", HOURS, 1000, TECHNICIAN, at=MONDAY)
    world.clock.at += 10 * DAY
    record_reading(world.shared, world.tenant, "p1", HOURS, 1020, TECHNICIAN)
    assert due(world) == MONDAY + 50 * DAY
    record_reading(world.shared, world.tenant, "p1", "pressure_drop", 3, TECHNICIAN)
    assert due(world) == world.clock.at
    world.later(minutes=1)
    assert world.only(t.orders).type == "preventive"
    with pytest.raises(NotPermitted):
        record_reading(world.shared, world.tenant, "p1", HOURS, 1030, CUSTOMER)
    for meter, value in ((COUNTED_HOURS, 1.0), ("no meter!", 1.0), (HOURS, float("nan"))):
        with pytest.raises(BadInput):
            record_reading(world.shared, world.tenant, "p1", meter, value, TECHNICIAN)


def test_running_hours_are_counted_from_telemetry_where_nobody_reads_a_meter(world: World) -> None:
    running = replace(PUMP, running_when=Running("vibration", ">", 1.0))
    shared = replace(world.shared, models=lambda name: running)
    minutes = range(0, 2 * 1440, 10)
    on: list[list[float | None]] = [[2.0 if m % 1440 < 600 else 0.1] for m in minutes]  # ten hours of each day
    t_us = [to_us(MONDAY + timedelta(minutes=m)) for m in minutes]
    rows = DeviceRows(world.tenant, "p1", "pump", "b", ["vibration"], list(minutes), t_us, on, 0)
    shared.store.write([rows])
    world.clock.at = MONDAY
    make_plan(shared, world.tenant, "p1", Spec("Grease", ("Grease",), every_hours=200.0), DISPATCHER)
    for _ in range(2):
        world.clock.at += DAY + timedelta(minutes=1)
        service.tick(shared, world.tenant)
    assert [r.value for r in world.rows(p.readings)] == [0, 10, 20]
    assert due(world) == MONDAY + 20 * DAY


def test_a_store_that_does_not_answer_is_asked_again_an_hour_later(world: World) -> None:
    shared = replace(world.shared, models=lambda name: replace(PUMP, running_when=Running("vibration", ">", 1.0)))
    world.clock.at = MONDAY
    for asset in ("p1", "p2"):
        make_plan(shared, world.tenant, asset, Spec("Grease", ("Grease",), every_hours=200.0), DISPATCHER)
    asked: list[str] = []

    def away(tenant: str, device: str, *_: Any) -> Any:
        asked.append(device)
        raise StoreUnreachable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared.store, "band", away)
        for wait in (DAY + timedelta(minutes=1), timedelta(seconds=1), timedelta(minutes=58)):
            world.clock.at += wait
            service.tick(shared, world.tenant)
        assert len(asked) == 1  # nor is it asked for the other machine
        world.clock.at += timedelta(minutes=2)
        service.tick(shared, world.tenant)
        assert len(asked) == 2
    world.clock.at += timedelta(hours=1, minutes=1)
    service.tick(shared, world.tenant)
    assert len(world.rows(p.readings)) == 4  # two that begin, two counted


def test_a_plan_that_cannot_be_worked_out_holds_up_no_other_one(world: World) -> None:
    bad = plan(world)
    plan(world, asset="p2")
    with world.database.write() as connection:
        connection.execute(p.plans.update().where(p.plans.c.id == bad).values(spec="{}"))
    with pytest.raises(msgspec.ValidationError):
        world.later(days=24)
    assert world.only(t.orders).asset_id == "p2"


def test_a_plan_does_not_begin_in_another_age(world: World) -> None:
    with pytest.raises(BadInput, match="begins"):
        plan(world, begins=datetime(1, 1, 2, tzinfo=UTC))


def test_a_plan_rests_and_ends(world: World) -> None:
    id = plan(world)
    move_plan(world.shared, world.tenant, id, "pause", DISPATCHER)
    assert due(world) is None
    world.later(days=60)
    assert world.rows(t.orders) == []
    with pytest.raises(Stale):
        move_plan(world.shared, world.tenant, id, "resume", DISPATCHER, version=1)
    move_plan(world.shared, world.tenant, id, "resume", DISPATCHER)
    assert due(world) == MONDAY + 30 * DAY
    move_plan(world.shared, world.tenant, id, "end", DISPATCHER)
    world.later(days=60)
    assert world.rows(t.orders) == []
    for action in ("resume", "explode"):
        with pytest.raises(BadInput):
            move_plan(world.shared, world.tenant, id, action, DISPATCHER)
    with pytest.raises(NotPermitted):
        move_plan(world.shared, world.tenant, id, "end", TECHNICIAN)
