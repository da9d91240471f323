"""What a technician does on a job: the steps of the checklist, his visit, what it really took."""

from plumbing.runtime import Shared
from work_orders.domain.case_states import TASK, TaskAction, TaskState, VisitAction
from work_orders.domain.machine import Actor, IllegalTransition, NotPermitted, Role
from work_orders.domain.order_states import OrderAction, OrderState
from work_orders.domain.readings import judge, number_of
from work_orders.domain.slots import HalfDay
from work_orders.service import tables as t
from work_orders.service import work_tables as w
from work_orders.service.attachments import steps_with
from work_orders.service.booking import book, call_off
from work_orders.service.errors import BadInput, CannotAssign, NotFound, SlotTaken
from work_orders.service.moves import live_visit_of, move_visit
from work_orders.service.orders import act, schedule, seen_order
from work_orders.service.unit import Row, Unit, unit

_WORKERS = (Role.TECHNICIAN, Role.DISPATCHER, Role.ADMIN)
VISIT_ACTIONS = {
    "accept": VisitAction.ACCEPT,
    "reject": VisitAction.REJECT,
    "set_out": VisitAction.SET_OUT,
    "arrive": VisitAction.ARRIVE,
    "no_access": VisitAction.FIND_NO_ACCESS,
    "break_off": VisitAction.BREAK_OFF,
}
_WORDS = {
    VisitAction.ACCEPT: "has accepted",
    VisitAction.SET_OUT: "is on the way to",
    VisitAction.ARRIVE: "has arrived for",
}
MAX_MINUTES = 60 * 24 * 31
MAX_KM = 20_000


def task_action(
    shared: Shared, tenant: str, order_id: str, n: int, action: str, actor: Actor, *, result: str = ""
) -> str:
    """One step of the checklist: `begin`, `do`, `skip` (with a reason) or `fail`, while the work is going on.

    `do` takes what the step needs: a reading as `result` (outside its limits the step fails), a photo or signature
    attached before. Returns the step's new state. Raises IllegalTransition, NotPermitted, NotFound, BadInput.
    """
    try:
        wanted = TaskAction(action)
    except ValueError as problem:
        raise BadInput("action", f"{action!r} must be one of {', '.join(TaskAction)}") from problem
    if wanted is TaskAction.SKIP and not result.strip():
        raise BadInput("result", "say why the step was skipped")
    with unit(shared, tenant, actor) as work:
        order = seen_order(work, order_id)
        if order.state != OrderState.IN_PROGRESS:
            raise BadInput("order", f"is {order.state}; steps are taken while it is in_progress")
        found = work.all(t.tasks, t.tasks.c.order_id == order_id, t.tasks.c.n == n)
        if not found:
            raise NotFound("step", f"{order_id}/{n}")
        step, said, value = found[0], result.strip(), None
        if wanted is TaskAction.DO:
            wanted, said, value = _done(work, step, said)
        state = TASK.step(TaskState(step.state), wanted, actor.role)
        work.update(
            t.tasks, {"order_id": order_id, "n": n}, state=state, result=said[:500], value=value, at=work.now,
            actor=actor.name,
        )  # fmt: skip
        work.update(t.orders, {"id": order_id}, changed_at=work.now)
        text = f"{actor.name}: {step.text} - {state}" + (f" ({said})." if said else ".")
        work.record("task_" + state, order.asset_id, order_id, text, n=n)
        return str(state)


def _done(work: Unit, step: Row, said: str) -> tuple[TaskAction, str, float | None]:
    """What a step that is called done comes to."""
    if step.needs in ("photo", "signature") and step.n not in steps_with(work, step.order_id, step.needs):
        raise BadInput("file", f"the step needs a {step.needs}")
    if step.needs != "reading":
        return TaskAction.DO, said, None
    value = number_of(said)
    if value is None:
        raise BadInput("result", f"the step needs a reading{f' in {step.unit}' if step.unit else ''}")
    judged = judge(value, step.low, step.high, step.unit)
    return (TaskAction.DO if judged.fine else TaskAction.FAIL), judged.words, value


def visit_action(
    shared: Shared, tenant: str, order_id: str, action: str, actor: Actor, *, reason: str = "",
    version: int | None = None,
) -> str:  # fmt: skip
    """What becomes of the live visit of an order: accept, set_out, arrive, reject, no_access, break_off. Returns its
    state.

    A rejected visit is never offered to the same technician again: another one takes the promised half day if he can.
    Without access, or broken off, the order cannot be completed and a follow-up is opened.
    Raises IllegalTransition, NotPermitted, NotFound, BadInput, Stale.
    """
    wanted = VISIT_ACTIONS.get(action)
    if wanted is None:
        raise BadInput("action", f"{action!r} must be one of {', '.join(VISIT_ACTIONS)}")
    if actor.role not in _WORKERS:
        raise NotPermitted(actor.role, action, _WORKERS)
    reason = reason.strip()
    with unit(shared, tenant, actor) as work:
        order = seen_order(work, order_id)
        work.check_version(order, version)
        visit = live_visit_of(work, order_id)
        if visit is None:
            raise IllegalTransition("no visit", action, ())
        if wanted in (VisitAction.FIND_NO_ACCESS, VisitAction.BREAK_OFF):
            why = "access" if wanted is VisitAction.FIND_NO_ACCESS else ""
            said = ": ".join(x for x in (why, reason) if x)
            act(work, order, OrderAction.FAIL, said)
        elif wanted is VisitAction.REJECT:
            _reject(work, order, visit, reason)
        else:
            move_visit(work, visit, wanted)
            work.update(t.orders, {"id": order_id}, changed_at=work.now)
            text = f"{visit.technician_id} {_WORDS[wanted]} work order {order_id} at {order.asset_id}."
            moved = work.one(t.visits, visit.id, "visit").state
            work.record(f"visit_{moved}", order.asset_id, order_id, text, case=order.case_id)
        return str(work.one(t.visits, visit.id, "visit").state)


def _reject(work: Unit, order: Row, visit: Row, reason: str) -> None:
    if not reason:
        raise BadInput("reason", "say why")
    call_off(work, order.id, then=VisitAction.REJECT)
    text = f"{visit.technician_id} cannot take work order {order.id}: {reason}."
    work.record("visit_rejected", order.asset_id, order.id, text, case=order.case_id, reason=reason)
    slot = HalfDay(visit.day, visit.half)
    try:
        taken = book(work, work.one(t.orders, order.id, "work order"), slot, visit.agreed_by, role=Role.SYSTEM)
    except (SlotTaken, CannotAssign):
        return  # the inbox shows an agreed order without a technician
    text = f"{taken.technician_id} takes the promised half day of work order {order.id}: {slot.words()}."
    work.record("visit_booked", order.asset_id, order.id, text, technician=taken.technician_id, case=order.case_id)
    schedule(work, work.one(t.orders, order.id, "work order"), dispatch=True)


def record_actuals(
    shared: Shared, tenant: str, order_id: str, actor: Actor, *, work_minutes: int | None = None,
    travel_minutes: int | None = None, km: float | None = None, parts_cost: float | None = None,
    other_cost: float | None = None, note: str = "",
) -> None:  # fmt: skip
    """What a job really took, in minutes, kilometres to the site and back, and money; None = not known. May be said
    again until the order is closed.

    Raises NotPermitted, NotFound, BadInput.
    """
    if actor.role not in _WORKERS:
        raise NotPermitted(actor.role, "say what a job took", _WORKERS)
    for field, given in (("work_minutes", work_minutes), ("travel_minutes", travel_minutes)):
        if given is not None and not 0 <= given <= MAX_MINUTES:
            raise BadInput(field, f"must lie between 0 and {MAX_MINUTES}")
    if km is not None and not 0 <= km <= MAX_KM:
        raise BadInput("km", f"must lie between 0 and {MAX_KM}")
    for field, cost in (("parts_cost", parts_cost), ("other_cost", other_cost)):
        if cost is not None and not 0 <= cost <= 1e9:
            raise BadInput(field, "must lie between 0 and 1e9")
    with unit(shared, tenant, actor) as work:
        order = seen_order(work, order_id)
        if order.started_at is None or order.state == OrderState.CLOSED:
            raise BadInput("order", f"is {order.state}: it can be said from the start of the work until it is closed")
        values = {
            "work_minutes": work_minutes, "travel_minutes": travel_minutes, "km": km, "parts_cost": parts_cost,
            "other_cost": other_cost, "note": note.strip()[:300], "actor": actor.name, "at": work.now,
        }  # fmt: skip
        if not work.insert_new(w.actuals, order_id=order_id, **values):
            work.update(w.actuals, {"order_id": order_id}, **values)
        work.record("actuals_recorded", order.asset_id, order_id, f"{actor.name} said what {order_id} took.")
