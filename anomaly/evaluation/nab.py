"""`forewarn evaluate nab`: single series with labelled windows, by the code of `forewarn detect`.

One threshold for all series, nothing known of them beforehand, each row judged by the rows before it; the first 15 %
of a series are not judged. Any part of the corpus will do: what is there is scored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from anomaly.adapters.detect import REFRACTORY, SURPRISE, Result, WrongTraining, detect
from anomaly.evaluation.bootstrap import bootstrap
from anomaly.evaluation.drawing import bars, line
from anomaly.evaluation.files import BadData, content, every, finding, open_table, plain_name, sha256_of
from anomaly.evaluation.nab_scoring import PROFILES, Earned, earned, normalised, probation
from anomaly.evaluation.perturbing import changed
from anomaly.evaluation.reading import live_table
from anomaly.evaluation.report import Options, Plot, Progress, Report

if TYPE_CHECKING:
    from pandas import DataFrame

LABELS = "combined_windows.json"
TIME, VALUE = "timestamp", "value"
MACHINE = "machine_temperature_system_failure"
MONTH_US = 30.44 * 24 * 3.6e9
WHERE = "The corpus is published at github.com/numenta/NAB (folders data and labels)."
SHOWN = 8

Windows = list[tuple[int, int]]


@dataclass(frozen=True)
class Series:
    """What alarms in one series came to."""

    name: str
    rows: int
    months: float
    """Of the judged part."""
    earned: Earned


def evaluate(data: Path, subset: str | None, options: Options, progress: Progress) -> Report:
    """Score every labelled series below `data`, or those of the folder `subset`. Raises BadData."""
    labels = finding(data, [LABELS], WHERE)
    files = _files(data, labels, subset, options.train)
    done: list[Series] = []
    drawn: list[Plot] = []
    skipped: list[dict[str, object]] = []
    for i, (name, path, spans) in enumerate(files):
        progress(i, len(files), name)
        result = _detected(path, options, i)
        if result is None:
            skipped.append({"series": name, "skipped": "too short to learn from"})
            continue
        windows = rows_of(spans, result.table.t_us)
        done.append(judge(name, result, windows))
        if len(drawn) < SHOWN or MACHINE in name:
            drawn.append(_plot(name, result, windows))
    progress(len(files), len(files), "series")
    plots = [Plot("Labelled windows that were missed, by series", _missed(done)), *drawn]
    return Report(
        "nab", subset or "", (0,), sha256_of([labels, *(path for _, path, _ in files)], data),
        {"threshold": SURPRISE, "refractory_rows": REFRACTORY, "probation_share": 0.15, "one_threshold": True},
        _figures(done), _intervals(done), [_item(one) for one in done] + skipped, plots,
    )  # fmt: skip


def judge(name: str, result: Result, windows: Windows) -> Series:
    """Judge the rows at which alarms were raised."""
    first, t_us = probation(len(result.table)), result.table.t_us
    raised = np.array([one.start_row for one in result.alarms], dtype=np.int64)
    months = float(t_us[-1] - t_us[first]) / MONTH_US
    return Series(name, len(t_us), months, earned(raised, windows, first))


def rows_of(spans: Sequence[tuple[int, int]], t_us: NDArray[np.int64]) -> Windows:
    """First and last row of each window that holds any, given its first and last time."""
    found = [(int(np.searchsorted(t_us, a)), int(np.searchsorted(t_us, b, side="right")) - 1) for a, b in sorted(spans)]
    return [(a, b) for a, b in found if a <= b]


def _figures(done: Sequence[Series]) -> dict[str, float | None]:
    machine = [one for one in done if MACHINE in one.name]
    months = sum(one.months for one in machine)
    out: dict[str, float | None] = {name: _score(name)(done) for name in PROFILES}
    out["machine_temperature_hits"] = sum(one.earned.hit for one in machine) if machine else None
    out["machine_temperature_false_per_month"] = (
        sum(one.earned.false_runs for one in machine) / months if months > 0 else None
    )
    return out


def _score(profile: str) -> Callable[[Sequence[Series]], float | None]:
    return lambda drawn: normalised([one.earned for one in drawn], PROFILES[profile])


def _intervals(done: Sequence[Series]) -> dict[str, tuple[float, float]]:
    found = {name: bootstrap(done, _score(name), seed=0) for name in PROFILES}
    return {name: bounds for name, bounds in found.items() if bounds is not None}


def _files(
    data: Path, labels: Path, subset: str | None, train: str | None
) -> list[tuple[str, Path, list[tuple[int, int]]]]:
    try:
        windows = msgspec.json.decode(content(labels), type=dict[str, list[tuple[str, str]]])
        spans = {name: [(_us(a), _us(b)) for a, b in pairs] for name, pairs in windows.items()}
    except (msgspec.DecodeError, ValueError) as failure:
        raise BadData(f"{labels} does not hold windows by series: {failure}") from failure
    there = _there(data)
    out = [
        (name, there[name], pairs)
        for name, pairs in sorted(spans.items())
        if name in there
        and (subset is None or subset in (name.split("/")[0], Path(name).stem))
        and (train is None or train not in (name.split("/")[0], Path(name).stem))
    ]
    if not out:
        raise BadData(
            f"{data} holds none of the series that {LABELS} names{f' in {subset!r}' if subset else ''}. {WHERE}"
        )
    return out


def _there(data: Path) -> dict[str, Path]:
    """Tables by folder and name; the corpus' folder `data` comes before what lies elsewhere (results of others)."""
    found: dict[str, Path] = {}
    for path in sorted(every(data, "*.csv"), key=lambda path: (path.parts[-3:-2] != ("data",), len(path.parts), path)):
        found.setdefault(f"{path.parent.name}/{plain_name(path)}", path)
    return found


def _us(text: str) -> int:
    return int(np.datetime64(text, "us").astype(np.int64))


def _detected(path: Path, options: Options, seed: int) -> Result | None:
    frame = open_table(path)
    if VALUE not in frame.columns or TIME not in frame.columns:
        raise BadData(f"{path} must have the columns {TIME!r} and {VALUE!r}")
    try:
        table = live_table(path, TIME, _changed(frame, options, seed))
        return detect(table, probation(len(table)))
    except WrongTraining:
        return None


def _changed(frame: "DataFrame", options: Options, seed: int) -> "DataFrame | None":
    """None = the file may be read as it is. Late and doubled rows are put in order as the reorder window does."""
    if options.perturb is None and bool(frame[TIME].is_monotonic_increasing):
        return None
    frame = changed(options.perturb, frame, [VALUE], seed=seed, keep=probation(len(frame)))
    return frame.drop_duplicates().sort_values(TIME, kind="stable")


def _item(one: Series) -> dict[str, object]:
    return {
        "series": one.name, "rows": one.rows, "windows": one.earned.windows, "hit": one.earned.hit,
        "false_alarms": one.earned.false_runs, "standard": _score("standard")([one]),
    }  # fmt: skip


def _missed(done: Sequence[Series]) -> str:
    names = [Path(one.name).stem for one in done]
    return bars(names, [float(one.earned.windows - one.earned.hit) for one in done], y_label="windows missed")


def _plot(name: str, result: Result, windows: Windows) -> Plot:
    values: list[float | None] = [None if x != x else x for x in result.table.values[:, 0].tolist()]
    return Plot(
        f"{name}: labelled windows shaded, alarms raised upright",
        line([float(i) for i in range(len(values))], {"value": values}, x_label="row", y_label="value",
             spans=[(float(a), float(b)) for a, b in windows], alarms=[float(a.start_row) for a in result.alarms]),
    )  # fmt: skip
