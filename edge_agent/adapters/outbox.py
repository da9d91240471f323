"""The outbox: one SQLite file that keeps every sample until the platform says that it is settled.

A number that was sent must never be given again, so each append is on the disk (synchronous=FULL) before anything of
it goes out; samples, the driver's place and the last times are one transaction. The file is locked by whoever has it
open. Age is running time of the agent, not of the wall clock: a clock that jumps, or a machine that was switched off,
ages nothing.
"""

import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from contracts.wire import MAX_SENT_BYTES, Dropped
from edge_agent.domain.driving import Reading
from edge_agent.domain.ranges import Range
from edge_agent.domain.times import RECENT, Separator
from edge_agent.service import EdgeAgentError, OutboxUnwritable

ENVELOPE_BYTES = 1_000
"""Room that a message needs besides its samples and units."""
MAX_SAMPLE_BYTES = MAX_SENT_BYTES - ENVELOPE_BYTES
BY_AGE, BY_SIZE, NOT_HELD = "age", "size", "not_held"
"""Why a range was given up: too old, no room, or asked for although it was settled and removed."""
ROW_BYTES = 24
"""What a row needs besides its body, roughly."""
_LOCK_WAIT_S = 2.0
_SCHEMA = """
create table if not exists samples(
    seq integer primary key, aged integer not null, body blob not null, units blob
);
create table if not exists dropped(first integer primary key, last integer not null, reason text not null);
create table if not exists times(slot integer primary key, number integer not null, us integer not null);
create table if not exists positions(driver text primary key, position text not null);
create table if not exists facts(name text primary key, value) without rowid;
"""
_encode = msgspec.json.encode


class OutboxInUse(EdgeAgentError):
    """Another process has this outbox open."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another process uses the outbox {path}")
        self.path = path


class OutboxBroken(EdgeAgentError):
    """The file cannot be opened, or is no outbox."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"the outbox {path} cannot be used: {detail}. Move it away to begin a new one")
        self.path, self.detail = path, detail


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


class SqliteOutbox:
    """One outbox file. Used by one thread.

    Parameters
    ----------
    path
        The file; made where it is missing, its folder too.
    limits
        When samples are given up.
    monotonic
        Gives seconds; only differences count.

    Raises
    ------
    OutboxInUse
        Another process has it open.
    OutboxBroken
        It cannot be opened, or is another kind of file.
    """

    def __init__(self, path: Path, limits: Limits, monotonic: Callable[[], float]) -> None:
        self._path, self._limits, self._monotonic = path, limits, monotonic
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as failure:
            raise OutboxBroken(path, str(failure)) from failure
        try:
            # exclusive before the first read: then no second process gets in, and none is missed after a kill
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "cache_size=-2000"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.execute("PRAGMA journal_size_limit=4000000")
            with self._transaction():
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute("insert or ignore into facts values ('boot_id', ?)", (secrets.token_hex(8),))
            self._load()
        except (sqlite3.Error, OutboxUnwritable) as failure:
            self._db.close()
            if "locked" in str(failure):
                raise OutboxInUse(path) from failure
            raise OutboxBroken(path, str(failure)) from failure

    def _load(self) -> None:
        facts = dict(self._db.execute("select name, value from facts"))
        self.boot_id = str(facts["boot_id"])
        self._last = int(facts.get("last", 0))
        self._ran_before = float(facts.get("ran", 0.0))
        self._opened_at = self._monotonic()
        times = self._db.execute("select number, us from times order by number").fetchall()
        self._times = Separator((us for _, us in times), times[-1][0] if times else 0)
        self._positions = dict(self._db.execute("select driver, position from positions"))
        self._dropped: list[Dropped] = list(self._db.execute("select first, last, reason from dropped order by first"))
        self._first, self._bytes, self._count = self._db.execute(
            f"select min(seq), coalesce(sum(length(body) + coalesce(length(units), 0) + {ROW_BYTES}), 0), count(*)"
            " from samples"
        ).fetchone()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("begin immediate")
            yield
            self._db.execute("commit")
        except sqlite3.Error as failure:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise OutboxUnwritable(f"the outbox {self._path} cannot be written: {failure}") from failure

    @property
    def extent(self) -> Range:
        """Oldest and newest number; first = last + 1 when nothing waits."""
        return (self._last + 1 if self._first is None else self._first, self._last)

    @property
    def waiting(self) -> int:
        """Number of samples in the outbox."""
        return int(self._count)

    @property
    def dropped(self) -> list[Dropped]:
        """Ranges given up that the platform has not passed yet, lowest first."""
        return list(self._dropped)

    def position(self, driver: str) -> str:
        """Where a driver stands in its source; "" = at the beginning."""
        return str(self._positions.get(driver, ""))

    def room(self) -> int:
        """Bytes for a source that can wait: it leaves half of the outbox to those that cannot."""
        return max(0, self._limits.max_bytes // 2 - int(self._bytes))

    def append(
        self, driver: str, readings: Sequence[Reading], position: str, units: Mapping[str, str] | None = None
    ) -> Appended:
        """Number the readings and keep them, with the driver's place, in one transaction."""
        times = self._times
        before, given = times.recent, times.total
        encoded_units = _encode(units) if units else None
        allowed = MAX_SAMPLE_BYTES - len(encoded_units or b"")
        bodies = []
        for reading in readings:
            body = _encode({"t": reading.t, "values": reading.values})
            if len(body) > allowed:
                continue
            t = times.apart(reading.t)
            bodies.append(body if t is reading.t else _encode({"t": t, "values": reading.values}))
        refused = len(readings) - len(bodies)
        ran = self._ran()
        first = self._last + 1
        try:
            with self._transaction():
                self._db.executemany(
                    "insert into samples values (?, ?, ?, ?)",
                    ((seq, int(ran), body, encoded_units) for seq, body in enumerate(bodies, first)),
                )
                self._db.execute("replace into positions values (?, ?)", (driver, position))
                self._db.executemany(
                    "replace into facts values (?, ?)",
                    (("last", first + len(bodies) - 1), ("ran", ran)),
                )
                new = times.recent[-(times.total - given) :] if times.total > given else []
                numbered = enumerate(new, times.total - len(new) + 1)
                self._db.executemany("replace into times values (?, ?, ?)", ((n % RECENT, n, us) for n, us in numbered))
        except OutboxUnwritable:
            self._times = Separator(before, given)
            raise
        self._positions[driver] = position
        if bodies:
            self._last = first + len(bodies) - 1
            self._first = first if self._first is None else self._first
            self._count += len(bodies)
            self._bytes += sum(map(len, bodies)) + len(bodies) * (ROW_BYTES + len(encoded_units or b""))
        return Appended(refused, self._give_up(ran))

    def read(self, first: int, limit: int, until: int | None = None) -> list[Row]:
        """The next rows from number `first` on (to `until`), lowest first."""
        found = self._db.execute(
            "select seq, body, units from samples where seq between ? and ? order by seq limit ?",
            (first, self._last if until is None else until, limit),
        )
        return [Row(*row) for row in found]

    def settle(self, through: int, settled: Sequence[Range]) -> None:
        """Forget what is settled, and what was given up and is passed."""
        with self._transaction():
            gone = self._delete([(0, through), *settled])
            if self._dropped and self._dropped[0][1] <= through:
                self._db.execute("delete from dropped where last <= ?", (through,))
        self._forget(gone)
        self._dropped = [d for d in self._dropped if d[1] > through]

    def give_up_missing(self, asked: Sequence[Range]) -> bool:
        """Note what of the asked numbers is not held and was not given up yet; True when there is some."""
        first, last = self.extent
        if self._count == last - first + 1:  # without holes
            missing = [(a, min(b, first - 1)) for a, b in asked if a < first]
        else:
            missing = [hole for a, b in asked for hole in self._holes(a, min(b, last))]
        known = [(a, b) for a, b, _ in self._dropped]
        new = [(a, b) for a, b in missing if not any(x <= a and b <= y for x, y in known)]
        if new:
            with self._transaction():
                self._keep_dropped([*self._dropped, *((a, b, NOT_HELD) for a, b in new)])
        return bool(new)

    def begin_anew(self) -> None:
        """Take a new boot_id and number what waits from 1 on: this file is an old copy of an outbox that went on."""
        with self._transaction():
            rows = self._db.execute("select seq from samples order by seq").fetchall()
            for number, (seq,) in enumerate(rows, 1):  # never upwards: no number is taken twice on the way
                self._db.execute("update samples set seq = ? where seq = ?", (number, seq))
            self._db.execute("delete from dropped")
            self._db.executemany(
                "replace into facts values (?, ?)", (("boot_id", secrets.token_hex(8)), ("last", len(rows)))
            )
        self._load_numbers()

    def _holes(self, a: int, b: int) -> list[Range]:
        holes = []
        for (seq,) in self._db.execute("select seq from samples where seq between ? and ? order by seq", (a, b)):
            if a < seq:
                holes.append((a, seq - 1))
            a = seq + 1
        return [*holes, (a, b)] if a <= b else holes

    def _load_numbers(self) -> None:
        facts = dict(self._db.execute("select name, value from facts where name in ('boot_id', 'last')"))
        self.boot_id, self._last, self._dropped = str(facts["boot_id"]), int(facts["last"]), []
        self._first = 1 if self._last else None

    def close(self) -> None:
        """Close the file; it can be opened by another process then."""
        self._db.close()

    def _ran(self) -> float:
        return self._ran_before + self._monotonic() - self._opened_at

    def _give_up(self, ran: float) -> bool:
        """Drop the oldest samples that are beyond the limits."""
        cut: list[tuple[int, str]] = []
        if self._first is not None:
            (old,) = self._db.execute(
                "select max(seq) from samples where seq in (select seq from samples order by seq limit 1000)"
                " and aged < ?", (ran - self._limits.max_age_s,)
            ).fetchone()  # fmt: skip
            if old is not None:
                cut.append((old, BY_AGE))
        excess = self._bytes - self._limits.max_bytes
        if excess > 0:
            for seq, size in self._db.execute("select seq, length(body) + coalesce(length(units), 0) from samples"):
                excess -= size + ROW_BYTES
                if excess <= 0:
                    cut.append((seq, BY_SIZE))
                    break
        if not cut:
            return False
        until, reason = max(cut)
        gone = [seq for (seq,) in self._db.execute("select seq from samples where seq <= ? order by seq", (until,))]
        with self._transaction():
            freed = self._delete([(0, until)])
            self._keep_dropped([*self._dropped, *((a, b, reason) for a, b in _runs(gone))])
        self._forget(freed)
        return True

    def _keep_dropped(self, ranges: Sequence[Dropped]) -> None:
        """Write the given-up ranges, neighbours of one reason joined."""
        joined: list[Dropped] = []
        for a, b, reason in sorted(ranges):
            if joined and joined[-1][2] == reason and joined[-1][1] >= a - 1:
                joined[-1] = (joined[-1][0], max(b, joined[-1][1]), reason)
            else:
                joined.append((a, b, reason))
        self._db.execute("delete from dropped")
        self._db.executemany("replace into dropped values (?, ?, ?)", joined)
        self._dropped = joined

    def _delete(self, ranges: Sequence[Range]) -> tuple[int, int]:
        """Delete inside the caller's transaction; number of rows and bytes that were freed."""
        count = size = 0
        for a, b in ranges:
            rows, freed = self._db.execute(
                f"select count(*), coalesce(sum(length(body) + coalesce(length(units), 0) + {ROW_BYTES}), 0)"
                " from samples where seq between ? and ?", (a, b)
            ).fetchone()  # fmt: skip
            if rows:
                self._db.execute("delete from samples where seq between ? and ?", (a, b))
                count, size = count + rows, size + freed
        return count, size

    def _forget(self, gone: tuple[int, int]) -> None:
        if gone[0]:
            self._count -= gone[0]
            self._bytes -= gone[1]
            (self._first,) = self._db.execute("select min(seq) from samples").fetchone()


def _runs(numbers: Sequence[int]) -> list[Range]:
    """Ascending numbers as ranges."""
    out: list[Range] = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1] = (out[-1][0], n)
        else:
            out.append((n, n))
    return out
