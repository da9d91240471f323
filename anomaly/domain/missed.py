"""Looking back from a breakdown that nothing had called for: how near each detector was to its threshold, and since
when it stood out from the quiet days before.

All is told in shares of a threshold, by the hour: the median of the hour, and its highest value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.baseline import Baseline
from anomaly.domain.detector import Scores
from anomaly.domain.following import HOUR_US, Why
from anomaly.domain.layout import Array, Layout
from contracts.asset_model import AssetModel, FailureMode

SCORE, ALONE, LIMIT = "score", "alone", "limit"
QUIET_SHARE = 1 / 3
"""The first part of the hours with a score says what was quiet."""
FEWEST_HOURS = 72
"""Hours with a score, below which nothing can be said."""
STANDS_OUT = 2.0
"""Standing out is so many times the highest quiet hour ..."""
LEAST_SHARE = 0.01
"""... and at least this share of the threshold ..."""
STAYS = 0.8
"""... in this share of the hours from then to the breakdown ..."""
WINDOWS = 2
"""... which are at least so many windows."""


@dataclass(frozen=True, slots=True)
class Hours:
    """One detector by the hour, in shares of its threshold; NaN = no score in that hour."""

    kind: str
    """`score` = the detector itself, `alone` = what one signal adds to it, `limit` = a failure limit."""
    name: str
    """Signal or failure mode; empty for the score."""
    level: Array
    peak: Array


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near a detector came, and from which hour on it stood out; `since` None = it never did."""

    kind: str
    name: str
    nearest: float
    """Highest share of the threshold."""
    nearest_at: int
    """Hour of it."""
    quiet: float
    """Highest hourly median of the quiet days."""
    since: int | None


class LookBack:
    """Collects scores piece by piece, so that a month of fast readings needs little room."""

    def __init__(self, model: AssetModel, layout: Layout, base: Baseline, start_us: int, end_us: int) -> None:
        self._model, self._layout, self._base = model, layout, base
        self._start, self._end = start_us, end_us
        self._limits = limits_of(model, layout)
        usable = [(ALONE, s) for j, s in enumerate(layout.symptoms) if base.usable[j]]
        self.names = [(SCORE, ""), *usable, *((LIMIT, m.name) for m, _ in self._limits)]
        self._open: list[tuple[NDArray[np.int64], Array]] = []
        count = max(1, -((start_us - end_us) // HOUR_US))
        self._level = np.full((count, len(self.names)), np.nan)
        self._peak = self._level.copy()
        self.rows = 0

    @property
    def hours(self) -> list[Hours]:
        """What was collected, oldest hour first."""
        self._fold(None)
        return [Hours(k, n, self._level[:, j], self._peak[:, j]) for j, (k, n) in enumerate(self.names)]

    def add(self, scores: Scores) -> None:
        """Take the next scores in time order."""
        inside = (scores.why == Why.SCORED) & (scores.t_us >= self._start) & (scores.t_us < self._end)
        hour = (scores.t_us[inside] - self._start) // HOUR_US
        self.rows += len(hour)
        if len(hour):
            self._open.append((hour, self._shares(scores, inside)))
            self._fold(int(hour[-1]))

    def _shares(self, scores: Scores, inside: NDArray[np.bool_]) -> Array:
        base, threshold = self._base, self._layout.settings.threshold
        means = scores.means[inside]
        size = np.abs(means) if self._layout.settings.fleet else means**2 / (np.diag(base.covariance) * base.limit)
        columns = [scores.score[inside] / threshold, *(size[:, base.usable] / threshold).T]
        for mode, j in self._limits:
            assert mode.limit is not None
            usual = scores.expected[inside][:, j]
            value = usual + means[:, j] * base.scale[:, j].mean()
            way = mode.limit.value - usual
            columns.append(np.where(way != 0, (value - usual) / np.where(way != 0, way, 1.0), np.nan))
        return np.column_stack(columns)

    def _fold(self, until: int | None) -> None:
        """Close the hours before `until`; None = all."""
        if not self._open:
            return
        hour = np.concatenate([h for h, _ in self._open])
        rows = np.concatenate([r for _, r in self._open])
        closed = np.ones(len(hour), dtype=bool) if until is None else hour < until
        for one in np.unique(hour[closed]).tolist():
            some = rows[hour == one]
            known = np.isfinite(some).any(0)
            self._level[one, known] = np.nanmedian(some[:, known], axis=0)
            self._peak[one, known] = np.nanmax(some[:, known], axis=0)
        self._open = [(hour[~closed], rows[~closed])] if not closed.all() else []


def limits_of(model: AssetModel, layout: Layout) -> list[tuple[FailureMode, int]]:
    """Failure modes with a limit on a symptom, and the symptom's column."""
    modes = [m for c in model.components.values() for m in c.modes]
    return [
        (m, layout.symptoms.index(m.limit.signal))
        for m in modes
        if m.limit is not None and m.limit.signal is not None and m.limit.signal in layout.symptoms
    ]


def look_back(hours: Sequence[Hours], window_hours: float) -> list[Nearness]:
    """How near each detector came, nearest first; empty where too few hours have a score to say anything."""
    out = []
    for one in hours:
        known = np.flatnonzero(np.isfinite(one.level))
        if len(known) < FEWEST_HOURS:
            continue
        at = int(known[np.argmax(one.peak[known])])
        quiet = float(one.level[known[: max(1, round(QUIET_SHARE * len(known)))]].max())
        out.append(
            Nearness(one.kind, one.name, float(one.peak[at]), at, quiet, _since(one, known, quiet, window_hours))
        )
    return sorted(out, key=lambda n: (n.kind == LIMIT, -n.nearest))


def _since(one: Hours, known: NDArray[np.int64], quiet: float, window_hours: float) -> int | None:
    """The first hour from which on it stayed above the quiet days, up to the end."""
    out = one.level[known] > max(STANDS_OUT * max(quiet, 0.0), LEAST_SHARE)
    share = np.cumsum(out[::-1])[::-1] / np.arange(len(out), 0, -1)
    long_enough = np.arange(len(out), 0, -1) >= max(2.0, WINDOWS * window_hours)
    found = np.flatnonzero(out & (share >= STAYS) & long_enough)
    return int(known[found[0]]) if len(found) else None
