"""Preventive plans as people see them: when each is due next and why, what its last jobs were, what meters show."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from work_orders.domain.plans import Spec
from work_orders.queries.paging import LIMIT, Page, soonest_of
from work_orders.service import plan_tables as p
from work_orders.service import tables as t


@dataclass(frozen=True, slots=True)
class JobRow:
    """One time that a plan was due."""

    due_at: datetime
    case_id: str | None
    order_id: str | None
    rides: bool
    sentence: str
    result: str
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan. `due_at` is None while nothing tells it: no readings yet, or it rests."""

    id: str
    asset_id: str
    asset: str
    title: str
    state: str
    words: str
    begins_at: datetime
    done_at: datetime | None
    due_at: datetime | None
    why: str
    spec: Spec
    jobs: tuple[JobRow, ...]
    version: int


@dataclass(frozen=True, slots=True)
class MeterRow:
    """The newest reading of a meter."""

    meter: str
    value: float
    at: datetime
    actor: str


JOBS = 5


def plans(
    connection: sa.Connection, tenant: str, *, asset_id: str | None = None, id: str | None = None, ended: bool = False,
    after: str | None = None, limit: int = LIMIT,
) -> Page[PlanRow]:  # fmt: skip
    """Plans, what is due next first; ended ones only where asked for."""
    c, a, j = p.plans.c, t.assets.c, p.jobs.c
    chosen = (
        sa.select(p.plans, a.name)
        .join(t.assets, sa.and_(a.tenant == c.tenant, a.id == c.asset_id))
        .where(c.tenant == tenant)
    )
    if asset_id is not None:
        chosen = chosen.where(c.asset_id == asset_id)
    if id is not None:
        chosen = chosen.where(c.id == id)
    if not ended:
        chosen = chosen.where(c.state != "ended")
    rows, cursor = soonest_of(connection, chosen, c.due_at, c.id, after, limit)
    jobs: dict[str, list[JobRow]] = {}
    for r in connection.execute(
        sa.select(p.jobs).where(j.tenant == tenant, j.plan_id.in_([r.id for r in rows])).order_by(j.n.desc())
    ):
        of = jobs.setdefault(r.plan_id, [])
        if len(of) < JOBS:
            rides = r.first_task is not None
            of.append(JobRow(r.due_at, r.case_id, r.order_id, rides, r.sentence, r.result, r.ended_at))
    made = []
    for r in rows:
        spec = msgspec.json.decode(r.spec, type=Spec)
        made.append(
            PlanRow(
                r.id, r.asset_id, r.name, r.title, r.state, spec.words(), r.begins_at, r.done_at, r.due_at, r.why, spec,
                tuple(jobs.get(r.id, ())), r.version,
            )
        )  # fmt: skip
    return Page(tuple(made), cursor)


def meters(connection: sa.Connection, tenant: str, asset_id: str) -> list[MeterRow]:
    """The newest reading of each meter of an asset."""
    c = p.readings.c
    newest = (
        sa.select(c.meter, sa.func.max(c.at).label("at"))
        .where(c.tenant == tenant, c.asset_id == asset_id)
        .group_by(c.meter)
        .subquery()
    )
    rows = connection.execute(
        sa.select(c.meter, c.value, c.at, c.actor)
        .join(newest, sa.and_(newest.c.meter == c.meter, newest.c.at == c.at))
        .where(c.tenant == tenant, c.asset_id == asset_id)
        .order_by(c.meter)
    )
    return [MeterRow(*r) for r in rows]
