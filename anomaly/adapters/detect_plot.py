"""The page of `forewarn detect`: one HTML file that stands alone, with its data and its chart library inside."""

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_POINTS = 12_000
"""Longer records are drawn by the lowest and the highest value of each bucket."""
CLOCK_US = 100_000_000 * 1_000_000
"""Times below this (1973) are no clock times but numbers that grow."""
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Assets:
    """Text of the chart library (uPlot as a plain script) and of its style sheet; empty where it is not built."""

    script: str = ""
    style: str = ""


class Plotted(Protocol):
    """What is drawn: see `anomaly.adapters.detect.Result`."""

    @property
    def table(self) -> "PlottedTable": ...
    @property
    def train_rows(self) -> int: ...
    @property
    def threshold(self) -> float: ...
    @property
    def score(self) -> Floats: ...
    @property
    def parts(self) -> Floats: ...


class PlottedTable(Protocol):
    """The table beneath it."""

    @property
    def name(self) -> str: ...
    @property
    def t_us(self) -> NDArray[np.int64]: ...
    @property
    def signals(self) -> tuple[str, ...]: ...
    @property
    def values(self) -> Floats: ...


def page(result: Plotted, summary: Mapping[str, object], assets: Assets) -> str:
    """The whole page as HTML."""
    here = files("anomaly.adapters")
    text = (here / "detect_plot.html").read_text(encoding="utf-8")
    pieces = {
        "title": html.escape(f"{result.table.name}: what stands out"),
        "library_style": _harmless(assets.style),
        "library": _harmless(assets.script),
        "data": _harmless(json.dumps(_data(result, summary), separators=(",", ":"), allow_nan=False)),
    }
    first, *rest = text.split("{{")
    out = [first]
    for piece in rest:
        name, _, after = piece.partition("}}")
        out += [pieces[name.strip()], after]
    return "".join(out)


def _harmless(text: str) -> str:
    """Text that cannot end the element it stands in."""
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")


def _data(result: Plotted, summary: Mapping[str, object]) -> dict[str, object]:
    table = result.table
    clock = bool(abs(int(table.t_us[-1])) >= CLOCK_US)
    seconds = table.t_us / 1e6
    weight = (np.nan_to_num(result.score)[:, None] * result.parts)[result.train_rows :].sum(0)
    order = [int(j) for j in np.argsort(-weight, kind="stable")]
    columns = np.column_stack([result.score, table.values[:, order]])
    times, drawn = _thinned(seconds, columns)
    return {
        **summary,
        "file": table.name,
        "clock": clock,
        "t": [round(t, 3) for t in times.tolist()],
        "trained": [float(seconds[0]), float(seconds[result.train_rows - 1])],
        "spans": [[float(seconds[a["start_row"]]), float(seconds[a["end_row"]])] for a in _alarms(summary)],
        "threshold": result.threshold,
        "score": _listed(drawn[:, 0]),
        "traces": [{"name": table.signals[j], "v": _listed(drawn[:, i + 1])} for i, j in enumerate(order)],
    }


def _alarms(summary: Mapping[str, object]) -> list[dict[str, int]]:
    alarms = summary["alarms"]
    assert isinstance(alarms, list)
    return alarms


def _thinned(times: Floats, columns: Floats) -> tuple[Floats, Floats]:
    """Two rows a bucket: of each column the value that lies lowest, then the one that lies highest."""
    rows = len(times)
    if rows <= MOST_POINTS:
        return times, columns
    size = -(-rows * 2 // MOST_POINTS)
    buckets = rows // size
    cut = columns[: buckets * size].reshape(buckets, size, -1)
    low, high = np.fmin.reduce(cut, axis=1), np.fmax.reduce(cut, axis=1)
    out = np.stack([low, high], 1).reshape(2 * buckets, -1)
    at = times[: buckets * size].reshape(buckets, size)
    return np.stack([at[:, 0], at[:, size // 2]], 1).reshape(-1), out


def _listed(column: Floats) -> list[float | None]:
    return [float(f"{x:.{DIGITS}g}") if np.isfinite(x) else None for x in column.tolist()]
