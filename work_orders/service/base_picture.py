"""The installed base in memory, as an import looks things up in it: read at once, nothing is asked row by row."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from work_orders.service import history_tables as h
from work_orders.service import message_tables as m
from work_orders.service import tables as t
from work_orders.service.contacts import MAIL
from work_orders.service.own_jobs import own_jobs

Values = Mapping[str, Any]


@dataclass
class Shelf:
    """Rows of one table by id, and by the columns that they are looked up by."""

    columns: tuple[str, ...]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    _by: dict[tuple[str, Any], dict[str, None]] = field(default_factory=dict)

    def put(self, id: str, values: Values) -> None:
        """Add a row, or change what is there."""
        row = self.rows.setdefault(id, {"id": id})
        for column in self.columns:
            if column in values:
                self._by.get((column, row.get(column)), {}).pop(id, None)
                self._by.setdefault((column, values[column]), {})[id] = None
        row.update(values)

    def find(self, column: str, value: object, **also: object) -> list[dict[str, Any]]:
        """Rows with this in the column, and in the others what is said of them."""
        found = (self.rows[id] for id in self._by.get((column, value), ()))
        return [row for row in found if all(row[k] == v for k, v in also.items())]


LOOKED_UP = {
    "customers": (t.customers, ("name",)),
    "sites": (t.sites, ("name",)),
    "assets": (t.assets, ("name", "serial")),
    "contacts": (h.people, ("name",)),
    "technicians": (t.technicians, ("name",)),
    "history": (h.history, ("asset_id",)),
}
"""The tables, and the columns beside their id that rows are known by."""


class Picture:
    """What is on record of a tenant; `Picture.of` twice is equal as long as nothing of it has changed."""

    def __init__(self, read: Mapping[str, list[tuple[Any, ...]]], own: Iterable[dict[str, Any]] = ()) -> None:
        self.read = read
        self.shelves: dict[str, Shelf] = {}
        for name, (table, columns) in LOOKED_UP.items():
            self.shelves[name] = shelf = Shelf(columns)
            for row in _named(table, read[name]):
                shelf.put(row["id"], row)
        self.devices: dict[str, str] = dict(read["devices"])
        self.mails: dict[str, str] = dict(read["mails"])
        self.own = {row["id"]: row for row in own}
        """Jobs of our own, which no import changes."""

    @classmethod
    def of(cls, connection: sa.Connection, tenant: str, *, history: bool) -> "Picture":
        """Read it; past jobs only where they are asked for."""
        d, w = t.asset_devices.c, m.contact_ways.c
        asked: dict[str, sa.Select[Any]] = {
            name: sa.select(table).where(table.c.tenant == tenant).order_by(table.c.id)
            for name, (table, _) in LOOKED_UP.items()
        }
        asked["devices"] = sa.select(d.device, d.asset_id).where(d.tenant == tenant).order_by(d.device)
        mails = sa.select(w.customer_id, w.address).where(w.tenant == tenant, w.channel == MAIL)
        asked["mails"] = mails.order_by(w.customer_id)
        if not history:
            asked["history"] = asked["history"].where(sa.false())
        read = {name: [tuple(row) for row in connection.execute(select)] for name, select in asked.items()}
        return cls(read, own_jobs(connection, tenant) if history else ())


def _named(table: sa.Table, rows: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    names = table.c.keys()
    for row in rows:
        yield dict(zip(names, row, strict=True))
