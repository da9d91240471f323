"""Whether there is a trend at all: a local linear trend with known noise, filtered (Harvey, 1989, eq. 3.2).

The numbers are those of statsmodels' UnobservedComponents with the same variances, which the tests hold against it.
"""

from dataclasses import dataclass

import numpy as np

from anomaly.domain.layout import Array

SLOPE_SHARE = 1e-4
"""Variance of a slope's change from step to step, as a share of the noise."""
SIGNIFICANT = 1.64
"""A slope this many of its standard errors above zero is a trend (one-sided 5 %)."""
DIFFUSE = 1e6
FEWEST = 8


@dataclass(frozen=True, slots=True)
class Trend:
    """Level and slope per step at the end of the path, with the slope's standard error."""

    level: float
    slope: float
    slope_error: float

    @property
    def rises(self) -> bool:
        """Whether the slope is significantly above zero."""
        return self.slope > SIGNIFICANT * self.slope_error


def local_linear_trend(y: Array, noise: float) -> Trend | None:
    """The filtered trend of equally spaced y with noise variance `noise`; None = too short to say."""
    if len(y) < FEWEST:
        return None
    level, slope = 0.0, 0.0
    p11, p12, p22 = DIFFUSE * noise, 0.0, DIFFUSE * noise
    change = SLOPE_SHARE * noise
    for at, value in enumerate(y.tolist()):
        if at:
            level += slope
            p11, p12, p22 = p11 + 2 * p12 + p22, p12 + p22, p22 + change
        error = p11 + noise
        gain_level, gain_slope = p11 / error, p12 / error
        miss = value - level
        level += gain_level * miss
        slope += gain_slope * miss
        p11, p12, p22 = p11 * (1 - gain_level), p12 * (1 - gain_level), p22 - gain_slope * p12
    return Trend(level, slope, float(np.sqrt(max(p22, 0.0))))
