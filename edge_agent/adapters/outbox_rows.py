"""The rows of an outbox: which there are, which have to go. All take part in the transaction of the caller."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.wire import Dropped
from edge_agent.adapters.carving import checksum
from edge_agent.domain.ranges import Range

GIVEN_UP = BY_AGE, BY_SIZE, NOT_HELD = "age", "size", "not_held"
"""Why a range was given up: too old, no room, or asked for although it was settled and removed."""
ROW_BYTES = 24
"""What a row needs besides its body, roughly."""
OLDEST_AT_ONCE = 10_000
"""Most samples that one append gives up for their age."""
_SIZE = f"length(body) + coalesce(length(units), 0) + {ROW_BYTES}"


@dataclass(frozen=True, slots=True)
class Limits:
    """When the oldest samples are given up: bytes of all samples, and seconds that the agent ran since."""

    max_bytes: int = 256_000_000
    max_age_s: float = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Row:
    """A numbered sample as it goes into a message: JSON, with its units where the driver has some."""

    seq: int
    body: bytes
    units: bytes | None


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of an append: samples too large for a message, and ranges that were given up to make room."""

    refused: int
    gave_up: bool


def held(db: sqlite3.Connection, a: int, b: int) -> list[Range]:
    """What of a..b is held."""
    out: list[Range] = []
    for (seq,) in db.execute("select seq from samples where seq between ? and ? order by seq", (a, b)):
        if out and out[-1][1] == seq - 1:
            out[-1] = (out[-1][0], seq)
        else:
            out.append((seq, seq))
    return out


def any_held(db: sqlite3.Connection, ranges: Sequence[Range]) -> bool:
    """Whether anything of the ranges is held."""
    found = "select 1 from samples where seq between ? and ? limit 1"
    return any(db.execute(found, range_).fetchone() for range_ in ranges)


def removed(db: sqlite3.Connection, ranges: Sequence[Range]) -> tuple[int, int]:
    """Take samples out; number of rows and bytes that went."""
    count = size = 0
    for a, b in ranges:
        rows, freed = db.execute(
            f"select count(*), coalesce(sum({_SIZE}), 0) from samples where seq between ? and ?", (a, b)
        ).fetchone()
        if rows:
            db.execute("delete from samples where seq between ? and ?", (a, b))
            count, size = count + rows, size + freed
    return count, size


def beyond(db: sqlite3.Connection, too_old: float, excess: int, slack: int) -> tuple[int, str]:
    """The newest number that has to go, and why: what is older, and the oldest that make up `excess` bytes and more."""
    cut = [(0, BY_AGE)]
    (old,) = db.execute(
        "select max(seq) from (select seq, aged from samples order by seq limit ?) where aged < ?",
        (OLDEST_AT_ONCE, too_old),
    ).fetchone()
    if old is not None:
        cut.append((old, BY_AGE))
    if excess > 0:
        excess += slack
        for seq, size in db.execute(f"select seq, {_SIZE} from samples order by seq"):
            excess -= size
            if excess <= 0:
                cut.append((seq, BY_SIZE))
                break
    return max(cut)


def keep_dropped(db: sqlite3.Connection, ranges: Sequence[Dropped]) -> list[Dropped]:
    """Write the given-up ranges, neighbours of one reason joined."""
    joined: list[Dropped] = []
    for a, b, reason in sorted(ranges):
        if joined and joined[-1][2] == reason and joined[-1][1] >= a - 1:
            joined[-1] = (joined[-1][0], max(b, joined[-1][1]), reason)
        else:
            joined.append((a, b, reason))
    db.execute("delete from dropped")
    db.executemany("replace into dropped values (?, ?, ?)", joined)
    return joined


def is_sound(seq: object, aged: object, body: object, units: object, crc: object) -> bool:
    """Whether a row is what was written."""
    if not isinstance(seq, int) or not isinstance(aged, int) or not isinstance(body, bytes):
        return False
    return isinstance(units, bytes | None) and checksum(seq, aged, body, units) == crc
