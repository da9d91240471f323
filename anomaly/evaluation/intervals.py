"""The best fixed interval: age replacement (Barlow and Hunter, "Optimum preventive maintenance policies", 1960).

Each component is replaced at an age, at the price of a planned visit, or when it fails before, at the price of a
failure. The age is the one that costs least per hour by the lives of the training part; it is then paid for with the
lives of the part that judges. Lives are counted from the age at which they came under watch, and unfinished ones as
such (Kaplan and Meier, 1958).
"""

import math
from dataclasses import dataclass

import numpy as np

from anomaly.domain.layout import Array

STEP_HOURS = 24.0
LEAST_GAIN = 0.01
"""An interval must save so large a share, or parts are not replaced early."""


@dataclass(frozen=True, slots=True)
class Lives:
    """Lives of a component in hours: age at which each came under watch, age at its end, whether it failed then."""

    enter: Array
    leave: Array
    failed: Array

    @property
    def exposure(self) -> float:
        """Hours that were watched."""
        return float((self.leave - self.enter).sum())


def survival(lives: Lives, until_hours: float) -> Array:
    """Share of lives that reach each age, in steps of a day from 0; from the last age that was watched it stays."""
    steps = max(1, math.ceil(until_hours / STEP_HOURS))
    out = np.ones(steps + 1)
    for i in range(steps):
        begin, end = i * STEP_HOURS, (i + 1) * STEP_HOURS
        watched = np.clip(np.minimum(lives.leave, end) - np.maximum(lives.enter, begin), 0.0, None).sum() / STEP_HOURS
        fell = float(((lives.leave > begin) & (lives.leave <= end) & (lives.failed > 0)).sum())
        out[i + 1] = out[i] * math.exp(-fell / watched) if watched > 0 else out[i]
    return out


def cost_per_hour(alive: Array, interval_hours: float, failure: float, planned: float) -> float:
    """Of replacing at an age, by the renewal theorem; an infinite interval = when it fails."""
    steps = len(alive) - 1
    if math.isfinite(interval_hours):
        steps = min(steps, max(1, round(interval_hours / STEP_HOURS)))
    lasted = float((alive[:steps] + alive[1 : steps + 1]).sum()) * STEP_HOURS / 2
    reached = float(alive[steps])
    return (planned * reached + failure * (1.0 - reached)) / lasted


def best_interval(lives: Lives, failure: float, planned: float) -> float:
    """The age in hours that costs least per hour; infinite = to replace early costs more than to let it fail."""
    if not len(lives.leave) or not lives.failed.any():
        return math.inf
    alive = survival(lives, float(lives.leave.max()))
    to_failure = failure * float(lives.failed.sum()) / lives.exposure
    ages = [n * STEP_HOURS for n in range(2, len(alive))]
    costs = [cost_per_hour(alive, age, failure, planned) for age in ages]
    best = int(np.argmin(costs)) if costs else 0
    return ages[best] if costs and costs[best] < (1 - LEAST_GAIN) * to_failure else math.inf


def paid(lives: Lives, interval_hours: float, failure: float, planned: float) -> float:
    """What an interval would have cost over the watched hours of these lives."""
    return paid_of(lives, lives, interval_hours, failure, planned)


def paid_of(some: Lives, lives: Lives, interval_hours: float, failure: float, planned: float) -> float:
    """The part of it that falls to some of these lives, by the hours that they were watched."""
    if math.isinf(interval_hours) or not len(some.leave):
        return failure * float(some.failed.sum())
    alive = survival(lives, max(interval_hours, STEP_HOURS))
    return cost_per_hour(alive, interval_hours, failure, planned) * some.exposure
