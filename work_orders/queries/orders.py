"""Work orders: lists, one with its checklist, a technician's jobs."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from work_orders.domain.machine import Role
from work_orders.domain.money import Costs
from work_orders.domain.order_states import OrderAction, OrderState, allowed
from work_orders.queries.cases import FindingRow
from work_orders.queries.paging import LIMIT, Page, page_of
from work_orders.service import tables as t


@dataclass(frozen=True, slots=True)
class OrderRow:
    """A work order in a list. `measured_at` = newest sample behind the decision that opened it."""

    id: str
    case_id: str
    asset_id: str
    customer_id: str | None
    component: str
    failure_mode: str
    type: str
    priority: str
    state: str
    held_from: str | None
    reason: str
    title: str
    skill: str
    technician_id: str | None
    visit_start: datetime | None
    visit_end: datetime | None
    earliest: datetime | None
    latest: datetime | None
    agreed: bool
    measured_at: datetime | None
    opened_at: datetime
    changed_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    ended_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One step of the checklist."""

    n: int
    text: str
    state: str
    result: str


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """A work order with all that a person at the machine needs. `allowed` = actions that its state has (all roles)."""

    order: OrderRow
    asset: str
    customer: str
    customer_phone: str
    site: str
    address: str
    access_notes: str
    technician: str
    remedy: str
    part: str | None
    minutes: int
    follows: str | None
    tasks: tuple[TaskRow, ...]
    findings: tuple[FindingRow, ...]
    why: str
    """The sentence of the decision that opened it; empty where a person did."""
    costs: Costs
    allowed: tuple[str, ...]


_O = t.orders.c
_ROW = (
    _O.id, _O.case_id, _O.asset_id, _O.customer_id, _O.component, _O.failure_mode, _O.type, _O.priority, _O.state,
    _O.held_from, _O.reason, _O.title, _O.skill, _O.technician_id, _O.visit_start, _O.visit_end, _O.earliest,
    _O.latest, _O.agreed, _O.measured_at, _O.opened_at, _O.changed_at, _O.started_at, _O.finished_at, _O.ended_at,
    _O.version,
)  # fmt: skip


def orders(
    connection: sa.Connection, tenant: str, *, asset_id: str | None = None, state: str | None = None,
    customer_id: str | None = None, technician_id: str | None = None, open_only: bool = False,
    after: str | None = None, limit: int = LIMIT,
) -> Page[OrderRow]:  # fmt: skip
    """Work orders, newest first."""
    chosen: sa.Select[Any] = sa.select(*_ROW).where(_O.tenant == tenant)
    for column, value in (
        (_O.asset_id, asset_id), (_O.state, state), (_O.customer_id, customer_id), (_O.technician_id, technician_id),
    ):  # fmt: skip
        if value is not None:
            chosen = chosen.where(column == value)
    if open_only:
        chosen = chosen.where(_O.ended_at.is_(None))
    rows, cursor = page_of(connection, chosen, _O.opened_at, _O.id, after, limit)
    return Page(tuple(OrderRow(*r) for r in rows), cursor)


def my_jobs(
    connection: sa.Connection, tenant: str, technician_id: str, *, ended_since: datetime | None = None
) -> list[OrderRow]:
    """A technician's jobs by time of the visit; with `ended_since` also those that ended after it."""
    live = _O.ended_at.is_(None)
    shown = live if ended_since is None else sa.or_(live, _O.ended_at >= ended_since)
    rows: Any = connection.execute(
        sa.select(*_ROW).where(_O.tenant == tenant, _O.technician_id == technician_id, shown).order_by(_O.visit_start)
    )
    return [OrderRow(*r) for r in rows]


def order(
    connection: sa.Connection, tenant: str, id: str, *, customer_id: str | None = None,
    technician_id: str | None = None, role: Role | None = None,
) -> OrderDetail | None:  # fmt: skip
    """One work order; with `customer_id` or `technician_id` only theirs; `role` narrows `allowed`."""
    chosen: sa.Select[Any] = sa.select(*_ROW).where(_O.tenant == tenant, _O.id == id)
    if customer_id is not None:
        chosen = chosen.where(_O.customer_id == customer_id)
    if technician_id is not None:
        chosen = chosen.where(_O.technician_id == technician_id)
    found: Any = connection.execute(chosen).first()
    return details(connection, tenant, [OrderRow(*found)], role)[0] if found else None


def details(
    connection: sa.Connection, tenant: str, rows: Sequence[OrderRow], role: Role | None = None
) -> list[OrderDetail]:
    """What people at the machine need of each order: three queries, however many orders there are."""
    a, k, s, e, d, c, w, f = (
        t.assets, t.customers, t.sites, t.technicians, t.decisions, t.cases, t.tasks.c, t.findings.c,
    )  # fmt: skip
    ids = [r.id for r in rows]
    found: Any = connection.execute(
        sa.select(
            _O.id, a.c.name, k.c.name, k.c.phone, s.c.name, s.c.address, s.c.access_notes, e.c.name, _O.remedy, _O.part,
            _O.minutes, _O.follows, d.c.sentence, c.c.costs,
        )
        .select_from(t.orders)
        .join(a, sa.and_(a.c.tenant == _O.tenant, a.c.id == _O.asset_id))
        .join(c, sa.and_(c.c.tenant == _O.tenant, c.c.id == _O.case_id))
        .outerjoin(k, sa.and_(k.c.tenant == _O.tenant, k.c.id == _O.customer_id))
        .outerjoin(s, sa.and_(s.c.tenant == _O.tenant, s.c.id == a.c.site_id))
        .outerjoin(e, sa.and_(e.c.tenant == _O.tenant, e.c.id == _O.technician_id))
        .outerjoin(d, sa.and_(d.c.tenant == _O.tenant, d.c.prediction_id == c.c.decided_by))
        .where(_O.tenant == tenant, _O.id.in_(ids))
    )  # fmt: skip
    more = {r[0]: r[1:] for r in found}
    tasks: dict[str, list[TaskRow]] = {}
    for of, *task in connection.execute(
        sa.select(w.order_id, w.n, w.text, w.state, w.result)
        .where(w.tenant == tenant, w.order_id.in_(ids))
        .order_by(w.order_id, w.n)
    ):
        tasks.setdefault(of, []).append(TaskRow(*task))
    reported: dict[str, list[FindingRow]] = {}
    for r in connection.execute(
        sa.select(*(f[field.name] for field in fields(FindingRow)))
        .where(f.tenant == tenant, f.order_id.in_(ids))
        .order_by(f.at.desc(), f.id.desc())
    ):
        reported.setdefault(r.order_id, []).append(FindingRow(*r))
    return [
        _detail(row, more[row.id], tuple(tasks.get(row.id, ())), tuple(reported.get(row.id, ())), role) for row in rows
    ]


def _detail(
    row: OrderRow, more: Any, tasks: tuple[TaskRow, ...], reported: tuple[FindingRow, ...], role: Role | None
) -> OrderDetail:
    held = OrderState(row.held_from) if row.held_from else None
    actions = [x for x in allowed(OrderState(row.state), held, role) if x is not OrderAction.RECORD_FINDING]
    return OrderDetail(
        row, more[0], more[1] or "", more[2] or "", more[3] or "", more[4] or "", more[5] or "", more[6] or "",
        more[7], more[8], more[9], more[10], tasks, reported, more[11] or "",
        msgspec.json.decode(more[12], type=Costs), tuple(str(x) for x in actions),
    )  # fmt: skip
