"""The figures over a stretch of time, by month, and how evenly they fall on customers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from plumbing.sql import to_us
from work_orders.service import tables as t
from work_orders.service.measures import HOUR_US, MEASURES, NAMED, PREFIX, Measure

MONTH_US = 30.44 * 24 * HOUR_US
SUMS = ("km", "kWh", "money")
_SITES = ((1, "sites with 1 machine"), (9, "sites with 2 to 9 machines"), (None, "sites with 10 machines and more"))
SIDES = ("customer", "tier", "site_size", "region")
FAIR = ("false_orders", "wait_for_person", "unassigned", "sla_attainment", "time_to_restore", "solved_without_visit")


@dataclass(frozen=True, slots=True)
class Month:
    """A figure in one month (`2026-11`, UTC)."""

    month: str
    value: float
    events: int


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure. `value` None = nothing has happened that could be counted; `unit` of money is its currency."""

    name: str
    title: str
    unit: str
    value: float | None
    events: int
    formula: str
    clock: str
    good: str
    months: tuple[Month, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """A figure for one group of customers, with how many machines are in it."""

    group: str
    assets: int
    value: float | None
    events: int


def measured(
    connection: sa.Connection, tenant: str, now: datetime, *, since: datetime | None = None, months: bool = True
) -> list[Measured]:
    """All figures of a tenant from `since` (None = from the beginning) to `now`.

    A figure in money is told once a currency.
    """
    out = []
    exposed = sum(_exposed(connection, tenant, now, since).values())
    for m in MEASURES:
        rows = _summed(connection, m, tenant, now, since, ("month",) if months else ())
        for unit in sorted({r.unit for r in rows}) or [""]:
            mine = [r for r in rows if r.unit == unit]
            by_month = tuple(
                Month(r.month, value, r.events)
                for r in mine
                if months and not m.per and (value := _value(m, r.part, r.whole, 0.0)) is not None
            )
            out.append(
                Measured(
                    m.name, m.title, unit or m.unit,
                    _value(m, _sum([r.part for r in mine]), _sum([r.whole for r in mine]), exposed),
                    sum(r.events for r in mine), m.formula, m.clock, m.good, by_month,
                )
            )  # fmt: skip
    return out


def fairness(
    connection: sa.Connection, tenant: str, name: str, side: str, now: datetime, since: datetime | None = None
) -> list[Share]:
    """One figure by customer, tier of service, size of site or country. Raises KeyError for a name or side unknown."""
    m, group_of = NAMED[name], _groups(connection, tenant, side)
    parts: dict[str, list[tuple[float | None, float | None, int]]] = {g: [] for g in group_of.values()}
    for r in _summed(connection, m, tenant, now, since, ("asset_id",)):
        parts.setdefault(group_of.get(r.asset_id, "unknown"), []).append((r.part, r.whole, r.events))
    each, exposed = _exposed(connection, tenant, now, since), dict.fromkeys(parts, 0.0)
    for asset, group in group_of.items():
        exposed[group] += each.get(asset, 0.0)
    members = Counter(group_of.values())
    out = []
    for group in sorted(parts):
        found = parts[group]
        value = _value(m, _sum([p for p, _, _ in found]), _sum([w for _, w, _ in found]), exposed[group])
        out.append(Share(group, members[group], value, sum(n for _, _, n in found)))
    return out


def _summed(
    connection: sa.Connection, m: Measure, tenant: str, now: datetime, since: datetime | None, by: Sequence[str]
) -> Sequence[Any]:
    view = sa.table(
        PREFIX + m.name, *(sa.column(c) for c in ("tenant", "at", "month", "asset_id", "unit", "part", "whole"))
    )
    c = view.c
    groups = [c.unit, *(c[name] for name in by)]
    chosen = sa.select(
        *groups, sa.func.sum(c.part).label("part"), sa.func.sum(c.whole).label("whole"),
        sa.func.count().label("events"),
    ).where(c.tenant == tenant, c.at <= to_us(now))  # fmt: skip
    if since is not None:
        chosen = chosen.where(c.at >= to_us(since))
    return connection.execute(chosen.group_by(*groups).order_by(*groups)).all()


def _value(m: Measure, summed: float | None, whole: float | None, exposed_us: float) -> float | None:
    part = float(summed or 0.0)
    if m.per == "asset_month":
        return part * MONTH_US / exposed_us if exposed_us else None
    if m.per == "hours_between":
        return exposed_us / HOUR_US / part if part else None
    if whole is None:  # a sum: of nothing 0 where things are counted, unknown where they are measured
        return part if m.unit == "count" or (m.unit in SUMS and summed is not None) else None
    return part / float(whole) if whole else None


def _sum(values: Sequence[float | None]) -> float | None:
    kept = [float(v) for v in values if v is not None]
    return sum(kept) if kept else None


def _exposed(connection: sa.Connection, tenant: str, now: datetime, since: datetime | None) -> dict[str, float]:
    """Microseconds that each machine was on record."""
    a = t.assets.c
    rows = connection.execute(sa.select(a.id, a.added_at).where(a.tenant == tenant))
    return {r.id: max(0, to_us(now) - to_us(max(r.added_at, since) if since else r.added_at)) for r in rows}


def _groups(connection: sa.Connection, tenant: str, side: str) -> dict[str, str]:
    """The group of each machine."""
    if side not in SIDES:
        raise KeyError(side)
    a, k, s = t.assets, t.customers, t.sites
    rows = connection.execute(
        sa.select(a.c.id, a.c.site_id, a.c.customer_id, k.c.name.label("customer"), k.c.tier, s.c.country)
        .outerjoin(k, sa.and_(k.c.tenant == a.c.tenant, k.c.id == a.c.customer_id))
        .outerjoin(s, sa.and_(s.c.tenant == a.c.tenant, s.c.id == a.c.site_id))
        .where(a.c.tenant == tenant)
    ).all()
    if side == "site_size":
        count: dict[str | None, int] = {}
        for r in rows:
            count[r.site_id] = count.get(r.site_id, 0) + 1
        return {r.id: _size(count[r.site_id]) if r.site_id else "no site" for r in rows}
    if side == "customer":
        called = {r.customer_id: r.customer for r in rows if r.customer_id}
        alike = {name for name, n in Counter(called.values()).items() if n > 1}
        words = {id: f"{name} ({id})" if name in alike else name for id, name in called.items()}
        return {r.id: words.get(r.customer_id, "no customer") for r in rows}
    column, missing = {"tier": ("tier", "no tier"), "region": ("country", "no country")}[side]
    return {r.id: getattr(r, column) or missing for r in rows}


def _size(machines: int) -> str:
    return next(words for most, words in _SITES if most is None or machines <= most)
