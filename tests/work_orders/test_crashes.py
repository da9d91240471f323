"""A crash after any statement of the main paths leaves all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from contracts.records import PREDICTIONS, encode
from plumbing import audit, log
from tests.work_orders.world import CUSTOMER, DISPATCHER, TECHNICIAN, World
from work_orders import service
from work_orders.adapters.consumer import take_next
from work_orders.domain.machine import SYSTEM
from work_orders.service import door_tables, incidents, labels, merging, order_steps, reports
from work_orders.service import tables as t
from work_orders.service.intake import take
from work_orders.service.unit import unit

ALL = [*t.metadata.sorted_tables, audit.entries, log.entries, log.consumers]


class Crash(Exception):
    """The process dies here."""


@contextmanager
def crashing_after(world: World, statements: int) -> Iterator[list[int]]:
    """Let the writer die after so many statements; the list counts them."""
    count = [0]
    engine = world.database._writer

    def strike(*_: Any) -> None:
        count[0] += 1
        if count[0] >= statements:  # who is dead does nothing more
            raise Crash

    sa.event.listen(engine, "after_cursor_execute", strike)
    try:
        yield count
    finally:
        sa.event.remove(engine, "after_cursor_execute", strike)


def everything(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables that a unit of work may touch."""
    with world.database.read() as connection:
        return {table.name: sorted((tuple(r) for r in connection.execute(sa.select(table))), key=repr) for table in ALL}


def crash_everywhere(world: World, path: Callable[[], object]) -> int:
    """Run the path with a crash after its 1st, 2nd, ... statement, at last without; how many statements it has."""
    before = everything(world)
    for n in range(1, 1000):
        with crashing_after(world, n) as count, suppress(Crash):
            path()
        if count[0] < n:
            assert everything(world) != before
            return n - 1
        assert everything(world) == before, f"half a state after statement {n}"
    raise AssertionError("the path does not end")


def test_taking_the_forecast_that_decides(any_world: World) -> None:
    world = any_world
    world.take(2)
    with world.database.write() as connection:
        log.append(connection, world.tenant, PREDICTIONS, "p1", encode(world.forecast(3)), world.clock.at)
    assert crash_everywhere(world, lambda: take_next(world.shared, 10)) > 20
    assert len(world.rows(t.orders)) == len(world.rows(t.notices)) == 1
    assert take_next(world.shared, 10) == 0


PATHS = ("send", "accept", "decline", "propose", "start", "finish", "finding", "close", "fail", "cancel", "clear",
         "breakdown", "remind", "no reply")  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_step_of_the_road(world: World, path: str) -> None:
    shared, tenant = world.shared, world.tenant
    steps: dict[str, Callable[[], object]] = {
        "send": lambda: service.tick(shared, tenant),
        "accept": lambda: service.accept_notice(shared, tenant, notice, 1, CUSTOMER),
        "decline": lambda: service.decline_notice(shared, tenant, notice, "too dear", CUSTOMER),
        "propose": lambda: service.propose_day(shared, tenant, notice, world.clock.at.date(), CUSTOMER),
        "start": lambda: service.order_action(shared, tenant, order, "start", TECHNICIAN),
        "finish": lambda: service.order_action(shared, tenant, order, "finish", TECHNICIAN),
        "finding": lambda: service.record_finding(shared, tenant, order, "prevented", TECHNICIAN),
        "close": lambda: service.order_action(shared, tenant, order, "close", DISPATCHER),
        "fail": lambda: service.order_action(shared, tenant, order, "fail", TECHNICIAN, reason="parts"),
        "cancel": lambda: service.order_action(shared, tenant, order, "cancel", DISPATCHER, reason="sold"),
        "clear": world.clear,
        "breakdown": lambda: service.report_breakdown(shared, tenant, "p2", "bearing_wear", CUSTOMER),
        "remind": lambda: service.tick(shared, tenant),
        "no reply": lambda: service.tick(shared, tenant),
    }
    world.take(3)
    order, notice = str(world.only(t.orders).id), str(world.only(t.notices).id)
    if path != "send":
        world.later(hours=1)
    if path in ("start", "finish", "finding", "close", "fail", "cancel"):
        service.accept_notice(shared, tenant, notice, 1, CUSTOMER)
    for before in ("start", "finish", "finding"):
        if path in ("finish", "finding", "close", "fail")[("start", "finish", "finding").index(before) :]:
            if (before, path) in (("finish", "fail"), ("finding", "fail")):
                continue
            steps[before]()
    if path in ("remind", "no reply"):
        world.clock.at += timedelta(hours=25)
    if path == "no reply":
        while service.tick(shared, tenant):
            pass
        world.clock.at += timedelta(hours=25)
    assert crash_everywhere(world, steps[path]) >= 3


DOOR_PATHS = ("report", "merge", "unmerge", "reject", "release")


@pytest.mark.parametrize("path", DOOR_PATHS)
def test_a_step_by_the_door(world: World, path: str) -> None:
    shared, tenant = world.shared, world.tenant
    token = labels.label_of(shared, tenant, "p1", DISPATCHER)
    picture = b"\x89PNG\r\n\x1a\n1"
    steps: dict[str, Callable[[], object]] = {
        "report": lambda: reports.report_by_label(shared, token, "leak", photos=[("x", picture)], once="1"),
        "merge": lambda: merging.merge(shared, tenant, report, forecast, DISPATCHER),
        "unmerge": lambda: merging.unmerge(shared, tenant, report, DISPATCHER),
        "reject": lambda: order_steps.visit_action(shared, tenant, order, "reject", TECHNICIAN, reason="ill"),
        "release": lambda: incidents.release(shared, tenant, incident, DISPATCHER, cases=[held]),
    }
    report = forecast = order = incident = held = ""
    if path in ("merge", "unmerge"):
        steps["report"]()
        world.take(1)
        report, forecast = sorted((str(r.id) for r in world.rows(t.cases)), key=lambda id: id == case_of(world))
    if path == "unmerge":
        steps["merge"]()
    if path == "reject":
        order = world.booked()
    if path == "release":
        for n in range(5):
            service.add_asset(shared, tenant, f"q{n}", "pump", site_id="waterworks-site")
        for n in range(1, 4):
            with unit(shared, tenant, SYSTEM) as work:
                for k in range(5):
                    take(work, world.forecast(n, device=f"q{k}", group="g"))
        incident = str(world.only(door_tables.incidents).id)
        held = next(str(r.id) for r in world.rows(t.cases) if r.path == "gathered")
    assert crash_everywhere(world, steps[path]) >= 3


def case_of(world: World) -> str:
    """The case that a forecast opened."""
    return next(str(r.id) for r in world.rows(t.cases) if r.kind == "forecast")
