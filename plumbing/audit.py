"""The audit chain: who changed what, each entry bound to the one before it by its hash.

`append` runs inside the caller's own transaction, so a change and its entry are one commit. The entries of a tenant
are also its story: pages and `/events` read them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from plumbing.sql import UtcTime, lock, to_us

metadata = sa.MetaData()
entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("prev_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("diff", sa.Text, nullable=False),
)
heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
"""The newest entry of each chain, kept apart: what is cut off a chain's end is missed by it."""
FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. `diff` holds at least `asset`, `id` and `text` where the action is about one of these."""

    tenant: str
    seq: int
    at: datetime
    actor: str
    action: str
    diff: dict[str, Any]


def digest(prev_hash: str, tenant: str, seq: int, at: datetime, actor: str, action: str, diff: str) -> str:
    """Hash of one entry (SHA-256 over the JSON array of its parts)."""
    body = msgspec.json.encode([prev_hash, tenant, seq, to_us(at), actor, action, diff])
    return hashlib.sha256(body).hexdigest()


def append(connection: sa.Connection, tenant: str, at: datetime, actor: str, action: str, diff: dict[str, Any]) -> int:
    """Append to the tenant's chain; returns its number. `at` is the tenant's clock."""
    lock(connection, f"audit:{tenant}")
    last = connection.execute(sa.select(heads.c.seq, heads.c.hash).where(heads.c.tenant == tenant)).first()
    seq, prev = (last[0] + 1, last[1]) if last else (1, FIRST)
    text = msgspec.json.encode(diff, order="sorted").decode()
    hash = digest(prev, tenant, seq, at, actor, action, text)
    connection.execute(
        entries.insert().values(
            tenant=tenant, seq=seq, prev_hash=prev, hash=hash, at=at, actor=actor, action=action, diff=text
        )
    )
    if last:
        connection.execute(heads.update().where(heads.c.tenant == tenant).values(seq=seq, hash=hash))
    else:
        connection.execute(heads.insert().values(tenant=tenant, seq=seq, hash=hash))
    return int(seq)


def read(connection: sa.Connection, tenant: str, after: int = 0, limit: int = 1000) -> Sequence[AuditEntry]:
    """Entries of a tenant after a number, oldest first."""
    rows = connection.execute(
        sa.select(entries).where(entries.c.tenant == tenant, entries.c.seq > after).order_by(entries.c.seq).limit(limit)
    )
    return [AuditEntry(r.tenant, r.seq, r.at, r.actor, r.action, msgspec.json.decode(r.diff)) for r in rows]


def verify(connection: sa.Connection, tenant: str) -> int | None:
    """Number of the first entry of the tenant's chain that is missing, out of place or altered; None = all are whole.

    What was cut off at the end is missed by the chain's head. Who can write both can hide it: compare the head with one
    that was noted elsewhere.
    """
    prev, expected = FIRST, 1
    rows = connection.execute(
        sa.select(entries).where(entries.c.tenant == tenant).order_by(entries.c.seq),
        execution_options={"yield_per": 1000},
    )
    for r in rows:
        wanted = digest(prev, r.tenant, r.seq, r.at, r.actor, r.action, r.diff)
        if r.seq != expected or r.prev_hash != prev or r.hash != wanted:
            return expected
        prev, expected = r.hash, expected + 1
    last = connection.execute(sa.select(heads.c.seq, heads.c.hash).where(heads.c.tenant == tenant)).first()
    if (tuple(last) if last else (0, FIRST)) == (expected - 1, prev):
        return None
    return min(last.seq, expected) if last else 1


def tenants(connection: sa.Connection) -> Sequence[str]:
    """Tenants with a chain, also those of whose entries none are left."""
    named = sa.union(sa.select(entries.c.tenant), sa.select(heads.c.tenant)).subquery()
    return connection.execute(sa.select(named.c.tenant).order_by(named.c.tenant)).scalars().all()
