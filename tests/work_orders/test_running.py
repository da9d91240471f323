"""The service as it runs: takes forecasts from the log, soon and each once, whatever lies in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from statistics import median

import pytest
import sqlalchemy as sa

from contracts.records import COMMAND_RESULTS, PREDICTIONS, CommandEnded, encode
from plumbing import log
from plumbing.runtime import Shared
from plumbing.settings import BadSettings
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from tests.work_orders.world import World
from work_orders import service
from work_orders.adapters import consumer
from work_orders.service import tables as t
from work_orders.service.unit import Unit
from work_orders.settings import Settings
from work_orders.wiring import WorkOrdersService, build

LATENCY_MEDIAN_S = 1.0
"""The tail is measured by `benchmarks/end_to_end_latency.py`: here one stalled disk must not decide."""


@contextmanager
def running(world: World) -> Iterator[WorkOrdersService]:
    """The service on the wall clock."""
    real = SystemClock()
    shared = Shared(
        world.shared.home, world.database, real, TenantClocks(world.database, real), world.shared.store,
        world.shared.models,
    )  # fmt: skip
    made = build(Settings(), shared)
    assert isinstance(made, WorkOrdersService)
    world.clock.at = real.now()
    made.start()
    try:
        yield made
    finally:
        made.stop()
    assert made.healthy() == "not running"


def put(world: World, payload: bytes, tenant: str | None = None) -> None:
    """Into the log."""
    with world.database.write() as connection:
        log.append(connection, tenant or world.tenant, PREDICTIONS, "p1", payload, world.clock.at)


def until(world: World, table: sa.Table, count: int, seconds: float = 10.0) -> float:
    """Wall seconds until a table has so many rows."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if len(world.rows(table)) >= count:
            return time.monotonic() - start
        time.sleep(0.005)
    raise AssertionError(f"{table.name} has {len(world.rows(table))} rows after {seconds} s")


def test_a_notice_is_queued_within_a_second_of_the_forecast(any_world: World) -> None:
    world = any_world
    for n in range(20):
        service.add_asset(world.shared, world.tenant, f"x{n}", "pump", customer_id="waterworks")
    took = []
    with running(world) as made:
        for n in range(20):
            for k in (1, 2):
                put(world, encode(world.forecast(k, device=f"x{n}")))
            until(world, t.decisions, 3 * n + 2)
            put(world, encode(world.forecast(3, device=f"x{n}")))
            took.append(until(world, t.notices, n + 1))
        assert made.healthy() == ""
    assert median(took) < LATENCY_MEDIAN_S


def test_what_is_due_is_done_while_it_runs(world: World) -> None:
    with running(world):
        for k in (1, 2, 3):
            put(world, encode(world.forecast(k)))
        until(world, t.notices, 1)
        with world.database.write() as connection:
            connection.execute(t.notices.update().values(send_after=world.clock.at - timedelta(hours=1)))
        for _ in range(200):
            if world.only(t.notices).state == "sent":
                break
            time.sleep(0.01)
    assert world.only(t.notices).state == "sent"


def test_what_cannot_be_understood_stops_nobody(world: World) -> None:
    with running(world) as made:
        put(world, b"\x00rubbish")
        put(world, encode(world.forecast(1, tenant="another")))
        put(world, encode(world.forecast(2)))
        until(world, t.decisions, 1)
        assert made.healthy() == ""


def test_a_forecast_that_breaks_the_service_is_passed_over(world: World) -> None:
    """One whose probability curve is torn: longer on one side than on the other."""
    with running(world):
        put(world, encode(world.forecast(1, risk=[0.1])))
        put(world, encode(world.forecast(2)))
        until(world, t.decisions, 1)
    assert [r.prediction_id for r in world.rows(t.decisions)] == ["p1-bearing-2"]


def test_a_forecast_that_the_database_refuses_is_passed_over(world: World) -> None:
    with world.database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refused BEFORE INSERT ON work_orders_decisions WHEN NEW.prediction_id = 'p1-bearing-1'"
            " BEGIN SELECT RAISE(ABORT, 'no such row'); END"
        )
    with running(world):
        put(world, encode(world.forecast(1)))
        put(world, encode(world.forecast(2)))
        until(world, t.decisions, 1)
    assert [r.prediction_id for r in world.rows(t.decisions)] == ["p1-bearing-2"]


def test_a_command_result_that_breaks_the_service_holds_up_nothing_and_is_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def hear(_work: Unit, ended: CommandEnded) -> bool:
        if ended.id == "torn":
            raise ValueError(ended.id)
        heard.append(ended.id)
        return True

    monkeypatch.setattr(consumer, "hear_command", hear)
    made = build(Settings(), world.shared)
    assert isinstance(made, WorkOrdersService)
    world.take(3)
    world.clock.at += timedelta(hours=12)
    with world.database.write() as connection:
        for id in ("torn", "whole"):
            ended = CommandEnded(1, id, world.tenant, "p1", "read", "done", "", "", {}, world.clock.at)
            log.append(connection, world.tenant, COMMAND_RESULTS, "p1", encode(ended), world.clock.at)
    for _ in range(2):
        with pytest.raises(ValueError, match="torn"):
            made.round()
        assert world.only(t.notices).state == "sent"
    made.round()
    made.round()
    assert heard == ["whole"]


def test_of_two_processes_that_pass_a_bad_entry_over_one_does(world: World) -> None:
    put(world, b"bad")
    put(world, encode(world.forecast(1)))
    consumer.register(world.shared)
    assert consumer.skip_next(world.shared, PREDICTIONS, 0)
    assert consumer.skip_next(world.shared, PREDICTIONS, 0) == ""
    assert consumer.take_next(world.shared, 10) == 1
    assert world.only(t.decisions)


def test_a_restart_goes_on_where_it_stopped(world: World) -> None:
    with running(world):
        put(world, encode(world.forecast(1)))
        until(world, t.decisions, 1)
    put(world, encode(world.forecast(2)))
    with running(world):
        until(world, t.decisions, 2)
    assert len(world.rows(t.cases)) == 1


def test_every_fault_of_the_settings_is_reported_at_once() -> None:
    assert Settings.of({}) == Settings()
    with pytest.raises(BadSettings) as refused:
        Settings.of({"FOREWARN_WORK_ORDERS_BATCH": "many", "FOREWARN_WORK_ORDERS_POLL_SECONDS": "-1"})
    assert len(refused.value.faults) == 2
