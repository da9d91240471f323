"""Preventive plans: made, paused and ended by people; meters read; what is due is opened, or rides along."""

from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from contracts.names import NAME_RULE, is_name
from contracts.points import StoreUnreachable
from plumbing.runtime import Shared
from work_orders.domain.case_states import CaseAction, CaseState, TaskState
from work_orders.domain.machine import SYSTEM, Actor, NotPermitted, Role
from work_orders.domain.order_states import BEFORE_WORK, OrderState
from work_orders.domain.plans import COUNTED_HOURS, FURTHEST_DAYS, BadPlan, Spec
from work_orders.domain.requests import UPKEEP, RequestKind
from work_orders.domain.words import day_words
from work_orders.service import plan_tables as p
from work_orders.service import tables as t
from work_orders.service.door import Request, open_case
from work_orders.service.errors import BadInput
from work_orders.service.moves import move_case, open_order_of
from work_orders.service.one_by_one import each
from work_orders.service.opening import open_order
from work_orders.service.plan_counting import count_hours
from work_orders.service.plan_jobs import (
    add_tasks,
    bring_plan,
    counts,
    keep_job,
    keep_reading,
    newest_reading,
    open_job_of,
    spec_of,
    take_along,
    visit_for,
)
from work_orders.service.unit import Row, Unit, derived_id, unit

AT_ONCE = 50
AGAIN_AFTER = timedelta(hours=1)
"""On the tenant's clock, where a job cannot be opened, or hours cannot be counted, yet."""
_FRESH = (CaseState.TRIAGING, CaseState.MONITORING, CaseState.REMOTE_FIX)
_OPEN = (*BEFORE_WORK, OrderState.IN_PROGRESS, OrderState.ON_HOLD)
_MAY = (Role.DISPATCHER, Role.ADMIN, Role.SYSTEM)
_MAY_READ = (Role.TECHNICIAN, Role.DISPATCHER, Role.ENGINEER, Role.ADMIN, Role.INTEGRATION, Role.SYSTEM)
ACTIONS = {"pause": ("active", "paused"), "resume": ("paused", "active"), "end": ("", "ended")}


def _may(actor: Actor, what: str) -> None:
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, what, _MAY)


def make_plan(
    shared: Shared, tenant: str, asset_id: str, spec: Spec, actor: Actor, *, begins: datetime | None = None,
    key: str = "",
) -> str:  # fmt: skip
    """Put a plan on record for an asset; its id. Intervals count from `begins`, now unless said otherwise; the same
    `key` for the same asset again changes nothing.

    Raises NotPermitted, NotFound, BadInput.
    """
    _may(actor, "make a plan")
    try:
        spec.check()
    except BadPlan as no:
        raise BadInput(no.field, no.rule) from no
    if spec.when is not None and not is_name(spec.when.meter):
        raise BadInput("when.meter", f"{spec.when.meter!r} must be {NAME_RULE}")
    with unit(shared, tenant, actor) as work:
        asset = work.one(t.assets, asset_id, "asset")
        if begins is not None and abs(begins - work.now) > timedelta(days=FURTHEST_DAYS):
            raise BadInput("begins", f"must be within {FURTHEST_DAYS} days of now")
        n = len(work.all(p.plans, p.plans.c.asset_id == asset_id)) + 1
        id = derived_id("PP", tenant, asset_id, *(("key", key) if key else (n,)))
        if work.all(p.plans, p.plans.c.id == id):
            return id
        work.insert(
            p.plans, id=id, asset_id=asset_id, title=spec.title.strip(), spec=msgspec.json.encode(spec).decode(),
            state="active", begins_at=begins or work.now, why="", made_at=work.now, actor=actor.name, version=1,
        )  # fmt: skip
        if spec.every_hours and counts(work, asset_id) and newest_reading(work, asset_id, COUNTED_HOURS) is None:
            keep_reading(work, asset_id, COUNTED_HOURS, 0.0, begins or work.now)
        plan = bring_plan(work, id)
        text = f"{spec.title} of {asset.name}: {spec.words()}.{_next(plan)}"
        work.record("plan_made", asset_id, id, text, spec=msgspec.to_builtins(spec))
        return id


def _next(plan: Row) -> str:
    return f" Due on {day_words(plan.due_at.date())}." if plan.due_at is not None else ""


def move_plan(
    shared: Shared, tenant: str, plan_id: str, action: str, actor: Actor, *, version: int | None = None
) -> str:
    """`pause`, `resume` or `end` a plan; its new state. A job that is open already goes on.

    Raises NotPermitted, NotFound, Stale, BadInput.
    """
    _may(actor, "change a plan")
    if action not in ACTIONS:
        raise BadInput("action", f"{action!r} must be one of {', '.join(ACTIONS)}")
    with unit(shared, tenant, actor) as work:
        plan = work.one(p.plans, plan_id, "plan")
        work.check_version(plan, version)
        before, after = ACTIONS[action]
        if plan.state == "ended" or (before and plan.state != before):
            raise BadInput("plan", f"is {plan.state}")
        work.update(p.plans, {"id": plan_id}, state=after)
        plan = bring_plan(work, plan_id)
        work.record(f"plan_{after}", plan.asset_id, plan_id, f"{plan.title} is {after} now.{_next(plan)}")
        return after


def record_reading(
    shared: Shared, tenant: str, asset_id: str, meter: str, value: float, actor: Actor, *, at: datetime | None = None
) -> None:
    """Keep what a meter of an asset showed; the same again changes nothing. Raises NotPermitted, NotFound, BadInput."""
    if actor.role not in _MAY_READ:
        raise NotPermitted(actor.role, "record a meter reading", _MAY_READ)
    if not is_name(meter) or meter == COUNTED_HOURS:
        raise BadInput("meter", f"{meter!r} must be {NAME_RULE}")
    if not -1e12 < value < 1e12:
        raise BadInput("value", "must be a number")
    with unit(shared, tenant, actor) as work:
        asset = work.one(t.assets, asset_id, "asset")
        when = at or work.now
        if when > work.now + timedelta(minutes=1):
            raise BadInput("at", "has not come yet")
        if keep_reading(work, asset_id, meter, value, when):
            text = f"{asset.name}: {meter.replace('_', ' ')} {value:,g}."
            work.record("meter_read", asset_id, asset_id, text, meter=meter, value=value)


def due_plans(connection: sa.Connection, tenant: str, now: datetime) -> tuple[str, ...]:
    """Plans whose job is to be opened, or whose running hours are to be counted."""
    c = p.plans.c
    chosen = sa.select(c.id).where(c.tenant == tenant, c.next_at < now).order_by(c.next_at, c.id).limit(AT_ONCE)
    return tuple(connection.execute(chosen).scalars())


def open_due(shared: Shared, tenant: str) -> int:
    """Do what is due of a tenant's plans; how many were looked at."""
    with shared.database.read() as connection:
        found = due_plans(connection, tenant, shared.clocks.of(tenant).now())
    heard = True

    def one(plan_id: str) -> int:
        nonlocal heard
        try:
            if heard:
                count_hours(shared, tenant, plan_id)
        except StoreUnreachable:
            heard = False  # for the others neither: nobody waits for it once more in this round
        with unit(shared, tenant, SYSTEM) as work:
            open_job(work, plan_id)
            plan = work.one(p.plans, plan_id, "plan")
            if not heard and plan.next_at is not None and plan.next_at < work.now:
                work.update(p.plans, {"id": plan_id}, next_at=work.now + AGAIN_AFTER)
        return 1

    return each(one, found)


def open_job(work: Unit, plan_id: str) -> str | None:
    """Open the job of a plan that is due: it rides along with a visit to the same site, or has an order of its own."""
    plan = bring_plan(work, plan_id)
    spec = spec_of(plan)
    if plan.state != "active" or plan.due_at is None or open_job_of(work, plan_id) is not None:
        return None
    if plan.due_at - timedelta(days=spec.lead_days) >= work.now:
        return None
    found = visit_for(work, plan)
    if found is not None:
        take_along(work, plan, *found)
        return str(found[0].id)
    return _own_order(work, plan, spec)


def _own_order(work: Unit, plan: Row, spec: Spec) -> str | None:
    asset = work.one(t.assets, plan.asset_id, "asset")
    c = t.cases.c
    for earlier in work.all(t.cases, c.asset_id == asset.id, c.component == UPKEEP, c.closed_at.is_(None)):
        order = open_order_of(work, earlier.id)
        fresh = order is None and CaseState(earlier.state) in _FRESH
        if not fresh and (order is None or OrderState(order.state) not in _OPEN):
            work.update(p.plans, {"id": plan.id}, next_at=work.now + AGAIN_AFTER)  # the one before ends first
            return None
    said = f"{spec.title}, due on {day_words(plan.due_at.date())}"
    opened = open_case(work, Request(RequestKind.PREVENTIVE, plan.asset_id, UPKEEP, text=said, source=plan.id))
    case = work.one(t.cases, str(opened.case), "case")
    order = open_order_of(work, case.id)
    if order is None:
        early, late = timedelta(days=spec.grace_before_days), timedelta(days=spec.grace_after_days)
        earliest, latest = max(work.now, plan.due_at - early), max(work.now, plan.due_at) + late
        work.update(t.cases, {"id": case.id}, earliest=earliest, latest=latest, at_most=latest)
        case = move_case(work, case.id, CaseAction.PROPOSE)
        order = open_order(work, case, approved=True, why=f"{plan.why or spec.words()}.")
        move_case(work, case.id, CaseAction.ORDER_WORK)
        _dress(work, order, asset, spec)
    else:  # another plan of the machine is due as well: one order for both
        add_tasks(work, order.id, [f"{spec.title}: {text}" for text in spec.tasks])
        work.update(t.orders, {"id": order.id}, minutes=order.minutes + spec.minutes)
    sentence = f"{said}: work order {order.id}."
    keep_job(work, plan, case.id, order.id, sentence)
    return str(order.id)


def _dress(work: Unit, order: Row, asset: Row, spec: Spec) -> None:
    """The order says what the plan says; the plan is what was agreed with the customer."""
    c = t.tasks.c
    work.connection.execute(t.tasks.delete().where(c.tenant == work.tenant, c.order_id == order.id))
    for n, text in enumerate(spec.tasks, 1):
        work.insert(
            t.tasks, order_id=order.id, n=n, text=f"{spec.title}: {text}"[:500], state=TaskState.OPEN, result=""
        )
    work.update(
        t.orders, {"id": order.id}, title=f"{asset.name}: {spec.title}"[:300], remedy=spec.title[:500], part=None,
        skill=spec.skill or order.skill, minutes=spec.minutes, agreed=True,
    )  # fmt: skip
