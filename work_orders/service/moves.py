"""Moving cases, orders, visits and notices through their tables: each step guarded by the table, none around it."""

from typing import Any

from contracts.records import NOTICES, NoticeChanged, encode
from work_orders.domain.case_states import (
    CASE,
    NOTICE,
    VISIT,
    CaseAction,
    CaseState,
    NoticeAction,
    NoticeState,
    VisitAction,
    VisitState,
)
from work_orders.domain.machine import Role
from work_orders.domain.order_states import ENDED, OrderAction, OrderState, step_order
from work_orders.service import tables as t
from work_orders.service.arrival_tables import arrivals
from work_orders.service.gathering import settle
from work_orders.service.plan_jobs import ride_along, settle_jobs
from work_orders.service.sla import follow
from work_orders.service.unit import Row, Unit

_VISIT_ENDED = (
    VisitState.DONE, VisitState.NO_ACCESS, VisitState.INCOMPLETE, VisitState.CANCELLED, VisitState.REJECTED,
)  # fmt: skip
_CASE_ENDED = (CaseState.CLOSED, CaseState.MERGED)
_BEGINS_AGAIN = (CaseAction.REOPEN, CaseAction.UNMERGE, CaseAction.PROPOSE)
_NOTICE_ENDED = (NoticeState.WITHDRAWN, NoticeState.CORRECTED)


def move_case(work: Unit, case_id: str, *actions: CaseAction, role: Role | None = None, **values: Any) -> Row:
    """Take a case through actions, one after another; the row afterwards."""
    case = work.one(t.cases, case_id, "case")
    state = CaseState(case.state)
    for action in actions:
        state = CASE.step(state, action, role or work.actor.role)
    if state in _CASE_ENDED:
        values.setdefault("closed_at", work.now)
    work.update(t.cases, {"id": case_id}, state=state, **values)
    if state in _CASE_ENDED:
        settle(work, case_id)
    work.at_end(follow, case_id, any(a in _BEGINS_AGAIN for a in actions))
    return work.one(t.cases, case_id, "case")


def move_order(work: Unit, order_id: str, *actions: OrderAction, role: Role | None = None, **values: Any) -> Row:
    """Take a work order through actions; the row afterwards."""
    order = work.one(t.orders, order_id, "work order")
    state = OrderState(order.state)
    held = OrderState(order.held_from) if order.held_from else None
    for action in actions:
        state, held = step_order(state, action, role or work.actor.role, held)
    if state in ENDED:
        values.setdefault("ended_at", work.now)
    work.update(t.orders, {"id": order_id}, state=state, held_from=held, changed_at=work.now, **values)
    work.at_end(follow, order.case_id)
    work.at_end(settle_jobs, order_id)
    return work.one(t.orders, order_id, "work order")


def move_visit(work: Unit, visit: Row, *actions: VisitAction, role: Role | None = None) -> None:
    """Take a visit through actions."""
    state = VisitState(visit.state)
    for action in actions:
        state = VISIT.step(state, action, role or work.actor.role)
    work.update(t.visits, {"id": visit.id}, state=state, ended_at=work.now if state in _VISIT_ENDED else None)
    if visit.state == VisitState.EN_ROUTE:  # he is on the way no more: nothing is left of when he would arrive
        c = arrivals.c
        work.connection.execute(arrivals.delete().where(c.tenant == work.tenant, c.order_id == visit.order_id))
    work.at_end(follow, str(work.one(t.orders, visit.order_id, "work order").case_id))
    work.at_end(ride_along, visit.order_id)


def move_notice(work: Unit, notice: Row, *actions: NoticeAction, role: Role | None = None, **values: Any) -> Row:
    """Take a notice through actions and say so in the log; the row afterwards."""
    state = NoticeState(notice.state)
    for action in actions:
        state = NOTICE.step(state, action, role or work.actor.role)
    if state in _NOTICE_ENDED:
        values.setdefault("ended_at", work.now)
    work.update(t.notices, {"id": notice.id}, state=state, **values)
    tell(work, notice.id, notice.case_id, notice.customer_id, state)
    work.at_end(follow, notice.case_id)
    return work.one(t.notices, notice.id, "notice")


def tell(work: Unit, notice_id: str, case_id: str, customer_id: str, state: NoticeState) -> None:
    """Let the log know of a notice's state."""
    changed = NoticeChanged(1, notice_id, work.tenant, case_id, customer_id, str(state), work.now)
    work.emit(NOTICES, notice_id, encode(changed))


def open_order_of(work: Unit, case_id: str) -> Row | None:
    """The open work order of a case."""
    found = work.those(t.orders, case_id=case_id, ended_at=None)
    return found[0] if found else None


def offer_of(work: Unit, case_id: str) -> Row | None:
    """The notice that offers a visit for a case."""
    found = work.those(t.notices, case_id=case_id, purpose="offer")
    return found[0] if found else None


def live_visit_of(work: Unit, order_id: str) -> Row | None:
    """The visit of an order that is neither over nor called off."""
    found = work.those(t.visits, order_id=order_id, ended_at=None)
    return found[0] if found else None
