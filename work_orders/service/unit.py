"""The unit of work: one transaction of one tenant, with its audit rows and what other services must hear.

Writers of one tenant come one after another (`lock`), so what a unit reads stays true until it commits; the unique
indexes hold it for whoever does not come through here.
"""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.asset_model import AssetModel, FailureMode
from plumbing import audit, log
from plumbing.runtime import Shared
from plumbing.sql import lock
from work_orders.domain.machine import Actor
from work_orders.domain.policy import Policy
from work_orders.service import tables
from work_orders.service.errors import NotFound, Stale, UnknownModel
from work_orders.service.moment_tables import moments

Row = sa.Row[Any]


# Statements are made once: putting one together takes as long as running it.


@cache
def _one(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).where(table.c.tenant == sa.bindparam("of_tenant"), table.c.id == sa.bindparam("of_id"))


@cache
def _those(table: sa.Table, given: tuple[str, ...], empty: tuple[str, ...]) -> sa.Select[Any]:
    where = [table.c[k] == sa.bindparam(f"of_{k}", type_=table.c[k].type) for k in ("tenant", *given)]
    return sa.select(table).where(*where, *(table.c[k].is_(None) for k in empty))


@cache
def _into(table: sa.Table) -> sa.Insert:
    return table.insert().returning(*table.c) if "id" in table.c else table.insert()


@cache
def _into_new(table: sa.Table, dialect: str) -> Any:
    from sqlalchemy.dialects import postgresql, sqlite

    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    told = table.c if "id" in table.c else [table.c.tenant]
    return insert(table).on_conflict_do_nothing().returning(*told)


@cache
def _change(table: sa.Table, keys: tuple[str, ...], names: tuple[str, ...], counted: bool) -> Any:
    where = [table.c[k] == sa.bindparam(f"of_{k}", type_=table.c[k].type) for k in ("tenant", *keys)]
    values: dict[str, Any] = {n: sa.bindparam(f"to_{n}", type_=table.c[n].type) for n in names}
    made = table.update().where(*where).values(values | ({"version": table.c.version + 1} if counted else {}))
    return made.returning(*table.c) if keys == ("id",) else made


def derived_id(prefix: str, *parts: object) -> str:
    """An identifier that follows from what it names, so that a repetition finds it again: `WO-7k3qd2ma5xyc`."""
    digest = hashlib.sha256(msgspec.json.encode([str(p) for p in parts])).digest()
    return f"{prefix}-{base64.b32encode(digest).decode().lower()[:12]}"


@dataclass
class Unit:
    """What a service function works with inside its transaction. `now` is the tenant's, `wall` the machine's time."""

    connection: sa.Connection
    tenant: str
    now: datetime
    wall: datetime
    actor: Actor
    models: Callable[[str], AssetModel | None]
    outgoing: list[tuple[str, str, bytes]] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    endings: "dict[tuple[Ending, str], bool]" = field(default_factory=dict)
    _rows: dict[sa.Table, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))
    """What was read or written by id: as long as the unit lasts nobody else changes it."""
    _known: dict[object, tuple[tuple[sa.Table, ...], Any]] = field(default_factory=dict)
    _said: list[tuple[audit.Said, str, str]] = field(default_factory=list)

    def record(self, action: str, asset: str, id: str, text: str, *, actor: Actor | None = None, **more: Any) -> None:
        """Append to the audit chain; `text` is one sentence for people. What is about a customer, not about one of his
        machines, names him as `customer`."""
        diff = {"asset": asset, "id": id, "text": text, **more}
        said = audit.Said((actor or self.actor).name, action, diff)
        self._said.append((said, asset, more.get("customer") or self._owner(asset)))

    def _owner(self, asset: str) -> str:
        """The customer that a machine belongs to; empty = nobody's."""
        row = self._rows[tables.assets].get(asset)
        if row is not None:
            return row.customer_id or ""
        if asset and asset not in self.owners:
            a = tables.assets.c
            found = sa.select(a.customer_id).where(a.tenant == self.tenant, a.id == asset)
            self.owners[asset] = self.connection.execute(found).scalar() or ""
        return self.owners.get(asset, "")

    def emit(self, topic: str, key: str, payload: bytes) -> None:
        """What others must hear; appended at the end of the unit, topics in order, so that no two units wait in a
        ring for each other's topic."""
        self.outgoing.append((topic, key, payload))

    def at_end(self, do: "Ending", id: str, again: bool = False) -> None:
        """Have `do(work, id, again)` called once, at the end of the unit, however often it is asked for."""
        self.endings[do, id] = again or self.endings.get((do, id), False)

    def end(self) -> None:
        """Do what was put off to the end."""
        while self.endings:
            (do, id), again = self.endings.popitem()
            do(self, id, again)

    def flush(self) -> None:
        """Append what was recorded and emitted."""
        told = audit.append_all(self.connection, self.tenant, self.now, [said for said, _, _ in self._said])
        moved = [
            {"tenant": self.tenant, "seq": seq, "asset_id": asset, "customer_id": customer}
            for seq, (_, asset, customer) in zip(told, self._said, strict=True)
            if customer
        ]
        if moved:
            self.connection.execute(moments.insert(), moved)
        log.append_all(self.connection, self.tenant, sorted(self.outgoing, key=lambda entry: entry[0]), self.wall)
        self._said.clear()
        self.outgoing.clear()

    def one(self, table: sa.Table, id: str, what: str) -> Row:
        """The row of that id. Raises NotFound."""
        row = self._rows[table].get(id)
        if row is None:
            row = self.connection.execute(_one(table), {"of_tenant": self.tenant, "of_id": id}).first()
            if row is None:
                raise NotFound(what, id)
            self._rows[table][id] = row
        return row

    def all(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> list[Row]:
        """Rows of the tenant."""
        return list(self.connection.execute(sa.select(table).where(table.c.tenant == self.tenant, *where)))

    def those(self, table: sa.Table, **equal: Any) -> list[Row]:
        """Rows of the tenant whose columns hold these values (None = nothing)."""
        given = {k: v for k, v in equal.items() if v is not None}
        statement = _those(table, tuple(given), tuple(k for k in equal if k not in given))
        asked = {"of_tenant": self.tenant, **{f"of_{k}": v for k, v in given.items()}}
        return list(self.connection.execute(statement, asked))

    def once(self, key: object, of: Callable[[], Any], *tables: sa.Table) -> Any:
        """What `of` gives, asked once as long as none of these tables is written in this unit."""
        if key not in self._known:
            self._known[key] = (tables, of())
        return self._known[key][1]

    def forget(self, table: sa.Table, *, rows: bool = True) -> None:
        """What was read of a table holds no longer: whoever writes to it by `connection` says so."""
        for key in [k for k, (of, _) in self._known.items() if table in of]:
            del self._known[key]
        if rows:
            self._rows[table].clear()

    def insert(self, table: sa.Table, **values: Any) -> None:
        """Insert a row of the tenant."""
        self.forget(table, rows=False)
        if any(isinstance(v, sa.ClauseElement) for v in values.values()):
            self.connection.execute(table.insert().values(tenant=self.tenant, **values))
            return
        made = self.connection.execute(_into(table), {"tenant": self.tenant, **values})
        if made.returns_rows:
            self._rows[table][values["id"]] = made.one()

    def insert_all(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows of the tenant, all with the same columns."""
        if rows:
            self.forget(table, rows=False)
            self.connection.execute(table.insert(), [{"tenant": self.tenant, **row} for row in rows])

    def insert_new(self, table: sa.Table, **values: Any) -> bool:
        """Insert unless a unique key forbids it; whether it was inserted."""
        self.forget(table, rows=False)
        statement = _into_new(table, self.connection.dialect.name)
        row = self.connection.execute(statement, {"tenant": self.tenant, **values}).first()
        if row is not None and "id" in table.c:
            self._rows[table][row.id] = row
        return row is not None

    def update(self, table: sa.Table, keys: Mapping[str, Any], **values: Any) -> None:
        """Update rows of the tenant by key; a table with a version counts it up."""
        counted = "version" in table.c and "version" not in values
        if any(v is None for v in keys.values()) or any(isinstance(v, sa.ClauseElement) for v in values.values()):
            if counted:
                values["version"] = table.c.version + 1
            where = [table.c[k] == v for k, v in keys.items()]
            self.forget(table)
            self.connection.execute(table.update().where(table.c.tenant == self.tenant, *where).values(**values))
            return
        given = {"of_tenant": self.tenant, **{f"of_{k}": v for k, v in keys.items()}}
        given |= {f"to_{name}": value for name, value in values.items()}
        by_id = tuple(keys) == ("id",)
        self.forget(table, rows=not by_id)
        done = self.connection.execute(_change(table, tuple(keys), tuple(values), counted), given)
        if by_id and (row := done.first()) is not None:
            self._rows[table][row.id] = row

    def check_version(self, row: Row, version: int | None) -> None:
        """Raises Stale when the caller saw another version."""
        if version is not None and row.version != version:
            raise Stale(row.id, version, row.version)

    def policy(self) -> Policy:
        """The tenant's policy."""
        policies = tables.policies

        def read() -> Policy:
            body = self.connection.execute(sa.select(policies.c.body).where(policies.c.tenant == self.tenant)).scalar()
            return msgspec.json.decode(body, type=Policy) if body else Policy()

        policy: Policy = self.once("policy", read, policies)
        return policy

    def keep_policy(self, policy: Policy) -> None:
        """Put another policy in its place."""
        body = msgspec.json.encode(policy).decode()
        if not self.insert_new(tables.policies, body=body):
            self.update(tables.policies, {}, body=body)

    def model(self, name: str) -> AssetModel:
        """The asset model of that name. Raises UnknownModel."""
        model = self.models(name)
        if model is None:
            raise UnknownModel(name)
        return model

    def mode(self, asset: Row, failure_mode: str) -> FailureMode | None:
        """The failure mode of an asset's model."""
        return self.model(asset.model).mode(failure_mode)


Ending = Callable[[Unit, str, bool], None]
"""What follows from a change of the thing with this id; the flag says whether it begins anew."""


@contextmanager
def unit(shared: Shared, tenant: str, actor: Actor) -> Iterator[Unit]:
    """A transaction for the tenant; all or nothing."""
    clock = shared.clocks.of(tenant)
    with shared.database.write() as connection, on(shared, connection, tenant, actor, clock.now) as work:
        yield work


@contextmanager
def on(
    shared: Shared, connection: sa.Connection, tenant: str, actor: Actor, now: Callable[[], datetime]
) -> Iterator[Unit]:
    """A unit inside a transaction that the caller has opened (one tenant a transaction)."""
    lock(connection, f"work_orders:{tenant}")
    work = Unit(connection, tenant, now(), shared.system.now(), actor, shared.models)
    yield work
    work.end()
    work.flush()
