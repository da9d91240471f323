"""The dispatcher's hand: booking a visit, choosing the technician, offering other half days."""

import datetime as dt
from collections.abc import Sequence
from datetime import timedelta

from plumbing.runtime import Shared
from work_orders.domain.case_states import CaseAction, CaseState, NoticeAction, NoticeState, VisitState
from work_orders.domain.machine import Actor, Role
from work_orders.domain.order_states import BOOKABLE, OrderAction, OrderState, may
from work_orders.domain.risk import Window
from work_orders.domain.slots import HALVES, HalfDay, free_slots
from work_orders.service import tables as t
from work_orders.service.booking import book, crew, rejected_by, why_not
from work_orders.service.errors import BadInput, CannotAssign
from work_orders.service.installed_base import zone_of
from work_orders.service.moves import live_visit_of, move_case, move_notice, offer_of
from work_orders.service.offers import new_offer, put_slots
from work_orders.service.orders import schedule
from work_orders.service.unit import Row, Unit, unit


def _half(day: dt.date, half: str) -> HalfDay:
    if half not in HALVES:
        raise BadInput("half", f"{half!r} must be am or pm")
    return HalfDay(day, half)


def book_visit(
    shared: Shared, tenant: str, order_id: str, day: dt.date, half: str, actor: Actor, *,
    technician_id: str | None = None, agreed_by: str = "", dispatch: bool = False, version: int | None = None,
) -> str:  # fmt: skip
    """Book (or move) the visit of an order; the least busy free technician unless one is named. Returns who comes.

    Nobody's silence is a yes: unless the customer has agreed before, `agreed_by` says who did and how.
    Raises SlotTaken, CannotAssign, BadInput, NotPermitted.
    """
    may(OrderAction.SCHEDULE, actor.role)
    with unit(shared, tenant, actor) as work:
        order = work.one(t.orders, order_id, "work order")
        work.check_version(order, version)
        return _book(work, order, _half(day, half), technician_id, agreed_by.strip(), dispatch)


def assign_technician(
    shared: Shared, tenant: str, order_id: str, technician_id: str, actor: Actor, *, agreed_by: str = "",
    dispatch: bool = False, version: int | None = None,
) -> dt.datetime:  # fmt: skip
    """Give an order to a technician: in its half day, or in his first free one in the window. Returns the start.

    Raises CannotAssign with the reasons, BadInput, NotPermitted.
    """
    may(OrderAction.SCHEDULE, actor.role)
    with unit(shared, tenant, actor) as work:
        order = work.one(t.orders, order_id, "work order")
        work.check_version(order, version)
        visit = live_visit_of(work, order_id)
        slot = HalfDay(visit.day, visit.half) if visit is not None else first_free(work, order, technician_id)
        again = visit is not None and visit.state == VisitState.RESCHEDULE_REQUESTED  # the day stays as it was
        if visit is None or visit.technician_id != technician_id or again:
            _book(work, order, slot, technician_id, agreed_by.strip(), dispatch)
        return slot.bounds(zone_of(work, order.asset_id))[0]


def first_free(work: Unit, order: Row, technician_id: str | None) -> HalfDay:
    """The first half day in an order's window in which a technician (or anybody) can come. Raises CannotAssign."""
    zone = zone_of(work, order.asset_id)
    start = work.now + timedelta(hours=work.policy().again_lead_hours)
    people = crew(work.connection, work.tenant, start.astimezone(zone).date() - timedelta(days=1))
    refused = rejected_by(work, order.id)
    chosen = [p for p in people if technician_id in (None, p.id) and p.id not in refused]
    who = technician_id or "anybody"
    if not chosen:
        raise CannotAssign(who, ["has rejected this job" if technician_id in refused else "is not on record"])
    window = Window(start, order.latest or start, order.latest or start)
    for latest in (window.latest, start + timedelta(days=30)):  # in the window, else as soon as possible
        for free in free_slots(chosen, order.skill, zone, start, latest):
            return free.slot
    raise CannotAssign(who, why_not(chosen[0], HalfDay(start.date(), "am"), order.skill) or ["has no free half day"])


def _book(work: Unit, order: Row, slot: HalfDay, technician_id: str | None, agreed_by: str, dispatch: bool) -> str:
    if OrderState(order.state) not in BOOKABLE:
        raise BadInput("order", f"is {order.state}; a visit can be booked while it is {', '.join(BOOKABLE)}")
    if not order.agreed and order.customer_id is not None and not agreed_by:
        raise BadInput("agreed_by", "the customer has not agreed yet: say who did, and how")
    visit = book(work, order, slot, agreed_by or work.actor.name, technician_id=technician_id)
    case = work.one(t.cases, order.case_id, "case")
    if case.state in (CaseState.CUSTOMER_CONTACTED, CaseState.REMINDED, CaseState.NO_REPLY):
        move_case(work, case.id, CaseAction.ACCEPT, CaseAction.ORDER_WORK)
    elif case.state in (CaseState.ACCEPTED, CaseState.PROPOSED):
        move_case(work, case.id, CaseAction.ORDER_WORK)
    _settle(work, order.case_id)
    text = f"{visit.technician_id} comes to {order.asset_id} on {slot.words()}; agreed by {visit.agreed_by}."
    work.record("visit_booked", order.asset_id, order.id, text, technician=visit.technician_id, case=order.case_id)
    schedule(work, work.one(t.orders, order.id, "work order"), dispatch=dispatch)
    return str(visit.technician_id)


def _settle(work: Unit, case_id: str) -> None:
    """The notice is answered by what was agreed; what the customer asked for is done."""
    notice = offer_of(work, case_id)
    if notice is None:
        return
    if notice.state in (NoticeState.SENT, NoticeState.DELIVERED, NoticeState.READ):
        move_notice(work, notice, NoticeAction.ANSWER, answered_at=work.now)
    elif notice.state in (NoticeState.QUEUED, NoticeState.HELD):
        move_notice(work, notice, NoticeAction.WITHDRAW, role=Role.SYSTEM, reason="agreed with the dispatcher")
    handled(work, notice.id)


def handled(work: Unit, notice_id: str) -> None:
    """What the customer asked for is done."""
    c = t.answers.c
    for row in work.all(t.answers, c.notice_id == notice_id, c.handled_at.is_(None)):
        work.update(t.answers, {"notice_id": notice_id, "n": row.n}, handled_at=work.now)


def offer_again(shared: Shared, tenant: str, notice_id: str, actor: Actor, *, slots: Sequence[HalfDay] = ()) -> int:
    """Offer half days anew after the customer proposed a day or asked for a call: the given ones, or the earliest free.

    Returns how many are on offer.
    """
    may(OrderAction.SCHEDULE, actor.role)
    with unit(shared, tenant, actor) as work:
        notice = work.one(t.notices, notice_id, "notice")
        order = work.one(t.orders, notice.order_id, "work order")
        move_notice(
            work, notice, NoticeAction.OFFER_AGAIN, asked_at=work.now, reminded_at=None, no_reply_at=None,
            answered_at=None,
        )  # fmt: skip
        notice = work.one(t.notices, notice_id, "notice")
        chosen = [_half(s.day, s.half) for s in slots]
        if chosen:
            put_slots(work, notice, order.asset_id, chosen)
        else:
            found = new_offer(work, notice, order, work.now + timedelta(hours=work.policy().again_lead_hours))
            chosen = [f.slot for f in found.slots]
        handled(work, notice_id)
        words = " or ".join(s.words() for s in chosen) or "no half day is free"
        work.record("notice_offered_again", notice.asset_id, notice.id, f"Offered to {notice.customer_id}: {words}.")
        return len(chosen)
