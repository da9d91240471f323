"""States of a work order, and who may move it."""

from enum import StrEnum

from work_orders.domain.machine import IllegalTransition, Machine, NotPermitted, Role, rules


class OrderState(StrEnum):
    """Where a work order stands."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    PLANNED = "planned"
    READY = "ready"
    SCHEDULED = "scheduled"
    DISPATCHED = "dispatched"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    WORK_DONE = "work_done"
    REVIEW = "review"
    CLOSED = "closed"
    CANNOT_COMPLETE = "cannot_complete"
    CANCELLED = "cancelled"


class OrderAction(StrEnum):
    """What can be done with a work order. `record_finding` comes with the finding, never alone."""

    SUBMIT = "submit"
    APPROVE = "approve"
    PLAN = "plan"
    MARK_READY = "mark_ready"
    SCHEDULE = "schedule"
    DISPATCH = "dispatch"
    START = "start"
    HOLD = "hold"
    RESUME = "resume"
    FINISH = "finish"
    REJECT = "reject"
    CLOSE = "close"
    FAIL = "fail"
    CANCEL = "cancel"
    RECORD_FINDING = "record_finding"


_S, _A = OrderState, OrderAction
_OFFICE = (Role.DISPATCHER, Role.ADMIN)
_OFFICE_OR_RULE = (*_OFFICE, Role.SYSTEM)
_FIELD = (Role.TECHNICIAN, *_OFFICE)

HOLDABLE = (_S.READY, _S.SCHEDULED, _S.DISPATCHED, _S.IN_PROGRESS)
HOLD_REASONS = ("parts", "access", "customer", "weather", "safety")
BEFORE_WORK = (
    _S.DRAFT, _S.AWAITING_APPROVAL, _S.APPROVED, _S.PLANNED, _S.READY, _S.SCHEDULED, _S.DISPATCHED,
)  # fmt: skip
BOOKABLE = (_S.APPROVED, _S.PLANNED, _S.READY, _S.SCHEDULED, _S.DISPATCHED)
"""While it is one of these a visit can be booked, or moved to another half day."""
ENDED = (_S.CLOSED, _S.CANNOT_COMPLETE, _S.CANCELLED)

ORDER = Machine(
    "work order",
    rules(
        ((_S.DRAFT,), _A.SUBMIT, _S.AWAITING_APPROVAL, _OFFICE_OR_RULE),
        ((_S.DRAFT,), _A.APPROVE, _S.APPROVED, _OFFICE_OR_RULE),
        ((_S.AWAITING_APPROVAL,), _A.APPROVE, _S.APPROVED, _OFFICE),
        ((_S.APPROVED,), _A.PLAN, _S.PLANNED, _OFFICE_OR_RULE),
        ((_S.PLANNED,), _A.MARK_READY, _S.READY, _OFFICE_OR_RULE),
        ((_S.READY,), _A.SCHEDULE, _S.SCHEDULED, _OFFICE_OR_RULE),
        ((_S.SCHEDULED,), _A.DISPATCH, _S.DISPATCHED, _OFFICE_OR_RULE),
        ((_S.DISPATCHED,), _A.START, _S.IN_PROGRESS, _FIELD),
        (HOLDABLE, _A.HOLD, _S.ON_HOLD, _FIELD),
        ((_S.ON_HOLD,), _A.RESUME, _S.ON_HOLD, _FIELD),  # leads back to where it was held: `step_order`
        ((_S.IN_PROGRESS,), _A.FINISH, _S.WORK_DONE, _FIELD),
        ((_S.WORK_DONE,), _A.RECORD_FINDING, _S.REVIEW, _FIELD),
        ((_S.REVIEW,), _A.REJECT, _S.IN_PROGRESS, _OFFICE),
        ((_S.REVIEW,), _A.CLOSE, _S.CLOSED, _OFFICE),
        ((_S.DISPATCHED, _S.IN_PROGRESS, _S.ON_HOLD), _A.FAIL, _S.CANNOT_COMPLETE, _FIELD),
        (BEFORE_WORK, _A.CANCEL, _S.CANCELLED, _OFFICE_OR_RULE),
        ((_S.ON_HOLD,), _A.CANCEL, _S.CANCELLED, _OFFICE_OR_RULE),  # only when held before the work began
    ),
)


def allowed(
    state: OrderState, held_from: OrderState | None = None, role: Role | None = None
) -> tuple[OrderAction, ...]:
    """Actions of a state; on hold it depends on where it was held."""
    found = ORDER.allowed(state, role)
    if state is _S.ON_HOLD and held_from is _S.IN_PROGRESS:
        return tuple(a for a in found if a is not _A.CANCEL)
    return found


def step_order(
    state: OrderState, action: OrderAction, role: Role, held_from: OrderState | None = None
) -> tuple[OrderState, OrderState | None]:
    """The state after the action, and where it was held (None unless on hold).

    Raises IllegalTransition, NotPermitted.
    """
    if action not in allowed(state, held_from):
        raise IllegalTransition(state, action, allowed(state, held_from))
    to = ORDER.step(state, action, role)
    if action is _A.HOLD:
        return to, state
    if action is _A.RESUME:
        if held_from is None:
            raise IllegalTransition(state, action, allowed(state, held_from))
        return held_from, None
    return to, None


def may(action: OrderAction, role: Role) -> None:
    """Raises NotPermitted when no state lets this role take the action."""
    roles = {r for (_, a), rule in ORDER.rules.items() if a is action for r in rule.roles}
    if role not in roles:
        raise NotPermitted(role, action, roles)
