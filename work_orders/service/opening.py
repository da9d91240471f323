"""Opens the work order of a case, by a decision, a plan or a person: what it asks for comes from the asset model."""

import msgspec

from plumbing.runtime import Shared
from work_orders.domain.case_states import CaseAction, CaseState, TaskState
from work_orders.domain.job import job_of, priority_of, type_of
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.domain.order_states import OrderAction, OrderState
from work_orders.domain.report_reader import URGENCY
from work_orders.domain.requests import RequestKind
from work_orders.service import tables as t
from work_orders.service.errors import BadInput
from work_orders.service.moves import move_case, move_order, open_order_of
from work_orders.service.trying_afar import end_try
from work_orders.service.unit import Row, Unit, derived_id, unit

_MAY = (Role.DISPATCHER, Role.ADMIN)
_BEFORE_AN_ORDER = (CaseState.TRIAGING, CaseState.MONITORING, CaseState.REMOTE_FIX)


def intake_of(work: Unit, prediction_id: str | None) -> Row | None:
    """The row of a prediction that came in."""
    if prediction_id is None:
        return None
    found: list[Row] = work.once(
        ("intake", prediction_id), lambda: work.those(t.intake, prediction_id=prediction_id), t.intake
    )
    return found[0] if found else None


def open_order(work: Unit, case: Row, *, approved: bool, why: str, follows: str | None = None) -> Row:
    """Open the work order of a case: draft, then approved or awaiting approval. The case's open one if there is one."""
    existing = open_order_of(work, case.id)
    if existing is not None:
        return existing
    asset = work.one(t.assets, case.asset_id, "asset")
    model = work.model(asset.model)
    job = job_of(model, model.mode(case.failure_mode), asset.name, case.component, case.reason)
    n = len(work.those(t.orders, case_id=case.id)) + 1
    id = derived_id("WO", work.tenant, case.id, n)
    measured = intake_of(work, case.prediction_id)
    work.insert(
        t.orders, id=id, case_id=case.id, asset_id=asset.id, customer_id=case.customer_id, component=case.component,
        failure_mode=case.failure_mode, type=type_of(RequestKind(case.kind), case.broke_down_at is not None),
        priority=priority_of(case.broke_down_at is not None, case.urgent in URGENCY, asset.criticality),
        state=OrderState.DRAFT, reason="", title=job.title, remedy=job.remedy, part=job.part, skill=job.skill,
        minutes=job.minutes, model_version=model.version, earliest=case.earliest, latest=case.latest,
        prediction_id=case.prediction_id, measured_at=measured.measured_at if measured is not None else None,
        follows=follows, agreed=follows is not None, opened_at=work.now, changed_at=work.now, version=1,
        permits=msgspec.json.encode(job.permits).decode(),
    )  # fmt: skip
    steps = [
        {
            "order_id": id, "n": k, "text": step.text, "state": TaskState.OPEN, "result": "", "needs": step.needs,
            "required": step.required, "unit": step.unit, "low": step.low, "high": step.high,
        }
        for k, step in enumerate(job.steps, 1)
    ]  # fmt: skip
    work.insert_all(t.tasks, steps)
    action = OrderAction.APPROVE if approved else OrderAction.SUBMIT
    order = move_order(work, id, action, role=Role.SYSTEM)
    state = "approved" if approved else "waits for approval"
    text = f"Work order {id} ({job.title}) was opened and {state}: {why}"
    work.record("order_opened", asset.id, id, text, case=case.id, state=order.state)
    return order


def order_visit(
    shared: Shared, tenant: str, case_id: str, actor: Actor, *, why: str = "", version: int | None = None
) -> str:
    """A person decides that somebody must go: the case's order, approved, ready to be booked. Returns it.

    Raises IllegalTransition, NotPermitted, NotFound, BadInput, Stale.
    """
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, "order a visit", _MAY)
    with unit(shared, tenant, actor) as work:
        case = work.one(t.cases, case_id, "case")
        work.check_version(case, version)
        order = open_order_of(work, case_id)
        if order is not None:
            return str(order.id)
        if CaseState(case.state) not in _BEFORE_AN_ORDER:
            raise BadInput("case", f"is {case.state}: no work order can be opened")
        end_try(work, case_id, "failed")
        case = move_case(work, case_id, CaseAction.PROPOSE)
        words = why.strip() or "a visit is needed"
        order = open_order(work, case, approved=True, why=f"{actor.name}: {words}.")
        work.update(t.cases, {"id": case_id}, decided_at=case.decided_at or work.now)
        return str(order.id)


def solve(shared: Shared, tenant: str, case_id: str, how: str, actor: Actor, *, version: int | None = None) -> str:
    """A case was solved without a visit, by a call or from afar; returns its state. `how` says what was done."""
    if actor.role not in (*_MAY, Role.ENGINEER):
        raise NotPermitted(actor.role, "close a case without a visit", (*_MAY, Role.ENGINEER))
    if not how.strip():
        raise BadInput("reason", "say what was done")
    with unit(shared, tenant, actor) as work:
        case = work.one(t.cases, case_id, "case")
        work.check_version(case, version)
        if open_order_of(work, case_id) is not None:
            raise BadInput("case", "has an open work order: cancel it first")
        end_try(work, case_id, "worked")
        case = move_case(work, case_id, CaseAction.CLEAR, role=Role.SYSTEM, outcome="remote", reason=how.strip()[:500])
        text = f"{actor.name} solved the case of {case.asset_id} without a visit: {how.strip()[:200]}."
        work.record("case_closed", case.asset_id, case_id, text, outcome="remote")
        return str(case.state)
