"""`forewarn base import|export`."""

import argparse
import csv
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from forewarn.commands.devices import bar, find_database, open_home
from forewarn.environment import Failed, WrongUse
from plumbing.model_files import ModelFiles
from plumbing.runtime import Shared
from plumbing.stores.absent import NoStore
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from work_orders.adapters.sheets import BadSheet, sheets_in
from work_orders.domain.base_fields import FIELDS, Sheet, matched, table_of
from work_orders.domain.cells import calm
from work_orders.domain.machine import Actor, Role
from work_orders.queries.installed import TABLES, base_table
from work_orders.service.base_import import take_base
from work_orders.service.base_plan import Taken

WHO = Actor("command line", Role.ADMIN)
SHOWN = 50


def import_(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Take tables in. Exit code 1 where a row has a fault; then nothing was written."""
    sheets = [sheet for file in given.files for sheet in _sheets(file, given.table, _meant(given.map), given.json)]
    home, database = open_home(environ)
    system = SystemClock()
    shared = Shared(home, database, system, TenantClocks(database, system), NoStore(), ModelFiles(home))
    try:
        done = take_base(
            shared, given.tenant, sheets, WHO, dry_run=given.dry_run, progress=_silent if given.json else bar
        )
    finally:
        database.close()
    if given.json:
        print(json.dumps(asdict(done)))
    else:
        _say(done)
    return 1 if done.faults else 0


def export(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Write the tables."""
    database = find_database(environ)
    try:
        with database.read() as connection:
            told = {name: base_table(connection, given.tenant, name) for name in TABLES}
    finally:
        database.close()
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        for name, rows in told.items():
            if not rows:  # a table without rows cannot be read back
                continue
            path = given.out / f"{name}.{given.format}"
            with path.open("w", encoding="utf-8", newline="") as file:
                if given.format == "json":
                    json.dump(rows, file, ensure_ascii=False, indent=1)
                else:
                    writer = csv.DictWriter(file, [f.name for f in FIELDS[name]])
                    writer.writeheader()
                    writer.writerows({k: calm(v) if isinstance(v, str) else v for k, v in r.items()} for r in rows)
    except OSError as failure:
        raise Failed(f"out: {given.out} cannot be written: {failure.strerror}") from failure
    counts = {name: len(rows) for name, rows in told.items()}
    print(
        json.dumps(counts) if given.json else f"{given.out}: {', '.join(f'{n} {name}' for name, n in counts.items())}"
    )
    return 0


def _sheets(file: Path, table: str | None, meant: Mapping[str, str], quiet: bool) -> list[Sheet]:
    """The tables of a file, said as they are understood."""
    try:
        found = sheets_in(file.name, file.read_bytes())
    except OSError as failure:
        raise WrongUse(f"file: {str(file)!r} cannot be read: {failure.strerror}") from failure
    except BadSheet as bad:
        raise Failed(f"{bad}.") from bad
    out = []
    for read in found:
        kind = table or table_of(read.name, read.headers)
        if not kind:
            raise WrongUse(
                f"{file.name}: it cannot be told whether {read.name!r} holds {', '.join(TABLES)}; say so: --as TABLE"
            )
        for header, field in meant.items():
            if header not in read.headers:
                raise WrongUse(f"map: {file.name} has no header {header!r}. It has: {', '.join(read.headers)}")
            if field and field not in {f.name for f in FIELDS[kind]}:
                raise WrongUse(f"map: {kind} have no field {field!r}: {', '.join(f.name for f in FIELDS[kind])}")
        understood = matched(kind, read.headers, meant)
        if not quiet:
            left = [h for h in read.headers if h and h not in understood]
            pairs = ", ".join(h if plainly(h, f) else f"{h} = {f}" for h, f in understood.items())
            out_of = f"; left out: {', '.join(left)}" if left else ""
            print(
                f"{read.name}: {kind}, {len(read.cells)} rows; {pairs or 'no header is known'}{out_of}", file=sys.stderr
            )
        out.append(Sheet(kind, read.headers, read.cells, dict(meant)))
    return out


def plainly(header: str, field: str) -> bool:
    """Whether a header says a field's very name."""
    return header.strip().casefold().replace(" ", "_") == field


def _silent(done: int, total: int) -> None:
    """A program reads what comes of it."""


def _meant(words: list[str]) -> dict[str, str]:
    out = {}
    for word in words:
        header, equal, field = word.rpartition("=")
        if not equal or not header:
            raise WrongUse(f"map: {word!r} must be HEADER=FIELD, such as 'Our number=id'")
        out[header] = field
    return out


def _say(done: Taken) -> None:
    for fault in done.faults[:SHOWN]:
        value = f" {fault.value!r}" if fault.value else ""
        print(f"{fault.table} row {fault.row}, {fault.field}{value}: must be {fault.rule}", file=sys.stderr)
    if len(done.faults) > SHOWN:
        print(f"and {len(done.faults) - SHOWN} more", file=sys.stderr)
    counts = ((done.added, "new"), (done.changed, "changed"), (done.same, "as they were"))
    told = [f"{n} {table} {words}" for by_table, words in counts for table, n in by_table.items()]
    what = "done" if done.written else "nothing was written"
    print(f"{what}: {', '.join(told) or 'no rows'}" if not done.faults else f"{what}: {len(done.faults)} faults")
