"""Work orders: opened by a decision, moved by people, never around their table."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from plumbing.runtime import Shared
from work_orders.domain.case_states import CaseAction, CaseState, VisitAction, VisitState
from work_orders.domain.machine import Actor, Role
from work_orders.domain.order_states import HOLD_REASONS, OrderAction, OrderState, step_order
from work_orders.service import tables as t
from work_orders.service.aftercare import ask_customer, begin_care
from work_orders.service.booking import call_off
from work_orders.service.checklists import check_steps, failed_steps
from work_orders.service.errors import BadInput, FindingMissing, NotFound
from work_orders.service.moves import live_visit_of, move_case, move_order, move_visit, offer_of
from work_orders.service.offers import queue_offer, take_back
from work_orders.service.opening import open_order
from work_orders.service.permits import check_permits, missing
from work_orders.service.shelving import shelve, unshelve
from work_orders.service.unit import Row, Unit, unit

_A, _S = OrderAction, OrderState
PUBLIC = tuple(a for a in OrderAction if a is not _A.RECORD_FINDING)


def order_action(
    shared: Shared, tenant: str, order_id: str, action: str, actor: Actor, *, reason: str = "",
    version: int | None = None,
) -> str:  # fmt: skip
    """One of the actions `submit ... cancel`; returns the new state.

    Raises IllegalTransition, NotPermitted, NotFound, Stale, BadInput, FindingMissing.
    """
    try:
        wanted = OrderAction(action)
    except ValueError as problem:
        raise BadInput("action", f"{action!r} must be one of {', '.join(PUBLIC)}") from problem
    if wanted not in PUBLIC:
        raise BadInput("action", f"{action!r} must be one of {', '.join(PUBLIC)}")
    with unit(shared, tenant, actor) as work:
        order = seen_order(work, order_id)
        work.check_version(order, version)
        return str(act(work, order, wanted, reason.strip()).state)


def seen_order(work: Unit, order_id: str) -> Row:
    """The order if whoever acts may see it. Raises NotFound."""
    order = work.one(t.orders, order_id, "work order")
    actor = work.actor
    if actor.role is Role.TECHNICIAN and order.technician_id != actor.of:
        raise NotFound("work order", order_id)
    if actor.role is Role.CUSTOMER and order.customer_id != actor.of:
        raise NotFound("work order", order_id)
    return order


def act(work: Unit, order: Row, action: OrderAction, reason: str) -> Row:
    """Take an order through one action with all that belongs to it."""
    held = OrderState(order.held_from) if order.held_from else None
    step_order(OrderState(order.state), action, work.actor.role, held)  # refuse before anything else is looked at
    check_permits(work, order, action)
    match action:
        case _A.APPROVE:
            return _approve(work, order)
        case _A.SCHEDULE | _A.DISPATCH:
            return _with_visit(work, order, action)
        case _A.START | _A.RESUME | _A.REJECT:
            return _begin(work, order, action, reason)
        case _A.HOLD:
            if reason.split(":")[0] not in HOLD_REASONS:
                raise BadInput("reason", f"must begin with one of {', '.join(HOLD_REASONS)}")
            return _pause(work, order, action, reason)
        case _A.FINISH:
            return _finish(work, order)
        case _A.FAIL:
            return _fail(work, order, reason)
        case _A.CLOSE:
            return _close(work, order)
        case _A.CANCEL:
            return cancel(work, order, reason or "cancelled by the office")
        case _:
            return _plain(work, order, action, reason)


def _said(work: Unit, order: Row, text: str, action: str = "", **more: Any) -> Row:
    work.record(action or f"order_{order.state}", order.asset_id, order.id, text, case=order.case_id, **more)
    return order


def _plain(work: Unit, order: Row, action: OrderAction, reason: str) -> Row:
    done = move_order(work, order.id, action, reason=reason)
    return _said(work, done, f"Work order {done.id} is {str(done.state).replace('_', ' ')} now.")


def _approve(work: Unit, order: Row) -> Row:
    done = _said(work, move_order(work, order.id, _A.APPROVE), f"{work.actor.name} approved work order {order.id}.")
    if not done.agreed and queue_offer(work, done) is None and offer_of(work, done.case_id) is None:
        case = work.one(t.cases, done.case_id, "case")
        if case.state == CaseState.PROPOSED:  # nobody has to be asked
            move_case(work, case.id, CaseAction.ORDER_WORK)
            work.update(t.orders, {"id": done.id}, agreed=True)
    return done


def _with_visit(work: Unit, order: Row, action: OrderAction) -> Row:
    visit = live_visit_of(work, order.id)
    if visit is None:
        raise BadInput("visit", "book a half day first")
    if action is _A.DISPATCH:
        move_visit(work, visit, VisitAction.DISPATCH)
    done = move_order(work, order.id, action)
    return _said(work, done, f"{visit.technician_id} has work order {done.id} for {visit.day} {visit.half}.")


def _begin(work: Unit, order: Row, action: OrderAction, reason: str) -> Row:
    if action is _A.REJECT and not reason:
        raise BadInput("reason", "say what is missing")
    began: dict[str, Any] = {"started_at": work.now} if action is _A.START and order.started_at is None else {}
    done = move_order(work, order.id, action, reason=reason, **began)
    if action is _A.REJECT:
        c = t.findings.c
        for row in work.all(t.findings, c.order_id == order.id, c.superseded_at.is_(None)):
            work.update(t.findings, {"id": row.id}, superseded_at=work.now)
    visit = live_visit_of(work, order.id)
    if action is _A.START and visit is not None and visit.state != VisitState.ON_SITE:
        move_visit(work, visit, VisitAction.ARRIVE)
    if done.state == _S.IN_PROGRESS and action is not _A.REJECT:
        until = work.now + timedelta(hours=work.policy().shelve_hours)
        shelve(work, order.asset_id, "visit on site", until, order.id)
    text = {
        _A.START: f"{work.actor.name} is at {order.asset_id} and has begun work order {order.id}.",
        _A.RESUME: f"Work order {order.id} goes on.",
        _A.REJECT: f"{work.actor.name} sent work order {order.id} back: {reason}.",
    }[action]
    return _said(work, done, text)


def _pause(work: Unit, order: Row, action: OrderAction, reason: str) -> Row:
    done = move_order(work, order.id, action, reason=reason)
    unshelve(work, order.asset_id, order_id=order.id)
    return _said(work, done, f"Work order {order.id} waits: {reason}.", reason=reason)


def _finish(work: Unit, order: Row) -> Row:
    check_steps(work, order.id)
    done = move_order(work, order.id, _A.FINISH, finished_at=work.now)
    visit = live_visit_of(work, order.id)
    if visit is not None and visit.state == VisitState.ON_SITE:
        move_visit(work, visit, VisitAction.FINISH)
    ask_customer(work, done)
    unshelve(work, order.asset_id, order_id=order.id)
    return _said(work, done, f"{work.actor.name} has done the work of {order.id} at {order.asset_id}.", "job_done")


def _fail(work: Unit, order: Row, reason: str) -> Row:
    if not reason:
        raise BadInput("reason", "say why it cannot be completed")
    done = move_order(work, order.id, _A.FAIL, reason=reason)
    visit = live_visit_of(work, order.id)
    if visit is not None and visit.state in (VisitState.CONFIRMED, VisitState.RESCHEDULE_REQUESTED):
        call_off(work, order.id, role=Role.SYSTEM)
    else:
        locked_out = reason.split(":")[0] == "access"
        call_off(work, order.id, then=VisitAction.FIND_NO_ACCESS if locked_out else VisitAction.BREAK_OFF)
    unshelve(work, order.asset_id, order_id=order.id)
    _said(work, done, f"Work order {order.id} cannot be completed: {reason}.", reason=reason)
    case = work.one(t.cases, order.case_id, "case")
    open_order(work, case, approved=True, why=f"it follows {order.id} ({reason}).", follows=order.id)
    return done


def _close(work: Unit, order: Row) -> Row:
    c = t.findings.c
    found = work.all(t.findings, c.order_id == order.id, c.superseded_at.is_(None))
    if not found:
        raise FindingMissing(order.id)
    done = move_order(work, order.id, _A.CLOSE)
    _said(work, done, f"Work order {order.id} is closed.")
    case = work.one(t.cases, order.case_id, "case")
    failed = failed_steps(work, order.id)
    if case.state == CaseState.RESOLVED and failed:
        return _follow_up(work, done, case, failed)
    begin_care(work, done, found[0].result)
    if case.state == CaseState.RESOLVED:
        case = move_case(work, case.id, CaseAction.CLOSE)
        text = f"The case of {case.asset_id} ({case.component}) is closed: {case.outcome.replace('_', ' ')}."
        work.record("case_closed", case.asset_id, case.id, text, outcome=case.outcome)
    return done


def _follow_up(work: Unit, order: Row, case: Row, failed: Sequence[str]) -> Row:
    """A reading was outside its limits when the machine was left: somebody comes again, and the history goes on."""
    steps = (CaseAction.VERIFY, CaseAction.REOPEN, CaseAction.PROPOSE)
    case = move_case(work, case.id, *steps, role=Role.SYSTEM)
    why = f"it follows {order.id}: {'; '.join(failed)}."
    open_order(work, case, approved=True, why=why, follows=order.id)
    move_case(work, case.id, CaseAction.ORDER_WORK, role=Role.SYSTEM)
    work.record("case_reopened", case.asset_id, case.id, f"The case of {case.asset_id} goes on: {'; '.join(failed)}.")
    return order


def cancel(work: Unit, order: Row, reason: str, *, role: Role | None = None) -> Row:
    """Cancel an order: the visit is called off, the customer told as far as he knew of it, the case watched on."""
    call_off(work, order.id, role=role)
    done = move_order(work, order.id, _A.CANCEL, role=role, reason=reason)
    _said(work, done, f"Work order {order.id} was cancelled: {reason}.", reason=reason)
    case = work.one(t.cases, order.case_id, "case")
    if case.state != CaseState.DECLINED:
        take_back(work, case.id, reason)
        if CaseState(case.state) not in (CaseState.RESOLVED, CaseState.MONITORING):
            move_case(work, case.id, CaseAction.STAND_DOWN, role=role or work.actor.role, reason=reason)
    return done


def schedule(work: Unit, order: Row, *, dispatch: bool) -> Row:
    """After a half day was agreed and booked: bring the order to scheduled, and to the technician if told so."""
    ahead = {
        _S.APPROVED: (_A.PLAN, _A.MARK_READY, _A.SCHEDULE),
        _S.PLANNED: (_A.MARK_READY, _A.SCHEDULE),
        _S.READY: (_A.SCHEDULE,),
    }
    steps = ahead.get(OrderState(order.state), ())
    if _A.MARK_READY in steps and missing(work, order, for_start=False):
        steps = steps[: steps.index(_A.MARK_READY)]  # the visit is agreed; the order waits for its permits
        if steps:
            move_order(work, order.id, *steps, role=Role.SYSTEM)
        return work.one(t.orders, order.id, "work order")
    if steps:
        order = move_order(work, order.id, *steps, role=Role.SYSTEM)
        text = f"{order.technician_id} is booked for work order {order.id} at {order.asset_id}."
        _said(work, order, text, technician=order.technician_id, start=order.visit_start.isoformat())
    visit = live_visit_of(work, order.id)
    if visit is not None and visit.state == VisitState.CONFIRMED and (dispatch or order.state == _S.DISPATCHED):
        move_visit(work, visit, VisitAction.DISPATCH, role=Role.SYSTEM)
        if order.state == _S.SCHEDULED:
            order = move_order(work, order.id, _A.DISPATCH, role=Role.SYSTEM)
        _said(work, order, f"{order.technician_id} has been sent work order {order.id}.", "order_dispatched")
    return order


def approve_proposal(shared: Shared, tenant: str, order_id: str, actor: Actor, *, version: int | None = None) -> str:
    """A dispatcher says yes to a proposed order: the customer is asked."""
    return order_action(shared, tenant, order_id, _A.APPROVE, actor, version=version)


def reject_proposal(
    shared: Shared, tenant: str, order_id: str, reason: str, actor: Actor, *, version: int | None = None
) -> str:
    """A dispatcher says no to a proposed order: nobody is told, the case is watched on."""
    if not reason.strip():
        raise BadInput("reason", "say why not")
    return order_action(shared, tenant, order_id, _A.CANCEL, actor, reason=reason, version=version)
