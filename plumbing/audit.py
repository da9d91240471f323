"""The audit chain: who changed what, each entry bound to the one before it by its hash.

`append` runs inside the caller's own transaction, so a change and its entry are one commit. The entries of a tenant
are also its story: pages and `/events` read them.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

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
assets = sa.Table(
    "audit_assets",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("asset", sa.String(200), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
)
"""Which entries are about a machine, so that they are found by it: derived from what they say, it proves nothing."""
heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("checkpoints", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("signed_seq", sa.BigInteger, nullable=False, server_default=sa.text("0")),
)
"""The newest entry of each chain, kept apart: what is cut off a chain's end is missed by it. Also how many checkpoints
there are, and up to which entry they sign."""
checkpoints = sa.Table(
    "audit_checkpoints",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("root", sa.String(64), nullable=False),
    sa.Column("head", sa.String(64), nullable=False),
    sa.Column("marks", sa.LargeBinary, nullable=False),
    sa.Column("prev", sa.String(64), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("key", sa.String(64), nullable=False),
    sa.Column("signature", sa.String(100), nullable=False),
)
"""What `plumbing.audit_signing` signs."""
FIRST = "0" * 64
heard_by: ContextVar[Callable[[sa.Connection, str, int], None] | None] = ContextVar("heard_by", default=None)
"""Who is told, in the transaction of the change itself, where (tenant, number) a context appends."""
_HEAD = sa.select(heads.c.seq, heads.c.hash).where(heads.c.tenant == sa.bindparam("of")).with_for_update()
"""Whoever appends holds the head's row until his transaction ends: a chain has one writer at a time."""
_ENTER, _NAME, _BEGIN = entries.insert(), assets.insert(), heads.insert()
_GO_ON = (
    heads.update().where(heads.c.tenant == sa.bindparam("of")).values(seq=sa.bindparam("to"), hash=sa.bindparam("now"))
)


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
    return digest_us(prev_hash, tenant, seq, to_us(at), actor, action, diff)


def digest_us(prev_hash: str, tenant: str, seq: int, at_us: int, actor: str, action: str, diff: str) -> str:
    """The same, of a time in epoch microseconds as the database keeps it."""
    return hashlib.sha256(msgspec.json.encode([prev_hash, tenant, seq, at_us, actor, action, diff])).hexdigest()


def content(tenant: str, at_us: int, actor: str, action: str, diff: str) -> bytes:
    """What an entry says, without its place in the chain: a leaf of the tree that a checkpoint signs."""
    return msgspec.json.encode([tenant, at_us, actor, action, diff])


class _About(msgspec.Struct):
    asset: str | None = None


_about = msgspec.json.Decoder(_About).decode


def asset_of(diff: str) -> str:
    """The machine that an entry is about, for the index; empty = none."""
    try:
        return (_about(diff).asset or "")[:200]
    except (msgspec.DecodeError, TypeError):
        return ""


class Said(NamedTuple):
    """What an entry is made of: who did it, what it is called, what it is about."""

    actor: str
    action: str
    diff: dict[str, Any]


def append(connection: sa.Connection, tenant: str, at: datetime, actor: str, action: str, diff: dict[str, Any]) -> int:
    """Append to the tenant's chain; returns its number. `at` is the tenant's clock."""
    return append_all(connection, tenant, at, [Said(actor, action, diff)])[0]


def append_all(connection: sa.Connection, tenant: str, at: datetime, told: Sequence[Said]) -> Sequence[int]:
    """Append entries of one moment to the tenant's chain; returns their numbers."""
    if not told:
        return ()
    last = connection.execute(_HEAD, {"of": tenant}).first()
    if last is None:
        lock(connection, f"audit:{tenant}")
        last = connection.execute(_HEAD, {"of": tenant}).first()
    seq, hash = last or (0, FIRST)
    written = []
    for actor, action, diff in told:
        seq, prev = seq + 1, hash
        text = msgspec.json.encode(diff, order="sorted").decode()
        hash = digest(prev, tenant, seq, at, actor, action, text)
        written.append(
            {
                "tenant": tenant, "seq": seq, "prev_hash": prev, "hash": hash, "at": at, "actor": actor,
                "action": action, "diff": text,
            }
        )  # fmt: skip
    connection.execute(_ENTER, written)
    about = [
        {"tenant": tenant, "asset": asset, "seq": w["seq"]} for w in written if (asset := asset_of(str(w["diff"])))
    ]  # fmt: skip
    if about:
        connection.execute(_NAME, about)
    if last:
        connection.execute(_GO_ON, {"of": tenant, "to": seq, "now": hash})
    else:
        connection.execute(_BEGIN, {"tenant": tenant, "seq": seq, "hash": hash})
    hear = heard_by.get()
    if hear is not None:
        hear(connection, tenant, seq - len(told) + 1)
    return range(seq - len(told) + 1, seq + 1)


def read(connection: sa.Connection, tenant: str, after: int = 0, limit: int = 1000) -> Sequence[AuditEntry]:
    """Entries of a tenant after a number, oldest first."""
    rows = connection.execute(
        sa.select(entries).where(entries.c.tenant == tenant, entries.c.seq > after).order_by(entries.c.seq).limit(limit)
    )
    return [AuditEntry(r.tenant, r.seq, r.at, r.actor, r.action, msgspec.json.decode(r.diff)) for r in rows]


def verify(connection: sa.Connection, tenant: str) -> int | None:
    """Number of the first entry of the tenant's chain that is not as it was written; None = all are whole.

    `plumbing.audit_verify.find_fault` says also what is wrong with it.
    """
    from plumbing.audit_verify import find_fault

    fault = find_fault(connection, tenant)
    return None if fault is None else fault.seq


def tenants(connection: sa.Connection) -> Sequence[str]:
    """Tenants with a chain, also those of whose entries none are left."""
    named = sa.union(sa.select(entries.c.tenant), sa.select(heads.c.tenant), sa.select(checkpoints.c.tenant)).subquery()
    return connection.execute(sa.select(named.c.tenant).order_by(named.c.tenant)).scalars().all()


def signed_up_to(connection: sa.Connection, tenant: str) -> int:
    """The newest entry that a checkpoint signs; 0 = none."""
    c = checkpoints.c
    newest = sa.select(c.last).where(c.tenant == tenant).order_by(c.n.desc()).limit(1)
    return int(connection.execute(newest).scalar() or 0)
