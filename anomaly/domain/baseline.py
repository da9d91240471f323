"""The healthy baseline: what each symptom should be under these conditions, and how far it strays while healthy.

Inside each regime a symptom is predicted from the operating conditions and from the same low-passed (thermal lag). The
residuals, in robust sigmas, are averaged over the trailing window; how far these means lie from zero is the score.
`domain.baseline_fit` learns a baseline.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import Array, Layout
from anomaly.domain.quick_mean import QuickMean
from anomaly.domain.regimes import UNKNOWN, Regimes


@dataclass(frozen=True)
class Training:
    """Healthy running rows: `symptoms` (n, k), `features` (n, p), regime conditions (n, c), `segment` (n,) numbers
    the uninterrupted stretches."""

    symptoms: Array
    features: Array
    levels: Array
    segment: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.symptoms)

    def take(self, rows: NDArray[np.bool_]) -> "Training":
        """Some of the rows."""
        return Training(self.symptoms[rows], self.features[rows], self.levels[rows], self.segment[rows])


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline of k symptoms, p features and R regimes; arrays in the layout's order."""

    regimes: Regimes
    x_mean: Array
    x_scale: Array
    slopes: Array
    """(R, p, k), per standardised feature."""
    centre: Array
    """(R, k): the symptom at mean conditions."""
    scale: Array
    """(R, k): robust sigma of the residual."""
    usable: NDArray[np.bool_]
    """(k,): False for signals that did not move while healthy."""
    offset: Array
    """(k,), sigmas: taken off every residual."""
    covariance: Array
    """(k, k) of window means of the residuals, in sigmas."""
    limit: float
    """The block-wise calibrated quantile of the raw score; scores are multiples of it."""
    plain_centre: Array
    plain_scale: Array
    """(R, k): centre and robust sigma without compensation."""
    plain_band: Array
    band: Array
    """(2, k): range of 99 % of healthy window means, in sigmas, without and with compensation."""
    noise: Array
    """(k,): variance of a path step about its mean, sigmas^2, widened for its correlation in time."""
    index_noise: float
    """The same for the median of all symptoms."""
    rows: int
    members: int = 1
    """Machines whose healthy rows it rests on."""
    quick: QuickMean | None = None
    """A second mean that follows quickly; None = there is none."""
    correlated: Array | None = None
    """(k,): rows for which healthy residuals stay correlated; None = nobody asks for it."""

    def expected(self, features: Array, regime: NDArray[np.int64]) -> Array:
        """What the symptoms should be (n, k); NaN in unknown regimes."""
        known = np.maximum(regime, 0)
        x = np.nan_to_num((features - self.x_mean) / self.x_scale)
        out: Array = self.centre[known] + (x[:, :, None] * self.slopes[known]).sum(1)
        out[regime == UNKNOWN] = np.nan
        return out

    def residual(self, symptoms: Array, expected: Array, regime: NDArray[np.int64]) -> Array:
        """Deviation from the expected in robust sigmas (n, k); NaN where there is no reading or no usable signal."""
        out: Array = (symptoms - expected) / self.scale[np.maximum(regime, 0)] - self.offset
        out[:, ~self.usable] = np.nan
        return out

    def plain(self, symptoms: Array, regime: NDArray[np.int64]) -> Array:
        """Deviation from the regime's usual value without compensation, in robust sigmas (n, k)."""
        known = np.maximum(regime, 0)
        out: Array = (symptoms - self.plain_centre[known]) / self.plain_scale[known]
        out[regime == UNKNOWN] = np.nan
        return out

    def shifted(self, signals: Sequence[int], offset: Array, spread: Array) -> "Baseline":
        """The baseline of a machine with a replaced part: same slopes, new level and at least the old spread."""
        new_offset, scale = self.offset.copy(), self.scale.copy()
        for j in signals:
            new_offset[j] = (self.offset[j] + offset[j]) / max(1.0, spread[j])
            scale[:, j] *= max(1.0, spread[j])
        if self.quick is None:
            return replace(self, offset=new_offset, scale=scale)
        at = self.quick.at.copy()
        at[list(signals)] = new_offset[list(signals)]
        return replace(self, offset=new_offset, scale=scale, quick=self.quick.moved(at))


Fitter = Callable[[Training, Layout], Baseline]
"""`domain.baseline_fit.fit_with_noise`, here or in a process of its own."""


def distance(means: Array, base: Baseline) -> tuple[Array, Array]:
    """Squared Mahalanobis distance of window means (n, k) as multiples of the limit, and the part of each signal.

    Signals without a value are left out; the distance grows by the share that is missing, so that it means the same.
    Rows without any value are NaN. The parts sum to the score.
    """
    score, parts = np.full(len(means), np.nan), np.zeros(means.shape)
    present = np.isfinite(means) & base.usable
    if len(means) == 0:
        return score, parts
    for mask in np.unique(present, axis=0):
        if not mask.any():
            continue
        rows = (present == mask).all(1)
        inverse = np.linalg.inv(base.covariance[np.ix_(mask, mask)])
        m = means[rows][:, mask]
        part = m * (m[:, :, None] * inverse).sum(1) * (base.usable.sum() / mask.sum() / base.limit)
        parts[np.ix_(rows, mask)] = part
        score[rows] = part.sum(1)
    return score, parts


def window_means(z: Array, segment: NDArray[np.int64], window: int) -> Array:
    """Means over the trailing `window` rows of each row (n, k); NaN where fewer lie in its segment.

    A signal needs half of the rows.
    """
    out = np.full(z.shape, np.nan)
    if len(z) < window:
        return out
    ok = np.isfinite(z)
    views = np.lib.stride_tricks.sliding_window_view(np.where(ok, z, 0.0), window, axis=0)
    counts = np.lib.stride_tricks.sliding_window_view(ok, window, axis=0).sum(2)
    sums = np.zeros(counts.shape)
    for i in range(window):
        sums += views[:, :, i]
    whole = segment[window - 1 :] == segment[: len(z) - window + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts
    means[counts < max(1, window // 2)] = np.nan
    means[~whole] = np.nan
    out[window - 1 :] = means
    return out


def healthy_residuals(base: Baseline, training: Training) -> Array:
    """Residuals (n, k) of healthy rows."""
    regime = base.regimes.of(training.levels)
    return base.residual(training.symptoms, base.expected(training.features, regime), regime)
