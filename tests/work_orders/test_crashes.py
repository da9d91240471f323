"""A crash after any statement of the main paths leaves all or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from contracts.records import PREDICTIONS, encode
from plumbing import audit, log
from tests.work_orders.test_sending import Mail
from tests.work_orders.test_webhooks import URL, Receiver
from tests.work_orders.world import ADMIN, CUSTOMER, DISPATCHER, TECHNICIAN, World
from work_orders import service
from work_orders.adapters.consumer import take_next
from work_orders.domain.base_fields import Sheet
from work_orders.domain.machine import SYSTEM
from work_orders.domain.requests import RequestKind
from work_orders.domain.sla import Metric, Rule, SlaPolicy, Target
from work_orders.domain.templates import BUILT_IN
from work_orders.service import (
    aftercare_tables,
    door_tables,
    incidents,
    labels,
    merging,
    message_tables,
    order_steps,
    recalls,
    reports,
    sla_tables,
    webhook_tables,
)
from work_orders.service import tables as t
from work_orders.service.aftercare import answer_survey, verify_due
from work_orders.service.base_import import take_base
from work_orders.service.conversation import write_message
from work_orders.service.door import Request, take_request
from work_orders.service.intake import take
from work_orders.service.sending import WEB
from work_orders.service.sla_settings import set_sla_policy
from work_orders.service.unit import unit
from work_orders.service.webhooks import LEASE, add_webhook
from work_orders.service.wording import save_template

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


@contextmanager
def watching(world: World) -> Iterator[Callable[[], object]]:
    """Gives something that is another one once anybody has committed anything."""
    if world.database.dialect != "sqlite":
        yield lambda: everything(world)
        return
    watcher = sqlite3.connect(world.database.url.removeprefix("sqlite:///"))
    try:
        yield lambda: watcher.execute("PRAGMA data_version").fetchone()
    finally:
        watcher.close()


def crash_everywhere(world: World, path: Callable[[], object]) -> int:
    """Run the path with a crash after its 1st, 2nd, ... statement, at last without; how many statements it has."""
    with watching(world) as state:
        before = state()
        for n in range(1, 1000):
            with crashing_after(world, n) as count, suppress(Crash):
                path()
            if count[0] < n:
                assert state() != before
                return n - 1
            assert state() == before, f"half a state after statement {n}"
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


def told_of_false_visit(world: World) -> Callable[[], object]:
    order = world.booked()
    for action in ("start", "finish"):
        service.order_action(world.shared, world.tenant, order, action, TECHNICIAN)
    return lambda: service.record_finding(world.shared, world.tenant, order, "false", TECHNICIAN, as_found="nothing")


def check_false_visit(world: World) -> None:
    """The finding, the labels and the corrected story are one act."""
    assert {r.label for r in world.rows(t.intake) if r.case_id is not None} == {"false"}
    assert world.only(t.notices).state == "corrected"
    assert world.only(t.findings).result == "false"


def withdrawn(world: World) -> Callable[[], object]:
    world.take(3)
    return world.clear


def check_withdrawn(world: World) -> None:
    assert (world.only(t.notices).state, world.only(t.orders).state) == ("withdrawn", "cancelled")


def gathered(world: World) -> Callable[[], object]:
    for device in ("p1", "p2"):
        world.take(1, device=device)
    cases = [str(r.id) for r in world.rows(t.cases)]
    return lambda: incidents.gather(world.shared, world.tenant, cases, "One site", DISPATCHER)


def dissolved(world: World) -> Callable[[], object]:
    incident = gathered(world)()
    return lambda: incidents.dissolve(world.shared, world.tenant, str(incident), DISPATCHER)


def check_incident(world: World) -> None:
    assert len(world.rows(door_tables.incidents)) == 1
    assert len(world.rows(door_tables.incident_cases)) == 2


def recalled(world: World) -> Callable[[], object]:
    return lambda: recalls.recall(world.shared, world.tenant, "batch 7", "It may leak.", DISPATCHER, model="pump")


def check_recalled(world: World) -> None:
    assert len(world.rows(t.cases)) == len(world.rows(door_tables.requests)) == 3
    assert len(world.rows(door_tables.incidents)) == 1


def promised(world: World) -> Callable[[], object]:
    for asset in ("p1", "p2"):
        take_request(world.shared, world.tenant, Request(RequestKind.REPORT, asset, text="It hums."), DISPATCHER)
    policy = SlaPolicy((Rule(Target(Metric.RESPONSE, 30)),))
    return lambda: set_sla_policy(world.shared, world.tenant, policy, ADMIN)


def check_promised(world: World) -> None:
    assert {r.policy_version for r in world.rows(sla_tables.clocks) if r.metric == Metric.RESPONSE} == {1}


def imported(world: World) -> Callable[[], object]:
    sheets = [
        Sheet("customers", ("id", "name"), [("mill", "Mill")]),
        Sheet("sites", ("id", "name", "customer"), [("mill-1", "Hall", "mill")]),
        Sheet("assets", ("id", "name", "model", "site"), [("m1", "Pump", "pump", "mill-1")]),
    ]
    return lambda: take_base(world.shared, world.tenant, sheets, ADMIN)


def check_imported(world: World) -> None:
    assert {r.id for r in world.rows(t.assets)} >= {"m1"}


def templated(world: World) -> Callable[[], object]:
    words = BUILT_IN["forecast", "en"]
    return lambda: save_template(world.shared, world.tenant, "forecast", "en", words, ADMIN)


def check_templated(world: World) -> None:
    assert [r.version for r in world.rows(message_tables.templates)] == [1]


def talked(world: World) -> Callable[[], object]:
    world.take(3)
    case = str(world.only(t.cases).id)
    return lambda: write_message(world.shared, world.tenant, case, "When do you come?", CUSTOMER, key="1")


def check_talked(world: World) -> None:
    assert [r.text for r in world.rows(message_tables.messages) if r.incoming] == ["When do you come?"]


def sent_away(world: World) -> Callable[[], object]:
    order = world.booked()
    return lambda: order_steps.visit_action(world.shared, world.tenant, order, "no_access", TECHNICIAN, reason="shut")


def check_sent_away(world: World) -> None:
    """The order cannot be completed, and its follow-up is there with it."""
    assert sorted(r.state for r in world.rows(t.orders) if r.follows is None) == ["cannot_complete"]
    assert len([r for r in world.rows(t.orders) if r.follows is not None]) == 1


def asked(world: World) -> Callable[[], object]:
    told_of_false_visit(world)()
    order = str(world.only(t.orders).id)
    service.order_action(world.shared, world.tenant, order, "close", DISPATCHER)
    return lambda: answer_survey(world.shared, world.tenant, order, CUSTOMER, satisfied=1, words="It still hums.")


def check_asked(world: World) -> None:
    assert world.only(aftercare_tables.surveys).answered_at is not None


def back_again(world: World) -> Callable[[], object]:
    """A week after its repair the machine is called again."""
    order = world.booked()
    for action in ("start", "finish"):
        service.order_action(world.shared, world.tenant, order, action, TECHNICIAN)
    service.record_finding(world.shared, world.tenant, order, "prevented", TECHNICIAN)
    service.order_action(world.shared, world.tenant, order, "close", DISPATCHER)
    world.clock.at += timedelta(days=5)
    world.take(1, first=10, alarm_id="again")
    world.clear(alarm="again")
    world.clock.at += timedelta(days=2)
    return lambda: verify_due(world.shared, world.tenant)


def check_back_again(world: World) -> None:
    assert [r.verdict for r in world.rows(aftercare_tables.verify_checks) if r.verdict] == ["came_back"]
    assert [r.state for r in world.rows(t.cases) if r.closed_at is None] == ["triaging"]


ACTS = {
    "a false visit is admitted and labelled": (told_of_false_visit, check_false_visit),
    "a notice is withdrawn": (withdrawn, check_withdrawn),
    "cases are gathered": (gathered, check_incident),
    "an incident is dissolved": (dissolved, check_incident),
    "machines are recalled": (recalled, check_recalled),
    "a policy is set": (promised, check_promised),
    "the base is imported": (imported, check_imported),
    "a template is saved": (templated, check_templated),
    "a customer writes": (talked, check_talked),
    "nobody is there": (sent_away, check_sent_away),
    "a survey is answered": (asked, check_asked),
    "a repair is looked at again": (back_again, check_back_again),
}


@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_whole_or_nothing_and_can_be_repeated(world: World, act: str) -> None:
    prepare, check = ACTS[act]
    do = prepare(world)
    assert crash_everywhere(world, do) >= 3
    check(world)


def crash_and_go_on(world: World, path: Callable[[], object], later: timedelta) -> None:
    """A path of several transactions: it dies after its 1st, 2nd, ... statement, and goes on some time later."""
    for n in range(1, 1000):
        with crashing_after(world, n) as count, suppress(Crash):
            path()
        if count[0] < n:
            return
        world.clock.at += later
    raise AssertionError("the path does not end")


def test_who_sends_events_may_die_anywhere_and_loses_none(world: World) -> None:
    add_webhook(world.shared, world.tenant, URL, ["*"], ADMIN)
    world.take(3)
    out = Receiver(world)
    crash_and_go_on(world, out.round, LEASE)
    taken = list(dict.fromkeys(int(e["sequence"]) for e in out.taken))
    rows = world.rows(webhook_tables.deliveries)
    assert {r.state for r in rows} == {"delivered"}
    assert sorted(taken) == sorted(r.seq for r in rows)
    by_machine = {r.seq: r.aggregate for r in rows}
    for machine in set(by_machine.values()):
        mine = [seq for seq in taken if by_machine[seq] == machine]
        assert mine == sorted(mine), f"in order for {machine}"


def test_who_hands_mail_over_may_die_anywhere_and_the_letter_keeps_its_name(world: World) -> None:
    mail = Mail()
    world.take(3)
    world.clock.at = world.clock.at.replace(hour=12)
    crash_and_go_on(world, lambda: service.tick(world.shared, world.tenant, (mail, WEB)), timedelta(minutes=10))
    service.tick(world.shared, world.tenant, (mail, WEB))
    told = world.rows(message_tables.deliveries)
    assert {r.state for r in told if r.channel == "mail"} == {"delivered"}
    assert {m.id for m in mail.sent} == {r.message_id for r in told if r.channel == "mail"}
    assert world.only(t.notices).state == "delivered"
