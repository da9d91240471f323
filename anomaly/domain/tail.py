"""How rare a value is by what was seen before: the tail beyond a high quantile, by peaks over threshold.

Excesses follow a generalised Pareto distribution (Pickands, 1975); its shape and scale come from their mean and
variance (Hosking and Wallis, 1987, section 3), so that heavy tails cost fewer alarms. Streams: Siffer et al. (2017).
"""

import math
from dataclasses import dataclass

import numpy as np

from anomaly.domain.layout import Array

QUANTILE = 0.98
FEWEST = 5
"""Excesses that a tail is fitted to; with fewer, what was never seen is as rare as the record is long."""
HEAVIEST = 0.5
LIGHTEST = 1e-6


@dataclass(frozen=True)
class Tail:
    """Chance to lie above `above`, and how it falls from there."""

    above: float
    chance: float
    scale: float
    """0 = too few excesses: everything above is equally rare."""
    shape: float

    def surprise(self, value: float) -> float:
        """-log10 of the chance of such a value or a larger one; 0 below the quantile."""
        if not value > self.above:
            return 0.0
        start = -math.log10(self.chance)
        if self.scale <= 0.0:
            return start
        y = (value - self.above) / self.scale
        fall = math.log1p(self.shape * y) / self.shape if self.shape > LIGHTEST else y
        return start + fall / math.log(10.0)


def tail_of(seen: Array) -> Tail:
    """The tail of values (n,) seen so far, n > 0."""
    above = float(np.quantile(seen, QUANTILE))
    excess = seen[seen > above] - above
    if len(excess) < FEWEST:
        return Tail(above, 1.0 / (len(seen) + 1.0), 0.0, 0.0)
    mean, variance = float(excess.mean()), float(excess.var())
    shape = min(max(0.5 * (1.0 - mean * mean / variance), 0.0), HEAVIEST) if variance > 0 else 0.0
    return Tail(above, len(excess) / len(seen), mean * (1.0 - shape), shape)
