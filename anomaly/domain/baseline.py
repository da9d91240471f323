"""The healthy baseline: what each symptom should be under these conditions, and how far it strays while healthy.

Inside each regime a symptom is predicted from the operating conditions and from the same low-passed (thermal lag) by a
robust ridge regression whose slopes are drawn towards those of all regimes together. The residuals, in robust sigmas,
are averaged over the trailing window; their covariance is shrunk towards its diagonal (after Ledoit and Wolf, 2004,
with an intensity by the number of independent windows).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import Array, Layout
from anomaly.domain.quick_mean import QuickMean, learn_quick_mean
from anomaly.domain.regimes import UNKNOWN, Regimes, learn_regimes
from anomaly.domain.wandering import integrated_time, wandering
from contracts.detection_methods import CUSUM

BLOCKS = 5
"""Calibration leaves out one of so many consecutive blocks at a time."""
QUANTILE = 0.99
RIDGE = 0.02
"""Weight of the ridge, per row, in standardised units."""
POOL_ROWS = 60.0
"""A regime's own slopes count as much as the pooled ones at this many rows."""
HUBER = 2.5
"""Residuals beyond so many robust sigmas lose weight (Huber, 1964)."""
ROUNDS = 4
REGRESSION_ROWS = 1500
"""Neighbouring rows say the same: the regression takes about every n-th row of a long record."""
MAD_SIGMA = 1.4826
LEAST_SHRINKAGE = 0.05
FEW_ROWS = 20
"""A regime with fewer rows borrows the spread of all."""
NOISE = 1.5
"""The path's noise is taken larger than the healthy one by this factor: degradation is no exact exponential."""


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
"""`fit_with_noise`, here or in a process of its own."""


def fit(training: Training, layout: Layout) -> Baseline:
    """Fit a baseline and calibrate it block by block."""
    base = fit_core(training, layout)
    every = replace(layout, settings=replace(layout.settings, steady_windows=0.0))
    held_out = []
    bounds = np.linspace(0, len(training), BLOCKS + 1).astype(int)
    for a, b in pairwise(bounds.tolist()):
        block = np.zeros(len(training), dtype=bool)
        block[a:b] = True
        if b - a < layout.settings.window_samples or len(training) - (b - a) < 2 * layout.settings.window_samples:
            continue
        without = fit_core(training.take(~block), every, bands=False)
        without = replace(without, usable=without.usable & base.usable)
        held_out.append(raw_scores(without, training.take(block), layout))
    scores = np.concatenate(held_out) if held_out else np.zeros(0)
    if not np.isfinite(scores).any():
        scores = raw_scores(base, training, layout)
    scores = scores[np.isfinite(scores)]
    return replace(base, limit=float(np.quantile(scores, QUANTILE)) if len(scores) else 1.0)


def fit_with_noise(training: Training, layout: Layout) -> Baseline:
    """Fit a baseline, calibrate it, and learn the noise of the degradation path."""
    base = fit(training, layout)
    settings = layout.settings
    step = max(1, round(settings.window_samples / 6))
    z = healthy_residuals(base, training)
    noise, index_noise = path_noise(z, step)
    if settings.quick_samples > 0:
        means = window_means(z, training.segment, settings.window_samples)
        quick = learn_quick_mean(means, base.usable, settings.window_samples, settings.quick_samples)
        base = replace(base, quick=quick)
    if CUSUM in settings.methods:
        base = with_correlation(base, training)
    return with_noise(base, noise, index_noise)


def with_correlation(base: Baseline, training: Training) -> Baseline:
    """The baseline with the correlation times of its healthy residuals."""
    z = healthy_residuals(base, training)
    return replace(base, correlated=np.array([integrated_time(column) for column in z.T]))


def with_noise(base: Baseline, noise: Array, index_noise: float) -> Baseline:
    """The baseline with the path's noise."""
    return replace(base, noise=noise, index_noise=index_noise)


def raw_scores(base: Baseline, training: Training, layout: Layout) -> Array:
    """Uncalibrated scores of healthy rows, NaN where the window is not full."""
    means = window_means(healthy_residuals(base, training), training.segment, layout.settings.window_samples)
    with np.errstate(invalid="ignore"):
        return distance(means, base)[0] * base.limit


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


def fit_core(training: Training, layout: Layout, bands: bool = True) -> Baseline:
    """Fit a baseline without calibration (`limit` is 1) and without the path's noise.

    Without `bands` it lacks what pages show: the usual bands and the values without compensation.
    """
    settings = layout.settings
    n, k = training.symptoms.shape
    regimes = learn_regimes(training.levels, tuple(layout.spans[i] for i in layout.regimes))
    regime = regimes.of(training.levels)
    count = regimes.count
    x_mean, x_scale = _standard(training.features)
    x = np.nan_to_num((training.features - x_mean) / x_scale)
    if not settings.compensate:
        x[:] = 0.0
    slopes, centre = np.zeros((count, x.shape[1], k)), np.zeros((count, k))
    scale, plain_centre, plain_scale = np.ones((count, k)), np.zeros((count, k)), np.ones((count, k))
    usable = np.zeros(k, dtype=bool)
    robust = not settings.fleet
    for j in range(k):
        y = training.symptoms[:, j]
        rows = np.isfinite(y) & (regime != UNKNOWN)
        if rows.sum() < 3:
            continue
        some = np.flatnonzero(rows)[:: max(1, int(rows.sum()) // REGRESSION_ROWS)]
        slopes[:, :, j], centre[:, j] = _regress(x[some], y[some], regime[some], count, robust)
        left = y - centre[np.maximum(regime, 0), j] - (x * slopes[np.maximum(regime, 0), :, j]).sum(1)
        scale[:, j], usable[j] = _spreads(left, rows, regime, count, robust)
        if not bands:
            continue
        for r in range(count):
            mine = rows & (regime == r)
            plain_centre[r, j] = float(np.median(y[mine])) if mine.any() else float(np.median(y[rows]))
        plain_scale[:, j], _ = _spreads(y - plain_centre[np.maximum(regime, 0), j], rows, regime, count, robust)
    base = Baseline(
        regimes, x_mean, x_scale, slopes, centre, scale, usable, np.zeros(k), np.eye(k), 1.0,
        plain_centre, plain_scale, np.zeros((2, k)), np.zeros((2, k)), np.ones(k), 1.0, n,
    )  # fmt: skip
    z = healthy_residuals(base, training)
    if settings.steady_windows > 0:
        steady = usable & ~wandering(z, training.segment, settings.steady_windows * settings.window_samples)
        base = replace(base, usable=steady if steady.any() else usable)
        z = healthy_residuals(base, training)
    means = window_means(z, training.segment, settings.window_samples)
    base = replace(base, covariance=_covariance(z, means, settings.window_samples))
    if not bands:
        return base
    plain = base.plain(training.symptoms, regime)
    return replace(
        base,
        band=_band(means),
        plain_band=_band(window_means(plain, training.segment, settings.window_samples)),
    )


def _standard(x: Array) -> tuple[Array, Array]:
    ok = np.isfinite(x)
    count = np.maximum(ok.sum(0), 1)
    mean = np.where(ok, x, 0.0).sum(0) / count
    deviation = np.sqrt(np.where(ok, (x - mean) ** 2, 0.0).sum(0) / count)
    return mean, np.where(deviation > 1e-9 * np.maximum(1.0, np.abs(mean)), deviation, np.inf)


def _regress(x: Array, y: Array, regime: NDArray[np.int64], count: int, robust: bool) -> tuple[Array, Array]:
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


def _spreads(
    left: Array, rows: NDArray[np.bool_], regime: NDArray[np.int64], count: int, robust: bool
) -> tuple[Array, bool]:
    overall = _sigma(left[rows], robust)
    if overall <= 1e-9 * max(1.0, float(np.abs(left[rows]).max(initial=0.0))):
        return np.ones(count), False
    out = np.full(count, overall)
    for r in range(count):
        mine = rows & (regime == r)
        if mine.sum() >= FEW_ROWS:
            out[r] = max(_sigma(left[mine], robust), 0.1 * overall)
    return out, True


def _covariance(z: Array, means: Array, window: int) -> Array:
    k = z.shape[1]
    whole = np.isfinite(means).any(1)
    m = np.nan_to_num(means[whole])
    if len(m) < 3:
        return np.eye(k) / window + LEAST_SHRINKAGE * np.eye(k)
    second = (m[:, :, None] * m[:, None, :]).sum(0) / len(m)
    variance = np.maximum(np.diag(second), 0.5 / window)
    independent = len(z) / window
    shrink = max(LEAST_SHRINKAGE, k / (k + independent))
    sigma = np.sqrt(variance)
    out: Array = (1 - shrink) * second
    out[np.diag_indices(k)] = variance
    return out + LEAST_SHRINKAGE * np.diag(sigma * sigma)


def _band(means: Array) -> Array:
    whole = means[np.isfinite(means).any(1)]
    if len(whole) == 0:
        return np.stack([np.full(means.shape[1], -1.0), np.full(means.shape[1], 1.0)])
    filled = np.nan_to_num(whole)
    low, high = np.quantile(filled, [(1 - QUANTILE) / 2, (1 + QUANTILE) / 2], axis=0)
    slack = 0.25 * (high - low)
    return np.stack([low - slack, high + slack])


def path_noise(z: Array, step: int) -> tuple[Array, float]:
    """Variance of path steps (means of `step` rows) about zero, per signal and of their median, widened by NOISE and
    by the correlation from step to step."""
    usable = np.isfinite(z).any(0)
    blocks = len(z) // step
    if blocks < 4 or not usable.any():
        return np.ones(z.shape[1]), 1.0
    steps = np.nan_to_num(z[: blocks * step]).reshape(blocks, step, -1).mean(1)
    index = np.median(steps[:, usable], axis=1)
    widened = np.array([_widened(column) for column in steps.T])
    return NOISE * widened, NOISE * _widened(index)


def _widened(x: Array) -> float:
    centred = x - x.mean()
    variance = float((centred * centred).mean())
    if variance <= 0:
        return 1e-6
    rho = min(0.9, max(0.0, float((centred[1:] * centred[:-1]).mean()) / variance))
    return variance * (1 + rho) / (1 - rho)
