"""What a customer may answer to a notice. Silence is no answer, and never consent to a cost."""

import datetime as dt
from datetime import timedelta

from plumbing.runtime import Shared
from work_orders.domain.case_states import MOVABLE, CaseAction, NoticeAction, NoticeState, VisitAction, VisitState
from work_orders.domain.decision import Path
from work_orders.domain.machine import Actor, Role
from work_orders.domain.slots import HALVES, HalfDay
from work_orders.service import tables as t
from work_orders.service.booking import book
from work_orders.service.errors import BadInput, NotFound, SlotTaken
from work_orders.service.moves import live_visit_of, move_case, move_notice, move_visit
from work_orders.service.offers import new_offer, slots_of
from work_orders.service.orders import cancel, schedule
from work_orders.service.unit import Row, Unit, unit


def seen_notice(work: Unit, notice_id: str) -> Row:
    """The notice if whoever acts may see it; a customer sees his own once it has left. Raises NotFound."""
    notice = work.one(t.notices, notice_id, "notice")
    actor = work.actor
    if actor.role is Role.CUSTOMER and (notice.customer_id != actor.of or notice.sent_at is None):
        raise NotFound("notice", notice_id)
    return notice


def _answer(
    work: Unit, notice: Row, kind: str, *, reason: str = "", day: dt.date | None = None, half: str | None = None
) -> Row:
    answered = move_notice(work, notice, NoticeAction.ANSWER, answered_at=work.now)
    _keep(work, notice, kind, reason, day, half)
    return answered


def _keep(
    work: Unit, notice: Row, kind: str, reason: str = "", day: dt.date | None = None, half: str | None = None
) -> None:
    n = len(work.all(t.answers, t.answers.c.notice_id == notice.id)) + 1
    done = work.now if kind in ("accept", "decline") else None
    work.insert(
        t.answers, notice_id=notice.id, n=n, kind=kind, at=work.now, actor=work.actor.name, reason=reason, day=day,
        half=half, handled_at=done,
    )  # fmt: skip


def open_notice(shared: Shared, tenant: str, notice_id: str, actor: Actor) -> None:
    """The customer looked at it; only the first look counts."""
    with unit(shared, tenant, actor) as work:
        notice = seen_notice(work, notice_id)
        if actor.role is Role.CUSTOMER and notice.state in (NoticeState.SENT, NoticeState.DELIVERED):
            move_notice(work, notice, NoticeAction.OPEN, read_at=work.now)
            text = f"{notice.customer_id} read the notice about {notice.asset_id}."
            work.record("notice_read", notice.asset_id, notice.id, text, case=notice.case_id)


def accept_notice(
    shared: Shared, tenant: str, notice_id: str, slot: int, actor: Actor, *, version: int | None = None
) -> str:
    """Yes to the offered half day of number `slot` (1 or 2): it is booked. Returns the technician.

    Raises SlotTaken when it has passed or nobody is free any more; then other half days are on offer.
    """
    try:
        with unit(shared, tenant, actor) as work:
            notice = seen_notice(work, notice_id)
            work.check_version(notice, version)
            return _accept(work, notice, slot)
    except SlotTaken as gone:
        with unit(shared, tenant, actor) as work:
            left = renew(work, work.one(t.notices, notice_id, "notice"))
        raise SlotTaken(gone.slot, gone.why, left) from gone


def _accept(work: Unit, notice: Row, number: int) -> str:
    _answer(work, notice, "accept")
    chosen = next((s for s in slots_of(work, notice) if s.n == number), None)
    if chosen is None:
        raise BadInput("slot", f"{number} is not on offer")
    slot = HalfDay(chosen.day, chosen.half)
    order = work.one(t.orders, notice.order_id, "work order")
    visit = book(work, order, slot, work.actor.name)
    case = move_case(work, notice.case_id, CaseAction.ACCEPT, CaseAction.ORDER_WORK)
    text = f"{work.actor.name} accepted the visit to {notice.asset_id} on {slot.words()}; {visit.technician_id} comes."
    work.record("notice_accepted", notice.asset_id, notice.id, text, case=case.id, order=order.id)
    schedule(work, work.one(t.orders, order.id, "work order"), dispatch=case.path == Path.AUTOMATIC)
    return str(visit.technician_id)


def renew(work: Unit, notice: Row) -> int:
    """Replace half days that have passed or are taken by free ones; how many are on offer then."""
    if notice.state not in (NoticeState.SENT, NoticeState.DELIVERED, NoticeState.READ):
        return 0
    order = work.one(t.orders, notice.order_id, "work order")
    found = new_offer(work, notice, order, work.now + timedelta(hours=work.policy().again_lead_hours))
    words = " or ".join(f.slot.words() for f in found.slots) or "no half day is free any more"
    text = f"New half days for {notice.asset_id}: {words}."
    work.record("notice_slots_renewed", notice.asset_id, notice.id, text, case=notice.case_id)
    return len(found.slots)


def decline_notice(
    shared: Shared, tenant: str, notice_id: str, reason: str, actor: Actor, *, version: int | None = None
) -> None:
    """No, with a reason: the order is cancelled, the case stays open and is watched."""
    if not reason.strip():
        raise BadInput("reason", "say why")
    with unit(shared, tenant, actor) as work:
        notice = seen_notice(work, notice_id)
        work.check_version(notice, version)
        _answer(work, notice, "decline", reason=reason.strip())
        move_case(work, notice.case_id, CaseAction.DECLINE, reason=reason.strip())
        text = f"{actor.name} declined the visit to {notice.asset_id}: {reason.strip()}."
        work.record("notice_declined", notice.asset_id, notice.id, text, case=notice.case_id, reason=reason.strip())
        order = work.one(t.orders, notice.order_id, "work order")
        cancel(work, order, f"declined: {reason.strip()}", role=Role.SYSTEM)


def propose_day(
    shared: Shared, tenant: str, notice_id: str, day: dt.date, actor: Actor, *, half: str | None = None,
    reason: str = "", version: int | None = None,
) -> None:  # fmt: skip
    """Another day, please: the dispatcher sees it and books or offers anew."""
    with unit(shared, tenant, actor) as work:
        notice = _wanted(work, notice_id, version, day, half)
        _answer(work, notice, "propose", reason=reason.strip(), day=day, half=half)
        text = f"{actor.name} proposes {day.isoformat()}{f' {half}' if half else ''} for {notice.asset_id}."
        work.record("notice_proposed", notice.asset_id, notice.id, text, case=notice.case_id)


def _wanted(work: Unit, notice_id: str, version: int | None, day: dt.date, half: str | None) -> Row:
    if half is not None and half not in HALVES:
        raise BadInput("half", f"{half!r} must be am or pm")
    notice = seen_notice(work, notice_id)
    work.check_version(notice, version)
    if day < work.now.date():
        raise BadInput("day", "has passed")
    return notice


def _agreed(work: Unit, notice: Row) -> Row:
    """The visit that was agreed."""
    visit = live_visit_of(work, notice.order_id)
    if visit is None:
        raise BadInput("notice", "no visit is agreed")
    return visit


def ask_other_day(
    shared: Shared, tenant: str, notice_id: str, day: dt.date, actor: Actor, *, half: str | None = None,
    reason: str = "", version: int | None = None,
) -> None:  # fmt: skip
    """Another day for the visit that was agreed, as long as nobody is on the way: its half day is kept until the
    dispatcher has booked another one, or decided that it stays."""
    with unit(shared, tenant, actor) as work:
        notice = _wanted(work, notice_id, version, day, half)
        move_visit(work, _agreed(work, notice), VisitAction.ASK_RESCHEDULE)
        _keep(work, notice, "propose", reason.strip(), day, half)
        work.update(t.notices, {"id": notice.id})  # another version of it
        wished = f"{day.isoformat()}{f' {half}' if half else ''}"
        text = f"{actor.name} asks for {wished} instead of the day agreed for {notice.asset_id}."
        work.record("visit_other_day_asked", notice.asset_id, notice.id, text, case=notice.case_id)


def call_off_visit(
    shared: Shared, tenant: str, notice_id: str, reason: str, actor: Actor, *, version: int | None = None
) -> None:
    """No visit after all, with a reason, as long as nobody is on the way: the order is cancelled, the case watched."""
    if not reason.strip():
        raise BadInput("reason", "say why")
    with unit(shared, tenant, actor) as work:
        notice = seen_notice(work, notice_id)
        work.check_version(notice, version)
        visit = _agreed(work, notice)
        if visit.state not in (*MOVABLE, VisitState.RESCHEDULE_REQUESTED):
            raise BadInput("notice", f"the visit is {visit.state}: please call us")
        _keep(work, notice, "decline", reason.strip())
        text = f"{actor.name} called off the visit to {notice.asset_id}: {reason.strip()}."
        work.record("visit_called_off", notice.asset_id, notice.id, text, case=notice.case_id, reason=reason.strip())
        cancel(work, work.one(t.orders, notice.order_id, "work order"), reason.strip(), role=Role.SYSTEM)


def ask_for_call(
    shared: Shared, tenant: str, notice_id: str, actor: Actor, *, reason: str = "", version: int | None = None
) -> None:
    """Call me: the dispatcher sees it."""
    with unit(shared, tenant, actor) as work:
        notice = seen_notice(work, notice_id)
        work.check_version(notice, version)
        _answer(work, notice, "call_me", reason=reason.strip())
        text = f"{actor.name} asks for a call about {notice.asset_id}."
        work.record("notice_call_me", notice.asset_id, notice.id, text, case=notice.case_id)


def stop_notice(shared: Shared, tenant: str, notice_id: str, reason: str, actor: Actor) -> None:
    """Stop a notice during its cooling-off time: it never leaves, its order is cancelled."""
    if not reason.strip():
        raise BadInput("reason", "say why")
    with unit(shared, tenant, actor) as work:
        notice = seen_notice(work, notice_id)
        move_notice(work, notice, NoticeAction.WITHDRAW, reason=reason.strip())
        text = f"{actor.name} stopped the notice about {notice.asset_id}: {reason.strip()}."
        work.record("notice_withdrawn", notice.asset_id, notice.id, text, case=notice.case_id)
        cancel(work, work.one(t.orders, notice.order_id, "work order"), reason.strip())
