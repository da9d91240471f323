"""Puts a new outbox file in the place of one that is damaged or an old copy, with the samples that can be had.

The new file is made beside the old one, whole and on the disk, before anything is renamed; whatever dies in between,
the next opening finishes. The damaged file is kept with its log and a note of what was found.
"""

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from contracts.names import MAX_SEQ
from contracts.wire import Dropped
from edge_agent.adapters.carving import PAGE, checksum, records
from edge_agent.adapters.outbox_file import SCHEMA, Book, Lost, read_book, told, transaction
from edge_agent.adapters.outbox_rows import GIVEN_UP, ROW_BYTES
from edge_agent.domain.farewell import MOST_RANGES, Farewell
from edge_agent.domain.ranges import Ranges
from edge_agent.domain.times import RECENT

Sample = tuple[int, int, bytes, bytes | None, int]
"""Number, age, body, units, checksum."""
KEPT = 3
"""Damaged files that are kept; of more the oldest go."""
MOST_FAREWELLS = 8
"""As many outboxes of a device as the platform keeps apart."""
_AT_ONCE = 1000


class Draft:
    """A new outbox file in the making, beside the one that it is to replace."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(path.name + ".draft")
        self._draft.unlink(missing_ok=True)
        self._db = sqlite3.connect(self._draft, isolation_level=None)
        with told(self._draft, "written"):
            db = self._db
            for pragma in (f"page_size={PAGE}", "journal_mode=OFF", "synchronous=OFF", "cache_size=-2000"):
                db.execute(f"PRAGMA {pragma}")
            for statement in SCHEMA.split(";"):
                db.execute(statement)

    def put(self, samples: Iterable[Sample]) -> None:
        """Take samples in under their old numbers; a number that is there already is left."""
        with transaction(self._db, self._draft):
            self._db.executemany("insert or ignore into samples values (?, ?, ?, ?, ?)", samples)

    def settled(self, through: int) -> None:
        """Forget what is settled: pages that were in use before still show it."""
        with transaction(self._db, self._draft):
            self._db.execute("delete from samples where seq <= ?", (through,))

    def times(self, times: Iterable[tuple[int, int]]) -> None:
        """Take in the last times: number and epoch microseconds."""
        with transaction(self._db, self._draft):
            self._db.executemany("replace into times values (?, ?, ?)", ((n % RECENT, n, us) for n, us in times))

    def number(self) -> list[tuple[int, int, int]]:
        """Number all samples from 1 on; which pieces went where."""
        pieces: list[tuple[int, int, int]] = []
        after, new = -1, 1
        with transaction(self._db, self._draft):
            while rows := self._db.execute(
                "select seq, aged, body, units from samples where seq > ? order by seq limit ?", (after, _AT_ONCE)
            ).fetchall():
                after = rows[-1][0]
                changes = []
                for seq, aged, body, units in rows:  # never upwards: no number is taken twice on the way
                    if new != seq:
                        changes.append((new, checksum(new, aged, body, units), seq))
                    if pieces and pieces[-1][1] == seq - 1:
                        pieces[-1] = (pieces[-1][0], seq, pieces[-1][2])
                    else:
                        pieces.append((seq, seq, new))
                    new += 1
                self._db.executemany("update samples set seq = ?, crc = ? where seq = ?", changes)
        return pieces

    def finish(self, book: Book) -> None:
        """Write the book, and bring the file to the disk under the name that `replace` looks for."""
        with transaction(self._db, self._draft):
            book.count, book.size = self._db.execute(
                f"select count(*), coalesce(sum(length(body) + coalesce(length(units), 0) + {ROW_BYTES}), 0)"
                " from samples"
            ).fetchone()
            for table in ("book", "spare"):
                self._db.execute(f"replace into {table} values (1, ?)", (book.encoded(),))
        self._db.close()
        _to_disk(self._draft)
        self._draft.rename(ready(self._path))
        _to_disk(self._path.parent)

    def drop(self) -> None:
        """Give it up."""
        self._db.close()
        self._draft.unlink(missing_ok=True)


def ready(path: Path) -> Path:
    """Where a finished new file waits to take the place of `path`."""
    return path.with_name(path.name + ".new")


def replace(path: Path, aside: Path | None) -> None:
    """Put the finished new file in its place; the old one goes aside, or away."""
    for ending in ("-wal", "-shm", "-journal", ""):
        old = path.with_name(path.name + ending)
        if not old.exists():
            continue
        if aside is None or ending == "-shm":
            old.unlink()
        else:
            old.rename(aside.with_name(aside.name + ending))
    ready(path).rename(path)
    _to_disk(path.parent)


def name_aside(path: Path, at: datetime | None) -> Path:
    """A free name for a damaged file."""
    stem = f"{path.name}.damaged" + (f"-{at:%Y%m%dT%H%M%SZ}" if at else "")
    names = (path.with_name(stem if not n else f"{stem}-{n}") for n in range(10_000))
    return next(name for name in names if not name.exists())


def renumbered(path: Path, old: Book, samples: Iterator[Sample], times: Iterable[tuple[int, int]]) -> None:
    """Make the new file of an outbox that is an old copy, from the samples that wait, lowest number first."""
    draft = Draft(path)
    try:
        draft.put(samples)
        draft.times(times)
        pieces = draft.number()
        # numbers above the newest one that can have been sent are those of other samples to the platform
        sent = old.last if old.known is None else min(old.last, old.known)
        goodbye = _farewell(old, sent, pieces, [], answered=True)
        draft.finish(_next_book(old, pieces, goodbye, old.lost))
    except BaseException:
        draft.drop()
        raise


def salvaged(path: Path, aside: Path, why: str, boot_id: str) -> Lost:
    """Make the new file of a damaged one, from what is readable; what that was.

    `boot_id` is that of the damaged outbox where it is known, else "".
    """
    draft = Draft(path)
    found = _Found()
    try:
        draft.put(found.samples(path))
        old = found.book or Book(boot_id, known=None)
        draft.settled(old.through)
        draft.times((n, us) for n, us in sorted(found.times.values()))
        pieces = draft.number()
        last = max(old.last, pieces[-1][1] if pieces else 0)
        given_up = [d for d in found.dropped if d[1] > old.through]
        there = Ranges([*((a, b) for a, b, _ in pieces), *((a, b) for a, b, _ in given_up)])
        gone = sum(b - a + 1 for a, b in there.outside(old.through + 1, last))
        count = sum(b - a + 1 for a, b, _ in pieces)
        lost = Lost(aside.name, why, count, gone, found.book is None)
        goodbye = _farewell(old, last, pieces, given_up, answered=False)
        draft.finish(_next_book(old, pieces, goodbye, lost))
    except BaseException:
        draft.drop()
        raise
    note = {"why": why, "lost": lost, "farewell": goodbye}
    with suppress(OSError):  # for people; the new outbox knows it too
        aside.with_name(aside.name + ".json").write_bytes(msgspec.json.encode(note))
        for old_file in sorted(path.parent.glob(f"{path.name}.damaged*.json"))[:-KEPT]:
            for ending in (".json", "", "-wal", "-journal"):
                Path(str(old_file).removesuffix(".json") + ending).unlink(missing_ok=True)
    return lost


class _Found:
    """What a damaged file gives: samples at once, the rest as it is met."""

    def __init__(self) -> None:
        self.book: Book | None = None
        self.times: dict[int, tuple[int, int]] = {}
        self.dropped: list[Dropped] = []

    def samples(self, path: Path) -> Iterator[Sample]:
        """Samples in the order of the pages, some more than once."""
        for row, columns in records(path):
            match columns:
                case [None, int(aged), bytes(body), bytes() | None as units, int(crc)]:
                    if 0 < row <= MAX_SEQ and checksum(row, aged, body, units) == crc:
                        yield row, aged, body, units, crc
                case [None, bytes(kept)]:
                    book = read_book(kept)
                    if book is not None and (self.book is None or book.commits > self.book.commits):
                        self.book = book
                case [None, int(number), int(us)] if 0 <= row == number % RECENT:
                    self.times[row] = max(self.times.get(row, (0, 0)), (number, us))
                case [None, int(last), str(reason)] if reason in GIVEN_UP and 0 < row <= last <= MAX_SEQ:
                    self.dropped.append((row, last, reason))
                case _:
                    continue


def _farewell(
    old: Book, last: int, pieces: list[tuple[int, int, int]], given_up: list[Dropped], *, answered: bool
) -> Farewell | None:
    """What is to be said of the old outbox: nothing where its name is not known."""
    if not old.boot_id or last <= old.through:
        return None
    moved = tuple((a, min(b, last), new) for a, b, new in pieces if a <= last)[:MOST_RANGES]
    return Farewell(old.boot_id, old.through + 1, last, moved, tuple(given_up), answered, old.known)


def _next_book(old: Book, pieces: list[tuple[int, int, int]], goodbye: Farewell | None, lost: Lost | None) -> Book:
    new_last = pieces[-1][2] + pieces[-1][1] - pieces[-1][0] if pieces else 0
    farewells = [*old.farewells, goodbye] if goodbye else old.farewells
    return Book(
        secrets.token_hex(8), 0, new_last, 0, old.ran, positions=old.positions, farewells=farewells[-MOST_FAREWELLS:],
        lost=lost,
    )  # fmt: skip


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
