"""A healthy mean that follows a machine slowly while it is quiet, and stands still while it is not.

Every row moves the mean, so scores must be taken one after the other; only what must be is done row by row. Where the
baseline has a quick mean too, the score is the larger one of what both say.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.baseline import Baseline, distance
from anomaly.domain.layout import Array

Judge = Callable[[int, float], bool]
"""Is told a score and its time; says whether an alarm stands now, in which nothing adapts."""
Measure = Callable[[Array, Baseline], tuple[Array, Array]]


@dataclass(frozen=True)
class Pace:
    """How fast means move."""

    share: Array
    """(n,): share of its deviation by which each row moves the slow mean."""
    quick_share: float
    """The same for the quick mean, at every row."""
    quiet: float
    """The means move where the score is at most this."""
    slow_weight: float
    """Weight of the slow mean's score beside the quick one's."""


@dataclass(frozen=True)
class Adapted:
    """n rows scored against a mean that moves: `before` (n, k) is how far it had moved at each row, `after` (k,) in
    the end, in healthy sigmas; `quick_at` is where the quick mean is then."""

    score: Array
    parts: Array
    before: Array
    after: Array
    quick_at: Array | None = None


class _Judged:
    """A measure with what it needs of a baseline laid out for whole rows."""

    def __init__(self, measure: Measure, base: Baseline) -> None:
        self._measure, self._base, self._use = measure, base, np.flatnonzero(base.usable)
        self._inverse: Array | None = None
        if measure is distance:
            covariance = base.covariance[np.ix_(self._use, self._use)]
            self._inverse = np.asarray(np.linalg.inv(covariance) / base.limit, dtype=np.float64)

    def of(self, deviation: Array, whole: bool) -> tuple[float, Array]:
        """Score and parts (k,) of one row's deviations (k,)."""
        if self._inverse is None or not whole:
            score, parts = self._measure(deviation.reshape(1, -1), self._base)
            return float(score[0]), parts[0]
        inside = deviation[self._use]
        part = inside * (inside[:, None] * self._inverse).sum(0)
        parts = np.zeros(len(deviation))
        parts[self._use] = part
        return float(part.sum()), parts


def adapt(
    means: Array, base: Baseline, measure: Measure, t_us: NDArray[np.int64], pace: Pace, frozen: bool,
    judge: Judge | None,
) -> Adapted:  # fmt: skip
    """Score window means and move the healthy means towards them.

    Parameters
    ----------
    means : (n, k)
        Window means against the baseline as it is, in healthy sigmas; NaN where there is none.
    frozen : bool
        Whether an alarm stands at the first row.
    """
    n, k = means.shape
    score, parts, before = np.full(n, np.nan), np.zeros((n, k)), np.zeros((n, k))
    offset, quick = np.zeros(k), base.quick
    quick_at = None if quick is None else quick.at
    present = np.isfinite(means) & base.usable
    some: NDArray[np.bool_] = np.any(present, axis=1)
    whole: NDArray[np.bool_] = np.all(present[:, base.usable], axis=1)
    slow = _Judged(measure, base)
    other = slow if quick is None else _Judged(measure, replace(base, covariance=quick.covariance, limit=quick.limit))
    for i in range(n):
        before[i] = offset
        if not some[i]:
            continue
        deviation = means[i] - offset
        score[i], parts[i] = slow.of(deviation, bool(whole[i]))
        strayed = deviation
        if quick_at is not None:
            strayed = means[i] + base.offset - quick_at
            sudden, of_each = other.of(strayed, bool(whole[i]))
            score[i] *= pace.slow_weight
            parts[i] *= pace.slow_weight
            if sudden >= score[i]:
                score[i], parts[i] = sudden, of_each
        if judge is not None and score[i] == score[i]:
            frozen = judge(int(t_us[i]), float(score[i]))
        if not frozen and score[i] <= pace.quiet:
            offset = offset + np.where(present[i], deviation, 0.0) * pace.share[i]
            if quick_at is not None:
                quick_at = quick_at + np.where(present[i], strayed, 0.0) * pace.quick_share
    return Adapted(score, parts, before, offset, quick_at)
