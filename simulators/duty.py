"""When a pump runs, how hard, and in what weather: one random stream a cause and day, so any day can be made again."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY = 144
"""Slots of ten minutes in a day."""
HOURS = np.arange(DAY) / 6.0
FIRST_DAY = -4000
"""Days are counted from the start of the history; random streams need numbers that are not negative."""
CAUSES = ("make", "schedule", "load", "weather", "noise", "wear", "part")
LOW, MIDDLE, HIGH = range(3)
SEASON = 4.0
"""Amplitude of the year in K."""


def stream(seed: int, machine: int, cause: str, *index: int) -> np.random.Generator:
    """The random stream of one cause of one machine; the same arguments give the same numbers."""
    return np.random.default_rng([seed, machine, CAUSES.index(cause), *(i - FIRST_DAY for i in index)])


@lru_cache(maxsize=4096)
def _knot(seed: int, machine: int, cause: str, channel: int, index: int) -> float:
    return float(np.clip(stream(seed, machine, cause, channel, index, 0).standard_normal(), -2.5, 2.5))


def slow(seed: int, machine: int, cause: str, channel: int, day: int, knot_hours: float) -> Floats:
    """Smooth noise over a day, standard deviation about 0.8, one free value in `knot_hours`."""
    at = (day * 24.0 + HOURS) / knot_hours
    left = np.floor(at).astype(int)
    share = (1.0 - np.cos(np.pi * (at - left))) / 2.0
    low = int(left[0])
    knots = np.array([_knot(seed, machine, cause, channel, i) for i in range(low, int(left[-1]) + 2)])
    return np.asarray(knots[left - low] * (1.0 - share) + knots[left - low + 1] * share)


@dataclass(frozen=True, slots=True)
class Heat:
    """A heat wave with high demand: ramps up in `begins`, is full between, and fades after `ends` (slots)."""

    begins: int
    ends: int
    kelvin: float
    """Above the warmest days of the season."""
    demand: float
    """Share by which demand is higher at its height."""

    def height(self, slots: NDArray[np.int64]) -> Floats:
        """How far it is up at each slot, 0 to 1."""
        rise = np.clip((slots - self.begins) / 36.0, 0.0, 1.0)
        fall = np.clip((self.ends - slots) / 36.0, 0.0, 1.0)
        return np.asarray(np.minimum(rise, fall))


@dataclass(frozen=True, slots=True)
class Day:
    """What is asked of a machine on one day, per slot."""

    speed: Floats
    """Shaft speed in 1/min, 0 = off."""
    demand: Floats
    """Flow that is asked for, 1 = rated at this speed."""
    ambient: Floats
    """Degrees Celsius."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Schedule, load and weather of a machine; day 0 is a Monday."""

    seed: int
    machine: int
    heat: Heat | None = None

    def day(self, day: int) -> Day:
        """All slots of one day."""
        return _day(self, day)

    def make_day(self, day: int) -> Day:
        """All slots of one day, computed anew."""
        weekend = day % 7 >= 5
        make = stream(self.seed, self.machine, "make")
        speeds = np.array([1150.0, 1450.0, 1700.0]) * make.uniform(0.97, 1.03)
        rest = make.uniform(0.35, 0.65)
        opens, closes = make.uniform(4.5, 6.5), make.uniform(20.5, 22.5)
        mean_ambient = make.uniform(14.0, 18.0)
        rng = stream(self.seed, self.machine, "schedule", day)
        opens, closes = opens + rng.normal(0, 0.4), closes + rng.normal(0, 0.4)
        peaks = [(rng.normal(8.0, 0.5), rng.uniform(1.5, 3.5)), (rng.normal(15.0, 0.7), rng.uniform(1.5, 4.0))]
        sleeps, noon, noon_hours = rng.random() < rest, rng.random() < 0.2, rng.uniform(0.5, 1.2)
        level = np.full(DAY, LOW)
        level[(opens <= HOURS) & (closes > HOURS)] = MIDDLE
        for begin, hours in peaks:
            level[(begin <= HOURS) & (begin + hours * (0.4 if weekend else 1.0) > HOURS)] = HIGH
        speed = speeds[level] + stream(self.seed, self.machine, "load", day).normal(0.0, 3.0, DAY)
        night = (opens - 0.5 > HOURS) & (opens - 4.5 <= HOURS)
        if sleeps:
            speed[night] = 0.0
        if noon:
            speed[(HOURS >= 12.0) & (12.0 + noon_hours > HOURS)] = 0.0
        demand = 0.97 + 0.07 * np.sin((HOURS - 9.0) * np.pi / 7.0) * ((HOURS > 5) & (HOURS < 22))
        demand = demand - (0.05 if weekend else 0.0) + 0.05 * slow(self.seed, self.machine, "load", 0, day, 2.0)
        demand = demand + stream(self.seed, self.machine, "load", day, 1).normal(0.0, 0.012, DAY)
        ambient = self._ambient(day, mean_ambient)
        if self.heat is not None:
            height = self.heat.height(np.arange(day * DAY, (day + 1) * DAY))
            speed = np.where((height > 0.95) & (HOURS >= 11.0) & (HOURS < 17.5), speeds[HIGH], speed)
            demand = demand * (1.0 + self.heat.demand * height)
            hottest = mean_ambient + SEASON + self.heat.kelvin + 5.0 * np.sin((HOURS - 9.5) * np.pi / 12.0)
            ambient = ambient + (hottest - ambient) * height
        return Day(speed, demand, ambient)

    def _ambient(self, day: int, mean: float) -> Floats:
        swing = 4.2 + 1.2 * slow(self.seed, self.machine, "weather", 1, day, 40.0)
        season = SEASON * np.sin((day + HOURS / 24.0 - 20.0) * 2.0 * np.pi / 365.0)
        front = 2.6 * slow(self.seed, self.machine, "weather", 0, day, 60.0)
        gusts = stream(self.seed, self.machine, "weather", day).normal(0.0, 0.25, DAY)
        return np.asarray(mean + season + front + swing * np.sin((HOURS - 9.5) * np.pi / 12.0) + gusts)

    def running_slots(self, day: int) -> int:
        """Slots of a day in which the schedule lets it run."""
        return _running_slots(self, day)


@lru_cache(maxsize=1024)
def _day(duty: Duty, day: int) -> Day:
    return duty.make_day(day)


@lru_cache(maxsize=16384)
def _running_slots(duty: Duty, day: int) -> int:
    return int(np.count_nonzero(duty.day(day).speed))
