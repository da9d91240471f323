"""SLA clocks as people see them: what is due next, how much of the time is used, who was told."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from work_orders.domain.sla import Clock, ClockState
from work_orders.queries.paging import LIMIT, Page, soonest_of
from work_orders.service import sla_tables as s
from work_orders.service import tables as t
from work_orders.service.sla import DESK, target_of, waits_of
from work_orders.service.sla_book import book_of


@dataclass(frozen=True, slots=True)
class ClockRow:
    """One promise. `due_at` is None while it is paused or its calendar never opens; `paused` says why."""

    id: str
    case_id: str
    asset_id: str
    asset: str
    metric: str
    state: str
    kind: str
    tier: str
    priority: str
    started_at: datetime
    stopped_at: datetime | None
    due_at: datetime | None
    used_minutes: float
    target_minutes: float
    paused: str
    answered_by: str
    told: tuple[str, ...]
    policy_version: int
    by_hand: bool = False
    """Whether a person said that it waits."""
    recomputing: bool = False
    """What is promised, or the hours, have changed: `due_at` and `target_minutes` are still those of before."""


def clocks(connection: sa.Connection, tenant: str, now: datetime, cases: Collection[str]) -> list[ClockRow]:
    """Clocks of some cases, those that run first, what is due next first. Of each case the newest round."""
    c = s.clocks.c
    chosen = _chosen(tenant).where(c.case_id.in_(list(cases)))
    rows = connection.execute(chosen.order_by(c.stopped_at.is_not(None), c.due_at.is_(None), c.due_at, c.id)).all()
    return _made(connection, tenant, now, rows)


def running_clocks(
    connection: sa.Connection, tenant: str, now: datetime, *, after: str | None = None, limit: int = LIMIT
) -> Page[ClockRow]:
    """Clocks that have not stopped, what is due next first. Of each case the newest round."""
    c = s.clocks.c
    chosen = _chosen(tenant).where(c.stopped_at.is_(None))
    rows, cursor = soonest_of(connection, chosen, c.due_at, c.id, after, limit)
    return Page(tuple(_made(connection, tenant, now, rows)), cursor)


def _chosen(tenant: str) -> sa.Select[Any]:
    c, a, p, k = s.clocks.c, t.assets.c, t.sites.c, s.clocks.alias().c
    newest = sa.select(sa.func.max(k.round)).where(k.tenant == c.tenant, k.case_id == c.case_id).scalar_subquery()
    return (
        sa.select(
            s.clocks, a.name.label("asset"), p.time_zone.label("zone"), p.country, p.calendar.label("own"),
        )
        .join(t.assets, sa.and_(a.tenant == c.tenant, a.id == c.asset_id))
        .outerjoin(t.sites, sa.and_(p.tenant == a.tenant, p.id == a.site_id))
        .where(c.tenant == tenant, c.round == newest)
    )  # fmt: skip


def _made(connection: sa.Connection, tenant: str, now: datetime, rows: Sequence[Any]) -> list[ClockRow]:
    if not rows:
        return []
    book, told = book_of(connection, tenant), _told(connection, tenant, {r.id for r in rows})
    waits = {case: waits_of(connection, tenant, case) for case in {r.case_id for r in rows}}
    by_hand = _by_hand(connection, tenant, set(waits))
    return [
        _row(
            r, book.calendar(target_of(r).calendar, r.zone or "UTC", r.country or "", r.own or ""), waits[r.case_id],
            told.get(r.id, ()), r.case_id in by_hand, now,
        )
        for r in rows
    ]  # fmt: skip


def recomputing(connection: sa.Connection, tenant: str) -> int:
    """How many cases have promises that are being worked out again."""
    c = s.clocks.c
    chosen = sa.select(sa.func.count(c.case_id.distinct())).where(c.tenant == tenant, c.outdated_at.is_not(None))
    return int(connection.execute(chosen).scalar_one())


def _row(r: Any, calendar: Any, waits: list[Any], told: tuple[str, ...], by_hand: bool, now: datetime) -> ClockRow:
    target = target_of(r)
    clock = Clock(target, calendar, r.started_at, tuple(waits), r.stopped_at)
    used = r.used_minutes if r.used_minutes is not None else clock.used(now).total_seconds() / 60
    paused = clock.waiting(now) if r.stopped_at is None else ""
    state = r.state
    if r.decided_at is None:  # what happened since the last look is told before it is written down
        state = str(clock.state(now))
    return ClockRow(
        r.id, r.case_id, r.asset_id, r.asset, r.metric, state, r.kind, r.tier, r.priority, r.started_at, r.stopped_at,
        r.due_at, round(used, 1), target.minutes, paused, r.answered_by, told, r.policy_version, by_hand,
        r.outdated_at is not None,
    )  # fmt: skip


def _told(connection: sa.Connection, tenant: str, ids: set[str]) -> dict[str, tuple[str, ...]]:
    e = s.escalations.c
    made: dict[str, tuple[str, ...]] = {}
    rows = connection.execute(
        sa.select(e.clock_id, e.who).where(e.tenant == tenant, e.clock_id.in_(ids)).order_by(e.due_at)
    )
    for clock_id, who in rows:
        made[clock_id] = (*made.get(clock_id, ()), who)
    return made


def _by_hand(connection: sa.Connection, tenant: str, cases: set[str]) -> set[str]:
    w = s.waits.c
    return set(
        connection.execute(
            sa.select(w.case_id).where(
                w.tenant == tenant, w.case_id.in_(cases), w.source == DESK, w.end.is_(None)
            )
        ).scalars()
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attainment:
    """Of the promises of a metric that were decided: how many were kept. Withdrawn ones count for neither."""

    metric: str
    met: int
    breached: int

    @property
    def share(self) -> float | None:
        """Kept of all decided; None before the first."""
        return self.met / (self.met + self.breached) if self.met + self.breached else None


def attainment(connection: sa.Connection, tenant: str, *, since: datetime | None = None) -> list[Attainment]:
    """How many promises were kept, by metric."""
    c = s.clocks.c
    chosen = sa.select(c.metric, c.state, sa.func.count()).where(
        c.tenant == tenant, c.state.in_((ClockState.MET, ClockState.BREACHED))
    )
    if since is not None:
        chosen = chosen.where(c.decided_at >= since)
    found = {(m, state): n for m, state, n in connection.execute(chosen.group_by(c.metric, c.state))}
    return [
        Attainment(m, found.get((m, ClockState.MET), 0), found.get((m, ClockState.BREACHED), 0))
        for m in sorted({m for m, _ in found})
    ]
