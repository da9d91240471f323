"""The installed base as people see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from work_orders.service import tables as t


@dataclass(frozen=True, slots=True)
class AssetView:
    """An asset with what goes on around it. `worked_on` is the reason while alarms wait, else empty."""

    id: str
    name: str
    model: str
    serial: str
    criticality: str
    customer_id: str | None
    customer: str
    site_id: str | None
    site: str
    address: str
    time_zone: str
    access_notes: str
    devices: tuple[str, ...]
    open_cases: tuple[str, ...]
    open_orders: tuple[str, ...]
    worked_on: str
    worked_on_until: datetime | None


@dataclass(frozen=True, slots=True)
class Person:
    """A customer or a technician."""

    id: str
    name: str
    phone: str
    skills: tuple[str, ...] = ()


def assets(
    connection: sa.Connection, tenant: str, now: datetime, *, customer_id: str | None = None,
    ids: Sequence[str] | None = None,
) -> list[AssetView]:  # fmt: skip
    """All assets of a tenant, or of one customer, by name."""
    a, k, s = t.assets, t.customers, t.sites
    chosen = (
        sa.select(a, k.c.name.label("customer"), s.c.name.label("site"), s.c.address, s.c.time_zone, s.c.access_notes)
        .outerjoin(k, sa.and_(k.c.tenant == a.c.tenant, k.c.id == a.c.customer_id))
        .outerjoin(s, sa.and_(s.c.tenant == a.c.tenant, s.c.id == a.c.site_id))
        .where(a.c.tenant == tenant)
        .order_by(a.c.name, a.c.id)
    )
    if customer_id is not None:
        chosen = chosen.where(a.c.customer_id == customer_id)
    if ids is not None:
        chosen = chosen.where(a.c.id.in_(ids))
    devices = _grouped(connection, tenant, t.asset_devices.c.asset_id, t.asset_devices.c.device)
    cases = _grouped(connection, tenant, t.cases.c.asset_id, t.cases.c.id, t.cases.c.closed_at.is_(None))
    orders = _grouped(connection, tenant, t.orders.c.asset_id, t.orders.c.id, t.orders.c.ended_at.is_(None))
    w = t.asset_work.c
    busy = {
        r.asset_id: r
        for r in connection.execute(
            sa.select(w.asset_id, w.reason, w.until).where(
                w.tenant == tenant, w.ended_at.is_(None), w.start <= now, w.until > now
            )
        )
    }
    return [
        AssetView(
            r.id, r.name, r.model, r.serial, r.criticality, r.customer_id, r.customer or "", r.site_id, r.site or "",
            r.address or "", r.time_zone or "UTC", r.access_notes or "", devices.get(r.id, ()), cases.get(r.id, ()),
            orders.get(r.id, ()), busy[r.id].reason if r.id in busy else "",
            busy[r.id].until if r.id in busy else None,
        )
        for r in connection.execute(chosen)
    ]  # fmt: skip


def asset(connection: sa.Connection, tenant: str, id: str, now: datetime) -> AssetView | None:
    """One asset."""
    found = assets(connection, tenant, now, ids=[id])
    return found[0] if found else None


def _grouped(
    connection: sa.Connection, tenant: str, key: sa.Column[str], value: sa.Column[str], *where: sa.ColumnElement[bool]
) -> dict[str, tuple[str, ...]]:
    out: dict[str, tuple[str, ...]] = {}
    for k, v in connection.execute(sa.select(key, value).where(key.table.c.tenant == tenant, *where).order_by(value)):
        out[k] = (*out.get(k, ()), v)
    return out


def customers(connection: sa.Connection, tenant: str) -> list[Person]:
    """All customers by name."""
    c = t.customers.c
    rows = connection.execute(sa.select(c.id, c.name, c.phone).where(c.tenant == tenant).order_by(c.name))
    return [Person(*r) for r in rows]


def technicians(connection: sa.Connection, tenant: str) -> list[Person]:
    """All technicians by name."""
    c = t.technicians.c
    rows = connection.execute(sa.select(c.id, c.name, c.phone, c.skills).where(c.tenant == tenant).order_by(c.name))
    return [Person(r.id, r.name, r.phone, tuple(msgspec.json.decode(r.skills, type=list[str]))) for r in rows]


def people(connection: sa.Connection, tenant: str) -> dict[str, str]:
    """Names of customers and technicians by id."""
    return {p.id: p.name for p in (*customers(connection, tenant), *technicians(connection, tenant))}
