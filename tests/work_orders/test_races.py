"""Threads and processes racing on the same forecast open one case, one order, one notice."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from multiprocessing.queues import SimpleQueue as Told
from multiprocessing.synchronize import Barrier as Gate
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy.exc import IntegrityError

from api.owners.versions import CALENDAR, expect
from api.problems import Problem
from api.roles import Principal
from api.roles import Role as ApiRole
from contracts.records import PREDICTIONS, encode
from plumbing import log
from tests.work_orders.world import ADMIN, CUSTOMER, DISPATCHER, TENANT, World, open_world
from work_orders import service
from work_orders.adapters.consumer import register, take_next
from work_orders.domain.calendars import Hours
from work_orders.domain.machine import IllegalTransition
from work_orders.domain.slots import HalfDay
from work_orders.service import tables as t
from work_orders.service.errors import SlotTaken, Stale
from work_orders.service.sla_settings import set_calendar

RACERS = 24


def race(job: Callable[[int], object], racers: int = RACERS) -> list[object]:
    """All at once; what each got (a result or an exception of this package)."""
    gate = Barrier(racers)

    def run(n: int) -> object:
        gate.wait()
        try:
            return job(n)
        except (IllegalTransition, SlotTaken) as refused:
            return refused

    with ThreadPoolExecutor(racers) as pool:
        return list(pool.map(run, range(racers)))


def test_threads_that_take_the_same_forecast_open_one_of_each(any_world: World) -> None:
    world = any_world
    world.take(2)
    forecast = world.forecast(3)
    race(lambda n: service.take_prediction(world.shared, forecast))
    assert len(world.rows(t.cases)) == len(world.rows(t.orders)) == len(world.rows(t.notices)) == 1
    assert len(world.rows(t.decisions)) == 3
    actions = world.actions()
    assert [actions.count(a) for a in ("case_opened", "order_opened", "notice_queued")] == [1, 1, 1]


def test_threads_that_take_different_forecasts_open_one_of_each(any_world: World) -> None:
    world = any_world
    forecasts = [world.forecast(n) for n in range(RACERS)]
    race(lambda n: service.take_prediction(world.shared, forecasts[n]))
    assert len(world.rows(t.cases)) == len(world.rows(t.orders)) == len(world.rows(t.notices)) == 1
    assert sorted(r.verdict for r in world.rows(t.decisions)).count("act") == 1
    assert len(world.rows(t.decisions)) == RACERS


Job = Callable[[World, int], object]


def _alone(url: str, home: Path, at: datetime, gate: Gate, told: Told[str], job: Job, n: int) -> None:
    """A process of its own: its own connections, its own clock."""
    world = open_world(url, home, at, migrated=True)
    gate.wait(60)
    try:
        got = f"done: {job(world, n)}"
    except (IllegalTransition, SlotTaken, Stale) as refused:
        got = type(refused).__name__
    told.put(got)
    world.database.close()


def race_of_processes(world: World, home: Path, job: Job, racers: int) -> Counter[str]:
    """All at once, each forked from this one; how often each got what."""
    world.database.close()  # no connection is shared
    fork = multiprocessing.get_context("fork")
    gate, told = fork.Barrier(racers), fork.SimpleQueue()
    shared = (world.database.url, home, world.clock.at, gate, told, job)
    runners = [fork.Process(target=_alone, args=(*shared, n), daemon=True) for n in range(racers)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(60)
    assert {runner.exitcode for runner in runners} == {0}
    return Counter(told.get().partition(":")[0] for _ in runners)


def test_processes_that_race_act_once(any_world: World, tmp_path: Path) -> None:
    """50 on PostgreSQL; on SQLite, where one writes at a time anyway, a few."""
    world, shared, tenant = any_world, any_world.shared, any_world.tenant
    racers = 50 if world.database.dialect == "postgresql" else 6
    world.take(2)
    forecast = world.forecast(3)
    race_of_processes(world, tmp_path, lambda own, n: service.take_prediction(own.shared, forecast), racers)
    assert len(world.rows(t.cases)) == len(world.rows(t.orders)) == len(world.rows(t.notices)) == 1
    assert len(world.rows(t.intake)) == len(world.rows(t.decisions)) == 3
    assert [world.actions().count(a) for a in ("case_opened", "order_opened", "notice_queued")] == [1, 1, 1]

    world.later(hours=1)
    notice, order = str(world.only(t.notices).id), str(world.only(t.orders).id)
    got = race_of_processes(
        world, tmp_path, lambda own, n: service.accept_notice(own.shared, tenant, notice, 1 + n % 2, CUSTOMER), racers
    )
    assert got == {"done": 1, "IllegalTransition": racers - 1}, "the customer's answer"
    assert len(world.rows(t.answers)) == len(world.rows(t.visits)) == len(world.rows(t.half_days)) == 1

    version = world.only(t.orders).version
    got = race_of_processes(
        world, tmp_path,
        lambda own, n: service.order_action(own.shared, tenant, order, "hold", DISPATCHER, reason="parts",
                                            version=version),
        racers,
    )  # fmt: skip
    assert got == {"done": 1, "Stale": racers - 1}, "a step with the version that all of them saw"
    assert (world.only(t.orders).version, world.actions().count("order_on_hold")) == (version + 1, 1)

    for device in ("p2", "p3"):
        world.take(3, device=device)
    day = world.clock.at.date() + timedelta(days=3)
    service.block_half_days(shared, tenant, "uwe", [HalfDay(day, "am")])
    orders = [str(r.id) for r in world.rows(t.orders) if r.id != order]
    got = race_of_processes(
        world, tmp_path,
        lambda own, n: service.book_visit(own.shared, tenant, orders[n % 2], day, "am", DISPATCHER, agreed_by=str(n)),
        racers,
    )  # fmt: skip
    taken = [r for r in world.rows(t.visits) if r.day == day and r.ended_at is None]
    assert len(taken) == 1, "the same half day of the only one who is free"
    assert got["SlotTaken"] >= racers // 2


def test_of_many_who_saw_the_same_version_one_changes_the_thing(any_world: World) -> None:
    """What counts no versions is compared by what is shown of it, behind the lock of its writers."""
    world, office = any_world, Principal(TENANT, ApiRole.ADMIN, "", "", "", None)

    def change(n: int) -> object:
        expect(CALENDAR, 0, office, "early")
        try:
            set_calendar(world.shared, TENANT, "early", Hours({"mon": [f"0{n % 8}:00-12:00"]}), ADMIN)
        except Problem as refused:
            return refused.status
        return "done"

    assert Counter(race(change, 8)) == {"done": 1, 412: 7}
    assert world.actions().count("calendar_set") == 1
    with world.database.read() as connection:
        assert CALENDAR.one(connection, TENANT, "early") > 0


def test_the_database_itself_forbids_a_second_open_case(any_world: World) -> None:
    world = any_world
    world.take(1)
    case = world.only(t.cases)
    values = {k: v for k, v in case._mapping.items() if k != "id"}
    with pytest.raises(IntegrityError), world.database.write() as connection:
        connection.execute(t.cases.insert().values(id="C-second", **values))
    with world.database.write() as connection:
        connection.execute(t.cases.insert().values(id="C-old", **{**values, "closed_at": world.clock.at}))


def test_one_yes_books_one_visit_however_often_it_is_clicked(any_world: World) -> None:
    world = any_world
    notice = world.offered()
    got = race(lambda n: service.accept_notice(world.shared, world.tenant, notice, 1 + n % 2, CUSTOMER))
    assert len([g for g in got if isinstance(g, str)]) == 1
    assert all(isinstance(g, str | IllegalTransition) for g in got)
    assert len(world.rows(t.visits)) == len(world.rows(t.half_days)) == 1
    assert world.actions().count("notice_accepted") == 1


def test_the_last_free_half_day_is_given_to_one(any_world: World) -> None:
    world = any_world
    for device in ("p1", "p2"):
        world.take(3, device=device)
    world.later(hours=1)
    orders = [str(r.id) for r in world.rows(t.orders)]
    day = world.clock.at.date().replace(day=24)
    service.block_half_days(world.shared, world.tenant, "uwe", [HalfDay(day, "am")])
    got = race(
        lambda n: service.book_visit(
            world.shared, world.tenant, orders[n % 2], day, "am", DISPATCHER, agreed_by=f"by phone, {n}"
        ),
        8,
    )
    taken = [(r.technician_id, r.day, r.half) for r in world.rows(t.visits) if r.ended_at is None]
    assert len(taken) == len(set(taken)) == 1
    assert any(isinstance(g, SlotTaken) for g in got)
    assert [r.order_id for r in world.rows(t.half_days) if r.technician_id == "tom"] == [
        r.order_id for r in world.rows(t.visits) if r.ended_at is None
    ]


def test_consumers_that_share_the_log_take_each_entry_once(any_world: World) -> None:
    world = any_world
    register(world.shared)
    for n in range(1, 30):
        with world.database.write() as connection:
            log.append(connection, TENANT, PREDICTIONS, "p1", encode(world.forecast(n)), world.clock.at)

    def drain(n: int) -> int:
        while take_next(world.shared, 5):
            pass
        return n

    race(drain, 6)
    assert len(world.rows(t.decisions)) == 29
    assert len(world.rows(t.orders)) == len(world.rows(t.notices)) == 1
    with world.database.read() as connection:
        assert log.position(connection, "work_orders", PREDICTIONS) == world.settled_at + 29
