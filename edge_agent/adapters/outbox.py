"""The outbox: one SQLite file that keeps every sample until the platform says that it is settled.

A number that was sent must never be given again, so each append is on the disk (synchronous=FULL) before anything of
it goes out; samples, the driver's place and the last times are one transaction. The file is locked by whoever has it
open. Age is running time of the agent, not of the wall clock: a clock that jumps, or a machine that was switched off,
ages nothing.

A file that is not what was written is set aside and a new one begins, with a new boot_id and with every sample that
can still be read (`salvage`; renewal.py, carving.py).
"""

import logging
import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec

from contracts.wire import MAX_SENT_BYTES, Dropped
from edge_agent.adapters import outbox_file, renewal
from edge_agent.adapters import outbox_rows as rows
from edge_agent.adapters.carving import checksum
from edge_agent.adapters.outbox_file import Book, OutboxBroken, OutboxInUse, read_book, told, transaction
from edge_agent.adapters.outbox_rows import NOT_HELD, ROW_BYTES, Appended, Limits, Row
from edge_agent.adapters.reserve import Reserve
from edge_agent.domain.driving import Reading
from edge_agent.domain.farewell import STORED_BEFORE, Farewell
from edge_agent.domain.ranges import Range, Ranges
from edge_agent.domain.times import RECENT, Separator
from edge_agent.service import OutboxDamaged, OutboxUnwritable

ENVELOPE_BYTES = 1_000
"""Room that a message needs besides its samples and units."""
MAX_SAMPLE_BYTES = MAX_SENT_BYTES - ENVELOPE_BYTES
SLACK = 64
"""One part in so many of the outbox is freed when it is full, so that not every append has to."""
_encode = msgspec.json.encode
log = logging.getLogger(__name__)
__all__ = ["Appended", "Limits", "OutboxBroken", "OutboxInUse", "Row", "SqliteOutbox"]


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
    wall
        Gives the time for the name of a damaged file; None = it has none.

    Raises
    ------
    OutboxInUse
        Another process has it open.
    OutboxBroken
        It cannot be opened, or is another kind of file.
    """

    def __init__(
        self, path: Path, limits: Limits, monotonic: Callable[[], float], wall: Callable[[], datetime] | None = None
    ) -> None:
        self._path, self._limits, self._monotonic, self._wall = path, limits, monotonic, wall
        self._book = Book("")
        self._db = sqlite3.connect(":memory:")  # until the file is open
        self._reserve = Reserve(path)
        if renewal.ready(path).exists():
            renewal.replace(path, renewal.name_aside(path, self._now()))
        try:
            self._open()
        except OutboxDamaged as damage:
            self.salvage(str(damage))
        except OutboxUnwritable as failure:
            raise OutboxBroken(path, str(failure)) from failure

    def _open(self) -> None:
        path = self._path
        try:
            if path.exists() and path.stat().st_size == 0:
                raise OutboxDamaged(f"the outbox {path} is damaged: it is empty")
            if path.exists() and outbox_file.cut_short(path):
                raise OutboxDamaged(f"the outbox {path} is damaged: it was cut short")
            fresh = not path.exists() or str(path) == ":memory:"
        except OSError as failure:
            raise OutboxBroken(path, str(failure)) from failure
        with told(path, "opened"):
            self._db = outbox_file.connect(path)
        try:
            self._load(fresh)
        except BaseException:
            self._db.close()
            raise
        self._reserve.keep()

    def _load(self, fresh: bool) -> None:
        db = self._db
        with told(self._path, "read"):
            there = outbox_file.tables(db)
            if there and "samples" not in there:
                raise OutboxBroken(self._path, "it is a database of another kind")
            old = "facts" in there
            fault = "" if fresh else outbox_file.fault(db, self._path)
            if fault:
                raise OutboxDamaged(f"the outbox {self._path} is damaged: {fault}")
            if not fresh and not old and "book" not in there:
                raise OutboxDamaged(f"the outbox {self._path} is damaged: its tables are gone")
        book = None
        if fresh or old:
            with transaction(db, self._path):
                for statement in outbox_file.SCHEMA.split(";") if fresh else ():
                    db.execute(statement)
                book = outbox_file.upgrade(db) or Book(secrets.token_hex(8))
                self._write(book)
        with told(self._path, "read"):
            kept = [db.execute(f"select body from {table} where id = 1").fetchone() for table in ("book", "spare")]
            books = [read_book(row[0]) if row else None for row in kept]
            if None in books or kept[0] != kept[1]:
                raise OutboxDamaged(f"the outbox {self._path} is damaged: its two books differ")
            self._book = books[0] or Book("")
            times = db.execute("select number, us from times order by number").fetchall()
            self._dropped: list[Dropped] = list(db.execute("select first, last, reason from dropped order by first"))
            self._find_first()
            newest = db.execute("select max(seq) from samples").fetchone()[0]
        try:
            self._times = Separator((us for _, us in times), times[-1][0] if times else 0)
            if (newest or 0) > self._book.last or (self._first or 1) < 1:
                raise ValueError("numbers that were never given")
            list(Ranges((a, b) for a, b, _ in self._dropped))
        except (TypeError, ValueError) as problem:
            raise OutboxDamaged(f"the outbox {self._path} is damaged: {problem}") from problem
        self._opened_at = self._monotonic()
        self._known = self._book.last if self._book.known is None else self._book.known
        self._ran_before = self._book.ran
        self._confirmed = False

    def _now(self) -> datetime | None:
        return self._wall() if self._wall else None

    def _find_first(self) -> None:
        with told(self._path, "read"):
            found = self._db.execute("select seq, aged from samples order by seq limit 1").fetchone()
        first, aged = found or (None, 0)
        if not isinstance(first, int | None) or not isinstance(aged, int):
            raise OutboxDamaged(f"the outbox {self._path} is damaged: its first sample was changed")
        self._first: int | None = first
        self._oldest: int = aged

    def _write(self, book: Book) -> None:
        """The book, in both places, inside the caller's transaction."""
        kept = book.encoded()
        for table in ("book", "spare"):
            self._db.execute(f"replace into {table} values (1, ?)", (kept,))

    def _next(self, **change: object) -> Book:
        return msgspec.structs.replace(self._book, commits=self._book.commits + 1, ran=self._ran(), **change)

    @property
    def boot_id(self) -> str:
        """Name of this outbox."""
        return self._book.boot_id

    @property
    def known(self) -> int:
        """The newest number that can have been sent before: what the platform may know."""
        return self._known

    @property
    def confirmed(self) -> bool:
        """Whether the platform knows no more than this outbox, as far as `confirm` was told."""
        return self._confirmed

    @property
    def farewells(self) -> list[Farewell]:
        """What remains to be said of outboxes that this one replaced."""
        return self._book.farewells

    @property
    def health(self) -> dict[str, object]:
        """What the last damage cost; empty where there never was one."""
        lost = self._book.lost
        cost: dict[str, object] = {} if lost is None else msgspec.to_builtins(lost)
        return cost

    @property
    def extent(self) -> Range:
        """Oldest and newest number; first = last + 1 when nothing waits."""
        last = self._book.last
        return (last + 1 if self._first is None else self._first, last)

    @property
    def waiting(self) -> int:
        """Number of samples in the outbox."""
        return self._book.count

    @property
    def dropped(self) -> list[Dropped]:
        """Ranges given up that the platform has not passed yet, lowest first."""
        return list(self._dropped)

    def position(self, driver: str) -> str:
        """Where a driver stands in its source; "" = at the beginning."""
        return self._book.positions.get(driver, "")

    def room(self) -> int:
        """Bytes for a source that can wait: it leaves half of the outbox to those that cannot."""
        return max(0, self._limits.max_bytes // 2 - self._book.size)

    def append(
        self, driver: str, readings: Sequence[Reading], position: str, units: Mapping[str, str] | None = None
    ) -> Appended:
        """Number the readings and keep them, with the driver's place, in one transaction."""
        self._reserve.refuse_on_full_disk(self._db, self._path)
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
        old = self._book
        aged = int(self._ran())
        first = old.last + 1
        more = sum(map(len, bodies)) + len(bodies) * (ROW_BYTES + len(encoded_units or b""))
        book = self._next(
            last=old.last + len(bodies), count=old.count + len(bodies), size=old.size + more,
            known=None if self._confirmed else self._known, positions=old.positions | {driver: position},
        )  # fmt: skip
        try:
            with self._writing():
                self._db.executemany(
                    "insert into samples values (?, ?, ?, ?, ?)",
                    (
                        (seq, aged, body, encoded_units, checksum(seq, aged, body, encoded_units))
                        for seq, body in enumerate(bodies, first)
                    ),
                )
                new = times.recent[-(times.total - given) :] if times.total > given else []
                numbered = enumerate(new, times.total - len(new) + 1)
                self._db.executemany("replace into times values (?, ?, ?)", ((n % RECENT, n, us) for n, us in numbered))
                self._write(book)
        except BaseException:
            self._times = Separator(before, given)
            raise
        self._book = book
        if bodies and self._first is None:
            self._first, self._oldest = first, aged
        return Appended(len(readings) - len(bodies), self._give_up())

    def read(self, first: int, limit: int, until: int | None = None) -> list[Row]:
        """The next rows from number `first` on (to `until`), lowest first."""
        with told(self._path, "read"):
            found = self._db.execute(
                "select seq, aged, body, units, crc from samples where seq between ? and ? order by seq limit ?",
                (first, self._book.last if until is None else until, limit),
            ).fetchall()
        out = []
        for seq, aged, body, units, crc in found:
            if not rows.is_sound(seq, aged, body, units, crc) or seq < first:
                raise OutboxDamaged(f"the outbox {self._path} is damaged: sample {first} or one behind it was changed")
            out.append(Row(seq, body, units))
            first = seq + 1
        return out

    def settle(self, through: int, settled: Sequence[Range]) -> None:
        """Forget what is settled, and what was given up and is passed."""
        passed = bool(self._dropped) and self._dropped[0][1] <= through
        with told(self._path, "read"):
            if not passed and not rows.any_held(self._db, [(0, through), *settled]):
                return
        with self._writing():
            book = self._without([(0, through), *settled], through=max(through, self._book.through))
            if passed:
                self._db.execute("delete from dropped where last <= ?", (through,))
            self._write(book)
        self._book = book
        self._dropped = [d for d in self._dropped if d[1] > through]
        self._find_first()

    def give_up_missing(self, asked: Sequence[Range]) -> bool:
        """Note what of the asked numbers is not held and was not given up yet; True when there is some."""
        there = Ranges((a, b) for a, b, _ in self._dropped)
        with told(self._path, "read"):
            for a, b in asked:
                for held in rows.held(self._db, a, b):
                    there.add(*held)
        new = [part for a, b in asked for part in there.outside(a, b)]
        if new:
            with self._writing():
                dropped = rows.keep_dropped(self._db, [*self._dropped, *((a, b, NOT_HELD) for a, b in new)])
            self._dropped = dropped
        return bool(new)

    def confirm(self) -> None:
        """The platform was asked and knows no more than this outbox: what is appended may be sent."""
        if self._book.last > self._known and self._book.known is not None:
            book = self._next(known=None)
            with self._writing():
                self._write(book)
            self._book = book
        self._confirmed = True

    def begin_anew(self, through: int, settled: Sequence[Range]) -> None:
        """Take a new boot_id and number what waits from 1 on: this file is an old copy of an outbox that went on.

        What the platform says to have settled is forgotten, as far as this outbox can have sent it.
        """
        done = [(a, min(b, self._known)) for a, b in [(0, through), *settled]]
        old = msgspec.structs.replace(
            self._book, known=self._known, ran=self._ran(), through=max(self._book.through, done[0][1])
        )
        done_ranges = Ranges(done)
        with told(self._path, "read"):
            all_rows = self._db.execute("select seq, aged, body, units, crc from samples order by seq")
            waits = (row for row in all_rows if row[0] not in done_ranges)
            renewal.renumbered(self._path, old, waits, self._numbered_times())
        self._swap(None)

    def salvage(self, why: str) -> None:
        """Set the damaged file aside and go on with a new one, which has every sample that can be read."""
        self._db.close()
        path, aside = self._path, renewal.name_aside(self._path, self._now())
        outbox_file.refuse_other_kinds(path)
        lost = renewal.salvaged(path, aside, why, self._book.boot_id)
        log.error(
            "%s. It was set aside as %s; %d samples were got out of it, %d are known to be gone",
            why, aside.name, lost.salvaged, lost.unreadable,
        )  # fmt: skip
        self._swap(aside)

    def answered(self, old: Farewell, settled: Sequence[Range]) -> None:
        """The platform said what it has of an outbox that this one replaced: here `settled` under new numbers."""
        others = [replace(f, answered=True) if f == old else f for f in self._book.farewells]
        with self._writing():
            held = [part for a, b in settled for part in rows.held(self._db, a, b)]
            book = self._without(settled, farewells=others)
            dropped = rows.keep_dropped(self._db, [*self._dropped, *((a, b, STORED_BEFORE) for a, b in held)])
            self._write(book)
        self._book, self._dropped = book, dropped
        self._find_first()

    def forget_farewell(self, old: Farewell) -> None:
        """The platform has heard all of an outbox that this one replaced."""
        book = self._next(farewells=[f for f in self._book.farewells if f != old])
        with self._writing():
            self._write(book)
        self._book = book

    def close(self) -> None:
        """Close the file; it can be opened by another process then."""
        self._db.close()

    def _ran(self) -> float:
        return self._ran_before + self._monotonic() - self._opened_at

    def _swap(self, aside: Path | None) -> None:
        self._db.close()
        renewal.replace(self._path, aside)
        self._open()

    def _numbered_times(self) -> list[tuple[int, int]]:
        return list(enumerate(self._times.recent, self._times.total - len(self._times.recent) + 1))

    def _writing(self) -> AbstractContextManager[None]:
        """A transaction."""
        return self._reserve.writing(self._db, self._path)

    def _give_up(self) -> bool:
        """Drop the oldest samples that are beyond the limits."""
        too_old = self._ran() - self._limits.max_age_s
        excess = self._book.size - self._limits.max_bytes
        if (self._first is None or self._oldest >= too_old) and excess <= 0:
            return False
        with told(self._path, "read"):
            until, reason = rows.beyond(self._db, too_old, excess, self._limits.max_bytes // SLACK)
        with self._writing():
            gone = rows.held(self._db, 0, until)
            book = self._without([(0, until)])
            dropped = rows.keep_dropped(self._db, [*self._dropped, *((a, b, reason) for a, b in gone)])
            self._write(book)
        self._book, self._dropped = book, dropped
        self._find_first()
        return True

    def _without(self, ranges: Sequence[Range], **change: object) -> Book:
        """Delete samples inside the caller's transaction; the book as it is then."""
        gone, freed = rows.removed(self._db, ranges)
        count, size = self._book.count - gone, self._book.size - freed
        return self._next(count=max(0, count), size=max(0, size), **change)
