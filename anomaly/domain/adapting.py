"""A healthy mean that follows a machine slowly while it is quiet, and stands still while it is not.

Every row moves the mean, so scores must be taken one after the other; only what must be is done row by row.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.baseline import Baseline, distance
from anomaly.domain.layout import Array

Judge = Callable[[int, float], bool]
"""Is told a score and its time; says whether an alarm stands now, in which nothing adapts."""
Measure = Callable[[Array, Baseline], tuple[Array, Array]]


@dataclass(frozen=True)
class Adapted:
    """n rows scored against a mean that moves: `before` (n, k) is how far it had moved at each row, `after` (k,) in
    the end, in healthy sigmas."""

    score: Array
    parts: Array
    before: Array
    after: Array


def adapt(
    means: Array, base: Baseline, measure: Measure, t_us: NDArray[np.int64], share: Array, quiet: float, frozen: bool,
    judge: Judge | None,
) -> Adapted:  # fmt: skip
    """Score window means and move the healthy mean by `share` (n,) of each row's deviation.

    Parameters
    ----------
    means : (n, k)
        Window means against the baseline as it is, in healthy sigmas; NaN where there is none.
    quiet : float
        The mean moves where the score is at most this.
    frozen : bool
        Whether an alarm stands at the first row.
    """
    n, k = means.shape
    score, parts, before = np.full(n, np.nan), np.zeros((n, k)), np.zeros((n, k))
    offset = np.zeros(k)
    present = np.isfinite(means) & base.usable
    use = np.flatnonzero(base.usable)
    some: NDArray[np.bool_] = np.any(present, axis=1)
    whole: NDArray[np.bool_] = np.all(present[:, use], axis=1)
    quick = measure is distance
    inverse = np.linalg.inv(base.covariance[np.ix_(use, use)]) / base.limit if quick else np.eye(len(use))
    for i in range(n):
        before[i] = offset
        if not some[i]:
            continue
        deviation = means[i] - offset
        if quick and whole[i]:
            inside = deviation[use]
            part = inside * (inside[:, None] * inverse).sum(0)
            parts[i, use] = part
            score[i] = part.sum()
        else:
            one, of_each = measure(deviation.reshape(1, -1), base)
            score[i], parts[i] = one[0], of_each[0]
        if judge is not None and score[i] == score[i]:
            frozen = judge(int(t_us[i]), float(score[i]))
        if not frozen and score[i] <= quiet:
            offset = offset + np.where(present[i], deviation, 0.0) * share[i]
    return Adapted(score, parts, before, offset)
