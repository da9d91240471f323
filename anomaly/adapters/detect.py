"""`forewarn detect`: learns from the first rows of anybody's file, scores the others, says where something is wrong."""

import csv
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomaly.adapters.detect_plot import Assets, page
from anomaly.adapters.table import BadTable, Table, WrongColumn, read_table
from anomaly.domain.alarm import AlarmMachine
from anomaly.domain.detection import StateDetector
from anomaly.domain.detector import detector_of
from anomaly.domain.family import QUICK_WINDOWS, SLOW_WINDOWS
from anomaly.domain.following import HOUR_US
from anomaly.domain.layout import plain_layout
from anomaly.domain.seasonal import SeasonalDetector
from contracts.asset_model import Detection

DONE, FAILED, WRONG_USE = 0, 1, 2
FEWEST_TRAINING_ROWS = 30
THRESHOLD, CLEAR = 3.0, 0.6
"""Multiple of the calibrated limit that raises an alarm, and the share of it below which the alarm ends."""
WINDOW, HOLD = 20, 5
"""Rows of the trailing mean, and rows in a row above the threshold that raise an alarm."""
SEASONAL_HOURS = 12.0
"""A single signal is watched against its usual course where the training rows cover this time."""
SURPRISE, SURPRISE_CLEAR, REFRACTORY = 6.0, 0.4, 200.0
"""Threshold of a single signal (-log10 of chances, summed), the share of it below which an alarm ends, and rows after
it in which none is raised."""
GAP_STEPS = 20.0
"""A silence of so many usual steps starts the windows anew."""
TOLD = 3
"""Most signals that are named for one row or alarm."""
TELLING_SHARE = 0.08
"""A signal that carries less of the score is not named."""
CHUNK = 5_000


class WrongTraining(ValueError):
    """The number of training rows does not fit the file."""


@dataclass(frozen=True)
class FoundAlarm:
    """One stretch of rows in alarm; both ends are in it, counted from 0."""

    start_row: int
    end_row: int
    peak: float
    top_signals: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """Everything that was found in a table."""

    table: Table
    train_rows: int
    threshold: float
    score: NDArray[np.float64]
    """(rows,), NaN where there is none."""
    alarm: NDArray[np.bool_]
    parts: NDArray[np.float64]
    """(rows, signals): share of each signal in the score."""
    alarms: tuple[FoundAlarm, ...]
    seed: int

    @property
    def alarm_share(self) -> float:
        """Share of the rows after the training that are in alarm."""
        after = self.alarm[self.train_rows :]
        return float(after.mean()) if len(after) else 0.0


def usual_step_us(table: Table) -> float:
    """The usual time from row to row."""
    step = np.diff(table.t_us)
    return float(np.median(step)) if len(step) else 0.0


def alone(table: Table, train_rows: int) -> bool:
    """Whether the table holds one signal for long enough that its course over day and week can be learned."""
    return len(table.signals) == 1 and train_rows * usual_step_us(table) >= SEASONAL_HOURS * HOUR_US


def settings_for(table: Table, train_rows: int, seasonal: bool | None = None) -> Detection:
    """Settings for a machine of which nothing is known: windows and holds in rows.

    Parameters
    ----------
    seasonal : bool | None
        Whether each signal is watched against its own course over day and week; None = where that can be learned.
    """
    window = max(2, min(WINDOW, train_rows // 10))
    usual_us = usual_step_us(table)
    if alone(table, train_rows) if seasonal is None else seasonal:
        return Detection(
            window_hours=0.0,
            threshold=SURPRISE,
            clear=SURPRISE_CLEAR,
            hold_hours=0.0,
            hold_samples=1,
            refractory_hours=REFRACTORY * usual_us / HOUR_US,
            learning_samples=train_rows,
            gap_hours=GAP_STEPS * usual_us / HOUR_US,
        )
    return Detection(
        window_samples=window,
        window_hours=0.0,
        threshold=THRESHOLD,
        clear=CLEAR,
        hold_hours=0.0,
        hold_samples=HOLD,
        refractory_hours=0.0,
        learning_hours=0.0,
        learning_samples=train_rows,
        adapt_samples=SLOW_WINDOWS * window,
        adapt_below=0.7,
        quick_samples=QUICK_WINDOWS * window,
        steady_windows=0.7,
        settle_hours=0.0,
        gap_hours=GAP_STEPS * usual_us / HOUR_US,
        compensate=False,
    )


def detect(
    table: Table,
    train_rows: int,
    seed: int = 0,
    tell: Callable[[str], None] = lambda line: None,
    *,
    seasonal: bool | None = None,
    settings: Detection | None = None,
) -> Result:
    """Learn from the first `train_rows` rows, then score every row and run the alarm machine over the scores.

    Nothing in it is random; `seed` is part of the record only, so that a later detector may use it. Raises
    WrongTraining.

    Parameters
    ----------
    seasonal, settings
        Another choice than what `settings_for` makes of the table.
    """
    rows = len(table)
    if train_rows < FEWEST_TRAINING_ROWS:
        raise WrongTraining(f"--train-rows {train_rows}: must be at least {FEWEST_TRAINING_ROWS}")
    if train_rows >= rows:
        raise WrongTraining(f"--train-rows {train_rows}: {table.name} has {rows} rows, so nothing is left to look at")
    seasonal = alone(table, train_rows) if seasonal is None else seasonal
    settings = settings or settings_for(table, train_rows, seasonal)
    layout = plain_layout(table.signals, settings)
    detector: StateDetector = SeasonalDetector(layout) if seasonal else detector_of(layout)
    order = [table.signals.index(name) for name in detector.layout.symptoms]
    values = detector.layout.arrange(table.signals, table.values)
    machine = AlarmMachine()
    score, alarm, parts = np.full(rows, np.nan), np.zeros(rows, dtype=bool), np.zeros((rows, len(order)))
    changes: list[tuple[int, bool]] = []

    def judge(t_us: int, value: float) -> bool:
        if machine.step(t_us, value, settings) is not None:
            changes.append((t_us, machine.raised))
        return machine.raised

    for first in range(0, rows, CHUNK):
        part = slice(first, min(first + CHUNK, rows))
        found = detector.feed(table.t_us[part], values[part], judge)
        score[part] = found.score
        parts[part.start : part.stop, order] = found.parts
        if rows > 2 * CHUNK:
            tell(f"scored {part.stop:,} of {rows:,} rows")
    for t_us, raised in changes:
        alarm[int(np.searchsorted(table.t_us, t_us)) :] = raised
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.nan_to_num(np.maximum(parts, 0.0) / np.maximum(parts, 0.0).sum(1, keepdims=True))
    alarms = tuple(_alarm(table, score, shares, a, b) for a, b in _stretches(alarm))
    return Result(table, train_rows, settings.threshold, score, alarm, shares, alarms, seed)


def _stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _alarm(table: Table, score: NDArray[np.float64], shares: NDArray[np.float64], begin: int, end: int) -> FoundAlarm:
    seen = score[begin:end]
    weight = np.nan_to_num(seen)[:, None] * shares[begin:end]
    peak = float(np.nanmax(seen)) if np.isfinite(seen).any() else math.nan
    return FoundAlarm(begin, end - 1, peak, _top(table.signals, weight.sum(0)))


def _top(signals: Sequence[str], weight: NDArray[np.float64]) -> tuple[str, ...]:
    total = float(weight.sum())
    if total <= 0:
        return ()
    strongest = np.argsort(-weight, kind="stable")[:TOLD]
    return tuple(signals[int(j)] for j in strongest if weight[j] >= TELLING_SHARE * total)


def write_scores(result: Result, path: Path) -> None:
    """One line a row of the input: `time,score,threshold,alarm,top_signals`; score and threshold empty without one."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("time", "score", "threshold", "alarm", "top_signals"))
        limit = f"{result.threshold:.6g}"
        for time, score, alarm, share in zip(
            result.table.times, result.score.tolist(), result.alarm.tolist(), result.parts, strict=True
        ):
            if math.isnan(score):
                out.writerow((time, "", "", int(alarm), ""))
            else:
                named = ";".join(_top(result.table.signals, share))
                out.writerow((time, f"{score:.6g}", limit, int(alarm), named))


def summary(result: Result) -> dict[str, object]:
    """What the JSON file holds."""
    times = result.table.times
    return {
        "rows": len(result.table),
        "train_rows": result.train_rows,
        "signals": list(result.table.signals),
        "alarms": [
            {
                "start": times[a.start_row],
                "end": times[a.end_row],
                "start_row": a.start_row,
                "end_row": a.end_row,
                "peak": None if math.isnan(a.peak) else round(a.peak, 6),
                "top_signals": list(a.top_signals),
            }
            for a in result.alarms
        ],
        "alarm_share": round(result.alarm_share, 6),
        "seed": result.seed,
        "version": version("forewarn"),
    }


def run(
    path: Path,
    time: str,
    train_rows: int,
    *,
    signals: Sequence[str] = (),
    exclude: Sequence[str] = (),
    separator: str = "auto",
    seed: int = 0,
    out: Path | None = None,
    plot: Path | None = None,
    json_file: Path | None = None,
    assets: Assets | None = None,
    say: Callable[[str], None] = print,
    tell: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> int:
    """The command: exit code 0 done, 1 failed, 2 wrong use.

    Parameters
    ----------
    assets : Assets | None
        The chart library's text, to put into the plot.
    say, tell : Callable
        Results go to the one; progress, notices and errors to the other.
    """
    try:
        table = read_table(path, time, signals=signals, exclude=exclude, separator=separator, tell=tell)
        for notice in table.notices:
            tell(f"notice: {notice}")
        result = detect(table, train_rows, seed, tell)
        if out is not None:
            write_scores(result, out)
        if json_file is not None:
            json_file.write_text(json.dumps(summary(result), indent=2) + "\n", encoding="utf-8")
        if plot is not None:
            plot.write_text(page(result, summary(result), assets or Assets()), encoding="utf-8")
    except (WrongColumn, WrongTraining) as wrong:
        tell(f"forewarn: {wrong}")
        return WRONG_USE
    except BadTable as bad:
        tell(f"forewarn: {bad}")
        return FAILED
    except OSError as failure:
        tell(f"forewarn: {failure.filename or ''}: cannot be written: {failure.strerror or failure}")
        return FAILED
    for line in report(result):
        say(line)
    for written in (out, json_file, plot):
        if written is not None:
            say(f"written: {written}")
    return DONE


def report(result: Result) -> list[str]:
    """What was found, in words."""
    table, times = result.table, result.table.times
    lines = [
        f"{table.name}: {len(table):,} rows, {len(table.signals)} signals, learned from the first "
        f"{result.train_rows:,}: {_count(len(result.alarms), 'alarm')}, {result.alarm_share:.1%} of the time after it"
    ]
    lines += [
        f"  {times[a.start_row]} to {times[a.end_row]}  peak {a.peak:.1f} x usual  {', '.join(a.top_signals)}"
        for a in result.alarms[:20]
    ]
    if len(result.alarms) > 20:
        lines.append(f"  and {len(result.alarms) - 20} more")
    return lines


def _count(n: int, what: str) -> str:
    return f"{n or 'no'} {what}{'' if n == 1 else 's'}"
