"""Remaining life as learned from past lives: boosted trees, an interval that was held against lives not trained on, and
the chance of failure within a time by a discrete-time hazard.

The hazard of an interval of time is the chance that a machine which got to its beginning fails within it; the chance to
survive is the product over the intervals (Singer and Willett, 1993, "It's about time", J. Educational Statistics 18).
"""

from dataclasses import dataclass

import numpy as np

from anomaly.domain.boosted import Trees
from anomaly.domain.forecast import P_FAIL_HOURS, Life
from anomaly.domain.layout import Array
from anomaly.domain.life_features import Record, Scaling, aged
from anomaly.domain.prognosis import LEARNED, Prognosis, needs, risk_hours

LEAST_ROWS = 10
"""Rows of a machine before its life is told."""
SURE = 1.0 - 1e-9


@dataclass(frozen=True)
class Interval:
    """Quantiles of the error by what was predicted: true life minus prediction, at knots of the prediction, hours."""

    knots: Array
    low: Array
    high: Array

    def around(self, predicted: Array, cap: float) -> tuple[Array, Array]:
        """The 90 % interval; an end at the cap means "that much or more"."""
        low = predicted + np.interp(predicted, self.knots, self.low)
        high = predicted + np.interp(predicted, self.knots, self.high)
        return np.clip(low, 0.0, cap), np.clip(high, 0.0, cap)


@dataclass(frozen=True)
class Hazard:
    """P(failure) by time from now, discrete intervals; calibrated on machines that it was not fitted on."""

    edges: Array
    """Ends of the intervals in hours, growing; the first begins now."""
    trees: Trees
    """Log odds of failing within an interval, by the features and the interval's number."""
    said: Array
    meant: Array
    """Calibration of an interval's hazard: what the trees say and what came true, growing."""

    def within(self, x: Array, hours: Array) -> Array:
        """P(failure within each of `hours`) for rows (n, f): (n, len(hours)); constant hazard inside an interval."""
        n, steps = len(x), len(self.edges)
        rows = np.repeat(x, steps, axis=0)
        asked = np.column_stack([rows, np.tile(np.arange(steps, dtype=np.float64), n)])
        odds = 1.0 / (1.0 + np.exp(-np.clip(self.trees(asked), -40.0, 40.0)))
        hazard = np.clip(np.interp(odds, self.said, self.meant), 0.0, SURE).reshape(n, steps)
        log_survival = np.concatenate([np.zeros((n, 1)), np.cumsum(np.log1p(-hazard), axis=1)], axis=1)
        at = np.concatenate([[0.0], self.edges])
        out: Array = np.stack([1.0 - np.exp(np.interp(hours, at, row)) for row in log_survival])
        return out


@dataclass
class Memory:
    """What is kept of one machine between its rows."""

    record: Record
    first_hours: float | None = None
    """When its record began; ages count from there."""
    features: Array | None = None
    """Of the newest row (f,); None = none yet."""


@dataclass(frozen=True)
class LearnedLife:
    """A fitted model: `anomaly.training.remaining_life` makes it, `anomaly.training.files` keeps it."""

    signals: tuple[str, ...]
    """Columns of the readings."""
    conditions: tuple[str, ...]
    """Columns of the regime conditions."""
    step_hours: float
    """One row is the mean of so many hours."""
    scaling: Scaling
    weights: Array
    """Of the fused indices (k, c)."""
    with_age: bool
    cap_hours: float
    """Lives are told up to here: "that long or longer"."""
    middle: Trees
    interval: Interval
    hazard: Hazard | None
    name: str = LEARNED

    def begin(self) -> Memory:
        """A machine that was not seen yet."""
        return Memory(Record.empty(self.weights))

    def feed(self, memory: Memory, hours: Array, readings: Array, levels: Array) -> Array:
        """Take rows in time order; their features (n, f).

        Parameters
        ----------
        hours
            Time of each row in hours, on any clock (n,).
        readings, levels
            Columns as `signals` and `conditions`; NaN = no reading.
        """
        x = memory.record.feed(self.scaling(readings, levels), self.weights)
        if len(hours):
            if memory.first_hours is None:
                memory.first_hours = float(hours[0])
            if self.with_age:
                x = aged(x, self.weights, hours - memory.first_hours, self.step_hours)
            memory.features = x[-1]
        return x

    def remaining(self, x: Array) -> tuple[Array, Array, Array]:
        """What is expected, and the 90 % interval, in hours for rows of features."""
        middle = np.clip(self.middle(x), 0.0, self.cap_hours)
        low, high = self.interval.around(middle, self.cap_hours)
        return middle, np.minimum(low, middle), np.maximum(high, middle)

    def prognose(self, seen: Memory, horizon_hours: float = P_FAIL_HOURS["24h"]) -> Prognosis:
        """The life of a machine by its newest row."""
        if seen.features is None or seen.record.rows < LEAST_ROWS:
            return needs(LEARNED, (LEAST_ROWS - seen.record.rows) * self.step_hours)
        x = seen.features[None]
        middle, low, high = (float(a[0]) for a in self.remaining(x))
        hours = risk_hours(horizon_hours)
        if self.hazard is not None:
            risk = self.hazard.within(x, np.array(hours))[0]
        else:
            risk = np.interp(hours, *_ramp(low, middle, high, self.cap_hours))
        by = dict(zip(hours, risk.tolist(), strict=True))
        p_fail = {name: by[h] for name, h in P_FAIL_HOURS.items()}
        return Prognosis(LEARNED, Life(low, middle, high, p_fail, hours, tuple(by.values())))


def _ramp(low: float, middle: float, high: float, cap: float) -> tuple[Array, Array]:
    """P(failure) through the three quantiles; beyond the cap nothing is claimed."""
    at = np.maximum.accumulate(np.array([0.0, low, middle, high]) + np.array([0.0, 1e-6, 2e-6, 3e-6]))
    chance = np.array([0.0, 0.05, 0.5, 0.95])
    known = at < cap
    return at[known], chance[known]
