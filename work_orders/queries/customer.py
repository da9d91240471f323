"""One view of a customer: who he is, his sites and machines, what is open, and everything that happened on one
timeline."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from plumbing.audit import entries
from work_orders.queries.aftercare import SurveyRow, surveys
from work_orders.queries.timeline import Moment
from work_orders.service import message_tables as said
from work_orders.service import tables as t
from work_orders.service.moment_tables import moments

MOST = 2000
"""Machines, open cases and open orders that are told at most."""
NEWEST, MOST_VISITS = 20, 100
"""Surveys and visits that are told at most."""


@dataclass(frozen=True, slots=True)
class Place:
    """A site of the customer, with how many machines stand there."""

    id: str
    name: str
    address: str
    country: str
    assets: int


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case that is open; `p_horizon`: the newest P(failure) within the decision's horizon."""

    id: str
    component: str
    kind: str
    state: str
    p_horizon: float | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """A work order that is open."""

    id: str
    case_id: str
    title: str
    state: str
    technician_id: str | None
    visit_start: datetime | None


@dataclass(frozen=True, slots=True)
class Owned:
    """One of his machines, with what is open at it, the oldest first."""

    id: str
    name: str
    model: str
    site_id: str | None
    device: str
    """That watches it (the first of them); empty where none does."""
    cases: tuple[OpenCase, ...]
    orders: tuple[OpenOrder, ...]

    @property
    def p_horizon(self) -> float | None:
        """The greatest of its open cases."""
        return max((c.p_horizon for c in self.cases if c.p_horizon is not None), default=None)


@dataclass(frozen=True, slots=True)
class VisitRow:
    """A visit at one of his machines."""

    order_id: str
    asset_id: str
    technician_id: str
    start: datetime
    end: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Told:
    """What happened, and to which of his machines; empty = to him himself."""

    asset: str
    event: Moment


@dataclass(frozen=True, slots=True)
class Consent:
    """What he agreed to, or took back, last."""

    purpose: str
    channel: str
    given: bool
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation: about which case, and its newest message."""

    case_id: str
    asset_id: str
    incoming: bool
    author: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class CustomerView:
    """All of it; `next` continues the timeline (None = it ends here)."""

    id: str
    name: str
    contact: str
    phone: str
    language: str
    tier: str
    sites: tuple[Place, ...]
    assets: tuple[Owned, ...]
    open_cases: int
    open_orders: int
    visits: tuple[VisitRow, ...]
    """Of orders that are open, and of his newest surveys' orders; newest first."""
    surveys: tuple[SurveyRow, ...]
    """Newest first."""
    consents: tuple[Consent, ...]
    threads: tuple[Thread, ...]
    timeline: tuple[Told, ...]
    """Newest first."""
    next: int | None


def customer_view(connection: sa.Connection, tenant: str, id: str, *, threads: int = 20) -> CustomerView | None:
    """All about one customer, and the first page of his timeline."""
    k = t.customers.c
    row = connection.execute(sa.select(t.customers).where(k.tenant == tenant, k.id == id)).first()
    if row is None:
        return None
    owned = _owned(connection, tenant, id)
    s = t.sites.c
    count: dict[str | None, int] = {}
    for a in owned:
        count[a.site_id] = count.get(a.site_id, 0) + 1
    sites = connection.execute(
        sa.select(s.id, s.name, s.address, s.country).where(s.tenant == tenant, s.customer_id == id).order_by(s.name)
    )
    page, more = customer_timeline(connection, tenant, id)
    asked = surveys(connection, tenant, customer_id=id, limit=NEWEST)
    return CustomerView(
        row.id, row.name, row.contact, row.phone, row.locale, row.tier,
        tuple(Place(*r, count.get(r.id, 0)) for r in sites), owned,
        _open(connection, t.cases, t.cases.c.closed_at, tenant, id),
        _open(connection, t.orders, t.orders.c.ended_at, tenant, id), _visits(connection, tenant, id, asked),
        tuple(asked), _consents(connection, tenant, id), _threads(connection, tenant, id, threads), tuple(page), more,
    )  # fmt: skip


def _open(connection: sa.Connection, of: sa.Table, ended: sa.Column[datetime], tenant: str, id: str) -> int:
    chosen = sa.select(sa.func.count()).where(of.c.tenant == tenant, of.c.customer_id == id, ended.is_(None))
    return int(connection.execute(chosen).scalar_one())


def customer_timeline(
    connection: sa.Connection, tenant: str, id: str, *, before: int | None = None, limit: int = 50
) -> tuple[list[Told], int | None]:
    """What happened around a customer and his machines, newest first, and where the next page begins."""
    page = (
        sa.select(moments)
        .where(moments.c.tenant == tenant, moments.c.customer_id == id)
        .order_by(moments.c.seq.desc())
        .limit(limit + 1)
    )
    if before is not None:
        page = page.where(moments.c.seq < before)
    m = page.subquery().c  # first which ones, then what they say: no more entries are read than are shown
    chosen = sa.select(
        entries.c.seq, entries.c.at, entries.c.actor, entries.c.action, entries.c.diff, m.asset_id
    ).where(entries.c.tenant == tenant, entries.c.seq == m.seq)
    rows = connection.execute(chosen.order_by(m.seq.desc())).all()
    out = []
    for r in rows[:limit]:
        told = msgspec.json.decode(r.diff)
        event = Moment(r.seq, r.at, r.actor, r.action, told.get("id", ""), told.get("text", ""))
        out.append(Told(r.asset_id, event))
    return out, out[-1].event.seq if len(rows) > limit else None


def _owned(connection: sa.Connection, tenant: str, id: str) -> tuple[Owned, ...]:
    a, c, o = t.assets.c, t.cases.c, t.orders.c
    cases: dict[str, list[OpenCase]] = defaultdict(list)
    for asset, *known in connection.execute(
        sa.select(c.asset_id, c.id, c.component, c.kind, c.state, c.p_horizon, c.opened_at)
        .where(c.tenant == tenant, c.customer_id == id, c.closed_at.is_(None))
        .order_by(c.opened_at, c.id)
        .limit(MOST)
    ):
        cases[asset].append(OpenCase(*known))
    orders: dict[str, list[OpenOrder]] = defaultdict(list)
    for asset, *known in connection.execute(
        sa.select(o.asset_id, o.id, o.case_id, o.title, o.state, o.technician_id, o.visit_start)
        .where(o.tenant == tenant, o.customer_id == id, o.ended_at.is_(None))
        .order_by(o.opened_at, o.id)
        .limit(MOST)
    ):
        orders[asset].append(OpenOrder(*known))
    d = t.asset_devices.c
    device = sa.select(sa.func.min(d.device)).where(d.tenant == a.tenant, d.asset_id == a.id).scalar_subquery()
    rows = connection.execute(
        sa.select(a.id, a.name, a.model, a.site_id, device.label("device"))
        .where(a.tenant == tenant, a.customer_id == id)
        .order_by(a.name, a.id)
        .limit(MOST)
    ).all()
    return tuple(
        Owned(r.id, r.name, r.model, r.site_id, r.device or "", tuple(cases[r.id]), tuple(orders[r.id])) for r in rows
    )


def _visits(connection: sa.Connection, tenant: str, id: str, asked: list[SurveyRow]) -> tuple[VisitRow, ...]:
    """By the indexes of what is open and of what was asked about: no history is read for the few that are shown."""
    o, v = t.orders.c, t.visits.c
    read = sa.select(v.order_id, o.asset_id, v.technician_id, v.start, v.end, v.state).join(
        t.orders, sa.and_(o.tenant == v.tenant, o.id == v.order_id)
    )
    of = (o.tenant == tenant, o.customer_id == id)
    both = sa.union(
        read.where(*of, o.ended_at.is_(None)), read.where(*of, o.id.in_([s.order_id for s in asked]))
    ).subquery()
    rows = connection.execute(sa.select(both).order_by(both.c.start.desc(), both.c.order_id).limit(MOST_VISITS))
    return tuple(VisitRow(*r) for r in rows)


def _consents(connection: sa.Connection, tenant: str, id: str) -> tuple[Consent, ...]:
    c = said.consents.c
    newest: dict[tuple[str, str], Consent] = {}
    for r in connection.execute(
        sa.select(c.purpose, c.channel, c.given, c.at, c.actor)
        .where(c.tenant == tenant, c.customer_id == id)
        .order_by(c.n)
    ):
        newest[r.purpose, r.channel] = Consent(*r)
    return tuple(newest[key] for key in sorted(newest))


def _threads(connection: sa.Connection, tenant: str, id: str, limit: int) -> tuple[Thread, ...]:
    """The newest message of each case that is open."""
    m, c, of = said.messages.c, t.cases.c, said.messages.alias("of").c
    mine = sa.and_(of.tenant == c.tenant, of.case_id == c.id)
    at, n = (
        sa.select(column).where(mine).order_by(of.n.desc()).limit(1).correlate(t.cases).scalar_subquery()
        for column in (of.at, of.n)
    )
    some = (
        sa.select(c.id, c.asset_id, at.label("at"), n.label("n"))
        .where(c.tenant == tenant, c.customer_id == id, c.closed_at.is_(None), n.is_not(None))
        .order_by(sa.desc("at"))
        .limit(limit)
        .subquery()
    )  # which ones first: no more messages are read than are shown
    rows = connection.execute(
        sa.select(m.case_id, some.c.asset_id, m.incoming, m.author, m.at, m.text)
        .join(some, sa.and_(m.case_id == some.c.id, m.n == some.c.n))
        .where(m.tenant == tenant)
        .order_by(m.at.desc())
    )
    return tuple(Thread(*r) for r in rows)
