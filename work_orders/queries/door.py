"""What came in by the door: requests, incidents with their cases, merges."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from work_orders.domain.report_reader import URGENCY
from work_orders.queries.paging import LIMIT, Page, page_of
from work_orders.service import door_tables as d
from work_orders.service import tables as t

SHOWN_CASES = 200


@dataclass(frozen=True, slots=True)
class RequestRow:
    """What somebody asked for. `case_id` None = nobody knows the machine yet."""

    id: str
    case_id: str | None
    asset_id: str
    component: str
    kind: str
    channel: str
    who: str
    contact: str
    text: str
    said_at: datetime
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A case of an incident; `waits` = its order waits for the one decision."""

    case_id: str
    asset_id: str
    asset: str
    component: str
    state: str
    since: datetime
    waits: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """Many cases that share a cause; `open` and `waiting` count cases."""

    id: str
    kind: str
    title: str
    cause_case_id: str | None
    opened_at: datetime
    released_at: datetime | None
    closed_at: datetime | None
    version: int
    cases: int
    open: int
    waiting: int


_R, _I, _K, _C = d.requests.c, d.incidents.c, d.incident_cases.c, t.cases.c
_REQUEST = (
    _R.id, _R.case_id, _R.asset_id, _R.component, _R.kind, _R.channel, _R.who, _R.contact, _R.text, _R.said_at,
    _R.taken_at,
)  # fmt: skip


def requests(
    connection: sa.Connection, tenant: str, *, case_id: str | None = None, unplaced: bool = False,
    asset_id: str | None = None, after: str | None = None, limit: int = LIMIT,
) -> Page[RequestRow]:  # fmt: skip
    """Requests, newest first."""
    chosen = sa.select(*_REQUEST).where(_R.tenant == tenant)
    if case_id is not None:
        chosen = chosen.where(_R.case_id == case_id)
    if asset_id is not None:
        chosen = chosen.where(_R.asset_id == asset_id)
    if unplaced:
        chosen = chosen.where(_R.case_id.is_(None))
    rows, cursor = page_of(connection, chosen, _R.taken_at, _R.id, after, limit)
    return Page(tuple(RequestRow(*r) for r in rows), cursor)


def _counted(tenant: str) -> "sa.Select[Any]":
    opened = sa.case((_C.closed_at.is_(None), 1), else_=0)
    waits = sa.case((sa.and_(_C.closed_at.is_(None), _C.path == "gathered", _C.state == "monitoring"), 1), else_=0)
    return (
        sa.select(
            _I.id, _I.kind, _I.title, _I.cause_case_id, _I.opened_at, _I.released_at, _I.closed_at, _I.version,
            sa.func.count(_C.id), sa.func.coalesce(sa.func.sum(opened), 0), sa.func.coalesce(sa.func.sum(waits), 0),
        )
        .outerjoin(d.incident_cases, sa.and_(_K.tenant == _I.tenant, _K.incident_id == _I.id))
        .outerjoin(t.cases, sa.and_(_C.tenant == _K.tenant, _C.id == _K.case_id))
        .where(_I.tenant == tenant)
        .group_by(
            _I.tenant, _I.id, _I.kind, _I.title, _I.cause_case_id, _I.opened_at, _I.released_at, _I.closed_at,
            _I.version,
        )
    )  # fmt: skip


def incidents(
    connection: sa.Connection, tenant: str, *, open_only: bool = False, limit: int = LIMIT
) -> list[IncidentRow]:
    """Incidents, those that are open first, then the newest."""
    chosen = _counted(tenant).order_by(_I.closed_at.is_not(None), _I.opened_at.desc(), _I.id).limit(limit)
    if open_only:
        chosen = chosen.where(_I.closed_at.is_(None))
    return [IncidentRow(*r) for r in connection.execute(chosen)]


def incident(connection: sa.Connection, tenant: str, id: str) -> tuple[IncidentRow, list[MemberRow]] | None:
    """One incident with its cases, the cause first."""
    row = connection.execute(_counted(tenant).where(_I.id == id)).first()
    if row is None:
        return None
    a = t.assets.c
    members = connection.execute(
        sa.select(
            _C.id, _C.asset_id, a.name, _C.component, _C.state, _K.since, _C.path, _C.closed_at,
        )
        .select_from(d.incident_cases)
        .join(t.cases, sa.and_(_C.tenant == _K.tenant, _C.id == _K.case_id))
        .join(t.assets, sa.and_(a.tenant == _C.tenant, a.id == _C.asset_id))
        .where(_K.tenant == tenant, _K.incident_id == id)
        .order_by(_K.since, _C.id)
        .limit(SHOWN_CASES)
    )  # fmt: skip
    made = IncidentRow(*row)
    rows = [
        MemberRow(
            m.id, m.asset_id, m.name, m.component, m.state, m.since,
            m.path == "gathered" and m.state == "monitoring" and m.closed_at is None, m.closed_at is not None,
        )
        for m in members
    ]  # fmt: skip
    return made, sorted(rows, key=lambda m: m.case_id != made.cause_case_id)


@dataclass(frozen=True, slots=True)
class RecallRow:
    """A recall: `seen` of `machines` were looked at so far, and `new_cases` opened since it was asked for last."""

    name: str
    text: str
    model: str
    component: str
    asked_at: datetime
    actor: str
    incident_id: str | None
    machines: int
    seen: int
    new_cases: int
    finished_at: datetime | None


def recalls(connection: sa.Connection, tenant: str, *, incident: str | None = None) -> list[RecallRow]:
    """The recall of an incident; else those that are going on, the oldest first."""
    c = d.recalls.c
    chosen = sa.select(
        c.name, c.text, c.model, c.component, c.asked_at, c.actor, c.incident_id, c.machines, c.seen, c.new_cases,
        c.finished_at,
    ).where(c.tenant == tenant, c.finished_at.is_(None) if incident is None else c.incident_id == incident)  # fmt: skip
    return [RecallRow(*r) for r in connection.execute(chosen.order_by(c.asked_at, c.name))]


def incident_of_case(connection: sa.Connection, tenant: str, case_id: str) -> tuple[str, str] | None:
    """Id and title of the incident of a case."""
    row = connection.execute(
        sa.select(_I.id, _I.title)
        .join(d.incident_cases, sa.and_(_K.tenant == _I.tenant, _K.incident_id == _I.id))
        .where(_I.tenant == tenant, _K.case_id == case_id)
    ).first()
    return None if row is None else (row.id, row.title)


@dataclass(frozen=True, slots=True)
class ReportedRow:
    """A case that somebody reported and that nobody has decided about yet."""

    case_id: str
    asset: str
    kind: str
    text: str
    since: datetime
    urgent: bool
    """By what was said."""


def undecided(connection: sa.Connection, tenant: str) -> list[ReportedRow]:
    """Cases without an order that wait for a person, the oldest first: those that were reported, machines that broke
    down, and forecasts' that were opened again (else a forecast's case is being watched)."""
    a, o = t.assets.c, t.orders.c
    ordered = sa.select(o.id).where(o.tenant == _C.tenant, o.case_id == _C.id, o.ended_at.is_(None)).exists()
    broken = _C.broke_down_at.is_not(None)
    waits = sa.or_(_C.state == "triaging", sa.and_(broken, _C.state.in_(("monitoring", "remote_fix"))))
    kind = sa.case((broken, "breakdown"), else_=_C.kind)
    rows = connection.execute(
        sa.select(_C.id, a.name, kind, _C.reason, _C.opened_at, _C.urgent.in_(tuple(URGENCY)))
        .join(t.assets, sa.and_(a.tenant == _C.tenant, a.id == _C.asset_id))
        .where(_C.tenant == tenant, _C.closed_at.is_(None), waits, ~ordered)
        .order_by(_C.opened_at, _C.id)
        .limit(SHOWN_CASES)
    )  # fmt: skip
    return [ReportedRow(*r) for r in rows]
