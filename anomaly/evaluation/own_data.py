"""Somebody's own past: readings, failures and work from their files; every fault names file, line, column and rule."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from anomaly.adapters.table import LABELS, BadTable, numbers_of, parsed_times, read_cells, times_as_written
from anomaly.domain.history import Times
from anomaly.domain.layout import Array
from anomaly.evaluation.files import ENDINGS, BadData, plain_name
from anomaly.evaluation.own_mapping import (
    ASSET,
    SKIP,
    TIME,
    Columns,
    Mapping,
    SignalColumn,
    guess_columns,
    guess_signal,
    named,
)
from contracts.names import NAME_RULE, is_name

WHOLE, SYMPTOM = "machine", "symptom"
"""The component where no column names one."""
PREVIEW_ROWS, COUNTING_ROWS = 200, 1000
COUNTS = 0.98
"""Share of rising steps of a column that only counts; it begins anew with each machine of a file."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A CSV file: its header, and each row's line and cells."""

    path: Path
    header: list[str]
    lines: list[int]
    rows: list[list[str]]

    def column(self, name: str) -> list[str]:
        """The cells of a column. Raises BadData."""
        if name not in self.header:
            there = ", ".join(h for h in self.header if h)
            raise BadData(f"{self.path}:1: column {name!r} is missing; there: {there}")
        at = self.header.index(name)
        return [cells[at].strip() for cells in self.rows]


@dataclass(frozen=True, slots=True)
class Machine:
    """Readings of one machine in time order; columns as the mapping's used signals, NaN = no reading."""

    asset: str
    at_us: Times
    values: Array


@dataclass(frozen=True, slots=True)
class Happened:
    """A failure or a piece of work."""

    asset: str
    at_us: int
    component: str
    hours: float | None


@dataclass(frozen=True, slots=True)
class Given:
    """The files of somebody's own past."""

    telemetry: list[Sheet]
    failures: Sheet
    work: Sheet | None = None
    errors: Sheet | None = None

    @property
    def paths(self) -> list[Path]:
        """All files."""
        events = (self.failures, self.work, self.errors)
        return [*(s.path for s in self.telemetry), *(s.path for s in events if s is not None)]


@dataclass(frozen=True)
class OwnData:
    """All that was given."""

    mapping: Mapping
    machines: list[Machine]
    failures: list[Happened]
    work: list[Happened]
    files: list[Path]
    notices: list[str]
    errors: list[Happened] = field(default_factory=list)
    """A log of events; `component` is the code."""
    time_format: str = ""
    """How times of readings are written, see `times_as_written`."""
    zoned: bool = True
    """Whether they say their zone, or need none."""


def sheet(path: Path, tell: Callable[[str], None] = lambda line: None) -> Sheet:
    """Read a CSV file, plain, .gz or .xz. Raises BadData."""
    try:
        lines, rows = read_cells(path, "auto", tell)
    except BadTable as bad:
        raise BadData(str(bad)) from bad
    header = [cell.strip() for cell in rows[0]]
    for line, cells in zip(lines[1:], rows[1:], strict=True):
        if len(cells) != len(header):
            raise BadData(f"{path}:{line}: has {len(cells)} cells, the header {len(header)}")
    return Sheet(path, header, lines[1:], rows[1:])


def telemetry_files(given: Path) -> list[Path]:
    """The file, or every CSV file of the folder. Raises BadData."""
    if given.is_dir():
        found = sorted(p for p in given.iterdir() if p.is_file() and plain_name(p).lower().endswith(".csv"))
        if not found:
            raise BadData(f"{given}: holds no file that ends in {', '.join('.csv' + e for e in ENDINGS)}")
        return found
    if not given.is_file():
        raise BadData(f"{given}: must be a file or a folder that can be read")
    return [given]


def guess_mapping(given: Given) -> Mapping:
    """What the columns seem to mean. Raises BadData."""
    first = given.telemetry[0]
    time = named(first.header, TIME)
    if not time:
        there = ", ".join(first.header)
        raise BadData(f"{first.path}:1: no column is named like a time; rename it in the file; there: {there}")
    asset = named([h for h in first.header if h != time], ASSET)
    many = bool(asset) or len(given.telemetry) > 1
    columns = [h for h in first.header if h and h not in (time, asset) and _is_numeric(first, h)]
    signals = [_weighed(first, guess_signal(h)) for h in columns]
    if not any(s.role != SKIP for s in signals):
        raise BadData(f"{first.path}:1: no column beside {time!r} holds numbers; one column a signal is needed")
    failures = guess_columns(given.failures.path, given.failures.header, many)
    return with_events(given, Mapping(time, asset, _distinct(signals), failures))


def with_events(given: Given, mapping: Mapping) -> Mapping:
    """The mapping, with what the columns of work and events seem to mean where it does not say. Raises BadData."""
    many, work, errors = bool(mapping.asset) or len(given.telemetry) > 1, given.work, given.errors
    if work is not None and mapping.work is None:
        mapping = replace(mapping, work=guess_columns(work.path, work.header, many))
    if errors is not None and mapping.errors is None:
        mapping = replace(mapping, errors=guess_columns(errors.path, errors.header, many, codes=True))
    return mapping


def _is_numeric(of: Sheet, name: str) -> bool:
    cells = of.column(name)[:PREVIEW_ROWS]
    known = [c for c in cells if c]
    return not known or sum(_number(c) for c in known) > len(known) / 2


def _weighed(of: Sheet, guessed: SignalColumn) -> SignalColumn:
    """A column that only counts, never changes or holds the answer is left out."""
    values = [float(c) for c in of.column(guessed.column) if _number(c)]
    steps = np.diff(np.array(values[:COUNTING_ROWS]))
    counts = len(steps) > 2 and float((steps > 0).mean()) > COUNTS
    same = len(values) > 1 and min(values) == max(values)
    if counts or same or guessed.column.lower() in LABELS:
        return replace(guessed, role=SKIP)
    return guessed


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _distinct(signals: Sequence[SignalColumn]) -> tuple[SignalColumn, ...]:
    out: list[SignalColumn] = []
    for s in signals:
        name, n = s.name, 2
        while name in {o.name for o in out}:
            name, n = f"{s.name[:60]}_{n}", n + 1
        out.append(SignalColumn(s.column, name, s.unit, s.role))
    return tuple(out)


def read_own(given: Given, mapping: Mapping) -> OwnData:
    """Everything by what its columns mean. Raises BadData."""
    sheets, failures, work = given.telemetry, given.failures, given.work
    if not any(s.role == SYMPTOM for s in mapping.used):
        raise BadData(f"{sheets[0].path}: at least one column must be a {SYMPTOM}; say which one in the mapping file")
    machines = _machines(sheets, mapping)
    known = {m.asset for m in machines}
    only = machines[0].asset if len(machines) == 1 else ""
    failed = _happened(failures, mapping.failures, only)
    worked = _happened(work, mapping.work, only) if work is not None and mapping.work is not None else []
    logged = _happened(given.errors, mapping.errors, only) if given.errors and mapping.errors is not None else []
    notices = []
    for what, rows in (("failures", failed), ("pieces of work", worked), ("events", logged)):
        lost = sorted({r.asset for r in rows} - known)
        if lost:
            count = sum(r.asset in lost for r in rows)
            notices.append(f"{count} {what} are of machines without telemetry and left out: {', '.join(lost[:5])}")
    mine = ([h for h in rows if h.asset in known] for rows in (failed, worked, logged))
    failed, worked, logged = mine
    cells = sheets[0].column(mapping.time)
    form = times_as_written(sheets[0].path, mapping.time, cells, sheets[0].lines)[1]
    zoned = form == "seconds" or _number(cells[0]) or (not form and datetime.fromisoformat(cells[0]).tzinfo is not None)
    return OwnData(mapping, machines, failed, worked, given.paths, notices, logged, form, zoned)


def _machines(sheets: Sequence[Sheet], mapping: Mapping) -> list[Machine]:
    pieces: dict[str, list[tuple[Times, Array]]] = {}
    for one in sheets:
        if not one.rows:
            raise BadData(f"{one.path}: holds no rows, only the header")
        at = _times(one, mapping.time)
        values = np.column_stack([_numbers(one, s.column) for s in mapping.used])
        if mapping.asset:
            names = one.column(mapping.asset)
            empty = next((i for i, name in enumerate(names) if not name), None)
            if empty is not None:
                raise BadData(f"{one.path}:{one.lines[empty]}: column {mapping.asset!r}: must not be empty")
        else:
            names = [plain_name(one.path).rsplit(".", 1)[0]] * len(at)
        assets = np.array(names)
        for asset in np.unique(assets).tolist():
            if not is_name(asset):
                raise BadData(f"{one.path}: the machine {asset!r} must be {NAME_RULE}")
            own = assets == asset
            pieces.setdefault(asset, []).append((at[own], values[own]))
    out = []
    for asset in sorted(pieces, key=_in_order):
        at = np.concatenate([p[0] for p in pieces[asset]])
        values = np.concatenate([p[1] for p in pieces[asset]])
        order = np.argsort(at, kind="stable")
        at, values = at[order], values[order]
        last = np.append(np.diff(at) > 0, True)
        out.append(Machine(asset, at[last], values[last]))
    return out


def _in_order(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdigit() else (1, 0, name)


def _happened(of: Sheet, columns: Columns, only: str) -> list[Happened]:
    if not of.rows:
        return []
    at = _times(of, columns.time)
    if columns.asset:
        assets = of.column(columns.asset)
    elif only:
        assets = [only] * len(at)
    else:
        raise BadData(f"{of.path}:1: a column must name the machine, for there are several; name it in a mapping file")
    components = of.column(columns.component) if columns.component else [WHOLE] * len(at)
    hours = _numbers(of, columns.hours) if columns.hours else np.full(len(at), np.nan)
    out = [
        Happened(asset, t, component or WHOLE, h if np.isfinite(h) else None)
        for asset, t, component, h in zip(assets, at.tolist(), components, hours.tolist(), strict=True)
    ]
    return sorted(out, key=lambda h: (h.at_us, h.asset, h.component))


def _times(of: Sheet, column: str) -> Times:
    cells = of.column(column)
    for cell, line in zip(cells, of.lines, strict=True):
        if not cell:
            raise BadData(f"{of.path}:{line}: column {column!r}: must be a time; every row needs one")
    try:
        return parsed_times(of.path, column, cells, of.lines)
    except BadTable as bad:
        raise BadData(str(bad)) from bad


def _numbers(of: Sheet, column: str) -> Array:
    try:
        return numbers_of(of.path, column, of.column(column), of.lines)
    except BadTable as bad:
        raise BadData(str(bad).replace(" (--exclude leaves a column out)", "; role: leave out skips a column")) from bad
