"""Threads and processes racing on the same forecast open one case, one order, one notice."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier as Gate
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy.exc import IntegrityError

from contracts.records import PREDICTIONS, encode
from plumbing import log
from tests.work_orders.world import CUSTOMER, DISPATCHER, TENANT, World, open_world
from work_orders import service
from work_orders.adapters.consumer import register, take_next
from work_orders.domain.machine import IllegalTransition
from work_orders.domain.slots import HalfDay
from work_orders.service import tables as t
from work_orders.service.errors import SlotTaken

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


def _take_in_a_process(url: str, home: str, gate: Gate, forecast_count: int) -> None:
    world = open_world(url, Path(home))
    forecasts = [world.forecast(n) for n in range(forecast_count)]
    gate.wait()
    for forecast in forecasts:
        service.take_prediction(world.shared, forecast)
    world.database.close()


def test_processes_that_take_the_same_forecasts_open_one_of_each(any_world: World, tmp_path: Path) -> None:
    world = any_world
    spawn = multiprocessing.get_context("spawn")
    gate = spawn.Barrier(4)
    url = world.database.url
    racers = [
        spawn.Process(target=_take_in_a_process, args=(url, str(tmp_path), gate, 5), daemon=True) for _ in range(4)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(90)
        assert racer.exitcode == 0
    assert len(world.rows(t.cases)) == len(world.rows(t.orders)) == len(world.rows(t.notices)) == 1
    assert len(world.rows(t.intake)) == len(world.rows(t.decisions)) == 5


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
