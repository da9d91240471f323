"""Signals that wander: already while healthy they drift for longer than a window, so their level proves nothing.

A temperature that takes half of the healthy record to settle has shown one or two independent values of its own; a
limit learned from them is passed as soon as the weather changes.
"""

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import Array

UNCORRELATED = 0.05
"""The sum over the autocorrelation ends where it falls below this."""


def wandering(z: Array, segment: NDArray[np.int64], longest: float) -> NDArray[np.bool_]:
    """Which columns of healthy residuals (n, k) stay correlated for longer than `longest` rows (integrated time).

    Lags reach half of the longest uninterrupted stretch.
    """
    numbers, counts = np.unique(segment, return_counts=True)
    if len(z) == 0:
        return np.zeros(z.shape[1], dtype=bool)
    record = z[segment == numbers[counts.argmax()]]
    return np.array([integrated_time(column) > longest for column in record.T])


def integrated_time(x: Array) -> float:
    """Integrated autocorrelation time in rows: 1 for white noise (Sokal, 1997, eq. 2.16). Missing values are 0."""
    known = np.isfinite(x)
    if known.sum() < 4:
        return 1.0
    centred = np.where(known, x - x[known].mean(), 0.0)
    n = len(centred)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    covariance = np.fft.irfft(spectrum * spectrum.conj(), size)[: n // 2]
    if covariance[0] <= 0:
        return 1.0
    correlation = covariance[1:] / covariance[0]
    below = np.flatnonzero(correlation < UNCORRELATED)
    end = int(below[0]) if len(below) else len(correlation)
    return float(1.0 + 2.0 * correlation[:end].sum())
