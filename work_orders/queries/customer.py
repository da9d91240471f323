"""One view of a customer: who he is, his sites and machines, what is open, and everything that happened on one
timeline."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from plumbing.audit import entries
from work_orders.queries.timeline import Moment
from work_orders.service import message_tables as said
from work_orders.service import tables as t
from work_orders.service.moment_tables import moments

MOST = 2000
"""Machines, open cases and open orders that are told at most."""


@dataclass(frozen=True, slots=True)
class Place:
    """A site of the customer, with how many machines stand there."""

    id: str
    name: str
    address: str
    country: str
    assets: int


@dataclass(frozen=True, slots=True)
class Owned:
    """One of his machines. `p_horizon`: the newest P(failure) within the decision's horizon of its open case."""

    id: str
    name: str
    model: str
    site_id: str | None
    device: str
    """That watches it (the first of them); empty where none does."""
    case_id: str | None
    case_state: str
    p_horizon: float | None
    order_id: str | None
    order_state: str
    visit_start: datetime | None


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
    consents: tuple[Consent, ...]
    threads: tuple[Thread, ...]
    timeline: tuple[tuple[str, Moment], ...]
    """With the machine that each is about, newest first."""
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
    return CustomerView(
        row.id, row.name, row.contact, row.phone, row.locale, row.tier,
        tuple(Place(*r, count.get(r.id, 0)) for r in sites), owned,
        sum(a.case_id is not None for a in owned), sum(a.order_id is not None for a in owned),
        _consents(connection, tenant, id), _threads(connection, tenant, id, threads), tuple(page), more,
    )  # fmt: skip


def customer_timeline(
    connection: sa.Connection, tenant: str, id: str, *, before: int | None = None, limit: int = 50
) -> tuple[list[tuple[str, Moment]], int | None]:
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
        out.append((r.asset_id, Moment(r.seq, r.at, r.actor, r.action, told.get("id", ""), told.get("text", ""))))
    return out, out[-1][1].seq if len(rows) > limit else None


def _owned(connection: sa.Connection, tenant: str, id: str) -> tuple[Owned, ...]:
    a, c, o = t.assets.c, t.cases.c, t.orders.c
    cases = {
        r.asset_id: r
        for r in connection.execute(
            sa.select(c.asset_id, c.id, c.state, c.p_horizon)
            .where(c.tenant == tenant, c.customer_id == id, c.closed_at.is_(None))
            .order_by(c.opened_at)
            .limit(MOST)
        )
    }
    orders = {
        r.asset_id: r
        for r in connection.execute(
            sa.select(o.asset_id, o.id, o.state, o.visit_start)
            .where(o.tenant == tenant, o.customer_id == id, o.ended_at.is_(None))
            .order_by(o.opened_at)
            .limit(MOST)
        )
    }
    d = t.asset_devices.c
    device = sa.select(sa.func.min(d.device)).where(d.tenant == a.tenant, d.asset_id == a.id).scalar_subquery()
    rows = connection.execute(
        sa.select(a.id, a.name, a.model, a.site_id, device.label("device"))
        .where(a.tenant == tenant, a.customer_id == id)
        .order_by(a.name, a.id)
        .limit(MOST)
    ).all()
    out = []
    for r in rows:
        case, order = cases.get(r.id), orders.get(r.id)
        out.append(
            Owned(
                r.id, r.name, r.model, r.site_id, r.device or "", case.id if case else None, case.state if case else "",
                case.p_horizon if case else None, order.id if order else None, order.state if order else "",
                order.visit_start if order else None,
            )
        )  # fmt: skip
    return tuple(out)


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
