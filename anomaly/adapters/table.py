"""Reads anybody's table of measurements: plain, .gz or .xz; every fault names file, line, column, value and rule."""

import csv
import gzip
import lzma
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

SEPARATORS = ",;\t|"
MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
SWITCH = {"true": 1.0, "false": 0.0}
LABELS = ("anomaly", "changepoint", "label", "target")
"""Columns that hold the answer; a detector must not see them."""
PROGRESS_ROWS = 100_000
FORMATS = (
    "%Y.%m.%d.%H.%M.%S", "%Y.%m.%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p", "%d-%m-%Y %H:%M:%S", "%Y%m%d%H%M%S",
)  # fmt: skip
"""Written times beside ISO 8601; the first that fits every row and runs forward is meant."""
EPOCHS = ((1e17, 1e-3), (1e14, 1.0), (1e11, 1e3), (-math.inf, 1e6))
"""A number above this is a time in ns, us or ms since 1970; any other counts seconds. With microseconds in one."""
LATEST_US = 9e18


class BadTable(Exception):
    """The file cannot be used; the text says where and why."""


class WrongColumn(BadTable):
    """A column was asked for that the file does not have."""


@dataclass(frozen=True)
class Table:
    """Rows in the order of the file, with strictly growing times."""

    name: str
    times: list[str]
    """As written in the file."""
    t_us: NDArray[np.int64]
    signals: tuple[str, ...]
    values: NDArray[np.float64]
    """(rows, signals), NaN where there is no reading."""
    notices: tuple[str, ...]
    """What was left out or moved, in words."""

    def __len__(self) -> int:
        return len(self.times)


def read_table(
    path: Path,
    time: str,
    *,
    signals: Sequence[str] = (),
    exclude: Sequence[str] = (),
    separator: str = "auto",
    tell: Callable[[str], None] = lambda line: None,
) -> Table:
    """The table in a CSV file.

    Parameters
    ----------
    path : Path
        `.csv`, or the same compressed as `.gz` or `.xz`.
    time : str
        Column of the time: ISO 8601 or another common way to write it, or a number that grows.
    signals, exclude : Sequence[str]
        Take these columns only; or all but these. Columns named in `LABELS` are only taken where `signals` names them.
    separator : str
        The character between cells; `auto` finds it.
    tell : Callable
        Is told about the progress of long files.

    Raises
    ------
    BadTable
    """
    lines, rows = read_cells(path, separator, tell)
    header = [cell.strip() for cell in rows[0]]
    _check_header(path, header)
    columns, notices = _choose(path, header, time, signals, exclude)
    body, where = rows[1:], lines[1:]
    if not body:
        raise BadTable(f"{path}: holds no rows, only the header")
    for cells, line in zip(body, where, strict=True):
        if len(cells) != len(header):
            raise BadTable(f"{path}:{line}: has {len(cells)} cells, the header {len(header)}")
    at = header.index(time)
    times = [cells[at].strip() for cells in body]
    t_us, moved = _times(path, time, times, where)
    if moved:
        notices.append(f"{moved} rows repeat the time of the row before; they are taken in the order of the file")
    values = np.column_stack([numbers_of(path, header[j], [cells[j] for cells in body], where) for j in columns])
    names = tuple(header[j] for j in columns)
    return Table(path.name, times, t_us, names, values, tuple(notices))


def read_cells(path: Path, separator: str, tell: Callable[[str], None]) -> tuple[list[int], list[list[str]]]:
    """Line and cells of each row that is not empty, the header first. Raises BadTable."""
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        with _open(path) as file:
            first = next((line for line in file if line.strip()), None)
            if first is None:
                raise BadTable(f"{path}: the file is empty")
            between = _separator(path, first, separator)
            file.seek(0)
            reader = csv.reader(file, delimiter=between, strict=True)
            for cells in _filled(reader):
                lines.append(reader.line_num)
                rows.append(cells)
                if len(rows) % PROGRESS_ROWS == 0:
                    tell(f"read {len(rows):,} rows")
    except UnicodeDecodeError as problem:
        raise BadTable(f"{path}: is no UTF-8 text at byte {problem.start}") from problem
    except csv.Error as problem:
        raise BadTable(f"{path}:{(lines or [0])[-1] + 1}: is no CSV: {problem}") from problem
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile) as problem:
        raise BadTable(f"{path}: cannot be unpacked: {problem}") from problem
    except OSError as problem:
        raise BadTable(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    return lines, rows


def _filled(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    return (cells for cells in rows if cells and (len(cells) > 1 or cells[0].strip()))


def _open(path: Path) -> TextIO:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8-sig", newline="")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _separator(path: Path, header: str, given: str) -> str:
    given = {"tab": "\t", "\\t": "\t"}.get(given, given)
    if given != "auto":
        if len(given) != 1:
            raise BadTable(f"{path}: the separator must be one character, not {given!r}")
        return given
    best = max(SEPARATORS, key=header.count)
    if header.count(best) == 0:
        raise BadTable(f"{path}:1: no separator found in {header.strip()[:60]!r}; give one")
    return best


def _check_header(path: Path, header: list[str]) -> None:
    seen: set[str] = set()
    for name in header:
        if name and name in seen:
            raise BadTable(f"{path}:1: column {name!r} is there twice")
        seen.add(name)


def _choose(
    path: Path, header: list[str], time: str, signals: Sequence[str], exclude: Sequence[str]
) -> tuple[list[int], list[str]]:
    notices: list[str] = []
    for name in (time, *signals, *exclude):
        if name not in header:
            raise WrongColumn(f"{path}:1: column {name!r} is missing; there: {', '.join(h for h in header if h)}")
    if signals:
        chosen = [header.index(name) for name in dict.fromkeys(signals) if name != time]
        wrong = [header[j] for j in chosen if header[j].lower() in LABELS]
        if wrong:
            notices.append(f"{', '.join(wrong)} taken as asked, though the name says that it holds the answer")
    else:
        chosen = [j for j, name in enumerate(header) if name and name != time and name not in exclude]
        left_out = [header[j] for j in chosen if header[j].lower() in LABELS]
        chosen = [j for j in chosen if header[j] not in left_out]
        if left_out:
            notices.append(f"left out: {', '.join(left_out)} (a label, not a measurement)")
    if not chosen:
        raise BadTable(f"{path}:1: no column is left to look at beside {time!r}")
    return chosen, notices


def numbers_of(path: Path, column: str, cells: list[str], lines: list[int]) -> NDArray[np.float64]:
    """A column's numbers; NaN where it has none. Raises BadTable."""
    try:
        out = np.array(cells, dtype=np.float64)
    except ValueError:
        out = np.array([_number(path, column, c, n) for c, n in zip(cells, lines, strict=True)], dtype=np.float64)
    endless = np.flatnonzero(np.isinf(out))
    if len(endless):
        i = int(endless[0])
        raise BadTable(f"{path}:{lines[i]}: column {column!r}: {cells[i].strip()!r} must be a finite number")
    return out


def _number(path: Path, column: str, cell: str, line: int) -> float:
    text = cell.strip()
    if text.lower() in MISSING:
        return math.nan
    try:
        return SWITCH[text.lower()] if text.lower() in SWITCH else float(text)
    except ValueError as problem:
        hint = "; a number has a decimal point, not a comma" if "," in text else ""
        said = f"{path}:{line}: column {column!r}: {text[:60]!r} must be a number or empty{hint}"
        raise BadTable(f"{said} (--exclude leaves a column out)") from problem


def _times(path: Path, column: str, cells: list[str], lines: list[int]) -> tuple[NDArray[np.int64], int]:
    for cell, line in zip(cells, lines, strict=True):
        if cell.lower() in MISSING:
            raise BadTable(f"{path}:{line}: column {column!r}: {cell!r} must be a time; every row needs one")
    t_us = parsed_times(path, column, cells, lines)
    step = np.diff(t_us)
    back = np.flatnonzero(step < 0)
    if len(back):
        i = int(back[0]) + 1
        raise BadTable(
            f"{path}:{lines[i]}: column {column!r}: {cells[i]!r} lies before {cells[i - 1]!r} in the row above; "
            "times must not run backwards (sort the file)"
        )
    repeated = int(np.count_nonzero(step == 0))
    if repeated == len(t_us) - 1 and repeated:
        raise BadTable(f"{path}:{lines[0]}: column {column!r}: {cells[0]!r} stands in every row; times must grow")
    if repeated:
        steps = np.arange(len(t_us), dtype=np.int64)
        t_us = np.maximum.accumulate(t_us - steps) + steps
    return t_us, repeated


def parsed_times(path: Path, column: str, cells: list[str], lines: list[int]) -> NDArray[np.int64]:
    """A column's times in microseconds since 1970, in whatever way they are written. Raises BadTable."""
    return times_as_written(path, column, cells, lines)[0]


def times_as_written(path: Path, column: str, cells: list[str], lines: list[int]) -> tuple[NDArray[np.int64], str]:
    """The same, and how they are written: a pattern of `strptime`, `seconds`, or nothing for ISO 8601 and other
    numbers. Raises BadTable."""
    try:
        numbers = np.array(cells, dtype=np.float64)
    except ValueError:
        numbers = None
    if numbers is not None and not (len(cells[0]) == 14 and cells[0].isdigit()):
        factor = next(f for low, f in EPOCHS if abs(float(np.nanmax(numbers))) > low)
        wrong = np.flatnonzero(~(np.abs(numbers * factor) < LATEST_US))
        if len(wrong):
            i = int(wrong[0])
            raise BadTable(f"{path}:{lines[i]}: column {column!r}: {cells[i]!r} must be a time")
        return np.round(numbers * factor).astype(np.int64), "seconds" if factor == EPOCHS[-1][1] else ""
    furthest, fits = 0, None
    for form in ("", *FORMATS):
        read = _written(form) if form else _iso
        out = np.empty(len(cells), dtype=np.int64)
        done = 0
        for done, cell in enumerate(cells):
            try:
                out[done] = read(cell)
            except ValueError:
                break
        else:
            if len(out) < 2 or (np.diff(out) >= 0).all():
                return out, form
            fits = (out, form) if fits is None else fits
        furthest = max(furthest, done)
    if fits is not None:
        return fits
    shown, line = cells[furthest][:60], lines[furthest]
    rule = "must be a time, e.g. 2026-03-01 14:30:00, or a number that grows"
    raise BadTable(f"{path}:{line}: column {column!r}: {shown!r} {rule}")


def _us(at: datetime) -> int:
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def _iso(cell: str) -> int:
    return _us(datetime.fromisoformat(cell))


def _written(form: str) -> Callable[[str], int]:
    return lambda cell: _us(datetime.strptime(cell, form).replace(tzinfo=UTC))
