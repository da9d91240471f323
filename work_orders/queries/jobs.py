"""What a job's page shows beside the order itself: steps with their limits, permits, the visit, what it took."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from work_orders.domain.case_states import VISIT, VisitState
from work_orders.domain.machine import Role
from work_orders.domain.readings import limits
from work_orders.service import tables as t
from work_orders.service import work_tables as w
from work_orders.service.attachments import Attachment, files_of_case
from work_orders.service.order_steps import VISIT_ACTIONS


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of the checklist; `limits` in words, empty = none."""

    n: int
    text: str
    state: str
    result: str
    needs: str
    unit: str
    limits: str
    required: bool
    value: float | None
    actor: str


@dataclass(frozen=True, slots=True)
class PermitRow:
    """A permit or lock-out on record."""

    id: str
    name: str
    kind: str
    note: str
    actor: str
    at: datetime
    released_at: datetime | None


@dataclass(frozen=True, slots=True)
class Actuals:
    """What a job really took; None = not said."""

    work_minutes: int | None
    travel_minutes: int | None
    km: float | None
    parts_cost: float | None
    other_cost: float | None
    note: str


@dataclass(frozen=True, slots=True)
class JobDetail:
    """All of it. `missing` = names of what is needed and not on record; `visit` = state of the live visit, "" = none;
    `spent` = minutes between the start and the end of the work."""

    steps: tuple[StepRow, ...]
    permits: tuple[PermitRow, ...]
    missing: tuple[str, ...]
    visit: str
    visit_actions: tuple[str, ...]
    actuals: Actuals | None
    files: tuple[Attachment, ...]
    spent: int | None
    follows: str | None
    followed_by: str | None


def job(connection: sa.Connection, tenant: str, order_id: str, role: Role) -> JobDetail | None:
    """What belongs to a work order; who may see it is asked before."""
    o, k, v, p, a = t.orders.c, t.tasks.c, t.visits.c, w.permits.c, w.actuals.c
    order = connection.execute(sa.select(t.orders).where(o.tenant == tenant, o.id == order_id)).first()
    if order is None:
        return None
    steps = connection.execute(sa.select(t.tasks).where(k.tenant == tenant, k.order_id == order_id).order_by(k.n))
    permits = [
        PermitRow(r.id, r.name, r.kind, r.note, r.actor, r.at, r.released_at)
        for r in connection.execute(
            sa.select(w.permits).where(p.tenant == tenant, p.order_id == order_id).order_by(p.at, p.id)
        )
    ]
    standing = {r.name for r in permits if r.released_at is None}
    ended = order.finished_at is not None
    needed = [] if ended else msgspec.json.decode(order.permits, type=list[str])
    visit = connection.execute(
        sa.select(v.state).where(v.tenant == tenant, v.order_id == order_id, v.ended_at.is_(None))
    ).scalar()
    said = connection.execute(sa.select(w.actuals).where(a.tenant == tenant, a.order_id == order_id)).first()
    began, over = order.started_at, order.finished_at
    return JobDetail(
        tuple(
            StepRow(
                r.n, r.text, r.state, r.result, r.needs, r.unit, limits(r.low, r.high, r.unit), r.required, r.value,
                r.actor,
            )
            for r in steps
        ),
        tuple(permits), tuple(n for n in needed if n not in standing), visit or "", _visit_actions(visit, role),
        _actuals(said) if said else None,
        tuple(files_of_case(connection, tenant, order.case_id)),
        round((over - began).total_seconds() / 60) if began and over else None, order.follows,
        connection.execute(sa.select(o.id).where(o.tenant == tenant, o.follows == order_id)).scalar(),
    )  # fmt: skip


def _actuals(r: Any) -> Actuals:
    return Actuals(r.work_minutes, r.travel_minutes, r.km, r.parts_cost, r.other_cost, r.note)


def _visit_actions(state: str | None, role: Role) -> tuple[str, ...]:
    if state is None:
        return ()
    allowed = VISIT.allowed(VisitState(state), role)
    return tuple(name for name, action in VISIT_ACTIONS.items() if action in allowed)
