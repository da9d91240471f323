"""Notices that offer a visit: queued, sent, offered anew, withdrawn or corrected. One a case."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from contracts.records import Prediction
from work_orders.domain.case_states import NOT_YET_SENT, OUT, CaseAction, CaseState, NoticeAction, NoticeState
from work_orders.domain.contact_rules import WEB, HoldUntil, Purpose
from work_orders.domain.letter import forecast_letter, record_words
from work_orders.domain.machine import SYSTEM, Role
from work_orders.domain.money import Costs, money
from work_orders.domain.notice_text import NoticeText, write
from work_orders.domain.order_states import OrderState
from work_orders.domain.slots import HalfDay, Offer
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.booking import find_offer
from work_orders.service.diagnosing import factor_of
from work_orders.service.how_often_right import track_record
from work_orders.service.installed_base import zone_of
from work_orders.service.moves import move_case, move_notice, offer_of, tell
from work_orders.service.opening import intake_of
from work_orders.service.sending import Channel
from work_orders.service.telling import (
    call_back,
    customer_name,
    dispatch,
    facts_of,
    language_for,
    message_id,
    rule,
    say,
)
from work_orders.service.unit import Row, Unit, derived_id
from work_orders.service.wording import CHART

OFFER = "offer"


def queue_offer(work: Unit, order: Row) -> Row | None:
    """Queue the notice for an order; it leaves when its cooling-off time is over. None when there is one already,
    or nobody to tell."""
    if order.customer_id is None:
        return None
    case, asset = work.one(t.cases, order.case_id, "case"), work.one(t.assets, order.asset_id, "asset")
    model = work.model(asset.model)
    mode = model.mode(order.failure_mode)
    prediction = prediction_of(work, order.prediction_id)
    if mode is None or prediction is None or not prediction.pageable:
        return None
    policy = work.policy()
    text = write(
        prediction, model, mode, msgspec.json.decode(case.costs, type=Costs), asset.name,
        model.decision.horizon_hours, factor_of(work, case.id),
    )  # fmt: skip
    id = derived_id("N", work.tenant, case.id, OFFER)
    if not work.insert_new(
        t.notices, id=id, case_id=case.id, order_id=order.id, asset_id=asset.id, customer_id=order.customer_id,
        purpose=OFFER, state=NoticeState.QUEUED, reason="", channel="", refused="",
        body=msgspec.json.encode(text).decode(), generation=0, queued_at=work.now,
        send_after=work.now + timedelta(minutes=policy.cooling_off_minutes), version=1,
    ):  # fmt: skip
        return None
    made = new_offer(work, work.one(t.notices, id, "notice"), order, case.earliest or work.now)
    choice = " or ".join(f.slot.words() for f in made.slots) or "no free half day yet"
    text_ = f"A notice to {order.customer_id} about {asset.name} is ready: {text.chance} Offered: {choice}."
    work.record("notice_queued", asset.id, id, text_, case=case.id, order=order.id)
    tell(work, id, case.id, order.customer_id, NoticeState.QUEUED)
    return work.one(t.notices, id, "notice")


def prediction_of(work: Unit, prediction_id: str | None) -> Prediction | None:
    """The prediction of that id, as it came in."""
    row = intake_of(work, prediction_id)
    return None if row is None else msgspec.msgpack.decode(row.body, type=Prediction)


def new_offer(work: Unit, notice: Row, order: Row, not_before: datetime) -> Offer:
    """Replace the half days of a notice by the earliest that are free now."""
    found = find_offer(work, order, not_before)
    put_slots(work, notice, order.asset_id, [f.slot for f in found.slots])
    return found


def put_slots(work: Unit, notice: Row, asset_id: str, slots: Sequence[HalfDay]) -> None:
    """Give a notice a new generation of half days."""
    zone = zone_of(work, asset_id)
    generation = notice.generation + 1
    offered = []
    for n, slot in enumerate(slots, 1):
        start, end = slot.bounds(zone)
        place = {"notice_id": notice.id, "generation": generation, "n": n}
        offered.append({**place, "day": slot.day, "half": slot.half, "start": start, "end": end})
    work.insert_all(t.notice_slots, offered)
    work.update(t.notices, {"id": notice.id}, generation=generation)


def slots_of(work: Unit, notice: Row) -> list[Row]:
    """The half days on offer now."""
    c = t.notice_slots.c
    rows = work.all(t.notice_slots, c.notice_id == notice.id, c.generation == notice.generation)
    return sorted(rows, key=lambda r: int(r.n))


def send(work: Unit, notice: Row, channels: Sequence[Channel]) -> None:
    """Let a queued notice leave if the rules allow it now; the case waits for the customer from then on."""
    id = message_id(work, notice.id, "forecast")
    said = rule(work, notice.customer_id, id, Purpose.FORECAST, channels, history=rests_on_history(work, notice))
    if isinstance(said, HoldUntil):
        _hold(work, notice, said)
        return
    if notice.state == NoticeState.HELD:
        notice = move_notice(work, notice, NoticeAction.RELEASE, role=Role.SYSTEM)
    language = language_for(work, notice.customer_id)
    say(
        work, "forecast", Purpose.FORECAST, id, notice.case_id, notice.customer_id,
        _facts(work, notice, language, chart=True), notice_id=notice.id, language=language,
    )  # fmt: skip
    dispatch(work, id, notice.customer_id, said)
    refused = work.one(m.messages, id, "message").why
    move_notice(
        work, notice, NoticeAction.SEND, role=Role.SYSTEM, sent_at=work.now, asked_at=work.now, channel=said.channel,
        refused=refused,
    )  # fmt: skip
    case = work.one(t.cases, notice.case_id, "case")
    if case.state == CaseState.PROPOSED:
        move_case(work, case.id, CaseAction.CONTACT, role=Role.SYSTEM)
    if not work.all(t.notice_slots, t.notice_slots.c.notice_id == notice.id):
        work.record("no_slot_free", notice.asset_id, notice.id, "No half day is free: the dispatcher must find one.")
    text = f"The notice about {notice.asset_id} went to {notice.customer_id}."
    work.record("notice_sent", notice.asset_id, notice.id, text, channel=said.channel, refused=refused, case=case.id)


def _hold(work: Unit, notice: Row, said: HoldUntil) -> None:
    why = f"held until {said.until.isoformat(timespec='minutes')}: {said.why}"[:300]
    if notice.state == NoticeState.HELD:
        work.update(t.notices, {"id": notice.id}, send_after=said.until, refused=why)
        return
    move_notice(work, notice, NoticeAction.HOLD, role=Role.SYSTEM, send_after=said.until, refused=why)
    text = f"The notice about {notice.asset_id} is held back ({said.why})."
    work.record("notice_held", notice.asset_id, notice.id, text, until=said.until, case=notice.case_id)


def rests_on_history(work: Unit, notice: Row) -> bool:
    """Whether a notice rests on imported or replayed readings."""
    prediction = prediction_of(work, work.one(t.orders, notice.order_id, "work order").prediction_id)
    return prediction is None or not prediction.pageable


def _facts(work: Unit, notice: Row, language: str, *, chart: bool = False) -> dict[str, Any]:
    """What the templates of a notice are given."""
    asset, order = work.one(t.assets, notice.asset_id, "asset"), work.one(t.orders, notice.order_id, "work order")
    body = msgspec.json.decode(notice.body, type=NoticeText)
    record = track_record(work.connection, work.tenant, notice.customer_id, asset.model, order.failure_mode)
    letter = forecast_letter(
        body, language, asset=asset.name,
        slots=[(HalfDay(s.day, s.half), s.end) for s in slots_of(work, notice) if s.start > work.now],
        latest=order.latest, zone=zone_of(work, asset.id), record=record, now=work.now,
    )  # fmt: skip
    facts = facts_of(work, asset.name, customer_name(work, notice.customer_id), f"/notices/{notice.id}")
    return {**facts, "letter": letter, "chart": CHART if chart and body.evidence else ""}


def say_again(work: Unit, notice: Row, template: str) -> None:
    """Say a notice anew: as a reminder, or because other half days are offered."""
    id = message_id(work, notice.id, template, work.now.isoformat())
    language = language_for(work, notice.customer_id)
    facts = _facts(work, notice, language, chart=template == "forecast")
    say(
        work, template, Purpose.FORECAST, id, notice.case_id, notice.customer_id, facts, notice_id=notice.id,
        language=language,
    )  # fmt: skip


def take_back_message(work: Unit, notice: Row, template: str, **more: Any) -> None:
    """Say that a notice no longer holds. Where nothing of it has left, the customer's page alone says so."""
    left = call_back(work, notice.id)
    asset = work.one(t.assets, notice.asset_id, "asset")
    facts = facts_of(work, asset.name, customer_name(work, notice.customer_id), f"/notices/{notice.id}")
    id = message_id(work, notice.id, "taken back")
    new = say(
        work, template, Purpose.FORECAST, id, notice.case_id, notice.customer_id, {**facts, **more}, notice_id=notice.id
    )
    if new and not left:
        work.update(m.messages, {"id": id}, state="sent", channel=WEB, due_at=None, sent_at=work.now)


def tell_false_visit(work: Unit, case_id: str, as_found: str) -> None:
    """The visit found nothing wrong: the customer is told that the forecast was mistaken, in the act that labels it."""
    notice = offer_of(work, case_id)
    if notice is None or NoticeState(notice.state) not in (*OUT, NoticeState.ANSWERED):
        return
    move_notice(work, notice, NoticeAction.CORRECT, role=Role.SYSTEM, reason="the visit found nothing wrong")
    case, asset = work.one(t.cases, case_id, "case"), work.one(t.assets, notice.asset_id, "asset")
    costs = msgspec.json.decode(case.costs, type=Costs)
    record = track_record(work.connection, work.tenant, notice.customer_id, asset.model, case.failure_mode)
    take_back_message(
        work, notice, "false_visit", as_found=as_found, cost=money(costs.false_visit.customer, costs.currency),
        record=record_words(record, language_for(work, notice.customer_id)),
    )  # fmt: skip
    text = f"{notice.customer_id} was told that the forecast about {notice.asset_id} was mistaken."
    work.record("notice_corrected", notice.asset_id, notice.id, text, actor=SYSTEM, case=case_id)


def take_back(work: Unit, case_id: str, why: str) -> None:
    """Withdraw a notice that has not left; correct one that has, unless what it offered was done."""
    notice = offer_of(work, case_id)
    if notice is None or work.one(t.orders, notice.order_id, "work order").state == OrderState.CLOSED:
        return
    state = NoticeState(notice.state)
    if state in NOT_YET_SENT:
        move_notice(work, notice, NoticeAction.WITHDRAW, role=Role.SYSTEM, reason=why)
        text = f"The notice about {notice.asset_id} was withdrawn before it left: {why}."
        work.record("notice_withdrawn", notice.asset_id, notice.id, text, actor=SYSTEM, case=case_id)
    elif state in OUT or state in (NoticeState.ANSWERED, NoticeState.BOUNCED):
        move_notice(work, notice, NoticeAction.CORRECT, role=Role.SYSTEM, reason=why)
        take_back_message(work, notice, "correction", why=why)
        text = f"{notice.customer_id} was told that the notice about {notice.asset_id} no longer holds: {why}."
        work.record("notice_corrected", notice.asset_id, notice.id, text, actor=SYSTEM, case=case_id)
