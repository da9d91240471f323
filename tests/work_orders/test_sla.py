"""SLA clocks in the service: begun, paused, stopped, told and judged with the cases that they belong to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from plumbing import audit
from tests.work_orders.test_crashes import crash_everywhere
from tests.work_orders.world import ADMIN, CUSTOMER, DISPATCHER, TECHNICIAN, World
from work_orders import service
from work_orders.domain.calendars import Hours
from work_orders.domain.machine import NotPermitted
from work_orders.domain.requests import RequestKind
from work_orders.domain.sla import Metric, Rule, SlaPolicy, Step, Target
from work_orders.queries.sla import ClockRow, attainment, clocks, recomputing, running_clocks
from work_orders.service import sla
from work_orders.service import sla_tables as s
from work_orders.service import tables as t
from work_orders.service.conversation import write_message
from work_orders.service.door import Request, take_request
from work_orders.service.errors import BadInput
from work_orders.service.sla import case_clock_action, follow_outdated
from work_orders.service.sla_settings import (
    preview,
    set_calendar,
    set_site_hours,
    set_sla_policy,
    set_tier,
    with_rule,
    without_rule,
)

MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)


def reported(world: World, kind: RequestKind = RequestKind.REPORT, asset: str = "p1", at: datetime = MONDAY) -> str:
    world.clock.at = at
    return str(take_request(world.shared, world.tenant, Request(kind, asset, text="It hums"), DISPATCHER).case)


def shown(world: World, case: str | None = None) -> dict[str, ClockRow]:
    with world.database.read() as connection:
        cases = [r.id for r in world.rows(t.cases)] if case is None else [case]
        found = clocks(connection, world.tenant, world.clock.at, cases)
    return {r.metric: r for r in found}


def states(world: World) -> dict[str, str]:
    return {m: r.state for m, r in shown(world).items()}


def due(world: World, metric: str = "response") -> datetime | None:
    return shown(world)[metric].due_at


def told(world: World) -> list[str]:
    return [r.who for r in sorted(world.rows(s.escalations), key=lambda r: r.due_at)]


def policy(minutes: float, **more: Any) -> SlaPolicy:
    return SlaPolicy((Rule(Target(Metric.RESPONSE, minutes, **more)),))


def test_a_report_is_promised_an_answer_without_any_set_up(world: World) -> None:
    reported(world)
    assert due(world) == MONDAY + timedelta(hours=9)
    assert states(world) == {"response": "running", "restore": "running"}
    world.later(minutes=90)
    assert shown(world)["response"].used_minutes == 90


def test_a_forecast_is_promised_nothing_before_somebody_has_to_act(world: World) -> None:
    world.clock.at = MONDAY
    world.take(2)
    assert world.rows(s.clocks) == []
    world.take(1, first=3)
    assert states(world) == {"response": "running"}
    world.later(hours=1)  # the notice leaves
    assert states(world) == {"response": "met"}
    assert world.only(s.clocks).used_minutes == 120


def test_waiting_for_the_customer_pauses_what_is_left(world: World) -> None:
    world.clock.at = MONDAY
    set_sla_policy(world.shared, world.tenant, SlaPolicy((Rule(Target(Metric.RESTORE, 20 * 60)),)), ADMIN)
    notice = world.offered()
    row = shown(world)["restore"]
    assert (row.state, row.paused, row.due_at) == ("paused", "customer", None)
    world.later(hours=4)
    service.accept_notice(world.shared, world.tenant, notice, 1, CUSTOMER)
    assert shown(world)["restore"].used_minutes == 120
    assert due(world, "restore") == datetime(2026, 11, 25, 16, tzinfo=UTC)  # 2, 1 and 9 hours, 8 on Wednesday


@pytest.mark.parametrize(("reason", "pauses"), [("weather: storm", True), ("access", True), ("parts", False)])
def test_what_an_order_waits_for_pauses_it_or_not(world: World, reason: str, pauses: bool) -> None:
    world.clock.at = MONDAY
    set_sla_policy(world.shared, world.tenant, SlaPolicy((Rule(Target(Metric.RESTORE, 3000)),)), ADMIN)
    order = world.booked()
    service.order_action(world.shared, world.tenant, order, "start", TECHNICIAN)
    before = due(world, "restore")
    service.order_action(world.shared, world.tenant, order, "hold", TECHNICIAN, reason=reason)
    assert (shown(world)["restore"].state == "paused") is pauses
    world.later(hours=2)
    service.order_action(world.shared, world.tenant, order, "resume", TECHNICIAN)
    assert before is not None
    assert due(world, "restore") == before + timedelta(hours=2 * pauses)
    service.order_action(world.shared, world.tenant, order, "finish", TECHNICIAN)
    assert states(world) == {"restore": "met"}


def test_a_breach_is_told_once_and_the_chain_ends_when_somebody_answers(any_world: World) -> None:
    world = any_world
    chain = (Step("dispatcher", 0.5), Step("admin"), Step("owner", 1, 60), Step("owner", 1, 600))
    set_sla_policy(world.shared, world.tenant, policy(60, steps=chain), ADMIN)
    case = reported(world)
    world.later(minutes=30)
    assert told(world) == []  # at the very moment there is still nothing to tell
    world.later(minutes=1)
    assert told(world) == ["dispatcher"]
    for _ in range(5):
        world.later(minutes=20)
    assert told(world) == ["dispatcher", "admin", "owner"]
    assert world.actions().count("sla_breached") == 1
    case_clock_action(world.shared, world.tenant, case, "answered", DISPATCHER)
    world.later(days=3)
    assert told(world) == ["dispatcher", "admin", "owner"]
    row = world.only(s.clocks)
    assert (row.state, row.decided_at, row.used_minutes) == ("breached", MONDAY + timedelta(hours=1), 131)
    with world.database.read() as connection:
        (kept,) = attainment(connection, world.tenant)
    assert (kept.met, kept.breached, kept.share) == (0, 1, 0)


def test_a_step_that_stands_twice_in_a_chain_is_told_once(world: World) -> None:
    set_sla_policy(world.shared, world.tenant, policy(60, steps=(Step("admin"), Step("admin"))), ADMIN)
    reported(world)
    world.later(minutes=61)
    assert told(world) == ["admin"]
    assert states(world) == {"response": "breached"}


def test_a_crash_while_a_breach_is_told_tells_it_once(world: World) -> None:
    set_sla_policy(world.shared, world.tenant, policy(60, steps=(Step("admin"),)), ADMIN)
    reported(world)
    world.clock.at += timedelta(minutes=61)
    assert crash_everywhere(world, lambda: service.tick(world.shared, world.tenant)) > 8
    assert (told(world), world.actions().count("sla_breached")) == (["admin"], 1)


def test_who_sees_to_it_silences_the_chain_but_not_the_clock(world: World) -> None:
    rule = Rule(Target(Metric.RESTORE, 60, steps=(Step("admin"), Step("owner", 1, 60))))
    set_sla_policy(world.shared, world.tenant, SlaPolicy((rule,)), ADMIN)
    case = reported(world)
    world.later(minutes=61)
    case_clock_action(world.shared, world.tenant, case, "taken", DISPATCHER)
    world.later(days=1)
    assert (told(world), states(world), world.actions().count("sla_breached")) == (
        ["admin"],
        {"restore": "breached"},
        1,
    )


def test_who_sees_to_it_while_the_service_stood_is_followed_by_no_late_word(world: World) -> None:
    set_sla_policy(world.shared, world.tenant, policy(60, steps=(Step("admin", 0.5),)), ADMIN)
    case = reported(world)
    world.clock.at += timedelta(minutes=61)
    case_clock_action(world.shared, world.tenant, case, "taken", DISPATCHER)
    world.later(days=1)
    assert (told(world), world.actions().count("sla_breached")) == ([], 1)


def test_writing_to_a_customer_answers_him_and_his_answer_ends_the_wait(world: World) -> None:
    case = reported(world)
    write_message(world.shared, world.tenant, case, "Since when does it hum?", DISPATCHER)
    assert states(world) == {"response": "met", "restore": "running"}
    case_clock_action(world.shared, world.tenant, case, "wait", DISPATCHER, reason="customer")
    world.later(hours=3)
    write_message(world.shared, world.tenant, case, "Since Monday.", CUSTOMER)
    row = shown(world)["restore"]
    assert (row.state, row.used_minutes) == ("running", 0)


def test_nobody_is_told_of_what_was_answered_while_the_service_stood(world: World) -> None:
    set_sla_policy(world.shared, world.tenant, policy(60, steps=(Step("admin", 0.5),)), ADMIN)
    case = reported(world)
    world.clock.at += timedelta(minutes=50)  # nothing ticks
    case_clock_action(world.shared, world.tenant, case, "answered", DISPATCHER)
    world.later(days=1)
    assert (told(world), states(world)) == ([], {"response": "met"})


def test_an_answer_that_came_too_late_is_a_breach_though_nothing_ticked(world: World) -> None:
    set_sla_policy(world.shared, world.tenant, policy(60), ADMIN)
    case = reported(world)
    world.clock.at += timedelta(minutes=61)
    case_clock_action(world.shared, world.tenant, case, "answered", DISPATCHER)
    assert (states(world), world.actions().count("sla_breached")) == ({"response": "breached"}, 1)


def test_a_new_policy_is_right_for_what_has_already_happened(world: World) -> None:
    case = reported(world)
    world.later(hours=1)
    case_clock_action(world.shared, world.tenant, case, "wait", DISPATCHER, reason="parts")
    world.later(hours=2)
    case_clock_action(world.shared, world.tenant, case, "go-on", DISPATCHER)
    assert due(world) == MONDAY + timedelta(hours=9)  # parts are our own matter
    set_sla_policy(world.shared, world.tenant, policy(240, pauses=("parts",)), ADMIN)
    assert due(world) == MONDAY + timedelta(hours=6)
    assert states(world)["restore"] == "withdrawn"  # no longer promised
    set_sla_policy(world.shared, world.tenant, policy(120), ADMIN)
    assert states(world)["response"] == "breached"
    set_sla_policy(world.shared, world.tenant, policy(10_000), ADMIN)
    assert states(world)["response"] == "breached"  # judged once


def test_a_wait_begins_beside_one_that_lasts_and_after_it(world: World) -> None:
    set_sla_policy(world.shared, world.tenant, SlaPolicy((Rule(Target(Metric.RESTORE, 6000)),)), ADMIN)
    world.offered()  # he is waited for
    order = world.only(t.orders).id
    for action in ("plan", "mark_ready"):
        service.order_action(world.shared, world.tenant, order, action, DISPATCHER)
    service.order_action(world.shared, world.tenant, order, "hold", DISPATCHER, reason="parts")
    service.order_action(world.shared, world.tenant, order, "resume", DISPATCHER)
    service.accept_notice(world.shared, world.tenant, world.only(t.notices).id, 1, CUSTOMER)
    service.order_action(world.shared, world.tenant, order, "hold", DISPATCHER, reason="weather")
    case_clock_action(world.shared, world.tenant, world.only(t.cases).id, "wait", DISPATCHER, reason="safety")
    assert [(r.n, r.reason) for r in sorted(world.rows(s.waits), key=lambda r: r.n)] == [
        (1, "customer"), (2, "parts"), (3, "weather"), (4, "safety"),
    ]  # fmt: skip


def test_another_priority_keeps_the_pauses(world: World) -> None:
    def rule(minutes: float, priority: str = "") -> Rule:
        return Rule(Target(Metric.RESTORE, minutes), priority=priority)

    set_sla_policy(world.shared, world.tenant, SlaPolicy((rule(3000), rule(2000, "urgent"))), ADMIN)
    world.clock.at = MONDAY
    notice = world.offered()
    world.later(hours=2)
    service.accept_notice(world.shared, world.tenant, notice, 1, CUSTOMER)
    kept = world.rows(s.waits)
    before = shown(world)["restore"]
    with world.database.write() as connection:
        connection.execute(t.orders.update().values(priority="urgent"))
    service.order_action(world.shared, world.tenant, str(world.only(t.orders).id), "start", TECHNICIAN)
    after = shown(world)["restore"]
    assert (after.priority, after.target_minutes, after.used_minutes) == ("urgent", 2000, before.used_minutes)
    assert before.due_at is not None
    assert after.due_at is not None
    assert after.due_at < before.due_at
    assert world.rows(s.waits) == kept


def test_a_case_that_breaks_down_is_promised_more_from_then_on(world: World) -> None:
    world.clock.at = MONDAY
    world.offered()
    assert states(world) == {"response": "met"}
    world.later(minutes=1)
    service.report_breakdown(world.shared, world.tenant, "p1", "bearing_wear", CUSTOMER)
    rows = [(r.metric, r.round, r.kind, r.priority) for r in world.rows(s.clocks)]
    assert ("restore", 2, "breakdown", "urgent") in rows
    assert set(states(world)) == {"response", "arrival", "restore"}
    assert due(world) == world.clock.at + timedelta(hours=1)


def test_a_customer_who_declines_is_waited_on_no_more(world: World) -> None:
    world.clock.at = MONDAY
    set_sla_policy(world.shared, world.tenant, SlaPolicy((Rule(Target(Metric.RESTORE, 600)),)), ADMIN)
    notice = world.offered()
    service.decline_notice(world.shared, world.tenant, notice, "not now", CUSTOMER)
    assert states(world) == {"restore": "withdrawn"}
    world.later(days=30)
    assert "sla_breached" not in world.actions()


def test_clocks_are_worked_out_again_in_portions(any_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = any_world
    monkeypatch.setattr(sla, "FOLLOWED_AT_ONCE", 2)
    for n in range(5):
        service.add_asset(world.shared, world.tenant, f"x{n}", "pump", site_id="waterworks-site")
        reported(world, asset=f"x{n}")
    chain = policy(60, steps=(Step("admin"),))
    set_sla_policy(world.shared, world.tenant, chain, ADMIN)
    assert any("5 open cases follow it." in r.diff for r in world.rows(audit.entries))

    def stale() -> list[int]:
        with world.database.read() as connection:
            rows = running_clocks(connection, world.tenant, world.clock.at).items
            assert recomputing(connection, world.tenant) == len({r.case_id for r in rows if r.recomputing})
        return sorted(r.policy_version for r in rows if r.recomputing)

    assert len(stale()) == 6  # two metrics of each of three cases
    assert follow_outdated(world.shared, world.tenant) == 2
    assert stale() == [0, 0]
    world.clock.at += timedelta(hours=2)  # the new deadline has passed; the old one of the last has not
    assert follow_outdated(world.shared, world.tenant) == 1
    assert follow_outdated(world.shared, world.tenant) == 0
    assert stale() == []
    assert {(r.metric, r.due_at) for r in world.rows(s.clocks) if r.state != "withdrawn"} == {
        ("response", MONDAY + timedelta(hours=1))
    }


def test_nobody_is_told_by_what_held_before(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reported(world)
    monkeypatch.setattr(sla, "FOLLOWED_AT_ONCE", 0)  # no portion gets to it
    set_sla_policy(world.shared, world.tenant, policy(100_000), ADMIN)
    world.later(hours=24)  # beyond what was promised before
    assert not world.rows(s.escalations)
    assert states(world)["response"] == "running"


def test_holidays_and_hours_are_those_of_the_site(world: World) -> None:
    eve = datetime(2026, 12, 24, 16, tzinfo=UTC)
    assert preview_due(world, eve) == datetime(2026, 12, 25, 9, tzinfo=UTC)
    set_site_hours(world.shared, world.tenant, "waterworks-site", ADMIN, country="DE-BY")
    assert preview_due(world, eve) == datetime(2026, 12, 28, 9, tzinfo=UTC)
    night = Hours({"thu": ["22:00-06:00"]}, time_zone="Europe/Berlin")
    set_calendar(world.shared, world.tenant, "nights", night, ADMIN)
    set_site_hours(world.shared, world.tenant, "waterworks-site", ADMIN, calendar="nights")
    assert preview_due(world, eve) == datetime(2026, 12, 24, 23, tzinfo=UTC)  # 22:00 in Berlin is 21:00 UTC
    reported(world, at=eve)
    before = due(world)
    set_calendar(world.shared, world.tenant, "nights", Hours({"thu": ["23:00-06:00"]}), ADMIN)
    assert before is not None
    assert due(world) == before + timedelta(hours=3)  # an hour later, an hour more for the next week, and by UTC


def preview_due(world: World, now: datetime) -> datetime | None:
    with world.database.read() as connection:
        (found,) = preview(connection, world.tenant, now, site_id="waterworks-site", policy=policy(120))
    return found.due_at


def test_a_tier_has_promises_of_its_own(world: World) -> None:
    gold = Rule(Target(Metric.RESPONSE, 30), tier="gold")
    set_sla_policy(world.shared, world.tenant, with_rule(policy(60), gold), ADMIN)
    reported(world)
    set_tier(world.shared, world.tenant, "waterworks", "gold", ADMIN)
    assert due(world) == MONDAY + timedelta(minutes=30)
    set_sla_policy(world.shared, world.tenant, without_rule(with_rule(policy(60), gold), 2), ADMIN)
    assert due(world) == MONDAY + timedelta(hours=1)


def test_what_is_set_for_a_site_or_customer_is_worked_out_for_its_own_cases(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = {asset: reported(world, asset=asset) for asset in ("p1", "p3")}
    monkeypatch.setattr(sla, "FOLLOWED_AT_ONCE", 0)
    for change, asset in (
        (partial(set_site_hours, country="DE"), "p3"), (partial(set_tier, tier="gold"), "p1"),
    ):  # fmt: skip
        of = "brewery-site" if asset == "p3" else "waterworks"
        change(world.shared, world.tenant, of, actor=ADMIN)
        assert {r.case_id for r in world.rows(s.clocks) if r.outdated_at} == {cases[asset]}
        with world.database.write() as connection:
            connection.execute(s.clocks.update().values(outdated_at=None))
    set_calendar(world.shared, world.tenant, "nights", Hours({"thu": ["22:00-06:00"]}), ADMIN)
    assert {r.case_id for r in world.rows(s.clocks) if r.outdated_at} == set(cases.values())


def test_settings_that_cannot_be_are_refused(world: World) -> None:
    shared, tenant = world.shared, world.tenant
    with pytest.raises(NotPermitted):
        set_sla_policy(shared, tenant, policy(60), DISPATCHER)
    for wrong in (policy(-1), policy(60, calendar="moon"), policy(60, steps=(Step("admin", 0),))):
        with pytest.raises(BadInput):
            set_sla_policy(shared, tenant, wrong, ADMIN)
    for hours in (Hours({"mon": ["8-17"]}), Hours({}, country="Atlantis"), Hours({}, time_zone="Mars")):
        with pytest.raises(BadInput):
            set_calendar(shared, tenant, "odd", hours, ADMIN)
    with world.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(s.policies)).scalar() == 0
