"""All that a watch remembers of its machine; a snapshot holds it."""

import math
from dataclasses import dataclass, field

import numpy as np

from anomaly.domain.alarm import AlarmMachine
from anomaly.domain.beside import BesideState
from anomaly.domain.detector import State
from anomaly.domain.following import EARLY, Why
from anomaly.domain.layout import Array, Layout
from anomaly.domain.quiet import Day
from anomaly.domain.trail import Trail


@dataclass
class Path:
    """Steps of the degradation path: means of the residuals over `every_hours` of running."""

    steps: Trail
    """Running hours and then the means (k,) of each step."""
    last_hours: float = -math.inf
    """Running hours of the newest step."""
    open_sum: Array = field(default_factory=lambda: np.zeros(0))
    open_count: Array = field(default_factory=lambda: np.zeros(0))
    """Of the rows since then, per signal."""

    @property
    def hours(self) -> Array:
        """Running hours of the steps (n,)."""
        return self.steps.rows[:, 0] if len(self.steps) else np.zeros(0)

    def z(self, k: int) -> Array:
        """The steps (n, k)."""
        return self.steps.rows[:, 1:] if len(self.steps) else np.zeros((0, k))

    def add(self, hours: float, z: Array, every: float) -> None:
        """Take one row at so many running hours."""
        ok = np.isfinite(z)
        if not len(self.open_sum):
            self.open_sum, self.open_count = np.zeros(len(z)), np.zeros(len(z))
        self.open_sum = self.open_sum + np.where(ok, z, 0.0)
        self.open_count = self.open_count + ok
        if hours - self.last_hours >= EARLY * every:
            self.close(hours)

    def close(self, hours: float) -> None:
        """End a step: the mean of the open rows."""
        self.append(closed(np.array([hours]), self.open_sum[None], self.open_count[None])[0])
        self.open_sum, self.open_count = np.zeros(len(self.open_sum)), np.zeros(len(self.open_sum))

    def append(self, step: Array) -> None:
        """Add a step: running hours, then its means."""
        self.steps.append(step)
        self.last_hours = float(step[0])


def closed(hours: Array, sums: Array, counts: Array) -> Array:
    """The steps that end now (n, 1 + k): running hours (n,) and the means of the open rows."""
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return np.concatenate([hours[:, None], means], axis=1)


@dataclass
class Memory:
    """All that a watch remembers; the detector's state is inside."""

    detector: State
    path: Path
    recent: Trail
    """Newest scored rows (3, k): value, expected, plain deviation."""
    alarm: AlarmMachine = field(default_factory=AlarmMachine)
    first_us: int = -1
    newest_us: int = -1
    duty: float = 1.0
    """Share of the time that it runs."""
    last_forecast_us: int = -1
    last_point_us: int = -1
    component: str = ""
    rival: str = ""
    rival_count: int = 0
    score: float | None = None
    why: int = Why.LEARNING
    means: Array = field(default_factory=lambda: np.zeros(0))
    forecasts: int = 0
    """Of the standing alarm."""
    chance: float = 0.0
    """P(failure within the decision's horizon) by the newest forecast of the standing alarm; 0 = there is none."""
    sensors: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """See `domain.sensor_marks`."""
    apart: dict[str, list[int]] = field(default_factory=dict)
    """Symptoms that moved alone: the sensor's fault and since when. They are not judged."""
    faults: dict[str, str] = field(default_factory=dict)
    """Sensors that are faulty now (empty = the device), and what is wrong."""
    quiet: Day = field(default_factory=Day)
    epoch: int = 0
    """Number of the baseline; refits from more healthy rows keep it."""
    epoch_why: str = "learned"
    beside: BesideState = field(default_factory=BesideState)
    """Of the methods beside the baseline."""
    columns: tuple[str, ...] = ()
    """What its arrays are of, see `columns_of`; empty = written before this was kept."""


def columns_of(layout: Layout) -> tuple[str, ...]:
    """Symptoms, conditions, and conditions that set the regime, in the order of the arrays."""
    regimes = (layout.conditions[j] for j in layout.regimes)
    return (*layout.symptoms, "|", *layout.conditions, "|", *regimes)


def fits(memory: Memory, layout: Layout) -> bool:
    """Whether a memory is of machines with these signals: an asset model may have got others since."""
    if memory.columns:
        return memory.columns == columns_of(layout)
    follower, base = memory.detector.follower, memory.detector.baseline
    same = (len(follower.sums), len(follower.conditions)) == (len(layout.signals), len(layout.conditions))
    return same and (base is None or len(base.regimes.low) == len(layout.regimes))
