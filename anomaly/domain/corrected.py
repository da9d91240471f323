"""Chances corrected by what came since: more or fewer failures than a model expected scale its hazard.

With a gamma prior on the factor (mean 1, worth so many failures) and failures as Poisson counts the posterior mean is
(came + prior) / (expected + prior): nothing known leaves chances as they are, and a few surprises move them little.
"""

from dataclasses import replace

import numpy as np

from anomaly.domain.forecast import Life
from anomaly.domain.layout import Array

PRIOR_FAILURES = 5.0
LEAST, MOST = 0.25, 4.0
"""Beyond these the model is to be trained anew, not corrected."""


def factor(came: float, expected: float) -> float:
    """By what the hazard is to be multiplied after so many failures where so many were expected."""
    return float(np.clip((came + PRIOR_FAILURES) / (expected + PRIOR_FAILURES), LEAST, MOST))


def chances(p: Array, by: float) -> Array:
    """Chances of a hazard that was multiplied by a factor."""
    out: Array = -np.expm1(by * np.log1p(-np.minimum(p, 1.0 - 1e-12)))
    return out


def life(of: Life, by: float) -> Life:
    """A life with corrected chances; its quantiles stay, they have an interval of their own."""
    if by == 1.0:
        return of
    p = chances(np.array(list(of.p_fail.values())), by).tolist()
    risk = chances(np.array(of.risk), by).tolist()
    return replace(of, p_fail=dict(zip(of.p_fail, p, strict=True)), risk=tuple(risk))
