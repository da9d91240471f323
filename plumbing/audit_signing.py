"""Checkpoints: every so often the newest entries of a chain are put under a Merkle tree whose root is signed.

A hash chain alone can be written anew from any place on by whoever may write the database; what a checkpoint has
signed cannot. A checkpoint covers the entries since the one before it (at most `MOST`), so that a proof of one entry is
at most ten hashes and needs those entries alone.
"""

import base64
import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from plumbing import audit
from plumbing.audit_tree import leaf_hash, path_of, root_of
from plumbing.sql import Database, lock, to_us

MOST = 1024
"""Entries of one checkpoint."""
EVERY = timedelta(minutes=5)
"""Wall time after which what is not signed yet is signed, however little it is."""
PURPOSE = b"forewarn audit checkpoint v1\n"
MARK_BYTES = 8
NEWEST_FILE = "audit-newest.json"
"""In the home folder: the newest checkpoint of each chain, noted apart from the database."""
_C = audit.checkpoints.c
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Entries `first` to `last` of a tenant's chain.

    `root`: of the tree over what they say; `head`: hash of entry `last`; `marks`: SHA-256 of the first eight bytes of
    each leaf's hash, by which a fault is placed; `prev`: SHA-256 of the checkpoint before; `at_us`: wall time.
    """

    tenant: str
    n: int
    first: int
    last: int
    root: str
    head: str
    marks: str
    prev: str
    at_us: int

    def body(self) -> bytes:
        """What is signed, but for the purpose."""
        return msgspec.json.encode(self)


def digest_of(checkpoint: Checkpoint) -> str:
    """By which the next one names it."""
    return hashlib.sha256(checkpoint.body()).hexdigest()


def read_checkpoint(row: sa.Row[Any]) -> Checkpoint:
    """The signed part of a row."""
    marks = hashlib.sha256(row.marks).hexdigest()
    return Checkpoint(row.tenant, row.n, row.first, row.last, row.root, row.head, marks, row.prev, to_us(row.at))


class AuditSigner:
    """Makes checkpoints. `key.public` and `key(message)` as `plumbing.audit_key` loads it."""

    def __init__(self, database: Database, key: Any, wall: Callable[[], datetime], home: Path | None = None) -> None:
        self._database, self._key, self._wall, self._home = database, key, wall, home
        self._unfit: dict[str, int] = {}  # said once, not at every look

    def sign_due(self) -> int:
        """Sign what is due by count or time in every chain; how many checkpoints were made."""
        wall, h = self._wall(), audit.heads.c
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(h.tenant, h.seq - h.signed_seq, _C.at)
                .outerjoin(audit.checkpoints, sa.and_(_C.tenant == h.tenant, _C.n == h.checkpoints))
                .where(h.seq > h.signed_seq)
            ).all()
        due = [t for t, more, at in rows if more >= MOST or at is None or wall - at >= EVERY]
        return sum(self.sign(tenant) for tenant in due)

    def sign_all(self) -> int:
        """Sign all that there is, as at a clean end."""
        with self._database.read() as connection:
            h = audit.heads.c
            open_ones = connection.execute(sa.select(h.tenant).where(h.seq > h.signed_seq)).scalars().all()
        return sum(self.sign(tenant) for tenant in open_ones)

    def sign(self, tenant: str) -> int:
        """Sign a chain up to its newest entry; how many checkpoints that took."""
        made = 0
        while True:
            with self._database.write() as connection:
                done = self._one(connection, tenant)
            if done is None:
                return made
            made += 1
            self._note(*done)

    def _one(self, connection: sa.Connection, tenant: str) -> tuple[Checkpoint, str] | None:
        lock(connection, f"audit-checkpoint:{tenant}")
        last = connection.execute(
            sa.select(audit.checkpoints).where(_C.tenant == tenant).order_by(_C.n.desc()).limit(1)
        ).first()
        before = read_checkpoint(last) if last else None
        after = before.last if before else 0
        rows = connection.execute(_leaves(tenant, after + 1, after + MOST)).all()
        if not rows:
            return None
        if not _follow_on(rows, after, before.head if before else audit.FIRST):
            if self._unfit.get(tenant) != after:
                logger.error("the audit chain of %s does not fit after entry %d: it is not signed", tenant, after)
            self._unfit[tenant] = after
            return None
        hashes = [leaf_hash(audit.content(*row[3:])) for row in rows]
        marks = b"".join(h[:MARK_BYTES] for h in hashes)
        wall = self._wall()
        made = Checkpoint(
            tenant, before.n + 1 if before else 1, after + 1, rows[-1].seq, root_of(hashes).hex(), rows[-1].hash,
            hashlib.sha256(marks).hexdigest(), digest_of(before) if before else audit.FIRST, to_us(wall),
        )  # fmt: skip
        signature = base64.b64encode(self._key(PURPOSE + made.body())).decode()
        connection.execute(
            audit.checkpoints.insert().values(
                tenant=tenant, n=made.n, first=made.first, last=made.last, root=made.root, head=made.head, marks=marks,
                prev=made.prev, at=wall, key=self._key.public, signature=signature,
            )
        )  # fmt: skip
        connection.execute(
            audit.heads.update().where(audit.heads.c.tenant == tenant).values(checkpoints=made.n, signed_seq=made.last)
        )
        return made, signature

    def _note(self, made: Checkpoint, signature: str) -> None:
        """Write the newest checkpoint down in the home folder, too: who rolls the database back does not reach it."""
        if self._home is None:
            return
        path = self._home / NEWEST_FILE
        known = newest_noted(self._home)
        if not self._stands(made.tenant, known.get(made.tenant)):
            logger.error("the checkpoint of %s in %s is not in the database: was that rolled back?", made.tenant, path)
            return
        known[made.tenant] = {**asdict(made), "key": self._key.public, "signature": signature}
        new = path.with_name(f".{path.name}.{os.getpid()}")
        new.write_text(json.dumps(known, indent=1), encoding="utf-8")
        new.replace(path)

    def _stands(self, tenant: str, noted: dict[str, Any] | None) -> bool:
        """Whether the database has what was noted last; if not, the note stays, for it is the only witness."""
        if not noted:
            return True
        with self._database.read() as connection:
            chosen = sa.select(_C.signature).where(_C.tenant == tenant, _C.n == noted.get("n"))
            return connection.execute(chosen).scalar() == noted.get("signature")


def newest_noted(home: Path) -> dict[str, dict[str, Any]]:
    """What the home folder knows of the newest checkpoints, by tenant; empty where there is nothing to read."""
    try:
        found = json.loads((home / NEWEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Proof:
    """That an entry stands in a signed checkpoint. `path`: hashes from its leaf to the root, the nearest first."""

    seq: int
    at_us: int
    actor: str
    action: str
    diff: str
    path: list[str]
    checkpoint: Checkpoint
    key: str
    signature: str


def prove(connection: sa.Connection, tenant: str, seq: int) -> Proof | None:
    """The proof of an entry; None where there is no such entry, or no checkpoint covers it yet."""
    found = prove_all(connection, tenant, [seq])
    return found[0] if found else None


def prove_all(connection: sa.Connection, tenant: str, wanted: Sequence[int]) -> list[Proof]:
    """Proofs of those of the entries that a checkpoint covers, in order."""
    out: list[Proof] = []
    left = sorted(set(wanted))
    while left:
        row = connection.execute(
            sa.select(audit.checkpoints).where(_C.tenant == tenant, _C.last >= left[0]).order_by(_C.n).limit(1)
        ).first()
        if row is None:
            break
        here = [seq for seq in left if seq <= row.last]
        left = left[len(here) :]
        rows = connection.execute(_leaves(tenant, row.first, row.last)).all()
        hashes = [leaf_hash(audit.content(*r[3:])) for r in rows]
        at, made = {r.seq: i for i, r in enumerate(rows)}, read_checkpoint(row)
        for seq in here:
            if seq in at:
                r, path = rows[at[seq]], path_of(hashes, at[seq])
                hexes = [h.hex() for h in path]
                out.append(Proof(seq, r.at_us, r.actor, r.action, r.diff, hexes, made, row.key, row.signature))
    return out


def _follow_on(rows: Sequence[Any], after: int, head: str) -> bool:
    """Whether rows of `_leaves` continue the chain: what does not fit is never signed."""
    prev = head
    for seq, row in enumerate(rows, after + 1):
        wanted = audit.digest_us(prev, row.tenant, seq, row.at_us, row.actor, row.action, row.diff)
        if (row.seq, row.prev_hash, row.hash) != (seq, prev, wanted):
            return False
        prev = wanted
    return True


def _leaves(tenant: str, first: int, last: int) -> sa.Select[Any]:
    e = audit.entries.c
    at_us = sa.type_coerce(e.at, sa.BigInteger).label("at_us")
    return (
        sa.select(e.seq, e.prev_hash, e.hash, e.tenant, at_us, e.actor, e.action, e.diff)
        .where(e.tenant == tenant, e.seq >= first, e.seq <= last)
        .order_by(e.seq)
    )
