"""Follows a machine row by row: is it running and settled, what did its conditions do, when was it silent too long."""

import math
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import Array, Layout

HOUR_US = 3_600_000_000
EARLY = 0.9
"""A row that comes this share of a slot after the one before it makes a row of its own (clocks jitter)."""
FAST_LAG = 0.25
"""The second, faster low-pass of the conditions, as a share of the lag."""


class Why(IntEnum):
    """Why a row has a score, or none."""

    SCORED = 0
    LEARNING = 1
    NOT_RUNNING = 2
    SETTLING = 3
    OUTSIDE_REGIMES = 4
    FILLING = 5
    """The window is not full yet."""
    NO_SIGNAL = 6


@dataclass(frozen=True)
class Followed:
    """Rows after averaging of fast ones: symptoms (n, k), features (n, 3c), regime levels (n, r)."""

    t_us: NDArray[np.int64]
    symptoms: Array
    features: Array
    levels: Array
    segment: NDArray[np.int64]
    """Numbers the stretches without a gap."""
    why: NDArray[np.int8]
    """SCORED (may be), NOT_RUNNING or SETTLING."""
    step_hours: Array
    """Running time since the row before."""
    running_hours: Array
    """Running time since the first row."""


@dataclass
class Follower:
    """What must be remembered from row to row."""

    last_us: int = -1
    emitted_us: int = -1
    running: bool = False
    running_since_us: int = 0
    running_hours: float = 0.0
    segment: int = 0
    conditions: list[float] = field(default_factory=list)
    """Newest known conditions; NaN = none yet."""
    slow: list[float] = field(default_factory=list)
    fast: list[float] = field(default_factory=list)
    sums: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    why: int = Why.NOT_RUNNING

    @classmethod
    def of(cls, layout: Layout) -> "Follower":
        """One that has seen nothing."""
        c, m = len(layout.conditions), len(layout.signals)
        nan = [math.nan] * c
        return cls(conditions=nan[:], slow=nan[:], fast=nan[:], sums=[0.0] * m, counts=[0] * m)

    def copy(self) -> "Follower":
        """One that may move on alone."""
        return replace(
            self, conditions=self.conditions[:], slow=self.slow[:], fast=self.fast[:], sums=self.sums[:],
            counts=self.counts[:],
        )  # fmt: skip

    def follow(self, t_us: NDArray[np.int64], values: Array, layout: Layout) -> Followed:
        """Take rows (columns as `layout.signals`); gives fewer rows where they come faster than the window's slots."""
        settings = layout.settings
        k, c = len(layout.symptoms), len(layout.conditions)
        slot_us = EARLY * settings.window_hours * HOUR_US / max(1, settings.window_samples)
        gap_us = (settings.gap_hours or max(settings.window_hours, settings.hold_hours)) * HOUR_US or math.inf
        settle_us = settings.settle_hours * HOUR_US
        on = layout.signals.index(layout.running.signal) if layout.running else -1
        kept: list[int] = []
        symptoms, features, segments, whys, steps, hours = [], [], [], [], [], []
        for i, (t, row) in enumerate(zip(t_us.tolist(), values.tolist(), strict=True)):
            gap = self.last_us >= 0 and t - self.last_us > gap_us
            if gap:
                self.segment += 1
                self.slow, self.fast = [math.nan] * c, [math.nan] * c
                self._clear()
            why = self._state(t, row[on] if on >= 0 else math.nan, layout, settle_us, gap)
            self.last_us = t
            if why != self.why:
                self._clear()
                self.why = why
            for j, x in enumerate(row):
                if x == x:
                    self.sums[j] += x
                    self.counts[j] += 1
            if not gap and self.emitted_us >= 0 and t - self.emitted_us < slot_us:
                continue
            means = [s / n if n else math.nan for s, n in zip(self.sums, self.counts, strict=True)]
            lasted = 0.0 if self.emitted_us < 0 else (t - self.emitted_us) / HOUR_US
            self._low_pass(means[k:], lasted, settings.lag_hours)
            ran = 0.0
            if why != Why.NOT_RUNNING and self.emitted_us >= 0 and not gap:
                ran = min(lasted, (t - self.running_since_us) / HOUR_US)
            self.running_hours += ran
            self.emitted_us = t
            self._clear()
            kept.append(i)
            symptoms.append(means[:k])
            features.append(self.conditions + self.fast + self.slow)
            segments.append(self.segment)
            whys.append(why)
            steps.append(ran)
            hours.append(self.running_hours)
        n = len(kept)
        f = np.array(features, dtype=float).reshape(n, 3 * c)
        return Followed(
            np.asarray(t_us)[kept].astype(np.int64), np.array(symptoms, dtype=float).reshape(n, k), f,
            f[:, list(layout.regimes)], np.array(segments, dtype=np.int64), np.array(whys, dtype=np.int8),
            np.array(steps, dtype=float), np.array(hours, dtype=float),
        )  # fmt: skip

    def _clear(self) -> None:
        self.sums = [0.0] * len(self.sums)
        self.counts = [0] * len(self.counts)

    def _state(self, t: int, x: float, layout: Layout, settle_us: float, gap: bool) -> int:
        if layout.running is None:
            if not self.running or gap:
                self.running, self.running_since_us = True, t
            return Why.SCORED
        runs = self.running if x != x else layout.running.holds(x)
        if runs and (not self.running or gap):
            self.running_since_us = t
        self.running = runs
        if not runs:
            return Why.NOT_RUNNING
        return Why.SCORED if t - self.running_since_us >= settle_us else Why.SETTLING

    def _low_pass(self, conditions: list[float], lasted: float, lag: float) -> None:
        now = [x if x == x else old for x, old in zip(conditions, self.conditions, strict=True)]
        self.conditions = now
        self.slow = _towards(self.slow, now, lasted, lag)
        self.fast = _towards(self.fast, now, lasted, FAST_LAG * lag)


def _towards(state: list[float], now: list[float], lasted: float, lag: float) -> list[float]:
    share = 1.0 - math.exp(-lasted / lag) if lag > 0 else 1.0
    return [x if old != old else old + share * (x - old) for old, x in zip(state, now, strict=True)]
