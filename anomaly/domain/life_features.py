"""What a learned remaining life looks at: deviations from the usual of their regime, over windows of several lengths.

All of it is causal and of bounded memory: the newest rows and two sums. Rows may come one by one or a whole record at
once; the numbers are the same. Fused indices are weighted sums of the deviations that move as a machine wears.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from anomaly.domain.layout import Array
from anomaly.domain.regimes import UNKNOWN, Regimes

FEATURES = 2
"""Grows with every change of what the features mean: a model knows only those that it was made for."""
WINDOWS = (5, 15, 30)
SPREAD_OVER = 15
FUSED_WINDOWS = (3, 5, 10, 20, 40, 80)
FUSED_SLOPES = (20, 40, 80)
LONGEST = 80
OWN_ROWS = 15
"""First rows of a machine's record: its own usual."""
YOUNG_ROWS = 10.0
"""Added to the age that a rise is divided by, so that the first rows of a life do not count too much."""
CHUNK = 1024
FARTHEST = 50.0
"""A deviation counts for no more than so many of the usual spread, however broken a sensor is."""


@dataclass(frozen=True)
class Scaling:
    """Readings to deviations: per regime, in units of the usual spread."""

    regimes: Regimes
    centre: Array
    """(regimes, k)."""
    spread: Array
    """(regimes, k)."""

    def __call__(self, readings: Array, levels: Array) -> Array:
        """Deviations (n, k) of readings (n, k) under regime conditions (n, c); NaN outside the known regimes."""
        regime = self.regimes.of(levels)
        known = np.where(regime == UNKNOWN, 0, regime)
        out: Array = (readings - self.centre[known]) / self.spread[known]
        out[regime == UNKNOWN] = np.nan
        return np.clip(out, -FARTHEST, FARTHEST)


def fused(z: Array, weights: Array) -> Array:
    """Indices (n, c) of deviations (n, k) by weights (k, c); what is missing is made up for by what is there."""
    there = np.isfinite(z)
    full = np.abs(weights).sum(0)
    seen = there.astype(np.float64) @ np.abs(weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        out: Array = np.where(seen > 0, np.where(there, z, 0.0) @ weights * (full / seen), np.nan)
    return out


@dataclass
class Record:
    """What is kept of one machine: enough for the features of its next row."""

    newest: Array
    """Newest rows of deviations and indices (up to LONGEST - 1, k + c)."""
    total: Array
    """Sums of all rows, and how many there were of each (2, k + c)."""
    own: Array
    """The same of the first OWN_ROWS rows."""
    rows: int = 0

    @classmethod
    def empty(cls, weights: Array) -> "Record":
        """Of a machine not seen yet, for weights (k, c) of the fused indices."""
        width = sum(weights.shape)
        return cls(np.zeros((0, width)), np.zeros((2, width)), np.zeros((2, width)))

    def feed(self, z: Array, weights: Array) -> Array:
        """Take rows of deviations (n, k) in time order; their features (n, f)."""
        pieces = [self._some(z[at : at + CHUNK], weights) for at in range(0, len(z), CHUNK)]
        return np.concatenate(pieces) if pieces else np.zeros((0, count(*weights.shape)))

    def _some(self, z: Array, weights: Array) -> Array:
        n, k = z.shape
        x = np.concatenate([z, fused(z, weights)], axis=1)
        there = np.isfinite(x)
        sums = np.stack([np.where(there, x, 0.0), there.astype(np.float64)])
        running = self.total[:, None] + np.cumsum(sums, axis=1)
        first = (self.rows + np.arange(n) < OWN_ROWS)[:, None]
        own = self.own[:, None] + np.cumsum(np.where(first, sums, 0.0), axis=1)
        tail = np.concatenate([np.full((LONGEST - 1 - len(self.newest), x.shape[1]), np.nan), self.newest, x])
        self.newest = tail[-(LONGEST - 1) :]
        self.total, self.own, self.rows = running[:, -1], own[:, -1], self.rows + n
        ever, usual = _ratio(*running), _ratio(*own)
        z_tail, h_tail = tail[:, :k], tail[:, k:]
        short, middle, long = (_mean(z_tail, w, n) for w in WINDOWS)
        means = {w: _mean(h_tail, w, n) for w in FUSED_WINDOWS}
        slopes = [_slope(h_tail, w, n) for w in FUSED_SLOPES]
        own_rise = means[10] - usual[:, k:]
        return np.concatenate(
            [
                short, middle, long, _spread(z_tail, SPREAD_OVER, n), ever[:, :k], middle - usual[:, :k], short - long,
                *means.values(), *slopes, _spread(h_tail, 20, n), ever[:, k:],
                own_rise, means[10] - means[40], usual[:, k:],
                means[10] - ever[:, k:], means[40] - ever[:, k:], means[40] - means[80],
                *(slope * means[10] / (1.0 + means[10] ** 2) for slope in slopes),
                *(slope / (1.0 + np.abs(own_rise)) for slope in slopes),
            ],
            axis=1,
        )  # fmt: skip


def count(k: int, c: int, *, with_age: bool = False) -> int:
    """Number of features of k deviations and c indices."""
    plain = 7 * k + (len(FUSED_WINDOWS) + 3 * len(FUSED_SLOPES) + 8) * c
    return plain + k + c + 1 if with_age else plain


def aged(x: Array, weights: Array, age_hours: Array, step_hours: float) -> Array:
    """Features (n, f) with the age of the record (n,), and how fast deviations and indices rose over it."""
    k, c = weights.shape
    at = 7 * k + (len(FUSED_WINDOWS) + len(FUSED_SLOPES) + 2) * c
    rise = np.concatenate([x[:, 5 * k : 6 * k], x[:, at : at + c]], axis=1)
    return np.column_stack([x, rise / (age_hours / step_hours + YOUNG_ROWS)[:, None], age_hours])


def _sums(tail: Array, w: int, n: int) -> Array:
    """Sums over the newest w rows, for each of the last n rows."""
    total = np.concatenate([np.zeros((1, tail.shape[1])), np.cumsum(tail, axis=0)])
    out: Array = total[-n:] - total[-n - w : len(total) - w]
    return out


def _mean(tail: Array, w: int, n: int) -> Array:
    there = np.isfinite(tail)
    return _ratio(_sums(np.where(there, tail, 0.0), w, n), np.rint(_sums(there.astype(np.float64), w, n)))


def _spread(tail: Array, w: int, n: int) -> Array:
    seen: Array = sliding_window_view(tail, w, axis=0)[-n:]
    there = np.isfinite(seen)
    number = there.sum(2)
    middle = _ratio(np.where(there, seen, 0.0).sum(2), number)[:, :, None]
    away = np.where(there, seen - middle, 0.0)
    return np.sqrt(_ratio((away * away).sum(2), number))


def _slope(tail: Array, w: int, n: int) -> Array:
    """Least-squares slope per row over the trailing window; 0 where there is but one row."""
    seen: Array = sliding_window_view(tail, w, axis=0)[-n:]
    there = np.isfinite(seen)
    at = np.where(there, np.arange(w, dtype=np.float64), 0.0)
    number = np.maximum(there.sum(2), 1)
    along = np.where(there, np.arange(w) - (at.sum(2) / number)[:, :, None], 0.0)
    size = (along * along).sum(2)
    rise = (along * np.where(there, seen, 0.0)).sum(2)
    out: Array = np.where(size > 0, rise / np.maximum(size, 1e-12), np.where(there.any(2), 0.0, np.nan))
    return out


def _ratio(a: Array, b: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        out: Array = np.where(b > 0, a / b, np.nan)
    return out
