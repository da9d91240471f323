"""Operating regimes: the levels at which a machine is run, learned from its conditions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import Array

RESOLUTION = 0.02
"""Levels closer than this share of the declared range are one level."""
MARGIN = 0.02
"""How far beyond a learned level, as a share of the declared range, a value still belongs to it."""
FEWEST = 0.005
"""A level that holds a smaller share of the rows is a passage, not a level."""
FEWEST_ROWS = 8
UNKNOWN = -1


@dataclass(frozen=True)
class Regimes:
    """Levels [low, high] of each regime condition, and the combinations of levels that were seen."""

    low: tuple[Array, ...]
    high: tuple[Array, ...]
    combinations: NDArray[np.int64]
    """Shape (number of regimes, number of regime conditions)."""

    @property
    def count(self) -> int:
        """Number of regimes; 1 where no condition makes any."""
        return max(1, len(self.combinations))

    def of(self, conditions: Array) -> NDArray[np.int64]:
        """Regime of each row of regime conditions (n, c); UNKNOWN outside all known ones."""
        if not self.low:
            return np.zeros(len(conditions), dtype=np.int64)
        levels = np.stack(
            [_level(conditions[:, j], a, b) for j, (a, b) in enumerate(zip(self.low, self.high, strict=True))], 1
        )
        same = (levels[:, None, :] == self.combinations[None]).all(2)
        return np.where(same.any(1), same.argmax(1), UNKNOWN)


def _level(x: Array, low: Array, high: Array) -> NDArray[np.int64]:
    with np.errstate(invalid="ignore"):
        inside = (x[:, None] >= low) & (x[:, None] <= high)
    return np.where(inside.any(1), inside.argmax(1), UNKNOWN)


def learn_regimes(conditions: Array, spans: tuple[float, ...]) -> Regimes:
    """Levels are runs of values without a gap wider than `RESOLUTION` of the declared range.

    Parameters
    ----------
    conditions
        Healthy, running rows (n, c) of the regime conditions.
    spans
        Width of each condition's declared range; 0 = the width of what was seen.
    """
    if conditions.shape[1] == 0:
        return Regimes((), (), np.zeros((0, 0), dtype=np.int64))
    lows, highs = [], []
    for x, span in zip(conditions.T, spans, strict=True):
        low, high = _levels(x[np.isfinite(x)], span)
        lows.append(low)
        highs.append(high)
    levels = np.stack([_level(x, a, b) for x, a, b in zip(conditions.T, lows, highs, strict=True)], 1)
    levels = levels[(levels != UNKNOWN).all(1)]
    found, counts = np.unique(levels, axis=0, return_counts=True)
    enough = counts >= _fewest(len(conditions))
    return Regimes(tuple(lows), tuple(highs), found[enough] if enough.any() else found)


def _fewest(rows: int) -> float:
    return max(min(FEWEST_ROWS, rows), FEWEST * rows)


def _levels(x: Array, span: float) -> tuple[Array, Array]:
    if len(x) == 0:
        return np.zeros(0), np.zeros(0)
    ordered = np.sort(x)
    width = span or float(ordered[-1] - ordered[0]) or 1.0
    cuts = np.flatnonzero(np.diff(ordered) > RESOLUTION * width) + 1
    pieces = [p for p in np.split(ordered, cuts) if len(p) >= _fewest(len(x))] or [ordered]
    low = np.array([p[0] for p in pieces]) - MARGIN * width
    high = np.array([p[-1] for p in pieces]) + MARGIN * width
    for i in range(1, len(pieces)):
        if low[i] < high[i - 1]:
            low[i] = high[i - 1] = (pieces[i][0] + pieces[i - 1][-1]) / 2
    return low, high
