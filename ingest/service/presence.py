"""Devices that went off line, by what they or their broker said (will, birth and death): one incident a cause.

A gateway that dies takes those behind it along: they are named in its incident and begin none of their own. Who comes
back within HOLD_S was never gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from contracts.clock import Clocks
from contracts.records import PRESENCE, encode
from contracts.records import Outage as OutageTold
from ingest.domain.presence import roots
from ingest.service.registry import SHUT_OUT
from ingest.service.tables import devices, foreign, outages
from plumbing import audit, log
from plumbing.sql import Database, lock
from plumbing.system_clock import SystemClock

HOLD_S = 30.0
NAMED = 20
_WHO = sa.select(devices.c.tenant, devices.c.device, devices.c.online, devices.c.state)
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Outage:
    """An incident: `behind` are the devices that went with it. Times are the tenant's clock; None = it goes on."""

    tenant: str
    device: str
    behind: Sequence[str]
    since: datetime
    ended_at: datetime | None


class Presence:
    """Looks who is there. One thread calls it; any number may run on one database."""

    def __init__(self, database: Database, clocks: Clocks, system: SystemClock) -> None:
        self._database, self._clocks, self._system = database, clocks, system
        self._away: dict[Key, tuple[float, datetime]] = {}
        """When a device was first seen to be off line: monotonic seconds, and the tenant's clock."""
        self._here: set[Key] = set()

    def look(self) -> None:
        """Begin and end incidents."""
        with self._database.read() as connection:
            states = connection.execute(_WHO).all()
            behind: dict[str, dict[str, str]] = {}
            for r in connection.execute(sa.select(foreign.c.tenant, foreign.c.device, foreign.c.behind)):
                if r.behind:
                    behind.setdefault(str(r.tenant), {})[str(r.device)] = str(r.behind)
            running = _running(connection)
        away = {(r.tenant, r.device) for r in states if r.online is False and r.state not in SHUT_OUT}
        self._here = {(r.tenant, r.device) for r in states if r.online}
        now = self._system.monotonic()
        self._away = {key: self._away.get(key) or (now, self._clocks.of(key[0]).now()) for key in away}
        told = running.keys() | {(tenant, member) for (tenant, _), members in running.items() for member in members}
        held = {key for key, (since, _) in self._away.items() if now - since >= HOLD_S or key in told}
        by_tenant: dict[str, set[str]] = {}
        for tenant, device in held:
            by_tenant.setdefault(tenant, set()).add(device)
        for tenant in sorted({t for t, _ in running} | by_tenant.keys()):
            wanted = roots(by_tenant.get(tenant, ()), behind.get(tenant, {}))
            known = {device: members for (t, device), members in running.items() if t == tenant}
            gone = {device: members for device, members in wanted.items() if known.get(device) != members}
            over = [device for device in known if device not in wanted]
            if gone or over:
                self._write(tenant, gone, over)

    def _write(self, tenant: str, gone: Mapping[str, tuple[str, ...]], over: Sequence[str]) -> None:
        now = self._clocks.of(tenant).now()
        c = outages.c
        with self._database.write() as connection:
            lock(connection, f"ingest:presence:{tenant}")
            known = {device: members for (t, device), members in _running(connection).items() if t == tenant}
            began = _began(connection, tenant)
            for device in over:
                if device not in known:
                    continue
                # it is back, or its gateway went too: then that incident names it
                where = (c.tenant == tenant, c.device == device, c.ended_at.is_(None))
                connection.execute(outages.update().where(*where).values(ended_at=now))
                self._tell(connection, OutageTold(1, tenant, device, list(known[device]), began[device], now))
                if (tenant, device) in self._here:
                    audit.append(connection, tenant, now, "forewarn", "device_back",
                                 {"asset": device, "id": device, "text": f"{device} is on line again."})  # fmt: skip
            for device, members in gone.items():
                if known.get(device) == members:  # another process was first
                    continue
                kept = msgspec.json.encode(list(members)).decode()
                since = began.get(device) or self._away.get((tenant, device), (0.0, now))[1]
                self._tell(connection, OutageTold(1, tenant, device, list(members), since))
                if device in known:
                    where = (c.tenant == tenant, c.device == device, c.ended_at.is_(None))
                    connection.execute(outages.update().where(*where).values(behind=kept))
                    continue
                connection.execute(outages.insert().values(tenant=tenant, device=device, behind=kept, since=since))
                audit.append(
                    connection, tenant, now, "forewarn", "device_away",
                    {"asset": device, "id": device, "text": _words(device, members), "behind": list(members)[:NAMED]},
                )  # fmt: skip

    def _tell(self, connection: sa.Connection, told: OutageTold) -> None:
        """Let the service side know, in the same transaction."""
        log.append(connection, told.tenant, PRESENCE, told.device, encode(told), self._system.now())


def _words(device: str, members: Sequence[str]) -> str:
    if not members:
        return f"{device} is off line."
    them = members[0] if len(members) == 1 else f"{len(members)} devices"
    return f"{device} is off line, and {them} behind it."


def _running(connection: sa.Connection) -> dict[Key, tuple[str, ...]]:
    rows = connection.execute(sa.select(outages).where(outages.c.ended_at.is_(None)))
    return {(r.tenant, r.device): tuple(msgspec.json.decode(r.behind, type=list[str])) for r in rows}


def _began(connection: sa.Connection, tenant: str) -> dict[str, datetime]:
    """Since when: what a process saw itself may be less."""
    c = outages.c
    rows = connection.execute(sa.select(c.device, c.since).where(c.tenant == tenant, c.ended_at.is_(None)))
    return {str(device): since for device, since in rows}


def outages_of(database: Database, tenant: str, *, running: bool = True, limit: int = 100) -> list[Outage]:
    """Incidents of a tenant, newest first; only those that go on, or all."""
    query = sa.select(outages).where(outages.c.tenant == tenant).order_by(outages.c.id.desc()).limit(limit)
    if running:
        query = query.where(outages.c.ended_at.is_(None))
    with database.read() as connection:
        return [
            Outage(r.tenant, r.device, msgspec.json.decode(r.behind, type=list[str]), r.since, r.ended_at)
            for r in connection.execute(query)
        ]


def forget_outages(database: Database, tenant: str, before: datetime) -> None:
    """Let incidents go that ended before that."""
    where = (outages.c.tenant == tenant, outages.c.ended_at < before)
    with database.read() as connection:
        if connection.execute(sa.select(outages.c.id).where(*where).limit(1)).first() is None:
            return
    with database.write() as connection:
        connection.execute(outages.delete().where(*where))
