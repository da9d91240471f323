"""Devices by the hundred: a CSV file of which every row is good, or nothing is registered at all."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from contracts.asset_model import AssetModel
from ingest.domain.rights import account_of
from ingest.service.registry import (
    DuplicateDevice,
    NewDevice,
    RegistryFault,
    check_free,
    check_new,
    fresh_secret,
    insert_device,
)
from plumbing.sql import Database, lock

NEEDED = ("name", "model")
KNOWN = ("name", "model", "username")
MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong in one row: `line` as an editor counts, from 1."""

    line: int
    field: str
    value: str
    rule: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field} {self.value!r}: {self.rule}"


class BadRoster(Exception):
    """Nothing was registered; `faults` names everything that is wrong."""

    def __init__(self, faults: list[RowFault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Row:
    """A device to register."""

    line: int
    name: str
    model: str
    username: str | None


def read_roster(text: str) -> list[Row]:
    """The rows of a CSV file with a header: `name,model` and, if wanted, `username`. Raises BadRoster."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    faults: list[RowFault] = []
    rows: list[Row] = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        faults += [RowFault(1, name, "", "this column is missing") for name in NEEDED if name not in header]
        faults += [RowFault(1, n, n, f"no such column; known: {', '.join(KNOWN)}") for n in header if n not in KNOWN]
        faults += [RowFault(1, n, n, "this column is there twice") for n in KNOWN if header.count(n) > 1]
        if faults:
            raise BadRoster(faults)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                rule = f"has {len(cells)} cells, the header has {len(header)}"
                faults.append(RowFault(reader.line_num, "row", ",".join(cells)[:200], rule))
                continue
            given = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            rows.append(Row(reader.line_num, given["name"], given["model"], given.get("username") or None))
            if len(rows) > MAX_ROWS:
                raise BadRoster([RowFault(reader.line_num, "row", "", f"a file may hold {MAX_ROWS} devices")])
    except csv.Error as problem:
        faults.append(RowFault(reader.line_num, "row", "", f"cannot be read: {problem}"))
    if not rows and not faults:
        faults.append(RowFault(1, "file", "", "names no device"))
    if faults:
        raise BadRoster(faults)
    return rows


def add_devices(
    database: Database,
    tenant: str,
    rows: list[Row],
    *,
    now: datetime,
    models: Callable[[str], AssetModel | None],
    actor: str = "command line",
) -> list[NewDevice]:
    """Register all of them in one transaction, or none. Raises BadRoster, which names every faulty row."""
    faults: list[RowFault] = []
    users: dict[str, int] = {}
    names: dict[str, int] = {}
    for row in rows:
        try:
            user = check_new(tenant, row.name, row.model, row.username, models)
        except RegistryFault as fault:
            faults.append(RowFault(row.line, fault.field, fault.value, fault.rule))
            user = row.username or account_of(tenant, row.name)
        for what, seen, value in (("name", names, row.name), ("username", users, user)):
            if value in seen:
                faults.append(RowFault(row.line, what, value, f"line {seen[value]} has it already"))
                break
            seen[value] = row.line
    made: list[tuple[Row, NewDevice, str]] = []
    for row in rows:
        secret, kept = fresh_secret()
        made.append((row, NewDevice(tenant, row.name, row.username or account_of(tenant, row.name), secret), kept))
    with database.write() as connection:
        lock(connection, "ingest:registry")
        for row, new, _ in made:
            try:
                check_free(connection, tenant, row.name, new.username)
            except DuplicateDevice as fault:
                faults.append(RowFault(row.line, fault.field, fault.value, fault.rule))
        if faults:
            raise BadRoster(sorted(faults, key=lambda fault: fault.line))
        for row, new, kept in made:
            insert_device(connection, tenant, row.name, row.model, new.username, kept, now, actor)
    return [new for _, new, _ in made]
