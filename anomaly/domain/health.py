"""Health and remaining life: how far the machine is on its path to the limit of a failure mode."""

from dataclasses import dataclass

import numpy as np

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


def course_of(
    mode: FailureMode, model: AssetModel, layout: Layout, base: Baseline, z: Array, means: Array, expected: Array
) -> Course | None:
    """The course of a failure mode; None = its signals cannot be read now.

    Parameters
    ----------
    z
        Residuals (n, k) in sigmas along the path.
    means
        Window means of the residuals now (k,).
    expected
        What the signals should be now (k,), in their units.
    """
    limit = mode.limit
    if limit is not None and limit.signal is not None and limit.signal in layout.symptoms:
        j = layout.symptoms.index(limit.signal)
        scale = float(base.scale[:, j].mean())
        y, usual = z[:, j] * scale, float(expected[j])
        if not base.usable[j] or not np.isfinite(usual) or not np.isfinite(means[j]):
            return None
        noise = max(float(base.noise[j]) * scale * scale, 1e-12)
        if limit.value > usual:
            return Course(_filled(y), noise, max(usual, 0.0), limit.value, limit.spread, limit.signal)
        return Course(_filled(-y), noise, 0.0, max(usual - limit.value, 1e-6), limit.spread, limit.signal)
    value, spread = (limit.value, limit.spread) if limit else (model.prognosis.limit, model.prognosis.spread)
    if layout.settings.fleet:
        signs = np.where(base.usable, np.sign(means), np.nan)
        noise = base.index_noise
    else:
        signs = pattern(mode, np.where(means == means, means, 0.0), layout)
        signed = base.usable & (signs != 0)
        signs = np.where(signed, signs, np.nan)
        noise = float(base.noise[signed].mean()) if signed.any() else 1.0
    chosen = np.isfinite(signs) & np.isfinite(means)
    if not chosen.any():
        return None
    y = median_of(z[:, chosen] * signs[chosen])
    return Course(_filled(y), max(noise, 1e-9), 0.0, value, spread, None)


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


def _filled(y: Array) -> Array:
    """Steps without a value take the one before (the first ones 0)."""
    out = y.copy()
    last = 0.0
    for i, value in enumerate(y.tolist()):
        if value == value:
            last = value
        out[i] = last
    return out
