"""Reads a CSV file, plain, .xz or .gz: one column with the time, one column a signal, at most `rate` rows a second.

Its place is the byte behind the last row that is in the outbox, so it resumes there. A plain file may grow: a last line
without its end is taken once it has stood unchanged for a second.
"""

import csv
import gzip
import lzma
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import IO, ClassVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from edge_agent.domain.driving import Batch, Cell, Fault, Option, Options, Plan, Reading

ROWS_AT_ONCE = 500
AT_THE_END_S = 1.0
"""How often a file that was read to its end is looked at again."""
FULL_S = 0.5
POLL_S = 0.1
"""Rows that are due within this time share a transaction."""
_SEPARATORS = ",;\t|"
_PACKED: dict[str, Callable[[Path], IO[bytes]]] = {
    ".xz": cast(Callable[[Path], IO[bytes]], lzma.LZMAFile),
    ".gz": cast(Callable[[Path], IO[bytes]], gzip.GzipFile),
}
_BROKEN = (OSError, EOFError, lzma.LZMAError)


class _Place(msgspec.Struct):
    """Byte behind the last row taken (of the unpacked text), and the number of rows until there."""

    byte: int = 0
    row: int = 0


class CsvDriver:
    """One file. Values that are no numbers are given as texts, for the platform to refuse by name."""

    CAN_WAIT: ClassVar[bool] = True
    """A file stays until it is read: its rows go out in order, never the newest first."""
    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option("path", str, "the file: .csv, .csv.xz or .csv.gz"),
        Option("time", str, "the column with the time", "time"),
        Option("rate", float, "most rows a second; 0 = as fast as they are taken", 1.0),
        Option("sep", str, "what separates the columns; auto finds it in the first line", "auto"),
        Option("time_format", str, "how times are written: a pattern as %d.%m.%Y %H:%M, or seconds (since 1970)", ""),
        Option("zone", str, "time zone of times that do not say theirs, as Europe/Berlin or UTC", ""),
        Option("columns", str, "signals: column; column = another name for it; ... (without it every column)", ""),
        Option("machine_column", str, "the column with the machine, in a file of several", ""),
        Option("machine", str, "only the rows of this machine", ""),
    )

    def __init__(self, options: Options) -> None:
        self._path = Path(options.folder, options.text("path"))
        self._time, self._rate, self._sep = options.text("time"), options.number("rate"), options.text("sep")
        self._format, self._zone = options.text("time_format"), options.text("zone")
        self._names = named_columns(options.text("columns"))
        self._machine = (options.text("machine_column"), options.text("machine"))
        self._file: IO[bytes] | None = None
        self._place = _Place()
        self._given: str | None = None
        self._read_to = 0
        self._columns: list[str] = []
        self._since: float | None = None
        self._taken = 0
        self._due = float("-inf")
        self._still = (-1, 0.0)

    @classmethod
    def check(cls, options: Options, path: str) -> list[Fault]:
        """What can be told before anything is read for good."""
        zone = options.text("zone")
        if zone and _zone(zone) is None:
            return [Fault(f"{path}.zone", zone, "is no time zone that is known here")]
        sep = options.text("sep")
        if sep != "auto" and len(sep) != 1:
            return [Fault(f"{path}.sep", sep, "must be one character, or auto")]
        driver = cls(options)
        try:
            driver._open()
        except _BROKEN as problem:
            return [Fault(f"{path}.path", str(driver._path), f"cannot be read: {problem}")]
        driver.close()
        time = options.text("time")
        needed = [("time", time), *(("columns", name) for name in driver._names)]
        if driver._machine[0]:
            needed.append(("machine_column", driver._machine[0]))
        return [
            Fault(f"{path}.{name}", column, f"is no column of the file; it has {', '.join(driver._columns)}")
            for name, column in needed
            if column not in driver._columns
        ]

    @classmethod
    def plan(cls, options: Options) -> Plan:
        """What would be read."""
        driver = cls(options)
        driver._open()
        driver.close()
        signals = ", ".join(name for column in driver._columns if (name := driver._signal(column)))
        return Plan([f"csv {driver._path}, at most {driver._rate:g} rows a second (0 = no limit): {signals}"])

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        """Rows that are due by `rate`, if there is room for them."""
        if now < self._due and position == self._given:
            return Batch([], position, self._due)
        try:
            if self._file is None or position != self._given:
                self._resume(position)
            batch = self._rows(position, now, room)
        except _BROKEN as problem:
            self.close()
            batch = Batch([], position, now + AT_THE_END_S, f"{self._path} cannot be read: {problem}")
        self._due = batch.due
        return batch

    def _rows(self, position: str, now: float, room: int) -> Batch:
        if self._since is None:
            self._since = now
        due = ROWS_AT_ONCE if self._rate == 0 else int((now - self._since) * self._rate) + 1 - self._taken
        wanted = min(due, ROWS_AT_ONCE)
        if wanted <= 0:
            return Batch([], position, self._next_due())
        if room <= 0:
            self._since, self._taken = now, 0  # what waited is not caught up in a burst
            return Batch([], position, now + FULL_S, "the outbox is full")
        readings = list(islice(self._readings(now), wanted))
        self._taken += len(readings)
        due_at = now if self._rate == 0 else max(self._next_due(), now + POLL_S)
        if len(readings) < wanted:
            self._since, self._taken = None, 0
            due_at = now + AT_THE_END_S
        if readings:
            self._given = msgspec.json.encode(self._place).decode()
        return Batch(readings, self._given or "", due_at, self._cut_short())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _cut_short(self) -> str:
        if self._path.suffix in _PACKED or self._path.stat().st_size >= self._read_to:
            return ""
        return f"{self._path} is shorter than what was read of it: it was replaced"

    def _next_due(self) -> float:
        return (self._since or 0.0) + self._taken / self._rate

    def _open(self) -> IO[bytes]:
        packed = _PACKED.get(self._path.suffix)
        self._file = packed(self._path) if packed else self._path.open("rb")
        line = self._file.readline()
        self._read_to = len(line)
        head = line.decode("utf-8-sig", errors="replace").rstrip("\r\n")
        if self._sep == "auto":
            self._sep = max(_SEPARATORS, key=head.count)
        self._columns = [name.strip() for name in next(csv.reader([head], delimiter=self._sep), [])]
        return self._file

    def _resume(self, position: str) -> None:
        """Go to where the outbox says that we are: after a start, or when it could not take the last rows."""
        self.close()
        file = self._open()
        self._given = position
        self._place = msgspec.json.decode(position, type=_Place) if position else _Place(self._read_to)
        file.seek(self._place.byte)
        self._read_to = self._place.byte

    def _readings(self, now: float) -> Iterator[Reading]:
        rows = csv.reader(self._lines(now), delimiter=self._sep)
        while True:
            try:
                row = next(rows, None)
            except csv.Error as problem:  # a field beyond every size: named, never passed over in silence
                row = [f"row cannot be read: {problem}"]
            if row is None:
                return
            self._place = _Place(self._read_to, self._place.row + 1)
            if row and self._is_mine(row):
                yield self._reading(row)

    def _is_mine(self, row: list[str]) -> bool:
        """Whether a row is of the machine that is asked for; one too short to tell is given, to be refused by name."""
        column, machine = self._machine
        at = self._columns.index(column) if column in self._columns else len(row)
        return at >= len(row) or row[at].strip() == machine

    def _signal(self, column: str) -> str:
        """The signal that a column is; empty = none."""
        if column == self._time or column == self._machine[0]:
            return ""
        return self._names.get(column, "") if self._names else column

    def _reading(self, row: list[str]) -> Reading:
        t = ""
        values: dict[str, Cell] = {}
        for i, text in enumerate(row):
            column = self._columns[i] if i < len(self._columns) else ""
            if column and column == self._time:
                t = text.strip()
            elif name := self._signal(column) if i < len(self._columns) else f"column_{i + 1}":
                values[name] = cell(text)
        if self._format or self._zone:
            return Reading(_moment(t, self._format, self._zone), values)
        return Reading(int(t) if t.isascii() and t.lstrip("-").isdigit() and len(t) < 19 else t, values)

    def _lines(self, now: float) -> Iterator[str]:
        file = self._file
        while file is not None:
            line = file.readline()
            if not line:
                return
            if not line.endswith(b"\n") and not self._stands_still(self._read_to + len(line), now):
                file.seek(self._read_to)
                return
            self._read_to += len(line)
            yield line.decode("utf-8", errors="replace")

    def _stands_still(self, end: int, now: float) -> bool:
        """Whether the file ended here a second ago already."""
        if self._path.suffix in _PACKED:
            return True
        if self._still[0] != end:
            self._still = (end, now)
        return now - self._still[1] >= AT_THE_END_S


def _zone(name: str) -> tzinfo | None:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _moment(text: str, form: str, zone: str) -> str | int:
    """A time as RFC 3339, or as it is where it cannot be read: the platform refuses it by name."""
    try:
        if form == "seconds":
            return round(float(text) * 1000)
        if "%z" in form:
            return datetime.strptime(text, form).astimezone(UTC).isoformat()
        if form:
            return datetime.strptime(text, form).replace(tzinfo=_zone(zone) or UTC).isoformat()
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return text
    return (at if at.tzinfo else at.replace(tzinfo=_zone(zone) or UTC)).isoformat()


def named_columns(text: str) -> dict[str, str]:
    """Signals by column, of `column; column = name`; the last `=` counts, for a column may have one in its name."""
    out = {}
    for part in text.split(";"):
        column, _, name = part.rpartition("=") if "=" in part else (part, "", "")
        if column.strip():
            out[column.strip()] = name.strip() or column.strip()
    return out


def cell(text: str) -> Cell:
    """The value of a cell: a finite number, true or false, None for an empty one, else the text as it stands."""
    text = text.strip()
    if not text:
        return None
    if text in ("true", "True", "false", "False"):
        return text in ("true", "True")
    if not text.isascii() or "_" in text:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return number if isfinite(number) else text
