"""Finds what was done to an audit chain: the first entry that is not as it was written, and what is wrong with it.

Three witnesses: each entry names the hash of the one before; the chain's head is kept apart; checkpoints are signed. An
entry that was altered together with the hashes of all that follow is told by the checkpoint, as its marks say what each
entry said. Behind the newest checkpoint the chain alone is asked.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from plumbing import audit
from plumbing.audit_proof import signed
from plumbing.audit_signing import MARK_BYTES, digest_of, read_checkpoint
from plumbing.audit_tree import leaf_hash, root_of

CHANGED, REMOVED, REORDERED, INSERTED = "changed", "removed", "reordered", "inserted"
HEAD, CHECKPOINT = "head", "checkpoint"
WINDOW = 20_000
"""Entries behind a fault that are looked at to say what happened."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`seq`: the first number at which the chain is not what it was. `kind`: changed, removed, reordered, inserted;
    `head` and `checkpoint` where the entries are whole but what vouches for them was altered or taken away."""

    seq: int
    kind: str


@dataclass(frozen=True, slots=True)
class _Row:
    tenant: str
    seq: Any
    prev_hash: str
    hash: str
    at: Any
    actor: str
    action: str
    diff: str

    def digest(self, prev: str, seq: Any) -> str:
        return audit.digest_us(prev, self.tenant, seq, self.at, self.actor, self.action, self.diff)

    @property
    def own(self) -> bool:
        """Whether its hash is that of what it says, in the place where it stands."""
        return self.digest(self.prev_hash, self.seq) == self.hash

    @property
    def leaf(self) -> bytes:
        return leaf_hash(audit.content(self.tenant, self.at, self.actor, self.action, self.diff))


@dataclass(frozen=True, slots=True)
class _Signed:
    """What the checkpoints say: marks of entries from 1 on; by last entry the root and the chain's hash."""

    marks: bytes
    ends: Mapping[int, tuple[int, str, str]]
    fault: Fault | None

    def mark(self, seq: int) -> bytes | None:
        """Of an entry; None behind the newest checkpoint."""
        return self.marks[(seq - 1) * MARK_BYTES : seq * MARK_BYTES] or None


def find_fault(
    connection: sa.Connection,
    tenant: str,
    keys: Collection[str] = (),
    noted: Mapping[str, Any] | None = None,
) -> Fault | None:
    """The first fault of a tenant's chain; None when it is whole.

    `keys`: public keys that checkpoints may be signed with (none = the one that stands in the first of them, which
    shows damage, but not a forger with a key of his own). `noted`: the newest checkpoint as it was noted elsewhere.
    """
    head = connection.execute(sa.select(audit.heads).where(audit.heads.c.tenant == tenant)).first()
    known = _checkpoints(connection, tenant, keys, head, noted)
    found = _entries(connection, tenant, known, head)
    faults = [f for f in (found, known.fault) if f is not None]
    return min(faults, key=lambda f: f.seq, default=None)


def _checkpoints(
    connection: sa.Connection, tenant: str, keys: Collection[str], head: Any, noted: Mapping[str, Any] | None
) -> _Signed:
    c = audit.checkpoints.c
    rows = connection.execute(sa.select(audit.checkpoints).where(c.tenant == tenant).order_by(c.n)).all()
    marks, last, prev = bytearray(), 0, audit.FIRST
    ends: dict[int, tuple[int, str, str]] = {}
    allowed = set(keys) or {rows[0].key if rows else ""}
    for n, row in enumerate(rows, 1):
        made = read_checkpoint(row)
        fits = (
            (made.n, made.first, made.prev) == (n, last + 1, prev)
            and len(row.marks) == (made.last - made.first + 1) * MARK_BYTES > 0
            and row.key in allowed
            and signed(made, row.signature, row.key)
        )
        if not fits:
            return _Signed(bytes(marks), ends, Fault(last + 1, CHECKPOINT))
        if noted and noted.get("n") == n and noted.get("signature") != row.signature:
            return _Signed(bytes(marks), ends, Fault(last + 1, CHECKPOINT))
        marks += row.marks
        ends[made.last] = (made.first, made.root, made.head)
        last, prev = made.last, digest_of(made)
    if noted and isinstance(noted.get("n"), int) and noted["n"] > len(rows):
        return _Signed(bytes(marks), ends, Fault(last + 1, CHECKPOINT))
    if head is not None and head.checkpoints > len(rows):
        return _Signed(bytes(marks), ends, Fault(last + 1, CHECKPOINT))
    if head is not None and (head.checkpoints, head.signed_seq) != (len(rows), last):
        return _Signed(bytes(marks), ends, Fault(max(1, head.seq), HEAD))
    return _Signed(bytes(marks), ends, None)


def _rows(connection: sa.Connection, tenant: str, after: int = 0, limit: int | None = None) -> Iterator[_Row]:
    e = audit.entries.c
    chosen: sa.Select[Any] = (
        sa.select(e.tenant, e.seq, e.prev_hash, e.hash, sa.type_coerce(e.at, sa.BigInteger), e.actor, e.action, e.diff)
        .where(e.tenant == tenant)
        .order_by(e.seq)
        .limit(limit)
    )
    if after:
        chosen = chosen.where(e.seq > after)
    return (_Row(*row) for row in connection.execute(chosen, execution_options={"yield_per": 2000}))


def _entries(connection: sa.Connection, tenant: str, known: _Signed, head: Any) -> Fault | None:
    prev, expected, before = audit.FIRST, 1, audit.FIRST
    leaves: list[bytes] = []
    for row in _rows(connection, tenant):
        if head is not None and (expected - 1, prev) == (head.seq, head.hash):
            return Fault(expected, INSERTED)  # the chain ends before it
        leaf = row.leaf
        mark = known.mark(expected)
        fits = (row.seq, row.prev_hash) == (expected, prev) and row.hash == row.digest(prev, expected)
        if not fits or (mark is not None and mark != leaf[:MARK_BYTES]):
            if head is None and not known.ends and expected == 1:
                return Fault(1, INSERTED)  # nobody ever began a chain here
            return _placed(connection, tenant, known, expected, prev, before, head)
        if mark is not None:
            leaves.append(leaf)
        if end := known.ends.get(expected):
            if (root_of(leaves).hex(), row.hash) != end[1:]:
                return Fault(end[0], CHANGED)
            leaves = []
        before, prev, expected = prev, row.hash, expected + 1
    return _end(known, head, expected - 1, prev, connection, tenant)


def _end(known: _Signed, head: Any, last: int, hash: str, connection: sa.Connection, tenant: str) -> Fault | None:
    """The chain is whole as far as it goes: does it go as far as it should?"""
    if known.mark(last + 1) is not None:
        return Fault(last + 1, REMOVED)
    if head is None:
        return Fault(last, HEAD) if last else None
    if (head.seq, head.hash) == (last, hash):
        return None
    if head.hash == hash:
        return Fault(max(1, last), HEAD)
    if head.seq > last:
        return Fault(last + 1, REMOVED)
    if head.seq < last:
        there = connection.execute(
            sa.select(audit.entries.c.hash).where(audit.entries.c.tenant == tenant, audit.entries.c.seq == head.seq)
        ).scalar()
        return Fault(head.seq + 1, INSERTED) if there == head.hash else Fault(max(1, last), HEAD)
    return Fault(last, HEAD if known.mark(last) is not None else CHANGED)


def _placed(
    connection: sa.Connection, tenant: str, known: _Signed, seq: int, prev: str, before: str, head: Any
) -> Fault:
    """Name what happened at `seq`, where the chain fits no more. `prev`, `before`: hashes of the two entries before."""
    near = list(_rows(connection, tenant, max(0, seq - 1), WINDOW))
    if near and (not isinstance(near[0].seq, int) or near[0].seq < seq):
        return Fault(seq, INSERTED)
    mark = known.mark(seq)
    if mark is not None:
        here = next((r for r in near if r.seq == seq), None)
        if here is None or here.leaf[:MARK_BYTES] != mark:
            return Fault(seq, _kind_by_marks(known, seq, near, prev))
        return Fault(seq, CHANGED)
    count = connection.execute(
        sa.select(sa.func.count()).select_from(audit.entries).where(audit.entries.c.tenant == tenant)
    ).scalar_one()
    more = head is not None and count > head.seq
    return _by_hashes(near, seq, prev, before, known.mark(seq - 1) is not None, head, more)


def _kind_by_marks(known: _Signed, seq: int, near: Sequence[_Row], prev: str) -> str:
    """What the signed marks say of entry `seq`, which is not there."""
    have = [r.leaf[:MARK_BYTES] for r in near]
    wanted, following = known.mark(seq), known.mark(seq + 1)
    elsewhere = any(_strayed(r, wanted, known.mark(r.seq)) for r in near)
    if not near or near[0].seq != seq:
        return REORDERED if elsewhere else REMOVED
    if len(have) > 1 and have[1] == wanted:
        shifted = near[0].digest(prev, seq) == near[0].hash or (len(near) > 2 and not near[2].own)
        if have[2:3] == [following] if following is not None else shifted:
            return INSERTED
    if have[0] == following and (len(have) == 1 or have[1] != wanted):
        return REMOVED
    return REORDERED if elsewhere else CHANGED


def _strayed(row: _Row, wanted: bytes | None, mark: bytes | None) -> bool:
    """Whether a row says what is missed, and does not belong where it stands."""
    if row.leaf[:MARK_BYTES] != wanted or mark == wanted:
        return False
    return mark is not None or not row.own


def _by_hashes(near: Sequence[_Row], seq: int, prev: str, before: str, sure: bool, head: Any, more: bool) -> Fault:
    """The same from the hashes alone. `sure`: the entry before is vouched for. `more`: there are more entries than the
    head counts."""
    moved = next((r for r in near if r.seq != seq and r.digest(prev, seq) == r.hash), None)
    if not near or near[0].seq != seq:
        return Fault(seq, REORDERED if moved else REMOVED)
    here = near[0]
    if here.digest(here.prev_hash, seq) == here.hash:
        follows = near[1].prev_hash if len(near) > 1 else (head.hash if head is not None and head.seq == seq else "")
        if here.prev_hash != prev and follows == here.hash and seq > 1 and not sure:
            return Fault(seq - 1, CHANGED)  # whose hash was made anew, but is named here as it was
        return Fault(seq, CHANGED)
    own = next((s for s in (seq - 1, seq + 1) if here.digest(here.prev_hash, s) == here.hash), None)
    if own == seq - 1 and here.prev_hash == before and not sure:
        return Fault(seq - 1, INSERTED)
    if moved is not None:
        shifted = own is None and moved.seq == seq + 1 and not any(r.digest(prev, seq) == here.hash for r in near)
        shifted = shifted or (more and moved.seq == seq + 1)
        return Fault(seq, INSERTED if shifted else REORDERED)
    if any(r.digest(prev, seq) == here.hash for r in near[1:]):
        return Fault(seq, REORDERED)  # what two entries say was exchanged, their hashes were not
    return Fault(seq, REMOVED if own is not None else CHANGED)
