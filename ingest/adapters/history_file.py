"""History from a file: CSV plain, .gz or .xz, one column a signal, one row a time."""

import csv
import gzip
import hashlib
import io
import lzma
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from contracts.units import Units
from ingest.domain.message import LooseSample, Sample
from ingest.service.history import HistoryRow, Imported, Progress, load_rows
from ingest.service.registry import UnknownDevice, find_device
from plumbing.runtime import Shared

TIME_NAMES = ("time", "t", "timestamp", "datetime", "date", "measured_at")
SEPARATORS = ",;\t|"
_INTEGER = re.compile(r"[+-]?\d+")
_SWITCH = {"true": True, "false": False}


class BadHistoryFile(Exception):
    """A file that cannot be loaded at all: which field of it, its value, the rule."""

    def __init__(self, field: str, value: str, rule: str) -> None:
        super().__init__(f"{field} {value!r}: {rule}")
        self.field, self.value, self.rule = field, value, rule


def import_file(
    shared: Shared,
    path: Path,
    device: str,
    *,
    tenant: str,
    time_column: str | None = None,
    separator: str | None = None,
    progress: Progress | None = None,
    units: Units | None = None,
) -> Imported:
    """Load a file as the history of a device. Rows with faults are named and counted, the others are loaded.

    Parameters
    ----------
    time_column
        Default: a column called time, t, timestamp, datetime, date or measured_at. RFC 3339, ISO 8601 or integer epoch
        milliseconds; without a zone UTC is taken, and the result's notes say so.
    separator
        Default: whichever of , ; tab | the header has most of.
    progress
        Called with (rows done, rows in all).

    Raises
    ------
    BadHistoryFile, UnknownDevice, StoreUnreachable
    """
    found = find_device(shared.database, tenant, device)
    if found is None:
        raise UnknownDevice("name", device, f"tenant {tenant!r} has no device of this name")
    digest, lines = _survey(path)
    source = _Source(path, time_column, separator)
    model = shared.models(found.model)
    known = model.signals if model else {}
    left_out = [name for name in source.names if name not in known and name != source.time_name]
    digest.update(msgspec.json.encode([tenant, device, source.time_name, left_out]))
    if all(name in left_out for name in source.names if name != source.time_name):
        raise BadHistoryFile("columns", ", ".join(left_out), f"none is a signal of {found.model}")
    rows = source.rows(set(left_out))
    out = load_rows(
        shared, tenant, device, digest.hexdigest()[:32], rows, max(lines - 1, 0), progress=progress, units=units
    )
    if left_out:
        out.notes.append(f"left out, no signals of {found.model}: {', '.join(left_out)}")
    if source.zoneless:
        out.notes.append(f"{source.zoneless} times without a zone were taken as UTC")
    return out


def _survey(path: Path) -> tuple["hashlib._Hash", int]:
    """A hash of what is in the file, and its number of lines."""
    digest, lines, last = hashlib.sha256(), 0, b"\n"
    try:
        with _open(path) as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                lines += chunk.count(b"\n")
                last = chunk
    except (OSError, EOFError, lzma.LZMAError) as failure:
        raise BadHistoryFile("file", str(path), f"cannot be read: {failure}") from failure
    return digest, lines + (not last.endswith(b"\n"))


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.suffix == ".xz":
        return cast(BinaryIO, lzma.open(path, "rb"))
    return path.open("rb")


@dataclass
class _Source:
    """One file: its header, then its rows."""

    path: Path
    time_column: str | None
    separator: str | None
    zoneless: int = 0

    def __post_init__(self) -> None:
        with _open(self.path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
            first = text.readline()
        if not first.strip():
            raise BadHistoryFile("file", str(self.path), "has no header")
        if self.separator is None:
            self.separator = max(SEPARATORS, key=first.count)
        self.names = [name.strip() for name in next(csv.reader([first], delimiter=self.separator))]
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise BadHistoryFile("columns", ", ".join(twice), "stand twice in the header")
        self.time_name = self._find_time()

    def _find_time(self) -> str:
        if self.time_column is not None:
            if self.time_column not in self.names:
                raise BadHistoryFile("time column", self.time_column, f"is none of {', '.join(self.names)}")
            return self.time_column
        for wanted in TIME_NAMES:
            for name in self.names:
                if name.lower() == wanted:
                    return name
        raise BadHistoryFile("time column", "", f"say which one it is of {', '.join(self.names)}")

    def rows(self, left_out: set[str]) -> Iterator[HistoryRow]:
        """All rows below the header, empty lines left out."""
        place = self.names.index(self.time_name)
        chosen = [i for i, name in enumerate(self.names) if i != place and name not in left_out]
        names = [self.names[i] for i in chosen]
        width = len(self.names)
        with _open(self.path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
            reader = csv.reader(text, delimiter=self.separator or ",")
            next(reader)
            for cells in _survive(reader):
                if not cells:
                    continue
                if len(cells) != width:
                    yield HistoryRow(reader.line_num, None, LooseSample(None, None, False))
                    continue
                yield self._row(reader.line_num, cells[place].strip(), [cells[i] for i in chosen], names)

    def _row(self, line: int, time: str, cells: Sequence[str], names: Sequence[str]) -> HistoryRow:
        t = self._time(time)
        try:
            values = [float(cell) if cell else None for cell in cells]
            total = sum(x for x in values if x is not None)
            plain = total - total == 0 and not any("_" in cell for cell in cells)
        except ValueError:
            plain = False
        if plain and t is not None and not isinstance(t, str):
            return HistoryRow(line, Sample(dict(zip(names, values, strict=True)), t))
        loose = dict(zip(names, map(_cell, cells), strict=True))
        return HistoryRow(line, None, LooseSample(loose, t if t is not None else ""))

    def _time(self, text: str) -> datetime | int | str:
        """A time; the text itself where it is none."""
        if _INTEGER.fullmatch(text) and len(text) <= 20:
            return int(text)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return text
        if at.tzinfo is None:
            self.zoneless += 1
            return at.replace(tzinfo=UTC)
        return at


def _cell(text: str) -> object:
    """A cell as JSON would have it."""
    text = text.strip()
    if not text:
        return None
    if text.lower() in _SWITCH:
        return _SWITCH[text.lower()]
    try:
        return text if "_" in text else float(text)
    except ValueError:
        return text


def _survive(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Rows; one that the reader cannot read is a row of the wrong width."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield ["", "unreadable"] * 1000
