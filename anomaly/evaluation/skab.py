"""`forewarn evaluate skab`: a water circuit with valve and pump faults, by the code of `forewarn detect`.

Each experiment stands for itself: its first 400 rows train, the others are judged row by row without any adjustment.
Nothing is chosen on the experiments: the settings are those of `forewarn detect`, fixed on valve 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomaly.adapters.detect import Result, detect, settings_for
from anomaly.adapters.table import Table
from anomaly.evaluation.bootstrap import bootstrap
from anomaly.evaluation.drawing import bars, line
from anomaly.evaluation.files import BadData, content, every, open_table, sha256_of
from anomaly.evaluation.nab_scoring import PROFILES, Earned, earned, normalised
from anomaly.evaluation.perturbing import changed
from anomaly.evaluation.reading import live_table
from anomaly.evaluation.report import Options, Plot, Progress, Report

if TYPE_CHECKING:
    from pandas import DataFrame

TRAIN_ROWS = 400
PIECE_ROWS, PIECE_STEP = 3400, 2000
"""A long record without faults is cut into pieces that train on their own first rows."""
CHANGE_WINDOW_S = 60.0
"""A change point counts as found within this time after it."""
FAULT_FREE = "anomaly-free"
TIME, LABEL, CHANGE = "datetime", "anomaly", "changepoint"
WHERE = "The set is published at github.com/waico/SKAB (folder data)."
SHOWN = 6
FIGURES = ("f1", "far", "mar", "events", "events_found", "false_runs", "median_delay_s",
           "alarm_share_fault_free", "changepoint_standard", "changepoint_low_fp")  # fmt: skip

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """What was counted in one experiment after its training rows."""

    name: str
    hits: int
    false: int
    missed: int
    quiet: int
    events: int
    found: int
    false_runs: int
    delays_s: tuple[float, ...]
    changes: Earned | None
    """None = the experiment has no change points marked."""


@dataclass(frozen=True)
class Free:
    """A record without faults: share of the time in alarm, of its pieces and of the whole."""

    name: str
    share: float
    whole: float


def evaluate(data: Path, subset: str | None, options: Options, progress: Progress) -> Report:
    """Score every experiment below `data`; with `options.train`, all but those of that folder. Raises BadData."""
    files = _files(data, subset, options.train)
    judged: list[Judged] = []
    free: list[Free] = []
    drawn: list[Plot] = []
    skipped: list[dict[str, object]] = []
    for i, path in enumerate(files):
        name = path.relative_to(data).as_posix()
        progress(i, len(files), name)
        frame = _frame(path, options, i)
        if frame is None:
            skipped.append({"file": name, "skipped": f"holds no more than {TRAIN_ROWS} rows to train on"})
        elif _is_free(path, frame):
            free.append(_free(name, live_table(path, TIME, None if options.perturb is None else frame)))
        else:
            result = detect(live_table(path, TIME, None if options.perturb is None else frame), TRAIN_ROWS)
            judged.append(judge(name, result, _flags(frame, LABEL), _flags(frame, CHANGE)))
            if len(drawn) < SHOWN:
                drawn.append(_plot(name, result, _flags(frame, LABEL)))
    progress(len(files), len(files), "experiments")
    if not judged and not free:
        raise BadData(f"no experiment below {data} is longer than {TRAIN_ROWS} rows. {WHERE}")
    figures = _figures(judged, free)
    items = [_item(one) for one in judged]
    items += [{"file": one.name, "alarm_share": one.share, "alarm_share_whole": one.whole} for one in free]
    summary = bars([Path(one.name).stem.split(".")[0] for one in judged], [_f1([one]) for one in judged], y_label="F1")
    return Report(
        "skab", subset or "", (0,), sha256_of(files, data), _config(options), figures, _intervals(judged, free),
        items + skipped, [Plot("F1 of each experiment", summary), *drawn] if judged else drawn,
    )  # fmt: skip


def judge(name: str, result: Result, label: Flags, change: Flags) -> Judged:
    """Count what alarms came to; labels and marks are one a row of the table."""
    told, true = result.alarm[TRAIN_ROWS:], label[TRAIN_ROWS:]
    t_us = result.table.t_us[TRAIN_ROWS:]
    events = stretches(true)
    delays = []
    for a, b in events:
        inside = np.flatnonzero(told[a:b])
        if len(inside):
            delays.append(float(t_us[a + inside[0]] - t_us[a]) / 1e6)
    false_runs = sum(not true[a:b].any() for a, b in stretches(told))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], told.astype(np.int8)])))
    marks = np.flatnonzero(change[TRAIN_ROWS:])
    return Judged(
        name, int((told & true).sum()), int((told & ~true).sum()), int((~told & true).sum()),
        int((~told & ~true).sum()), len(events), len(delays), int(false_runs), tuple(delays),
        earned(edges, change_windows(t_us, marks)) if len(marks) else None,
    )  # fmt: skip


def change_windows(t_us: NDArray[np.int64], marks: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Rows of the window that begins at each mark and ends `CHANGE_WINDOW_S` later, or before the next mark."""
    out = []
    for i, a in enumerate(marks.tolist()):
        end = int(np.searchsorted(t_us, t_us[a] + int(CHANGE_WINDOW_S * 1e6), side="right")) - 1
        out.append((a, min(end, int(marks[i + 1]) - 1) if i + 1 < len(marks) else end))
    return out


def stretches(flags: Flags) -> list[tuple[int, int]]:
    """Begin and end (after the last row) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _figures(judged: Sequence[Judged], free: Sequence[Free]) -> dict[str, float | None]:
    delays = [d for one in judged for d in one.delays_s]
    return {
        "f1": _f1(judged),
        "far": _far(judged),
        "mar": _mar(judged),
        "events": sum(one.events for one in judged),
        "events_found": sum(one.found for one in judged),
        "false_runs": sum(one.false_runs for one in judged),
        "median_delay_s": float(np.median(delays)) if delays else None,
        "alarm_share_fault_free": _share(free),
        "changepoint_standard": _changes(judged, "standard"),
        "changepoint_low_fp": _changes(judged, "low_fp"),
    }


def _intervals(judged: Sequence[Judged], free: Sequence[Free]) -> dict[str, tuple[float, float]]:
    def of(name: str) -> Callable[[Sequence[Judged]], float | None]:
        return lambda drawn: _figures(drawn, ())[name]

    found = {name: bootstrap(judged, of(name), seed=0) for name in FIGURES}
    found["alarm_share_fault_free"] = bootstrap(free, _share, seed=0)
    return {name: bounds for name, bounds in found.items() if bounds is not None and name != "events"}


def _f1(judged: Sequence[Judged]) -> float | None:
    hits = sum(one.hits for one in judged)
    wrong = sum(one.false + one.missed for one in judged)
    return hits / (hits + 0.5 * wrong) if hits + wrong else None


def _far(judged: Sequence[Judged]) -> float | None:
    false, quiet = sum(one.false for one in judged), sum(one.quiet for one in judged)
    return 100.0 * false / (false + quiet) if false + quiet else None


def _mar(judged: Sequence[Judged]) -> float | None:
    missed, hits = sum(one.missed for one in judged), sum(one.hits for one in judged)
    return 100.0 * missed / (missed + hits) if missed + hits else None


def _share(free: Sequence[Free]) -> float | None:
    return sum(one.share for one in free) / len(free) if free else None


def _changes(judged: Sequence[Judged], profile: str) -> float | None:
    return normalised([one.changes for one in judged if one.changes is not None], PROFILES[profile])


def _files(data: Path, subset: str | None, train: str | None) -> list[Path]:
    files = [
        path for path in every(data, "*.csv")
        if (subset is None or subset in path.relative_to(data).parts[:-1])
        and (train is None or train not in path.relative_to(data).parts[:-1])
    ]  # fmt: skip
    files = [path for path in files if _is_experiment(path)]
    if not files:
        which = f" in a folder {subset!r}" if subset else f" outside the folder {train!r}" if train else ""
        raise BadData(f"{data} holds no experiment of SKAB (*.csv with {TIME!r}, separated by ;){which}. {WHERE}")
    return sorted(files, key=lambda path: [(len(part), part) for part in path.relative_to(data).parts])


def _is_experiment(path: Path) -> bool:
    """Other tables may lie beside the experiments."""
    head = content(path).split(b"\n", 1)[0].decode("utf-8", "replace")
    return TIME in (name.strip().strip('"') for name in head.split(";"))


def _frame(path: Path, options: Options, seed: int) -> "DataFrame | None":
    frame = open_table(path, sep=";")
    signals = [name for name in frame.columns if name not in (TIME, LABEL, CHANGE)]
    if options.perturb is not None and len(frame) > TRAIN_ROWS:
        frame = changed(options.perturb, frame, signals, seed=seed, keep=TRAIN_ROWS)
        frame = frame.drop_duplicates().sort_values(TIME, kind="stable")  # as the reorder window does
    return frame if len(frame) > TRAIN_ROWS else None


def _is_free(path: Path, frame: "DataFrame") -> bool:
    return FAULT_FREE in path.parts or LABEL not in frame.columns


def _flags(frame: "DataFrame", column: str) -> Flags:
    if column not in frame.columns:
        return np.zeros(len(frame), dtype=bool)
    flags: Flags = frame[column].to_numpy(dtype=np.float64) > 0.5
    return flags


def _free(name: str, table: Table) -> Free:
    starts = range(0, max(1, len(table) - PIECE_ROWS + 1), PIECE_STEP)
    pieces = [_part(table, slice(at, at + PIECE_ROWS)) for at in starts]
    shares = [detect(piece, TRAIN_ROWS).alarm_share for piece in pieces]
    whole = shares[0] if len(table) <= PIECE_ROWS else detect(table, TRAIN_ROWS).alarm_share
    return Free(name, float(np.mean(shares)), whole)


def _part(table: Table, rows: slice) -> Table:
    return Table(
        table.name, table.times[rows], table.t_us[rows], table.signals, table.values[rows], table.notices
    )  # fmt: skip


def _config(options: Options) -> dict[str, object]:
    t_us = np.arange(TRAIN_ROWS, dtype=np.int64) * 1_000_000
    one_hertz = Table("", [""] * TRAIN_ROWS, t_us, (), np.zeros((TRAIN_ROWS, 0)), ())
    settings = settings_for(one_hertz, TRAIN_ROWS)
    names = ("window_samples", "threshold", "clear", "hold_samples", "adapt_samples", "adapt_below", "quick_samples",
             "slow_share", "steady_windows")  # fmt: skip
    return {
        "train": options.train, "train_rows": TRAIN_ROWS, "change_window_s": CHANGE_WINDOW_S,
        "fault_free_pieces": [PIECE_ROWS, PIECE_STEP], **{name: getattr(settings, name) for name in names},
    }  # fmt: skip


def _item(one: Judged) -> dict[str, object]:
    return {
        "file": one.name, "f1": _f1([one]), "far": _far([one]), "mar": _mar([one]), "events": one.events,
        "events_found": one.found, "false_runs": one.false_runs, "delays_s": list(one.delays_s),
    }  # fmt: skip


def _plot(name: str, result: Result, label: Flags) -> Plot:
    score: list[float | None] = [None if x != x else min(x, 5 * result.threshold) for x in result.score.tolist()]
    rows = [float(i) for i in range(len(score))]
    spans = [(float(a), float(b)) for a, b in stretches(label)]
    raised = [float(one.start_row) for one in result.alarms]
    return Plot(
        f"{name}: score (cut at five times the threshold), labelled fault shaded, alarms raised upright",
        line(rows, {"score": score}, x_label="row", y_label="score", limits=[result.threshold], spans=spans,
             alarms=raised),
    )  # fmt: skip
