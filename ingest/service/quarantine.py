"""Messages of which something was refused: kept with the reasons, bounded a device and in all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.wire import Reason
from ingest.domain.acceptance import Refusal, clean_path
from ingest.domain.refused_samples import NOT_KNOWN
from ingest.service.book import alter
from ingest.service.bulk import Bulk
from ingest.service.expired import Gone, count_expired
from ingest.service.tables import quarantine
from plumbing import audit
from plumbing.sql import Database, to_us

MAX_A_DEVICE = 10_000
MAX_BYTES = 100_000_000
LISTED_REFUSALS = 100
TRIM_TO = 0.9
"""What is cut when a limit is passed leaves this share, so that cutting is rare."""
KEPT, REPLAYED, EXPIRED = "kept", "replayed", "expired"
STATES = (KEPT, REPLAYED, EXPIRED)
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Refused:
    """A message for quarantine. `body` may be the beginning of a larger one; `size` is what came."""

    tenant: str
    device: str
    boot_id: str
    seq: int
    received_at: datetime
    refusals: Sequence[Refusal]
    topic: str
    size: int
    body: bytes
    samples: str
    """ingest.domain.refused_samples."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message in quarantine: `refusals` are (path, reason), the first 100 of `refused`.

    `state` is kept, replayed (nothing of it is refused any more) or expired (its body is gone); `replayed` of its
    samples are stored by now. `moved_at` is the tenant's clock at the last replay, or when it expired.
    """

    id: int
    tenant: str
    device: str
    boot_id: str
    seq: int | None
    received_at: datetime
    reason: Reason
    path: str
    refusals: list[tuple[str, str]]
    refused: int
    topic: str
    size: int
    body: bytes
    samples: str = NOT_KNOWN
    state: str = KEPT
    moved_at: datetime | None = None
    moved_by: str | None = None
    replayed: int = 0


class Quarantine:
    """Writes and bounds the quarantine; holds the sums in memory (forget them after a transaction that failed)."""

    def __init__(self, max_a_device: int = MAX_A_DEVICE, max_bytes: int = MAX_BYTES) -> None:
        self._max_a_device, self._max_bytes = max_a_device, max_bytes
        self._kept: dict[tuple[str, str], int] | None = None
        self._bytes = 0

    def forget(self) -> None:
        """Read the sums anew when they are needed next."""
        self._kept = None

    def put(self, connection: sa.Connection, messages: Sequence[Refused]) -> None:
        """Keep messages, and let go of the oldest ones beyond the limits."""
        if not messages:
            return
        kept = self._load(connection)
        rows = []
        for m in messages:
            listed = [(r.path, r.reason) for r in m.refusals[:LISTED_REFUSALS]]
            rows.append({
                "tenant": m.tenant, "device": m.device, "boot_id": m.boot_id, "seq": m.seq or None,
                "received_at": to_us(m.received_at), "reason": listed[0][1], "path": listed[0][0],
                "refusals": msgspec.json.encode(listed).decode(), "refused": len(m.refusals),
                "topic": clean_path(m.topic), "size": m.size, "body": m.body, "samples": m.samples,
            })  # fmt: skip
            key = (m.tenant, m.device)
            kept[key] = kept.get(key, 0) + 1
            self._bytes += len(m.body)
        _INSERT.execute(connection, rows)
        for key in {(m.tenant, m.device) for m in messages}:
            if kept[key] > self._max_a_device:
                self._trim_device(connection, *key, kept[key] - int(self._max_a_device * TRIM_TO))
        if self._bytes > self._max_bytes:
            self._trim_bytes(connection)

    def _load(self, connection: sa.Connection) -> dict[tuple[str, str], int]:
        if self._kept is None:
            rows = connection.execute(
                sa.select(
                    quarantine.c.tenant, quarantine.c.device, sa.func.count(),
                    sa.func.sum(sa.func.length(quarantine.c.body)),
                ).group_by(quarantine.c.tenant, quarantine.c.device)
            ).all()  # fmt: skip
            self._kept = {(row[0], row[1]): int(row[2]) for row in rows}
            self._bytes = sum(int(row[3] or 0) for row in rows)
        return self._kept

    def _trim_device(self, connection: sa.Connection, tenant: str, device: str, surplus: int) -> None:
        rows = connection.execute(
            _OLDEST.where(quarantine.c.tenant == tenant, quarantine.c.device == device).limit(surplus)
        ).all()
        self._remove(connection, rows)

    def _trim_bytes(self, connection: sa.Connection) -> None:
        while (surplus := self._bytes - int(self._max_bytes * TRIM_TO)) > 0:
            chosen = []
            for row in connection.execute(_OLDEST.limit(_CHUNK)).all():
                if surplus <= 0:
                    break
                chosen.append(row)
                surplus -= int(row.bytes or 0)
            if not chosen:
                return
            self._remove(connection, chosen)

    def _remove(self, connection: sa.Connection, rows: Sequence[Any]) -> None:
        kept = self._load(connection)
        for row in rows:
            kept[row.tenant, row.device] -= 1
            self._bytes -= int(row.bytes or 0)
        count_expired(connection, [Gone(r.tenant, r.device, r.topic, r.samples) for r in rows if r.state == KEPT])
        for start in range(0, len(rows), _CHUNK):
            ids = [row.id for row in rows[start : start + _CHUNK]]
            connection.execute(quarantine.delete().where(quarantine.c.id.in_(ids)))


_LATER = ("id", "state", "moved_at", "moved_by", "replayed")
_INSERT = Bulk(quarantine, [column.name for column in quarantine.columns if column.name not in _LATER])
_OLDEST = sa.select(
    quarantine.c.id, quarantine.c.tenant, quarantine.c.device, sa.func.length(quarantine.c.body).label("bytes"),
    quarantine.c.state, quarantine.c.topic, quarantine.c.samples,
).order_by(quarantine.c.id)  # fmt: skip


def quarantine_page(
    database: Database,
    tenant: str | None = None,
    device: str | None = None,
    *,
    reason: str | None = None,
    state: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Quarantined]:
    """Messages in quarantine, newest first; `before` is the id of the last one of the page before."""
    query = sa.select(quarantine).order_by(quarantine.c.id.desc()).limit(limit)
    if tenant is not None:
        query = query.where(quarantine.c.tenant == tenant)
    if device is not None:
        query = query.where(quarantine.c.device == device)
    if reason is not None:
        query = query.where(quarantine.c.reason == reason)
    if state is not None:
        query = query.where(quarantine.c.state == state)
    if before is not None:
        query = query.where(quarantine.c.id < before)
    with database.read() as connection:
        return [quarantined(row) for row in connection.execute(query)]


def quarantined(row: sa.Row[Any]) -> Quarantined:
    """A row of the table."""
    refusals = msgspec.json.decode(row.refusals, type=list[tuple[str, str]])
    return Quarantined(
        row.id, row.tenant, row.device, row.boot_id, row.seq, row.received_at, row.reason, row.path, refusals,
        row.refused, row.topic, row.size, row.body, row.samples, row.state, row.moved_at, row.moved_by, row.replayed,
    )  # fmt: skip


def changed_entry(
    connection: sa.Connection, kept: Quarantined, *, state: str, refusals: Sequence[Refusal], samples: str, moved: int,
    now: datetime, actor: str,
) -> None:  # fmt: skip
    """Note what a replay left of an entry."""
    values: dict[str, object] = {
        "state": state, "samples": samples, "moved_at": now, "moved_by": actor[:128], "replayed": kept.replayed + moved,
    }  # fmt: skip
    if refusals:
        listed = [(r.path, r.reason) for r in refusals[:LISTED_REFUSALS]]
        values |= {
            "reason": listed[0][1], "path": listed[0][0], "refusals": msgspec.json.encode(listed).decode(),
            "refused": len(refusals),
        }  # fmt: skip
    connection.execute(quarantine.update().where(quarantine.c.id == kept.id).values(values))


def find_entry(database: Database, tenant: str, id: int) -> Quarantined | None:
    """One entry; None where there is none."""
    with database.read() as connection:
        row = connection.execute(
            sa.select(quarantine).where(quarantine.c.tenant == tenant, quarantine.c.id == id)
        ).first()
        return quarantined(row) if row else None


def expire(
    database: Database, tenant: str, *, ids: Sequence[int] | None = None, before: datetime | None = None,
    device: str | None = None, now: datetime, actor: str = "command line", most: int | None = None, why: str = "",
) -> int:  # fmt: skip
    """Give entries up that are kept: their bodies go, what was counted stays; returns how many.

    Parameters
    ----------
    before
        Only those received earlier than that (the tenant's clock).
    most
        No more than so many, the oldest; None = all of them.
    why
        For the audit chain, such as `after 30 days`.
    """
    where = [quarantine.c.tenant == tenant, quarantine.c.state == KEPT]
    if ids is not None:
        where.append(quarantine.c.id.in_(list(ids)))
    if before is not None:
        where.append(quarantine.c.received_at < before)
    if device is not None:
        where.append(quarantine.c.device == device)
    if most is not None:  # a round that finds nothing writes nothing
        with database.read() as connection:
            if connection.execute(sa.select(quarantine.c.id).where(*where).limit(1)).first() is None:
                return 0
    with database.write() as connection:
        alter(connection)
        c = quarantine.c
        rows = connection.execute(
            sa.select(c.id, c.device, c.topic, c.samples).where(*where).order_by(c.id).limit(most)
        ).all()
        for start in range(0, len(rows), _CHUNK):
            some = [row.id for row in rows[start : start + _CHUNK]]
            connection.execute(
                quarantine.update().where(c.id.in_(some)).values(
                    state=EXPIRED, body=b"", moved_at=now, moved_by=actor[:128]
                )
            )  # fmt: skip
        if rows:
            count_expired(connection, [Gone(tenant, r.device, r.topic, r.samples) for r in rows])
            words = "1 message in quarantine was" if len(rows) == 1 else f"{len(rows)} messages in quarantine were"
            audit.append(
                connection, tenant, now, actor, "quarantine_expired",
                {"asset": device or "", "id": device or "", "entries": len(rows),
                 "text": f"{words} given up{' ' if why else ''}{why}; what was refused stays counted as quarantined."},
            )  # fmt: skip
    return len(rows)


def forget_settled(database: Database, tenant: str, before: datetime, most: int) -> int:
    """Remove entries that were replayed or expired before that; returns how many."""
    c = quarantine.c
    where = (c.tenant == tenant, c.state != KEPT, c.moved_at < before)
    with database.read() as connection:
        ids = list(connection.execute(sa.select(c.id).where(*where).order_by(c.id).limit(most)).scalars())
    if ids:
        with database.write() as connection:
            alter(connection)
            connection.execute(quarantine.delete().where(c.id.in_(ids), c.state != KEPT))
    return len(ids)
