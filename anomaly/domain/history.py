"""What is on record of one asset: errors, replacements, failures, and readings where there are any."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import Array

HOUR_US = 3_600_000_000
Times = NDArray[np.int64]


def _none() -> Times:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Events:
    """Times (epoch microseconds, rising) and which one of the fleet's list happened then (an index)."""

    at_us: Times = field(default_factory=_none)
    which: Times = field(default_factory=_none)

    def of(self, which: int) -> Times:
        """Times of one of them."""
        out: Times = self.at_us[self.which == which]
        return out

    def until(self, at_us: int) -> "Events":
        """Those not later than a time."""
        n = int(np.searchsorted(self.at_us, at_us, side="right"))
        return Events(self.at_us[:n], self.which[:n])

    @classmethod
    def sorted(cls, at_us: Times, which: Times) -> "Events":
        """In time order; those of one moment in the order of the list."""
        order = np.lexsort((which, at_us))
        return cls(at_us[order], which[order])


@dataclass(frozen=True, slots=True)
class Readings:
    """Telemetry in time order: times (n,) and values (n, signals), NaN = no reading."""

    at_us: Times
    values: Array


@dataclass(frozen=True, slots=True)
class History:
    """One asset. Error codes and components are indices into the fleet's lists (`anomaly.domain.hazard.Fleet`)."""

    asset: str
    begin_us: int
    end_us: int
    """Between these errors and failures were recorded; replacements may be older."""
    errors: Events
    replaced: Events
    failed: Events
    age_years: float
    """At the beginning; NaN = not known."""
    readings: Readings | None = None

    def until(self, at_us: int) -> "History":
        """What was known at a time."""
        readings = self.readings
        if readings is not None:
            n = int(np.searchsorted(readings.at_us, at_us, side="right"))
            readings = Readings(readings.at_us[:n], readings.values[:n])
        return History(
            self.asset, self.begin_us, min(self.end_us, at_us), self.errors.until(at_us), self.replaced.until(at_us),
            self.failed.until(at_us), self.age_years, readings,
        )  # fmt: skip


def hours_since(events_us: Times, at_us: Times) -> Array:
    """Hours since the newest event that is not later; NaN = none yet."""
    if not len(events_us):
        return np.full(len(at_us), np.nan)
    newest = np.searchsorted(events_us, at_us, side="right") - 1
    out = (at_us - events_us[np.maximum(newest, 0)]) / HOUR_US
    return np.where(newest >= 0, out, np.nan)


def hours_to(events_us: Times, at_us: Times) -> Array:
    """Hours to the next event that is later; infinite = none on record."""
    if not len(events_us):
        return np.full(len(at_us), np.inf)
    following = np.searchsorted(events_us, at_us, side="right")
    out = (events_us[np.minimum(following, len(events_us) - 1)] - at_us) / HOUR_US
    return np.where(following < len(events_us), out, np.inf)


def count_within(events_us: Times, at_us: Times, hours: float) -> Array:
    """Number of events in the `hours` up to each time."""
    newest = np.searchsorted(events_us, at_us, side="right")
    oldest = np.searchsorted(events_us, at_us - round(hours * HOUR_US), side="right")
    return (newest - oldest).astype(np.float64)
