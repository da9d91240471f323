"""Learns a healthy baseline from running rows, and calibrates it block by block.

The covariance of the window means is shrunk towards its diagonal (after Ledoit and Wolf, 2004, with an intensity by the
number of independent windows).
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from anomaly.domain.baseline import Baseline, Training, distance, healthy_residuals, window_means
from anomaly.domain.layout import Array, Layout
from anomaly.domain.quick_mean import learn_quick_mean
from anomaly.domain.regimes import UNKNOWN, learn_regimes
from anomaly.domain.regression import regress, spreads, standard
from anomaly.domain.wandering import integrated_time, wandering
from contracts.detection_methods import CUSUM

BLOCKS = 5
"""Calibration leaves out one of so many consecutive blocks at a time."""
QUANTILE = 0.99
REGRESSION_ROWS = 1500
"""Neighbouring rows say the same: the regression takes about every n-th row of a long record."""
LEAST_SHRINKAGE = 0.05
NOISE = 1.5
"""The path's noise is taken larger than the healthy one by this factor: degradation is no exact exponential."""


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


def fit_core(training: Training, layout: Layout, bands: bool = True) -> Baseline:
    """Fit a baseline without calibration (`limit` is 1) and without the path's noise.

    Without `bands` it lacks what pages show: the usual bands and the values without compensation.
    """
    settings = layout.settings
    n, k = training.symptoms.shape
    regimes = learn_regimes(training.levels, tuple(layout.spans[i] for i in layout.regimes))
    regime = regimes.of(training.levels)
    count = regimes.count
    x_mean, x_scale = standard(training.features)
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
        slopes[:, :, j], centre[:, j] = regress(x[some], y[some], regime[some], count, robust)
        left = y - centre[np.maximum(regime, 0), j] - (x * slopes[np.maximum(regime, 0), :, j]).sum(1)
        scale[:, j], usable[j] = spreads(left, rows, regime, count, robust)
        if not bands:
            continue
        for r in range(count):
            mine = rows & (regime == r)
            plain_centre[r, j] = float(np.median(y[mine])) if mine.any() else float(np.median(y[rows]))
        plain_scale[:, j], _ = spreads(y - plain_centre[np.maximum(regime, 0), j], rows, regime, count, robust)
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
