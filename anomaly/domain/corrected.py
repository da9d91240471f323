"""Chances and intervals corrected by what came since.

More or fewer failures than a model expected scale its hazard: with a gamma prior on the factor (mean 1, worth so many
failures) and failures as Poisson counts the posterior mean is (came + prior) / (expected + prior). Nothing known leaves
chances as they are, and a few surprises move them little.

The 90 % interval of a life grows with each end outside of it and shrinks a little with each inside, so that in the long
run nine of ten ends lie inside, whatever has changed (after Gibbs and Candes, "Adaptive conformal inference under
distribution shift", 2021, on the logarithm of the width).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from anomaly.domain.forecast import Life
from anomaly.domain.layout import Array

PRIOR_FAILURES = 5.0
LEAST, MOST = 0.25, 4.0
"""Beyond these the model is to be trained anew, not corrected."""
OUTSIDE = 0.1
"""Share of ends that the interval is to miss."""
STEP = 0.25
NARROWEST, WIDEST = 0.5, 4.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A life that has ended, as it was told at one time before; hours."""

    left: float
    """As it came."""
    p05: float
    p50: float
    p95: float
    capped: bool = False
    """The interval's end means "that long or longer"."""

    def missed(self, by: float) -> bool:
        """Whether the end lay outside of the interval, made wider by a factor."""
        low, high = around(self.p05, self.p50, self.p95, by)
        return self.left < low or (self.left > high and not self.capped)


def around(p05: float, p50: float, p95: float, by: float) -> tuple[float, float]:
    """Both ends of an interval that is made wider by a factor around its middle; no life is below 0."""
    return max(0.0, p50 - by * (p50 - p05)), p50 + by * (p95 - p50)


def width(ended: Iterable[Ended]) -> float:
    """By what intervals are to be made wider after lives that ended, in the order of their ends."""
    by = 1.0
    for one in ended:
        by = min(max(by * math.exp(STEP * (one.missed(by) - OUTSIDE)), NARROWEST), WIDEST)
    return by


def factor(came: float, expected: float) -> float:
    """By what the hazard is to be multiplied after so many failures where so many were expected."""
    return float(np.clip((came + PRIOR_FAILURES) / (expected + PRIOR_FAILURES), LEAST, MOST))


def chances(p: Array, by: float) -> Array:
    """Chances of a hazard that was multiplied by a factor."""
    out: Array = -np.expm1(by * np.log1p(-np.minimum(p, 1.0 - 1e-12)))
    return out


def wider(of: Life, by: float) -> Life:
    """A life with its interval made wider by a factor."""
    low, high = around(of.p05, of.p50, of.p95, by)
    return replace(of, p05=low, p95=high)


def life(of: Life, by: float) -> Life:
    """A life with corrected chances; its quantiles stay, they have an interval of their own."""
    if by == 1.0:
        return of
    p = chances(np.array(list(of.p_fail.values())), by).tolist()
    risk = chances(np.array(of.risk), by).tolist()
    return replace(of, p_fail=dict(zip(of.p_fail, p, strict=True)), risk=tuple(risk))
