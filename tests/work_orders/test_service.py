"""What becomes of forecasts and notices, one sentence each."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from contracts.records import FINDINGS, AssetPlaced, Shelve, Unshelve, decode_from_work
from plumbing import log
from tests.work_orders.world import (
    CUSTOMER,
    DISPATCHER,
    ENGINEER,
    STRANGER,
    TECHNICIAN,
    World,
)
from work_orders import service
from work_orders.domain.machine import Actor, IllegalTransition, NotPermitted, Role
from work_orders.domain.policy import Policy
from work_orders.domain.slots import HalfDay
from work_orders.queries.inbox import inbox
from work_orders.service import tables as t
from work_orders.service.due import tenants_with_work
from work_orders.service.errors import (
    BadInput,
    NotFound,
    SlotTaken,
)


def do(world: World, order: str, *actions: str, reason: str = "") -> None:
    """Actions of the technician, and of the dispatcher where it takes one."""
    for action in actions:
        actor = DISPATCHER if action in ("close", "reject", "cancel", "dispatch") else TECHNICIAN
        service.order_action(world.shared, world.tenant, order, action, actor, reason=reason)


# forecasts


def test_a_repeated_forecast_changes_nothing(world: World) -> None:
    forecast = world.forecast(1)
    assert service.take_prediction(world.shared, forecast) == "linked"
    assert service.take_prediction(world.shared, forecast) == "linked"
    assert len(world.rows(t.decisions)) == 1


@pytest.mark.parametrize(
    ("values", "state", "reason"),
    [
        ({"device": "nobody"}, "suppressed", "its device watches no asset"),
        ({"failure_mode": "rust"}, "suppressed", "pump has no failure mode rust"),
        ({"component": "seal"}, "suppressed", "pump has no failure mode bearing_wear"),
        ({"pageable": False}, "suppressed", "does not hold on the device's newest data"),
    ],
)
def test_a_forecast_that_opens_no_case(world: World, values: dict[str, Any], state: str, reason: str) -> None:
    device = values.pop("device", "p1")
    assert world.take(4, device=device, **values) == [state] * 4
    assert all(reason in r.reason for r in world.rows(t.intake))
    assert world.rows(t.cases) == []


def test_a_forecast_that_is_a_week_late_has_expired(world: World) -> None:
    forecast = world.forecast(1)
    world.clock.at += timedelta(days=8)
    assert service.take_prediction(world.shared, forecast) == "expired"
    assert world.rows(t.cases) == []


def test_a_technician_on_site_opens_no_case(world: World) -> None:
    do(world, world.booked(), "start")
    assert world.take(5, device="p1", component="seal", failure_mode="seal_leak") == ["suppressed"] * 5
    assert len(world.rows(t.cases)) == 1


def test_a_machine_being_worked_on_opens_no_case_until_the_end_that_was_set(world: World) -> None:
    until = world.clock.at + timedelta(hours=5)
    service.start_being_worked_on(world.shared, world.tenant, "p1", "cleaning", until, ENGINEER)
    assert world.take(5) == ["suppressed"] * 5
    assert world.take(1, first=6) == ["linked"]
    assert isinstance(decode_from_work(world.heard(FINDINGS)[0].payload), Shelve)


def test_being_worked_on_needs_a_reason_and_an_end(world: World) -> None:
    start = service.start_being_worked_on
    later = world.clock.at + timedelta(hours=1)
    with pytest.raises(BadInput, match="reason"):
        start(world.shared, world.tenant, "p1", " ", later, ENGINEER)
    with pytest.raises(BadInput, match="until"):
        start(world.shared, world.tenant, "p1", "cleaning", world.clock.at, ENGINEER)
    with pytest.raises(NotPermitted):
        start(world.shared, world.tenant, "p1", "cleaning", later, CUSTOMER)
    assert not service.end_being_worked_on(world.shared, world.tenant, "p1", ENGINEER)
    start(world.shared, world.tenant, "p1", "cleaning", later, ENGINEER)
    assert service.end_being_worked_on(world.shared, world.tenant, "p1", ENGINEER)
    heard = [type(decode_from_work(e.payload)) for e in world.heard(FINDINGS)]
    assert heard == [Shelve, Unshelve]


def test_another_component_gets_a_case_of_its_own(world: World) -> None:
    world.take(3)
    world.take(3, component="seal", failure_mode="seal_leak")
    assert {r.component for r in world.rows(t.cases)} == {"bearing", "seal"}
    assert len(world.rows(t.orders)) == 2


def test_forecasts_after_the_decision_tell_nobody_twice(world: World) -> None:
    world.take(12)
    assert len(world.rows(t.orders)) == len(world.rows(t.notices)) == 1
    assert [r.verdict for r in world.rows(t.decisions)].count("act") == 1


def test_after_a_repair_old_readings_open_no_case(world: World) -> None:
    order = world.booked()
    old = world.forecast(90, alarm_id="new-alarm")
    world.clock.at += timedelta(hours=1)
    do(world, order, "start", "finish")
    service.record_finding(world.shared, world.tenant, order, "prevented", TECHNICIAN)
    do(world, order, "close")
    assert service.take_prediction(world.shared, old) == "suppressed"
    world.clock.at += timedelta(hours=1)
    assert service.take_prediction(world.shared, world.forecast(91)) == "suppressed"  # the alarm was dealt with
    assert service.take_prediction(world.shared, world.forecast(92, alarm_id="new-alarm")) == "linked"


# who is asked


def test_a_proposal_waits_for_a_dispatcher(world: World) -> None:
    service.set_autonomy(world.shared, world.tenant, "propose", model="pump")
    world.take(3)
    world.later(hours=30)
    order = world.only(t.orders)
    assert (order.state, world.only(t.cases).state) == ("awaiting_approval", "proposed")
    assert world.rows(t.notices) == []
    for actor in (CUSTOMER, TECHNICIAN, ENGINEER):
        with pytest.raises((NotPermitted, NotFound)):
            service.approve_proposal(world.shared, world.tenant, order.id, actor)
    assert service.approve_proposal(world.shared, world.tenant, order.id, DISPATCHER) == "approved"
    assert world.only(t.notices).state == "queued"


def test_a_rejected_proposal_tells_nobody_and_stays_rejected(world: World) -> None:
    service.set_autonomy(world.shared, world.tenant, "propose", model="pump")
    world.take(3)
    order = world.only(t.orders).id
    with pytest.raises(BadInput, match="reason"):
        service.reject_proposal(world.shared, world.tenant, order, "", DISPATCHER)
    service.reject_proposal(world.shared, world.tenant, order, "new pump comes on Monday", DISPATCHER)
    world.take(5, first=4)
    assert (world.only(t.orders).state, world.only(t.cases).state) == ("cancelled", "monitoring")
    assert world.rows(t.notices) == []


def test_the_brake_makes_the_next_order_wait_for_a_person(world: World) -> None:
    service.set_policy(world.shared, world.tenant, replace(Policy(), brake_per_100=10.0))
    world.take(3)
    world.take(3, device="p2")
    assert sorted(r.state for r in world.rows(t.orders)) == ["approved", "awaiting_approval"]
    assert world.actions().count("brake_pulled") == 1
    assert len(world.rows(t.notices)) == 1
    world.clock.at += timedelta(hours=24)
    world.take(3, device="p3")
    assert sorted(r.state for r in world.rows(t.orders)) == ["approved", "approved", "awaiting_approval"]


def test_the_closest_setting_of_autonomy_counts(world: World) -> None:
    service.set_autonomy(world.shared, world.tenant, "watch", model="pump", customer_id="waterworks")
    world.take(3)
    world.take(3, device="p3")
    assert [r.asset_id for r in world.rows(t.orders)] == ["p3"]


def test_nothing_set_means_watch(world: World) -> None:
    with world.database.write() as connection:
        connection.execute(t.autonomy.delete())
    world.take(4)
    assert world.rows(t.orders) == []
    assert world.actions().count("would_have_opened") == 1


def test_an_own_machine_needs_no_customer_but_a_dispatcher(world: World) -> None:
    service.add_asset(world.shared, world.tenant, "own", "pump")
    world.take(3, device="own")
    order = world.only(t.orders)
    assert order.state == "awaiting_approval"
    service.approve_proposal(world.shared, world.tenant, order.id, DISPATCHER)
    assert world.rows(t.notices) == []
    assert world.only(t.cases).state == "work_ordered"
    service.assign_technician(world.shared, world.tenant, order.id, "tom", DISPATCHER, dispatch=True)
    assert world.only(t.orders).state == "dispatched"


# notices


def test_a_notice_leaves_when_its_cooling_off_time_is_over(world: World) -> None:
    world.take(2)
    service.take_prediction(world.shared, world.forecast(3))
    assert world.later(minutes=29) == 0
    assert world.only(t.notices).state == "queued"
    assert world.later(minutes=1) == 1
    assert (world.only(t.notices).state, world.only(t.cases).state) == ("sent", "customer_contacted")
    assert world.later(minutes=1) == 0


def test_a_notice_can_be_stopped_while_it_cools_off(world: World) -> None:
    world.take(2)
    service.take_prediction(world.shared, world.forecast(3))
    notice = world.only(t.notices).id
    service.stop_notice(world.shared, world.tenant, notice, "we know of it", DISPATCHER)
    world.later(hours=5)
    assert (world.only(t.notices).state, world.only(t.orders).state) == ("withdrawn", "cancelled")
    assert world.only(t.notices).sent_at is None


def test_a_notice_that_has_left_cannot_be_stopped(world: World) -> None:
    with pytest.raises(IllegalTransition):
        service.stop_notice(world.shared, world.tenant, world.offered(), "too late", DISPATCHER)


def test_an_alarm_that_clears_withdraws_a_notice_not_yet_sent(world: World) -> None:
    world.take(2)
    service.take_prediction(world.shared, world.forecast(3))
    world.clear()
    assert (world.only(t.notices).state, world.only(t.orders).state) == ("withdrawn", "cancelled")
    assert (world.only(t.cases).state, world.only(t.cases).outcome) == ("closed", "cleared")
    assert world.later(hours=5) == 0


def test_an_alarm_that_clears_corrects_a_notice_that_was_sent(world: World) -> None:
    world.offered()
    world.clear()
    world.clear()
    assert (world.only(t.notices).state, world.only(t.orders).state) == ("corrected", "cancelled")
    assert world.actions().count("notice_corrected") == 1


def test_an_alarm_that_clears_leaves_the_visit_that_was_agreed(world: World) -> None:
    order = world.booked()
    world.clear()
    assert world.only(t.orders).state == "dispatched"
    do(world, order, "start")


def test_a_customer_sees_and_answers_only_what_is_his(world: World) -> None:
    notice = world.offered()
    with pytest.raises(NotFound):
        service.accept_notice(world.shared, world.tenant, notice, 1, STRANGER)
    with pytest.raises(NotFound):
        service.accept_notice(world.shared, "other", notice, 1, CUSTOMER)
    with pytest.raises(NotPermitted):
        service.accept_notice(world.shared, world.tenant, notice, 1, ENGINEER)


def test_a_half_day_that_is_not_on_offer_cannot_be_had(world: World) -> None:
    with pytest.raises(BadInput, match="slot"):
        service.accept_notice(world.shared, world.tenant, world.offered(), 3, CUSTOMER)
    assert world.only(t.notices).state == "sent"


def test_a_second_answer_is_refused_with_what_is_possible(world: World) -> None:
    notice = world.offered()
    service.accept_notice(world.shared, world.tenant, notice, 2, CUSTOMER)
    with pytest.raises(IllegalTransition) as refused:
        service.decline_notice(world.shared, world.tenant, notice, "changed my mind", CUSTOMER)
    assert (refused.value.state, refused.value.allowed) == ("answered", ("correct", "offer_again"))


def test_a_no_with_its_reason_cancels_the_order_and_keeps_the_case(world: World) -> None:
    notice = world.offered()
    with pytest.raises(BadInput):
        service.decline_notice(world.shared, world.tenant, notice, " ", CUSTOMER)
    service.decline_notice(world.shared, world.tenant, notice, "we shut down anyway", CUSTOMER)
    world.take(5, first=4)
    assert (world.only(t.orders).state, world.only(t.cases).state) == ("cancelled", "declined")
    assert world.only(t.cases).closed_at is None
    assert len(world.rows(t.notices)) == 1


def test_an_offered_half_day_that_has_passed_is_replaced_and_never_booked(world: World) -> None:
    notice = world.offered()
    (first, second) = world.rows(t.notice_slots)
    world.clock.at = first.start + timedelta(minutes=1)
    with pytest.raises(SlotTaken, match="has passed") as refused:
        service.accept_notice(world.shared, world.tenant, notice, 1, CUSTOMER)
    assert refused.value.left == 2
    assert world.rows(t.visits) == []
    fresh = [s for s in world.rows(t.notice_slots) if s.generation == 2]
    assert all(s.start > world.clock.at for s in fresh)
    world.clock.at = fresh[0].start
    assert service.tick(world.shared, world.tenant) >= 1
    assert max(s.generation for s in world.rows(t.notice_slots)) == 3
    assert second.start < fresh[-1].start


def test_a_half_day_that_was_taken_meanwhile_brings_a_new_offer(world: World) -> None:
    notice = world.offered()
    slot = world.rows(t.notice_slots)[0]
    for who in ("tom", "uwe"):
        service.block_half_days(world.shared, world.tenant, who, [HalfDay(slot.day, slot.half)])
    with pytest.raises(SlotTaken, match="nobody is free"):
        service.accept_notice(world.shared, world.tenant, notice, 1, CUSTOMER)
    assert world.only(t.notices).state == "sent"
    service.accept_notice(world.shared, world.tenant, notice, 1, CUSTOMER)
    visit = world.only(t.visits)
    assert (visit.day, visit.half) != (slot.day, slot.half)


def test_silence_is_reminded_once_then_handed_to_the_dispatcher_and_books_nothing(world: World) -> None:
    world.offered()
    for _ in range(200):
        world.later(hours=1)
    actions = world.actions()
    assert [actions.count(a) for a in ("notice_sent", "notice_reminded", "notice_no_reply")] == [1, 1, 1]
    assert world.only(t.cases).state == "no_reply"
    assert world.rows(t.visits) == []
    order = world.only(t.orders).id
    with pytest.raises(BadInput, match="agreed_by"):
        service.book_visit(
            world.shared, world.tenant, order, world.clock.at.date() + timedelta(days=2), "am", DISPATCHER
        )


def test_a_late_yes_still_counts(world: World) -> None:
    notice = world.offered()
    for _ in range(60):
        world.later(hours=1)
    service.accept_notice(world.shared, world.tenant, notice, 1, CUSTOMER)
    assert world.only(t.cases).state == "work_ordered"


def test_an_agreed_visit_is_moved_when_another_day_is_wanted_and_kept_until_then(world: World) -> None:
    order = world.booked()
    notice = world.only(t.notices).id
    before = world.only(t.visits)
    day = before.day + timedelta(days=1)
    service.ask_other_day(world.shared, world.tenant, notice, day, CUSTOMER, half="pm", reason="we are closed")
    assert world.only(t.visits).state == "reschedule_requested"
    assert len(world.rows(t.half_days)) == 1
    with world.database.read() as connection:
        (asked,) = [i for i in inbox(connection, world.tenant, world.clock.at) if i.kind == "proposed_day"]
    assert asked.id == order
    service.book_visit(world.shared, world.tenant, order, day, "pm", DISPATCHER)
    visits = {v.day: v.state for v in world.rows(t.visits)}
    assert visits[before.day] == "cancelled"
    assert visits[day] in ("confirmed", "dispatched")
    assert len(world.rows(t.half_days)) == 1


def test_the_dispatcher_may_keep_the_day_and_the_technician_may_come_though_nobody_decided(world: World) -> None:
    order = world.booked()
    notice, visit = world.only(t.notices).id, world.only(t.visits)
    service.ask_other_day(world.shared, world.tenant, notice, visit.day + timedelta(days=1), CUSTOMER)
    service.assign_technician(world.shared, world.tenant, order, visit.technician_id, DISPATCHER)
    assert [(v.day, v.state) for v in world.rows(t.visits) if v.ended_at is None] == [(visit.day, "dispatched")]
    service.ask_other_day(world.shared, world.tenant, notice, visit.day + timedelta(days=2), CUSTOMER)
    service.order_action(world.shared, world.tenant, order, "start", Actor("T", Role.TECHNICIAN, visit.technician_id))
    assert [v.state for v in world.rows(t.visits) if v.ended_at is None] == ["on_site"]


def test_an_agreed_visit_is_called_off_by_the_customer_and_the_machine_is_watched_on(world: World) -> None:
    world.booked()
    notice = world.only(t.notices).id
    service.call_off_visit(world.shared, world.tenant, notice, "we repair it ourselves", CUSTOMER)
    assert (world.only(t.orders).state, world.only(t.cases).state) == ("cancelled", "monitoring")
    assert not world.rows(t.half_days)
    assert world.only(t.visits).state == "cancelled"
    with pytest.raises(BadInput):
        service.call_off_visit(world.shared, world.tenant, notice, "again", CUSTOMER)


def test_a_proposed_day_is_booked_by_the_dispatcher(world: World) -> None:
    notice = world.offered()
    day = date(2026, 11, 26)
    with pytest.raises(BadInput, match="passed"):
        service.propose_day(world.shared, world.tenant, notice, date(2026, 11, 1), CUSTOMER)
    service.propose_day(world.shared, world.tenant, notice, day, CUSTOMER, half="pm")
    order = world.only(t.orders).id
    who = service.book_visit(
        world.shared, world.tenant, order, day, "pm", DISPATCHER, agreed_by="proposed by Ida", dispatch=True
    )
    assert (who, world.only(t.orders).state, world.only(t.cases).state) == ("tom", "dispatched", "work_ordered")
    assert world.only(t.answers).handled_at is not None


def test_after_a_call_half_days_are_offered_again(world: World) -> None:
    notice = world.offered()
    service.ask_for_call(world.shared, world.tenant, notice, CUSTOMER)
    assert service.offer_again(world.shared, world.tenant, notice, DISPATCHER) == 2
    service.accept_notice(world.shared, world.tenant, notice, 2, CUSTOMER)
    assert world.only(t.orders).state == "dispatched"


def test_a_customer_reads_it_once(world: World) -> None:
    notice = world.offered()
    service.open_notice(world.shared, world.tenant, notice, CUSTOMER)
    read = world.only(t.notices).read_at
    world.clock.at += timedelta(hours=1)
    service.open_notice(world.shared, world.tenant, notice, CUSTOMER)
    assert (world.only(t.notices).read_at, world.only(t.notices).state) == (read, "read")


def test_anomaly_hears_where_each_device_stands(world: World) -> None:
    with world.database.read() as connection:
        heard = [decode_from_work(e.payload) for e in log.read(connection, FINDINGS, 0)]
    assert [(p.device, p.asset, p.site) for p in heard if isinstance(p, AssetPlaced)] == [
        ("p1", "p1", "waterworks-site"), ("p2", "p2", "waterworks-site"), ("p3", "p3", "brewery-site"),
    ]  # fmt: skip


def test_devices_on_record_from_before_are_told_of_once(world: World) -> None:
    def heard(after: int) -> list[tuple[str, str]]:
        with world.database.read() as connection:
            found = [decode_from_work(e.payload) for e in log.read(connection, FINDINGS, after)]
        return [(p.device, p.site) for p in found if isinstance(p, AssetPlaced)]

    before = len(heard(0))
    with world.database.write() as connection:
        connection.execute(t.asset_devices.update().where(t.asset_devices.c.device != "p1").values(told_at=None))
    with world.database.read() as connection:
        assert world.tenant in tenants_with_work(connection)
    for _ in range(2):
        service.tick(world.shared, world.tenant)
    assert heard(0)[before:] == [("p2", "waterworks-site"), ("p3", "brewery-site")]


@pytest.mark.parametrize(
    ("skills", "day", "why"),
    [
        (["electrical"], 24, "no technician has the skill mechanical"),
        (["mechanical"], 29, "nobody with the skill mechanical works that day"),
    ],
)
def test_a_half_day_that_nobody_can_come_says_why(world: World, skills: list[str], day: int, why: str) -> None:
    world.offered()
    order = world.only(t.orders).id
    with world.database.write() as connection:
        connection.execute(t.technicians.update().values(skills=msgspec.json.encode(skills).decode()))
    with pytest.raises(SlotTaken, match=why):
        service.book_visit(world.shared, world.tenant, order, date(2026, 11, day), "am", DISPATCHER, agreed_by="phone")
