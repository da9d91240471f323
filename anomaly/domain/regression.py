"""Robust ridge regression of a symptom on the operating conditions, and the spread that it leaves, by regime.

The slopes of each regime are drawn towards those of all regimes together.
"""

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import Array

RIDGE = 0.02
"""Weight of the ridge, per row, in standardised units."""
POOL_ROWS = 60.0
"""A regime's own slopes count as much as the pooled ones at this many rows."""
HUBER = 2.5
"""Residuals beyond so many robust sigmas lose weight (Huber, 1964)."""
ROUNDS = 4
MAD_SIGMA = 1.4826
FEW_ROWS = 20
"""A regime with fewer rows borrows the spread of all."""


def standard(x: Array) -> tuple[Array, Array]:
    """Mean and spread of each column; the spread of one that does not move is endless."""
    ok = np.isfinite(x)
    count = np.maximum(ok.sum(0), 1)
    mean = np.where(ok, x, 0.0).sum(0) / count
    deviation = np.sqrt(np.where(ok, (x - mean) ** 2, 0.0).sum(0) / count)
    return mean, np.where(deviation > 1e-9 * np.maximum(1.0, np.abs(mean)), deviation, np.inf)


def regress(x: Array, y: Array, regime: NDArray[np.int64], count: int, robust: bool) -> tuple[Array, Array]:
    """Slopes (R, p) and levels (R,) of one symptom."""
    p = x.shape[1]
    groups = [np.flatnonzero(regime == r) for r in range(count)]
    mine = [(x[g], y[g]) for g in groups]
    level = np.array([np.median(yr if len(yr) else y) for _, yr in mine])
    slopes, weight = np.zeros((count, p)), np.ones(len(y))
    for _ in range(ROUNDS):
        grams, moments = np.zeros((count, p, p)), np.zeros((count, p))
        for r, (g, (xr, yr)) in enumerate(zip(groups, mine, strict=True)):
            if len(g):
                w = weight[g]
                cx = xr - _mean(xr, w)
                weighted = (cx * w[:, None]).T
                grams[r], moments[r] = weighted @ cx, weighted @ (yr - _mean(yr, w))
        ridge = (RIDGE * weight.sum() + 1e-9) * np.eye(p)
        pooled = np.linalg.solve(grams.sum(0) + ridge, moments.sum(0))
        left = np.empty(len(y))
        for r, (g, (xr, yr)) in enumerate(zip(groups, mine, strict=True)):
            slopes[r] = pooled
            if len(g):
                own = moments[r] - grams[r] @ pooled
                slopes[r] = pooled + np.linalg.solve(grams[r] + POOL_ROWS * np.eye(p), own)
                rest = yr - xr @ slopes[r]
                level[r] = float(_mean(rest, weight[g]))
                left[g] = rest - level[r]
        if not robust:
            break
        sigma = _sigma(left)
        weight = np.minimum(1.0, HUBER * sigma / np.maximum(np.abs(left), 1e-12)) if sigma > 0 else np.ones(len(y))
    return slopes, level


def _mean(x: Array, weight: Array) -> Array:
    shape = (-1,) + (1,) * (x.ndim - 1)
    total: Array = (x * weight.reshape(shape)).sum(0) / max(float(weight.sum()), 1e-12)
    return total


def _sigma(x: Array, robust: bool = True) -> float:
    """Robust sigma, for signals that mostly stand still no less than half the plain one; or the plain one.

    A pool of machines takes the plain one: the odd machine out is part of what is normal.
    """
    if len(x) == 0:
        return 0.0
    if not robust:
        return float(x.std())
    return max(MAD_SIGMA * float(np.median(np.abs(x - np.median(x)))), 0.5 * float(x.std()))


def spreads(
    left: Array, rows: NDArray[np.bool_], regime: NDArray[np.int64], count: int, robust: bool
) -> tuple[Array, bool]:
    """Robust sigma of what is left in each regime (R,), and whether the symptom moved at all."""
    overall = _sigma(left[rows], robust)
    if overall <= 1e-9 * max(1.0, float(np.abs(left[rows]).max(initial=0.0))):
        return np.ones(count), False
    out = np.full(count, overall)
    for r in range(count):
        mine = rows & (regime == r)
        if mine.sum() >= FEW_ROWS:
            out[r] = max(_sigma(left[mine], robust), 0.1 * overall)
    return out, True
