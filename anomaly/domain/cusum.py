"""Sums what small deviations add up to: sees a drift or a shift that no single window shows.

Two-sided cumulative sums (Page, 1954) of the residuals against the healthy baseline, each signal's divided by the
square root of its own correlation time, so that a signal that wanders by itself does not add up.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.adapting import Judge
from anomaly.domain.baseline import Baseline, Fitter, Training, distance
from anomaly.domain.baseline_fit import fit_with_noise, with_correlation
from anomaly.domain.detector import State, WindowDetector
from anomaly.domain.following import Follower, Why
from anomaly.domain.layout import Array, Layout

ALLOWANCE = 0.5
"""What a residual may stray without adding up, in sigmas: half of the shift that is found soonest (Page, 1954)."""
LIMIT = 12.0
"""A sum of so many sigmas scores 1."""
MOST = 3.0
"""A sum grows no further than to so many limits, so that it comes down again when the machine is mended."""


def summed(up: Array, down: Array, z: Array, shrink: Array) -> tuple[Array, Array]:
    """The sums (..., k) with one more residual each; a signal without a reading, or with the factor 0, stays."""
    seen = np.isfinite(z) & (shrink > 0)
    x = np.where(seen, z, 0.0) * shrink
    step = np.where(seen, ALLOWANCE, 0.0)
    return np.clip(up + x - step, 0.0, MOST * LIMIT), np.clip(down - x - step, 0.0, MOST * LIMIT)


def shrink_of(base: Baseline) -> Array:
    """What residuals against a baseline are multiplied by (k,): by the root of each signal's correlation time."""
    if base.correlated is None:
        return np.zeros(len(base.usable))
    return np.where(base.usable, 1.0 / np.sqrt(np.maximum(base.correlated, 1.0)), 0.0)


@dataclass
class CusumState:
    """All that a detector remembers: the window detector inside, and the sums of k symptoms."""

    inner: State
    up: Array = field(default_factory=lambda: np.zeros(0))
    down: Array = field(default_factory=lambda: np.zeros(0))
    shrink: Array = field(default_factory=lambda: np.zeros(0))
    """(k,): what residuals are multiplied by; 0 = a signal that is not judged."""


@dataclass(frozen=True)
class Sums:
    """What became of n rows (after averaging of fast ones); k symptoms."""

    t_us: NDArray[np.int64]
    score: Array
    """(n,): the largest sum in multiples of the limit; NaN where there is none."""
    parts: Array
    """(n, k): in proportion to each symptom's sum; sum to the score."""


class CusumDetector:
    """Cumulative sums of residuals against a healthy baseline that stays where it is."""

    def __init__(self, layout: Layout, state: CusumState | None = None, fitter: Fitter = fit_with_noise) -> None:
        self.layout = layout
        self.state = state or CusumState(State(Follower.of(layout)))
        still = replace(layout.settings, adapt_hours=0.0, adapt_samples=0.0, quick_samples=0.0, fleet=False)
        self._fitter = fitter
        self._inner = WindowDetector(replace(layout, settings=still), distance, self.state.inner, self._fit)

    def feed(self, t_us: NDArray[np.int64], values: Array, judge: Judge | None = None) -> Sums:
        """Take rows in time order (columns as `layout.signals`, NaN = no reading); learns and moves on."""
        pieces = [self._add(*piece, judge) for piece in self._residuals(t_us, values)]
        k = len(self.layout.symptoms)
        return Sums(
            np.concatenate([np.zeros(0, dtype=np.int64), *(p.t_us for p in pieces)]),
            np.concatenate([np.zeros(0), *(p.score for p in pieces)]),
            np.concatenate([np.zeros((0, k)), *(p.parts for p in pieces)]),
        )

    def score(self, t_us: int, values: Array) -> float | None:
        """What one more row would score; changes nothing. None = not enough seen yet."""
        s = self.state
        inner = replace(s.inner, follower=s.inner.follower.copy(), record=s.inner.record.trimmed())
        probe = CusumDetector(self.layout, replace(s, inner=inner), self._fitter)
        found = probe.feed(np.array([t_us], dtype=np.int64), values.reshape(1, -1)).score
        return None if len(found) == 0 or math.isnan(found[-1]) else float(found[-1])

    def _residuals(
        self, t_us: NDArray[np.int64], values: Array
    ) -> list[tuple[NDArray[np.int64], Array, NDArray[np.int8]]]:
        return [(p.t_us, p.residual, p.why) for p in self._inner.pieces(t_us, values)]

    def _fit(self, training: Training, layout: Layout) -> Baseline:
        base = with_correlation(self._fitter(training, layout), training)
        self.state.shrink = shrink_of(base)
        if not len(self.state.up):
            self.state.up, self.state.down = np.zeros(len(base.usable)), np.zeros(len(base.usable))
        return base

    def _add(self, t_us: NDArray[np.int64], z: Array, why: NDArray[np.int8], judge: Judge | None) -> Sums:
        s, k = self.state, len(self.layout.symptoms)
        score, parts = np.full(len(t_us), np.nan), np.zeros((len(t_us), k))
        for i in range(len(t_us)):
            if why[i] not in (Why.SCORED, Why.FILLING) or not len(s.shrink):
                continue
            seen = np.isfinite(z[i]) & (s.shrink > 0)
            if not seen.any():
                continue
            s.up, s.down = summed(s.up, s.down, z[i], s.shrink)
            sums = np.where(seen, np.maximum(s.up, s.down), 0.0) / LIMIT
            score[i] = sums.max()
            parts[i] = sums / max(sums.sum(), 1e-12) * score[i]
            if judge is not None:
                judge(int(t_us[i]), float(score[i]))
        return Sums(t_us, score, parts)
