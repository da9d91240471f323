"""Versions of things that count none themselves: a number made of what is shown of them, the same while it is the same.

Whoever changes a thing on condition (`If-Match`) has its version looked at in the transaction of the change, behind the
lock that its writers take, so that nobody comes between.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from anomaly.service import condition_tables
from anomaly.service import tables as anomaly_tables
from api.problems import Problem
from api.roles import Principal
from ingest.service import command_tables
from ingest.service import tables as ingest_tables
from plumbing import sql, tenants
from work_orders.service import door_tables, message_tables, sla_tables
from work_orders.service import tables as t

_WORK, _COMMANDS = "work_orders:{tenant}", "ingest:commands:{tenant}"


Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Thing:
    """A kind of thing: its rows have these `keys` in common (besides the tenant) and are another version when one of
    `shown` is another. `lock` is what its writers take; none = its rows."""

    what: str
    table: sa.Table
    keys: tuple[str, ...]
    shown: tuple[str, ...]
    lock: str = ""

    def among(self, connection: sa.Connection, tenant: str, keys: Collection[Key]) -> dict[Key, int]:
        """Versions of those that there are."""
        c = self.table.c
        named, columns = [c[k] for k in self.keys], [c[s] for s in self.shown]
        chosen = sa.select(*named, *columns).where(c.tenant == tenant).order_by(*self.table.primary_key.columns)
        for n, column in enumerate(named):
            chosen = chosen.where(column.in_({key[n] for key in keys}))
        rows: dict[Key, list[Any]] = {}
        for row in connection.execute(chosen):
            rows.setdefault(tuple(row[: len(named)]), []).append(list(row[len(named) :]))
        return {key: _number(of) for key, of in rows.items()}

    def one(self, connection: sa.Connection, tenant: str, *key: str) -> int:
        """The version of one; 0 = there is nothing."""
        return self.among(connection, tenant, [key]).get(key, 0)


def _number(rows: list[Any]) -> int:
    """The number itself where a thing counts its versions."""
    if len(rows) == 1 and len(rows[0]) == 1 and type(rows[0][0]) is int:
        return int(rows[0][0])
    return int.from_bytes(hashlib.sha256(msgspec.json.encode(rows)).digest()[:8]) % 999_999_999 + 1


DEVICE = Thing("device", ingest_tables.devices, ("device",), ("state", "state_at"), "ingest:registry")
RULES = Thing(
    "rules", ingest_tables.mappings, ("scope", "owner"), ("kind", "name", "target", "from_now_on", "made_at"),
    "ingest:mappings:{tenant}",
)  # fmt: skip
COMMAND = Thing("command", command_tables.commands, ("id",), ("state", "approved_at", "ended_at"), _COMMANDS)
GUARDED = Thing("switch", command_tables.rights, ("device",), ("guarded", "at"), _COMMANDS)
LEARNED = Thing("learned model", anomaly_tables.learned, ("id",), ("state", "changed_at"), "learned:{tenant}")
MODELS = Thing("learned models", anomaly_tables.learned, ("asset_model",), ("id", "state", "changed_at"), LEARNED.lock)
BASELINE = Thing("baseline", condition_tables.baselines, ("device",), ("number", "confirmed_at"))
CLOCK = Thing("clock", tenants.tenants, (), ("anchors",), tenants.LOCK)
ORDER = Thing("work order", t.orders, ("id",), ("version",), _WORK)
CASE = Thing("case", t.cases, ("id",), ("version",), _WORK)
REQUEST = Thing("request", door_tables.requests, ("id",), ("case_id", "asset_id", "component"), _WORK)
INCIDENT = Thing("incident", door_tables.incidents, ("id",), ("version",), _WORK)
RECALL = Thing("recall", door_tables.recalls, ("name",), ("version",), _WORK)
CALENDAR = Thing("calendar", sla_tables.calendars, ("name",), ("body", "at"), _WORK)
SITE = Thing("site", t.sites, ("id",), ("country", "calendar"), _WORK)
TIER = Thing("tier", t.customers, ("id",), ("tier",), _WORK)
AUTONOMY = Thing("autonomy", t.autonomy, ("model", "customer_id"), ("mode",), _WORK)
HOLD = Thing("hold", t.holds, ("id",), ("since", "released_at"), _WORK)
MAIL = Thing("mail", message_tables.mails, ("id",), ("handled_at", "message_id"), _WORK)
WAYS = Thing("ways", message_tables.contact_ways, ("customer_id",), ("channel", "address", "n"), _WORK)
CONSENTS = Thing("consents", message_tables.consents, ("customer_id",), ("purpose", "channel", "n", "given"), _WORK)


def overtaken(what: str, seen: int, is_now: int) -> Problem:
    """Somebody was faster."""
    detail = f"{what} has changed: its version is {is_now} now, you saw {seen}."
    return Problem(412, detail, field="version", value=seen, rule=f"is {is_now} now", version=is_now)


def expect(thing: Thing, seen: int | None, who: Principal, *key: str) -> None:
    """Let the next change of this request be made only while the thing is of the version that the caller saw (None =
    he does not say)."""
    if seen is None:
        return

    def check(connection: sa.Connection) -> None:
        if thing.lock:
            sql.lock(connection, thing.lock.format(tenant=who.tenant))
        else:
            where = (thing.table.c[name] == value for name, value in zip(thing.keys, key, strict=True))
            held = sa.select(sa.literal(1)).where(thing.table.c.tenant == who.tenant, *where).with_for_update()
            connection.execute(held)
        is_now = thing.one(connection, who.tenant, *key)
        if is_now != seen:
            raise overtaken(f"The {thing.what} {' '.join(key)}".rstrip(), seen, is_now)

    sql.first(check)


def numbered(
    database: sql.Database, thing: Thing, who: Principal, items: Iterable[Any], *names: str
) -> list[dict[str, Any]]:
    """Read models as plain objects, each with the version of its thing, which these fields of it name."""
    plain = [(tuple(getattr(item, n) for n in names), item) for item in items]
    with database.read() as connection:
        found = thing.among(connection, who.tenant, [key for key, _ in plain])
    return [{**msgspec.to_builtins(item), "version": found.get(key, 0)} for key, item in plain]
