"""Jobs of preventive plans: when the next one is due, a visit that takes one along, what became of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from work_orders.domain.case_states import TaskState, VisitState
from work_orders.domain.money import money
from work_orders.domain.order_states import ENDED, OrderState
from work_orders.domain.plans import COUNTED_HOURS, HOURS, RATE_DAYS, Reading, Spec, next_due, rides
from work_orders.domain.words import day_words
from work_orders.service import plan_tables as p
from work_orders.service import tables as t
from work_orders.service.unit import Row, Unit

_COMING = (VisitState.CONFIRMED, VisitState.DISPATCHED, VisitState.ACCEPTED)
COUNT_EVERY = timedelta(hours=24)
DONE, MISSED = "done", "missed"


def spec_of(plan: Row) -> Spec:
    """What a plan says."""
    return msgspec.json.decode(plan.spec, type=Spec)


def readings_of(connection: sa.Connection, tenant: str, asset_id: str, since: datetime) -> dict[str, Sequence[Reading]]:
    """What the meters of an asset showed, as far as it tells how much was run since then and how fast it runs: from the
    last reading before that time, or before the newest one, less the days by which the speed is told."""
    c = p.readings.c
    mine = (c.tenant == tenant, c.asset_id == asset_id)
    made: dict[str, Sequence[Reading]] = {}
    newest = sa.select(c.meter, sa.func.max(c.at)).where(*mine).group_by(c.meter)
    for meter, last in connection.execute(newest).all():
        of = (*mine, c.meter == meter)
        cut = min(since, last) - timedelta(days=RATE_DAYS)
        start = connection.execute(sa.select(sa.func.max(c.at)).where(*of, c.at <= cut)).scalar()
        some = sa.select(c.at, c.value).where(*of).order_by(c.at)
        if start is not None:
            some = some.where(c.at >= start)
        made[meter] = [Reading(at, value) for at, value in connection.execute(some)]
    return made


def open_job_of(work: Unit, plan_id: str) -> Row | None:
    """The job of a plan that is not done yet."""
    found = work.all(p.jobs, p.jobs.c.plan_id == plan_id, p.jobs.c.ended_at.is_(None))
    return found[0] if found else None


def bring_plan(work: Unit, plan_id: str) -> Row:
    """Work out anew when a plan is due; the row afterwards."""
    plan = work.one(p.plans, plan_id, "plan")
    spec = spec_of(plan)
    due = None
    if plan.state == "active":
        readings = readings_of(work.connection, work.tenant, plan.asset_id, plan.done_at or plan.begins_at)
        due = next_due(spec, plan.begins_at, plan.done_at, readings)
    waits = due is None or open_job_of(work, plan_id) is not None
    values: dict[str, Any] = {
        "due_at": due.at if due else None, "why": due.why if due else "",
        "next_at": None if waits or due is None else due.at - timedelta(days=spec.lead_days),
    }  # fmt: skip
    look = count_again(work, plan, spec)
    if look is not None:
        values["next_at"] = min(look, values["next_at"] or look)
    if any(getattr(plan, k) != v for k, v in values.items()):
        work.update(p.plans, {"id": plan_id}, **values)
    return work.one(p.plans, plan_id, "plan")


def count_again(work: Unit, plan: Row, spec: Spec) -> datetime | None:
    """When running hours are counted next from telemetry; None where that is not needed or a person reads the meter."""
    if plan.state != "active" or not spec.every_hours or not counts(work, plan.asset_id):
        return None
    return counted_until(work, plan) + COUNT_EVERY


def counts(work: Unit, asset_id: str) -> bool:
    """Whether telemetry has to tell an asset's running hours, and can."""
    if newest_reading(work, asset_id, HOURS) is not None:
        return False
    model = work.models(work.one(t.assets, asset_id, "asset").model)
    return model is not None and model.running_when is not None


def newest_reading(work: Unit, asset_id: str, meter: str) -> Row | None:
    """What a meter showed last; None = nobody has read it."""
    c = p.readings.c
    chosen = sa.select(p.readings).where(c.tenant == work.tenant, c.asset_id == asset_id, c.meter == meter)
    return work.connection.execute(chosen.order_by(c.at.desc()).limit(1)).first()


def keep_reading(work: Unit, asset_id: str, meter: str, value: float, at: datetime) -> bool:
    """Keep what a meter showed; plans are worked out anew. False = it was kept before."""
    kept = work.insert_new(p.readings, asset_id=asset_id, meter=meter, at=at, value=value, actor=work.actor.name)
    if kept:
        for plan in work.all(p.plans, p.plans.c.asset_id == asset_id, p.plans.c.state == "active"):
            bring_plan(work, plan.id)
    return kept


def counted_until(work: Unit, plan: Row) -> datetime:
    """Up to when an asset's running hours are counted; from the beginning of the plan on."""
    newest, begins = newest_reading(work, plan.asset_id, COUNTED_HOURS), plan.begins_at
    until: datetime = begins if newest is None else max(newest.at, begins)
    return until


def ride_along(work: Unit, order_id: str, again: bool = False) -> None:
    """A visit was planned: take the jobs along that may be done then at the same site."""
    c = p.plans.c
    coming = sa.select(c.id).where(c.tenant == work.tenant, c.state == "active", c.due_at.is_not(None)).limit(1)
    if work.connection.execute(coming).first() is None:
        return
    for visit in work.all(t.visits, t.visits.c.order_id == order_id, t.visits.c.state.in_(_COMING)):
        order = work.one(t.orders, order_id, "work order")
        asset = work.one(t.assets, order.asset_id, "asset")
        if order.type == "preventive" and order.prediction_id is None:
            continue  # a job of a plan itself; what is due beside it has its own
        same = t.assets.c.site_id == asset.site_id if asset.site_id is not None else t.assets.c.id == asset.id
        here = [a.id for a in work.all(t.assets, same)]
        for plan in work.all(p.plans, c.asset_id.in_(here), c.state == "active", c.due_at.is_not(None)):
            if open_job_of(work, plan.id) is None and fits(work, plan, visit):
                take_along(work, plan, order, visit)


def visit_for(work: Unit, plan: Row) -> tuple[Row, Row] | None:
    """The first visit that is planned at the plan's site inside its grace, with its order."""
    asset = work.one(t.assets, plan.asset_id, "asset")
    v, o, a = t.visits.c, t.orders, t.assets
    same = a.c.site_id == asset.site_id if asset.site_id is not None else a.c.id == asset.id
    found = work.connection.execute(
        sa.select(v.id, v.order_id)
        .join(o, sa.and_(o.c.tenant == v.tenant, o.c.id == v.order_id))
        .join(a, sa.and_(a.c.tenant == v.tenant, a.c.id == o.c.asset_id))
        .where(v.tenant == work.tenant, v.state.in_(_COMING), v.start > work.now, same)
        .order_by(v.start, v.id)
    )
    for row in found.all():
        visit = work.one(t.visits, row.id, "visit")
        if fits(work, plan, visit):
            return work.one(t.orders, row.order_id, "work order"), visit
    return None


def fits(work: Unit, plan: Row, visit: Row) -> bool:
    """Whether a visit is inside a plan's grace, and whoever comes can do the job."""
    spec = spec_of(plan)
    if visit.start <= work.now or not rides(spec, plan.due_at, visit.start):
        return False
    who = work.one(t.technicians, visit.technician_id, "technician")
    return not spec.skill or spec.skill in msgspec.json.decode(who.skills, type=list[str])


def take_along(work: Unit, plan: Row, order: Row, visit: Row) -> None:
    """Put a plan's steps on the order of a visit that is made anyway."""
    spec = spec_of(plan)
    asset = work.one(t.assets, plan.asset_id, "asset")
    first, last = add_tasks(work, order.id, [f"{asset.name}, {spec.title}: {text}" for text in spec.tasks])
    work.update(t.orders, {"id": order.id}, minutes=order.minutes + spec.minutes, changed_at=work.now)
    saved = _trip(work, asset)
    sentence = f"{spec.title} of {asset.name} rides along on {day_words(visit.day)}: {saved}."
    work.insert(
        p.jobs, plan_id=plan.id, n=_number(work, plan.id), due_at=plan.due_at, opened_at=work.now, order_id=order.id,
        first_task=first, last_task=last, sentence=sentence[:500], result="",
    )  # fmt: skip
    bring_plan(work, plan.id)
    work.record("plan_job_rides", plan.asset_id, order.id, sentence, plan=plan.id, case=order.case_id)


def _number(work: Unit, plan_id: str) -> int:
    return len(work.all(p.jobs, p.jobs.c.plan_id == plan_id)) + 1


def keep_job(work: Unit, plan: Row, case_id: str, order_id: str, sentence: str) -> None:
    """Remember the job that has an order of its own."""
    work.insert(
        p.jobs, plan_id=plan.id, n=_number(work, plan.id), due_at=plan.due_at, opened_at=work.now, case_id=case_id,
        order_id=order_id, sentence=sentence[:500], result="",
    )  # fmt: skip
    bring_plan(work, plan.id)


def _trip(work: Unit, asset: Row) -> str:
    model = work.models(asset.model)
    modes = [m for c in model.components.values() for m in c.modes] if model else []
    if model is None or not modes:
        return "a trip of its own is saved"
    cost = min(m.false_visit.total for m in modes)
    return f"a trip of its own is saved, about {money(cost, model.currency)} by what an empty visit costs"


def add_tasks(work: Unit, order_id: str, texts: Sequence[str]) -> tuple[int, int]:
    """Put steps at the end of an order's checklist; the numbers of the first and the last."""
    last = max((int(r.n) for r in work.all(t.tasks, t.tasks.c.order_id == order_id)), default=0)
    for n, text in enumerate(texts, last + 1):
        work.insert(t.tasks, order_id=order_id, n=n, text=text[:500], state=TaskState.OPEN, result="")
    return last + 1, last + len(texts)


def settle_jobs(work: Unit, order_id: str, again: bool = False) -> None:
    """An order moved: its jobs are done with the work, or missed when it ends without them."""
    jobs = work.all(p.jobs, p.jobs.c.order_id == order_id, p.jobs.c.ended_at.is_(None))
    if not jobs:
        return
    order = work.one(t.orders, order_id, "work order")
    finished = order.state in (OrderState.WORK_DONE, OrderState.REVIEW, OrderState.CLOSED)
    if not finished and OrderState(order.state) not in ENDED:
        return
    for job in jobs:
        done = finished and _did(work, job)
        if finished and not done and order.state != OrderState.CLOSED:
            continue  # the office may send it back, and then it is done
        result = DONE if done else MISSED
        work.update(p.jobs, {"plan_id": job.plan_id, "n": job.n}, result=result, ended_at=work.now)
        if done:
            work.update(p.plans, {"id": job.plan_id}, done_at=order.finished_at or work.now)
        plan = bring_plan(work, job.plan_id)
        spec = spec_of(plan)
        text = f"{spec.title} was done." if done else f"{spec.title} was not done: {order.reason or 'steps left open'}."
        if plan.due_at is not None:
            text += f" Next due on {day_words(plan.due_at.date())}."
        work.record(f"plan_job_{result}", plan.asset_id, job.plan_id, text, order=order_id)


def _did(work: Unit, job: Row) -> bool:
    """Whether any step of the job was done; of a job with an order of its own the order says it."""
    if job.first_task is None:
        return True
    c = t.tasks.c
    mine = work.all(t.tasks, c.order_id == job.order_id, c.n >= job.first_task, c.n <= job.last_task)
    return any(r.state == TaskState.DONE for r in mine)
