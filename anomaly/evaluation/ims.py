"""`forewarn evaluate ims`: bearings run until one fails; each column alone, by the code of `forewarn detect`.

Each record's first rows train. A failed bearing counts as warned by its first alarm; a healthy one as falsely alarmed
if its alarm comes more than 72 h before the end of the record (later its neighbour shakes it).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anomaly.adapters.detect import Result, WrongTraining, detect, settings_for
from anomaly.adapters.table import BadTable, Table, parsed_times, read_table
from anomaly.evaluation.bootstrap import bootstrap
from anomaly.evaluation.drawing import line
from anomaly.evaluation.files import BadData, content, every, plain_name, sha256_of
from anomaly.evaluation.perturbing import changed
from anomaly.evaluation.report import Options, Plot, Progress, Report

WHERE = (
    'NASA\'s Prognostics Center of Excellence publishes the set as "Bearings" (IMS, University of Cincinnati); needed '
    "is a table of mean absolute vibration with a time column and one column a bearing."
)
TRAIN_SHARE, FEWEST_TRAINING_ROWS = 0.10, 100
WARN_HOURS, NEIGHBOUR_HOURS = 24.0, 72.0
TIME_NAME = re.compile(r"time|date|stamp", re.IGNORECASE)
BEARING = re.compile(r"b(?:earing)?[\s_-]*(\d+)", re.IGNORECASE)
PUBLISHED = {1: (3, 4), 2: (1,), 3: (3,)}
"""Bearings that had failed at the end of each test of the publication; test 1 has two columns a bearing."""
TEST = re.compile(r"(?:test|set)[\s_-]*([123])(?!\d)|([123])(?:st|nd|rd)[\s_-]*(?:test|set)", re.IGNORECASE)
THRESHOLD, HOLD = 8.0, 6
"""Wear is no small change that passes: eight times the limit, six rows in a row."""
END_SHARE = 0.01
HOUR_US = 3.6e9


class NoRecord(BadData):
    """A table that is no record of bearings; it may lie beside some."""


@dataclass(frozen=True)
class Judged:
    """One column of one record."""

    record: str
    bearing: str
    failed: bool
    lead_hours: float | None
    """From its first alarm to the end of the record; None = no alarm."""
    alarms: int

    @property
    def warned(self) -> bool:
        """Whether there was an alarm early enough to act."""
        return self.lead_hours is not None and self.lead_hours >= WARN_HOURS

    @property
    def false(self) -> bool:
        """Whether a healthy bearing was in alarm before a neighbour could shake it."""
        return not self.failed and self.lead_hours is not None and self.lead_hours > NEIGHBOUR_HOURS


def evaluate(data: Path, subset: str | None, options: Options, progress: Progress) -> Report:
    """Judge every record below the folder, or those whose name holds `subset`. Raises BadData."""
    paths = [p for p in every(data, "*.csv") if subset is None or subset in plain_name(p)]
    if not paths:
        raise BadData(f"{data} holds no .csv (plain, .xz or .gz){f' named {subset}' if subset else ''}. {WHERE}")
    judged: list[Judged] = []
    plots: list[Plot] = []
    by: dict[str, str] = {}
    skipped: list[dict[str, object]] = []
    for at, path in enumerate(paths):
        try:
            table = _read(path)
        except NoRecord as no:
            skipped.append({"record": plain_name(path), "skipped": str(no)})
            if at + 1 == len(paths) and not judged:
                raise
            continue
        failed, by[plain_name(path)] = failing(path, table)
        for j, name in enumerate(table.signals):
            result = _scored(table, j, options)
            judged.append(_judged(plain_name(path), name, name in failed, result))
            if name in failed:
                plots.append(_plot(table, j, result))
        progress(at + 1, len(paths), path.name)
    ci95 = {name: found for name, of in FIGURES.items() if (found := bootstrap(judged, of, seed=0)) is not None}
    config = {
        "threshold": THRESHOLD,
        "hold_rows": HOLD,
        "training": f"first {TRAIN_SHARE:.0%} of the rows, at least {FEWEST_TRAINING_ROWS}",
        "failed_by": "; ".join(f"{record}: {how}" for record, how in by.items()),
        "healthy_may_alarm_in_the_last_hours": NEIGHBOUR_HOURS,
    }
    return Report(
        "ims", subset or "", (), sha256_of(paths, data), config, {name: of(judged) for name, of in FIGURES.items()},
        ci95, [_item(one) for one in judged] + skipped, plots,
    )  # fmt: skip


def failing(path: Path, table: Table) -> tuple[set[str], str]:
    """Columns of the bearings that had failed at the end, and how that is known.

    Of a test of the publication, known by the file's name, the bearings that it states; else the column that has risen
    most against its own beginning, because every record runs until a bearing fails.
    """
    found = TEST.search(path.as_posix())
    numbers = {name: m.group(1) for name in table.signals if (m := BEARING.search(name))}
    if found is not None:
        bearings = PUBLISHED[int(found.group(1) or found.group(2))]
        most = max((int(n) for n in numbers.values()), default=0)
        per_bearing = 2 if most > 4 else 1
        named = {name for name, n in numbers.items() if (int(n) + per_bearing - 1) // per_bearing in bearings}
        if named:
            return named, "the publication"
        two = max(1, len(table.signals) // 4)
        placed = {name for j, name in enumerate(table.signals) if j // two + 1 in bearings}
        if placed:
            return placed, "the publication"
    values = np.nan_to_num(table.values)
    last = max(6, int(END_SHARE * len(table)))
    rise = values[-last:].mean(0) / np.maximum(np.median(values[: len(table) // 5], axis=0), 1e-12)
    return {table.signals[int(rise.argmax())]}, "what has risen most at the end"


def _read(path: Path) -> Table:
    head, first = ([cell.strip().strip('"') for cell in re.split("[,;\t]", line)] for line in _first_lines(path))
    time = _time_column(path, head, first)
    if time is None:
        columns = ", ".join(head)
        raise NoRecord(f"{path} has no column named as a time and none that holds written times (columns: {columns})")
    bearings = [name for name in head if BEARING.search(name)] or [n for n in head if n and n != time]
    try:
        table = read_table(path, time, signals=tuple(bearings))
    except BadTable as bad:
        raise BadData(str(bad)) from bad
    if len(table) < 2 * FEWEST_TRAINING_ROWS:
        raise NoRecord(f"{path}: {len(table)} rows are too few, at least {2 * FEWEST_TRAINING_ROWS} are needed")
    return table


def _first_lines(path: Path) -> tuple[str, str]:
    lines = content(path).split(b"\n", 2)
    head, first = (line.decode("utf-8", "replace").strip("\r\n\ufeff") for line in [*lines[:2], b""][:2])
    return head, first


def _time_column(path: Path, head: Sequence[str], first: Sequence[str]) -> str | None:
    """The column named as a time; where none is, the first one that holds a written time (no plain number)."""
    named = next((name for name in head if TIME_NAME.search(name)), None)
    if named is not None:
        return named
    for name, cell in zip(head, first, strict=False):
        if re.fullmatch(r"[-+.\deE]*", cell) and cell.count(".") < 2 and cell.count("-") < 2:
            continue
        try:
            parsed_times(path, name, [cell], [2])
        except BadTable:
            continue
        return name
    return None


def _scored(table: Table, j: int, options: Options) -> Result:
    rows = len(table)
    train = max(FEWEST_TRAINING_ROWS, int(TRAIN_SHARE * rows))
    one = replace(table, signals=(table.signals[j],), values=table.values[:, [j]])
    if options.perturb is not None:
        import pandas as pd

        frame = pd.DataFrame({"at": np.arange(rows), "t": table.t_us, "v": table.values[:, j]})
        worse = changed(options.perturb, frame, ["v"], seed=j, keep=train).sort_values("t").drop_duplicates("t")
        at = worse["at"].to_numpy(dtype=np.int64)
        one = replace(
            one, times=[table.times[i] for i in at.tolist()], t_us=table.t_us[at],
            values=worse[["v"]].to_numpy(dtype=np.float64),
        )  # fmt: skip
    settings = replace(settings_for(one, train, seasonal=False), threshold=THRESHOLD, hold_samples=HOLD)
    try:
        return detect(one, train, seasonal=False, settings=settings)
    except WrongTraining as wrong:
        raise BadData(f"{table.name}: {rows} rows are too few") from wrong


def _judged(record: str, name: str, failed: bool, result: Result) -> Judged:
    t = result.table.t_us
    lead = float(t[-1] - t[result.alarms[0].start_row]) / HOUR_US if result.alarms else None
    return Judged(record, name, failed, lead, len(result.alarms))


def _shortest(some: Sequence[Judged]) -> float | None:
    leads = [one.lead_hours or 0.0 for one in some if one.failed]
    return min(leads) if leads else None


FIGURES: dict[str, Callable[[Sequence[Judged]], float | None]] = {
    "failed": lambda some: float(sum(one.failed for one in some)),
    "failed_warned_24h": lambda some: float(sum(one.failed and one.warned for one in some)),
    "healthy_false_alarms": lambda some: float(sum(one.false for one in some)),
    "lead_hours_min": _shortest,
}


def _item(one: Judged) -> dict[str, object]:
    return {
        "record": one.record, "bearing": one.bearing, "failed": one.failed, "lead_hours": one.lead_hours,
        "alarms": one.alarms, "warned_24h": one.warned, "false_alarm": one.false,
    }  # fmt: skip


def _plot(table: Table, j: int, result: Result) -> Plot:
    end = int(table.t_us[-1])
    hours = [float(t - end) / HOUR_US for t in result.table.t_us.tolist()]
    alarms = [hours[result.alarms[0].start_row]] if result.alarms else []
    return Plot(
        f"{table.name}: {table.signals[j]}, first alarm",
        line(hours, {"vibration": result.table.values[:, 0].tolist()}, x_label="hours before the end",
             y_label="vibration", alarms=alarms),
    )  # fmt: skip
