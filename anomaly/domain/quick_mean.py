"""A second healthy mean that follows quickly: small sudden changes stand out against it, slow wandering does not.

A healthy record seldom stands still, so that a limit learned from its whole spread is blind to a step smaller than that
spread. What is learned here is how far window means stray from a mean that has just followed them: the limit of a
step. What creeps is left to the slow mean.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import Array

BLOCKS = 4
"""Calibration leaves out one of so many consecutive blocks at a time."""
QUANTILE = 0.99
BEGIN, COUNT = 2, 3
"""Windows after which the mean begins to follow, and after which deviations count."""
LEAST_SHRINKAGE = 0.05


@dataclass(frozen=True)
class QuickMean:
    """Where a machine's quick mean is, and how far healthy window means stray from it; k symptoms."""

    at: Array
    """(k,), healthy sigmas from the learned centre."""
    covariance: Array
    """(k, k) of the deviations."""
    limit: float
    """The block-wise calibrated quantile of their squared Mahalanobis distance."""

    def moved(self, to: Array) -> "QuickMean":
        """The same, further on."""
        return replace(self, at=to)


def learn_quick_mean(means: Array, usable: NDArray[np.bool_], window: int, samples: float) -> QuickMean | None:
    """Follow the window means (n, k) of a healthy record; None = the record is too short to tell.

    Parameters
    ----------
    means
        In healthy sigmas, NaN where there is none.
    samples
        Time constant of the mean, in rows.
    """
    m = means[np.isfinite(means).any(1)]
    if len(m) < 2 * COUNT * window:
        return None
    at = np.nan_to_num(m[BEGIN * window])
    strayed = np.zeros_like(m)
    for i in range(BEGIN * window, len(m)):
        strayed[i] = np.where(np.isfinite(m[i]), m[i] - at, 0.0)
        at = at + strayed[i] / max(samples, 1.0)
    strayed = strayed[COUNT * window :]
    scores = []
    for block in np.array_split(np.arange(len(strayed)), BLOCKS):
        others = np.delete(strayed, block, axis=0)
        scores.append(_squared(strayed[block][:, usable], _covariance(others, window)[np.ix_(usable, usable)]))
    limit = float(np.quantile(np.concatenate(scores), QUANTILE)) if usable.any() else 1.0
    return QuickMean(at, _covariance(strayed, window), limit if limit > 0 else 1.0)


def _squared(x: Array, covariance: Array) -> Array:
    out: Array = (x * (x[:, :, None] * np.linalg.inv(covariance)).sum(1)).sum(1)
    return out


def _covariance(x: Array, window: int) -> Array:
    k = x.shape[1]
    second = (x[:, :, None] * x[:, None, :]).sum(0) / len(x)
    variance = np.maximum(np.diag(second), 0.5 / window)
    shrink = max(LEAST_SHRINKAGE, k / (k + len(x) / window))
    out: Array = (1 - shrink) * second
    out[np.diag_indices(k)] = variance
    return out + LEAST_SHRINKAGE * np.diag(variance)
