"""Health and remaining life: how far the machine is on its path to the limit of a failure mode."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.baseline import Baseline
from anomaly.domain.diagnosis import pattern
from anomaly.domain.layout import Array, Layout, median_of
from anomaly.domain.passage import Passage, first_passage
from anomaly.domain.trend import local_linear_trend
from contracts.asset_model import AssetModel, FailureMode

SURE = 0.95
"""Probability of growth above which the path itself shows a trend."""


@dataclass(frozen=True, slots=True)
class Course:
    """The quantity that a failure mode drives: `base` when healthy, `limit` at failure, the path adds to the base."""

    path: Array
    """(n,), oldest first."""
    noise: float
    base: float
    limit: float
    spread: float
    signal: str | None
    """The signal whose unit it is in; None = an index in healthy sigmas."""

    def share(self, level: float) -> float:
        """How much of the way to the limit a path level is."""
        return level / max(self.limit - self.base, 1e-9)


@dataclass(frozen=True)
class Seen:
    """What health is told from, of n machines side by side; w steps of the path, k symptoms."""

    z: Array
    """Residuals (w, n, k) in sigmas along the path, oldest first."""
    means: Array
    """Window means of the residuals now (n, k)."""
    expected: Array
    """What the signals should be now (n, k), in their units."""
    usable: NDArray[np.bool_]
    scale: Array
    """One sigma in the signal's unit (n, k), the mean of all regimes."""


@dataclass(frozen=True)
class Drive:
    """What a failure mode drives, of n machines: see `Course`; `known` = its signals can be read now."""

    path: Array
    """(w, n)"""
    base: Array
    limit: Array
    known: NDArray[np.bool_]
    signs: Array
    """(n, k): which symptoms it is told from, NaN = not from this one."""

    def shares(self) -> Array:
        """How much of the way to the limit each machine has gone (n,); 0 where it is not known."""
        level = np.add.accumulate(self.path)[-1] / len(self.path) if len(self.path) else np.zeros(len(self.base))
        return np.where(self.known, level / np.maximum(self.limit - self.base, 1e-9), 0.0)


def drive_of(mode: FailureMode, model: AssetModel, layout: Layout, seen: Seen) -> Drive:
    """What a failure mode drives: one signal towards its limit, or an index of all signals that it moves."""
    limit = mode.limit
    if limit is not None and limit.signal is not None and limit.signal in layout.symptoms:
        j = layout.symptoms.index(limit.signal)
        usual = seen.expected[:, j]
        up = limit.value > usual
        y = np.where(up, 1.0, -1.0) * seen.z[:, :, j] * seen.scale[:, j]
        signs = np.full(seen.means.shape, np.nan)
        signs[:, j] = np.where(up, 1.0, -1.0)
        return Drive(
            _filled(y), np.where(up, np.maximum(usual, 0.0), 0.0),
            np.where(up, limit.value, np.maximum(usual - limit.value, 1e-6)),
            seen.usable[:, j] & np.isfinite(usual) & np.isfinite(seen.means[:, j]), signs,
        )  # fmt: skip
    if layout.settings.fleet:
        signs = np.where(seen.usable, np.sign(seen.means), np.nan)
    else:
        signs = pattern(mode, np.where(seen.means == seen.means, seen.means, 0.0), layout)
        signs = np.where(seen.usable & (signs != 0), signs, np.nan)
    chosen = np.isfinite(signs) & np.isfinite(seen.means)
    some = np.flatnonzero(chosen.any(0))
    w, n = seen.z.shape[:2]
    signed = seen.z[:, :, some] * np.where(chosen, signs, np.nan)[:, some]
    y = median_of(signed.reshape(w * n, len(some))).reshape(w, n) if len(some) else np.zeros((w, n))
    value = limit.value if limit else model.prognosis.limit
    return Drive(_filled(y), np.zeros(n), np.full(n, value), chosen.any(1), signs)


def worst_shares(model: AssetModel, layout: Layout, seen: Seen) -> Array:
    """How much of the way to its limit the furthest failure mode of each machine has gone (n,), at least 0."""
    worst = np.zeros(len(seen.means))
    for component in model.components.values():
        for mode in component.modes:
            worst = np.maximum(worst, drive_of(mode, model, layout, seen).shares())
    return worst


def course_of(
    mode: FailureMode, model: AssetModel, layout: Layout, base: Baseline, z: Array, means: Array, expected: Array
) -> Course | None:
    """The course of a failure mode of one machine; None = its signals cannot be read now.

    Parameters
    ----------
    z
        Residuals (w, k) in sigmas along the path.
    means, expected
        See `Seen`, (k,).
    """
    drive = drive_of(mode, model, layout, seen_of(base, z, means, expected))
    if not drive.known[0]:
        return None
    limit = mode.limit
    chosen = np.isfinite(drive.signs[0])
    signal, spread = None, limit.spread if limit else model.prognosis.spread
    if limit is not None and limit.signal in layout.symptoms:
        signal, j = limit.signal, layout.symptoms.index(limit.signal)
        noise = max(float(base.noise[j]) * float(base.scale[:, j].mean()) ** 2, 1e-12)
    elif layout.settings.fleet:
        noise = max(base.index_noise, 1e-9)
    else:
        noise = max(float(base.noise[chosen].mean()), 1e-9)
    return Course(drive.path[:, 0], noise, float(drive.base[0]), float(drive.limit[0]), spread, signal)


def seen_of(base: Baseline, z: Array, means: Array, expected: Array) -> Seen:
    """One machine alone."""
    scale = base.scale.mean(0)
    return Seen(z[:, None], means[None], expected[None], base.usable[None], scale[None])


def level_now(course: Course, window_steps: int) -> float:
    """The path's level now: the mean over the newest steps."""
    newest = course.path[-max(1, window_steps) :]
    return float(newest.mean()) if len(newest) else 0.0


def health_of(share: float) -> float:
    """0 (at the limit) to 100 (as new)."""
    return float(min(100.0, max(0.0, 100.0 * (1.0 - share))))


def spared(health: float, chance: float) -> float:
    """Health that does not contradict the forecast: at most the percentage by which the machine gets through.

    The way to the limit is walked slowly and then fast (wear grows exponentially), so a machine five days from its
    failure can have nine tenths of the way before it. Nobody may read 92 of 100 beside "five days".

    Parameters
    ----------
    chance
        P(failure within the horizon of the model's decisions), 0 to 1; 0 = no forecast stands.
    """
    return min(health, round(100.0 * (1.0 - chance), 6))  # what is left of a chance near 1 is rounding alone


def passage_of(course: Course, hours: Array, model: AssetModel, window_steps: int) -> Passage | None:
    """First passage of the limit; None = no trend yet.

    The limit of an index bounds what `level_now` and the health show, its window mean; that of a signal the signal.

    Parameters
    ----------
    hours
        Running hours of the path's steps, the last one now.
    window_steps
        Steps that one window covers.
    """
    trend = local_linear_trend(course.path, course.noise)
    if trend is None:
        return None
    prognosis = model.prognosis
    passage = first_passage(
        hours - hours[-1], course.path, course.noise, course.limit, course.spread, prognosis.shortest_hours,
        prognosis.longest_hours, course.base, 1 if course.signal is not None else window_steps,
    )  # fmt: skip
    return passage if trend.rises or passage.grows > SURE else None


def bands_of(base: Baseline) -> Array:
    """Usual bands of the compensated and the plain window means: (compensated or plain, from or to, k)."""
    return np.stack([base.band, base.plain_band])


def hot_signals(plain: Array, means: Array, usable: NDArray[np.bool_], bands: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Plain window means (n, k), and whether they have left their usual band while the compensated ones have not.

    Parameters
    ----------
    plain
        Deviations without compensation (w, n, k) of a whole window.
    means
        Window means of the compensated ones (n, k).
    bands
        (n, 2, 2, k), see `bands_of`.
    """
    known = plain == plain
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, plain, 0.0).sum(0) / known.sum(0)
    usual = (means >= bands[:, 0, 0]) & (means <= bands[:, 0, 1])
    return mean, usual & usable & ((mean > bands[:, 1, 1]) | (mean < bands[:, 1, 0]))


def _filled(y: Array) -> Array:
    """Steps (w, n) without a value take the one before (the first ones 0)."""
    if not np.isnan(y).any():
        return y
    out = y.copy()
    before = np.zeros(y.shape[1:])
    for i in range(len(y)):
        before = out[i] = np.where(y[i] == y[i], y[i], before)
    return out
