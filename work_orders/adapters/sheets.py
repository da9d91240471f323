"""Reads tables out of files: CSV and TSV in any usual encoding, JSON, Excel and OpenDocument spreadsheets.

A spreadsheet of a few kilobytes can stand for gigabytes of cells: a server reads it `apart`, in a child process that
may take so much memory and time and no more. `python -m work_orders.adapters.sheets` is the child.
"""

import csv
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import msgspec

from work_orders.domain.cells import plain

MOST_BYTES = 20_000_000
MOST_ROWS = 200_000
MOST_COLUMNS = 1000
MOST_CELLS = 5_000_000
MOST_UNPACKED = 400_000_000
CHILD_BYTES, CHILD_SECONDS, WAIT_SECONDS = 1_500_000_000, 30, 90.0
"""Memory and time of the child, and how long it is waited for when others keep the machine busy."""
_BOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_CALM = "cannot be read as"


class BadSheet(Exception):
    """The file holds no table that can be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Read:
    """A table of a file: the name of its sheet (or file), headers, cells as texts."""

    name: str
    headers: tuple[str, ...]
    cells: list[list[str]]


def sheets_in(name: str, data: bytes) -> list[Read]:
    """The tables of a file; its name says what kind it is. Raises BadSheet."""
    if len(data) > MOST_BYTES:
        raise BadSheet(f"{name} is larger than {MOST_BYTES // 1_000_000} MB")
    kind, stem = PurePath(name).suffix.lower(), PurePath(name).stem
    if kind in _BOOKS:
        found = _book(name, data)
    elif kind == ".json":
        found = _objects(name, stem, data)
    else:
        found = [_lines(name, stem, data)]
    full = [sheet for sheet in found if sheet.cells]
    if not full:
        raise BadSheet(f"{name} holds no rows below a header")
    if any(len(sheet.cells) > MOST_ROWS for sheet in full):
        raise BadSheet(f"{name} has more than {MOST_ROWS} rows; divide it")
    if sum(len(row) for sheet in full for row in sheet.cells) > MOST_CELLS:
        raise _too_many(name)
    return full


def apart(name: str, data: bytes) -> list[Read]:
    """The same, a spreadsheet in a child process. Raises BadSheet."""
    if PurePath(name).suffix.lower() not in _BOOKS or len(data) > MOST_BYTES:
        return sheets_in(name, data)
    too_much = f"{name} takes more memory or time than a table needs; keep only the cells with texts, or save it as CSV"
    command = [sys.executable, "-m", "work_orders.adapters.sheets", name]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=WAIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BadSheet(too_much) from None
    if done.returncode:
        raise BadSheet(too_much)
    said = msgspec.msgpack.decode(done.stdout, type=list[Read] | str)
    if isinstance(said, str):
        raise BadSheet(said)
    return said


def _count(name: str, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """The rows, as far as there are not too many cells."""
    cells = 0
    for row in rows:
        cells += len(row)
        if cells > MOST_CELLS:
            raise _too_many(name)
        yield row


def _too_many(name: str) -> BadSheet:
    return BadSheet(f"{name} has more than {MOST_CELLS:,} cells; divide it")


def _lines(name: str, stem: str, data: bytes) -> Read:
    text = _text(name, data)
    sample = text[:20_000]
    try:
        dialect: Any = csv.Sniffer().sniff(sample.partition("\n")[0] or sample, delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        given = csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter, strict=True)
        rows = [list(row) for row in _count(name, given)]
    except csv.Error as bad:
        raise BadSheet(f"{name} {_CALM} CSV: {bad}") from None
    return _table(stem, rows)


def _text(name: str, data: bytes) -> str:
    """UTF-8 with or without a mark, UTF-16 with one, else what Windows writes in Western Europe."""
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in data:
            raise BadSheet(f"{name} {_CALM} text; it may be a spreadsheet with another ending") from None
        return data.decode("cp1252", errors="replace")


def _objects(name: str, stem: str, data: bytes) -> list[Read]:
    try:
        told = json.loads(_text(name, data))
    except (ValueError, RecursionError) as bad:
        raise BadSheet(f"{name} {_CALM} JSON: {bad}") from None
    tables = told if isinstance(told, dict) else {stem: told}
    out, cells = list[Read](), 0
    for title, rows in tables.items():
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadSheet(f"{name}: {title!r} must be a list of objects")
        headers = list(dict.fromkeys(key for row in rows for key in row))
        if len(headers) > MOST_COLUMNS:
            raise BadSheet(f"{name}: {title!r} has more than {MOST_COLUMNS} columns")
        cells += len(headers) * len(rows)
        if cells > MOST_CELLS:  # one row with many names makes as many cells of each
            raise _too_many(name)
        out.append(Read(str(title), tuple(headers), [[_cell(row.get(h)) for h in headers] for row in rows]))
    return out


def _book(name: str, data: bytes) -> list[Read]:
    from python_calamine import CalamineError, CalamineWorkbook

    if zipfile.is_zipfile(io.BytesIO(data)):
        try:
            unpacked = sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(data)).infolist())
        except zipfile.BadZipFile as bad:
            raise BadSheet(f"{name} {_CALM} a spreadsheet: {bad}") from None
        if unpacked > MOST_UNPACKED:
            raise BadSheet(f"{name} unpacks to more than {MOST_UNPACKED // 1_000_000} MB")
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        return [
            _table(title, [[_cell(c) for c in row] for row in _count(name, book.get_sheet_by_name(title).to_python())])
            for title in book.sheet_names
        ]
    except (CalamineError, OSError, ValueError) as bad:
        raise BadSheet(f"{name} {_CALM} a spreadsheet: {bad}") from None


def _table(name: str, rows: list[list[str]]) -> Read:
    """The first row with a text is the header; rows above it, often a title, are kept as empty ones for the count."""
    first = next((n for n, row in enumerate(rows) if sum(bool(c.strip()) for c in row) > 1), 0)
    headers = tuple(c.strip() for c in rows[first]) if rows else ()
    return Read(name, headers, [[] for _ in range(first)] + [[plain(c) for c in row] for row in rows[first + 1 :]])


def _cell(value: Any) -> str:
    """A cell as a person reads it: 7.0 is 7, a list is divided by commas."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case list():
            return ", ".join(_cell(v) for v in value)
        case _:
            return str(value)


def main() -> int:
    """The child."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (CHILD_BYTES, CHILD_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CHILD_SECONDS, CHILD_SECONDS))
    said: list[Read] | str
    try:
        said = sheets_in(sys.argv[1], sys.stdin.buffer.read())
    except BadSheet as bad:
        said = str(bad)
    sys.stdout.buffer.write(msgspec.msgpack.encode(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
