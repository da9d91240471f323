"""The installed base as tables that can be taken in again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from work_orders.domain.base_fields import FIELDS
from work_orders.service import history_tables as h
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.own_jobs import own_jobs

TABLES = tuple(FIELDS)


def base_table(connection: sa.Connection, tenant: str, table: str) -> list[dict[str, str]]:
    """Rows of a table by id, with the columns of the import. Raises KeyError for a name unknown."""
    make = {
        "customers": _customers, "sites": _sites, "assets": _assets, "contacts": _contacts,
        "technicians": _technicians, "history": _history,
    }[table]  # fmt: skip
    return [{f.name: row.get(f.name, "") for f in FIELDS[table]} for row in make(connection, tenant)]


def _all(connection: sa.Connection, table: sa.Table, tenant: str) -> Iterator[dict[str, str]]:
    for row in connection.execute(sa.select(table).where(table.c.tenant == tenant).order_by(table.c.id)).mappings():
        yield {str(k): "" if v is None else str(v) for k, v in row.items()}


def _customers(connection: sa.Connection, tenant: str) -> Iterator[dict[str, str]]:
    w = m.contact_ways.c
    mail = sa.select(w.customer_id, w.address).where(w.tenant == tenant, w.channel == "mail")
    known = {r.customer_id: r.address for r in connection.execute(mail)}
    for row in _all(connection, t.customers, tenant):
        yield row | {"email": known.get(row["id"], "")}


def _sites(connection: sa.Connection, tenant: str) -> Iterator[dict[str, str]]:
    for row in _all(connection, t.sites, tenant):
        yield row | {"customer": row["customer_id"]}


def _assets(connection: sa.Connection, tenant: str) -> Iterator[dict[str, str]]:
    d = t.asset_devices.c
    devices: dict[str, list[str]] = {}
    for r in connection.execute(sa.select(d.asset_id, d.device).where(d.tenant == tenant).order_by(d.device)):
        devices.setdefault(r.asset_id, []).append(r.device)
    for row in _all(connection, t.assets, tenant):
        more = {"customer": row["customer_id"], "site": row["site_id"]}
        yield row | more | {"devices": ", ".join(devices.get(row["id"], ()))}


def _contacts(connection: sa.Connection, tenant: str) -> Iterator[dict[str, str]]:
    for row in _all(connection, h.people, tenant):
        yield row | {"customer": row["customer_id"], "site": row["site_id"]}


def _history(connection: sa.Connection, tenant: str) -> Iterator[dict[str, str]]:
    """Past jobs of earlier systems, and what was found here."""
    c = h.history.c
    past = connection.execute(sa.select(h.history).where(c.tenant == tenant).order_by(c.id)).mappings()
    for row in (*past, *own_jobs(connection, tenant)):
        told = {str(k): "" if v is None else str(v) for k, v in row.items()}
        yield told | {
            "asset": row["asset_id"], "date": row["at"].isoformat(), "replaced": "yes" if row["replaced"] else "no",
            "cost": "" if row["cost"] is None else f"{row['cost']:.2f}",
        }  # fmt: skip


def _technicians(connection: sa.Connection, tenant: str) -> Iterator[dict[str, str]]:
    for row in _all(connection, t.technicians, tenant):
        skills, days = (msgspec.json.decode(row[name]) for name in ("skills", "weekdays"))
        yield row | {"skills": ", ".join(skills), "weekdays": ", ".join(str(d) for d in days)}


@dataclass(frozen=True, slots=True)
class PastJob:
    """A job that was done at a machine before Forewarn."""

    id: str
    at: datetime
    component: str
    failure_mode: str
    result: str
    found: str
    work: str
    replaced: bool
    cost: float | None
    currency: str
    technician: str


def past_jobs(connection: sa.Connection, tenant: str, asset_id: str, limit: int = 20) -> list[PastJob]:
    """Of a machine, the newest first."""
    c = h.history.c
    chosen = sa.select(
        c.id, c.at, c.component, c.failure_mode, c.result, c.found, c.work, c.replaced, c.cost, c.currency,
        c.technician,
    ).where(c.tenant == tenant, c.asset_id == asset_id)  # fmt: skip
    return [PastJob(*row) for row in connection.execute(chosen.order_by(c.at.desc(), c.id).limit(limit))]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to talk to at a customer; `site` is its name, empty = for all of them."""

    id: str
    name: str
    role: str
    site: str
    phone: str
    email: str
    notes: str


def people_of(connection: sa.Connection, tenant: str, customer_id: str, limit: int = 100) -> list[Person]:
    """Of a customer, by name."""
    c, s = h.people.c, t.sites.c
    chosen = (
        sa.select(c.id, c.name, c.role, sa.func.coalesce(s.name, ""), c.phone, c.email, c.notes)
        .outerjoin(t.sites, sa.and_(s.tenant == c.tenant, s.id == c.site_id))
        .where(c.tenant == tenant, c.customer_id == customer_id)
    )
    return [Person(*row) for row in connection.execute(chosen.order_by(c.name, c.id).limit(limit))]
