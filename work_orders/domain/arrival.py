"""When a technician arrives who is on the way: minutes from how far he is, never where he is.

A position is rounded to a hundredth of a degree, about 1 km, before it leaves his phone, and again here. It becomes
minutes at once; it is kept nowhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

DECIMALS = 2
GRID_KM = 0.8
"""So far from the truth a rounded position may lie: half the diagonal of a cell."""
DETOUR = 1.3
"""Roads against the great circle."""
EARTH_KM = 6371.0
STEP = 5
"""Minutes are told in fives."""
ENOUGH = 5
"""So many journeys must be on record before their speeds count."""
FRESH = timedelta(minutes=15)
"""What a phone last told is forgotten after so long."""
MOST_MINUTES = 600


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast journeys go, km/h by road: most are faster than `slow` and slower than `fast`."""

    slow: float
    fast: float


USUAL = Pace(30.0, 60.0)
"""Assumed until journeys are on record."""


def coarse(degrees: float) -> float:
    """A latitude or longitude as it may be told."""
    return round(degrees, DECIMALS)


def km_between(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Along the great circle; (latitude, longitude) in degrees."""
    (p, q), (r, s) = ((math.radians(x), math.radians(y)) for x, y in (a, b))
    h = math.sin((r - p) / 2) ** 2 + math.cos(p) * math.cos(r) * math.sin((s - q) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, h)))


def pace_of(journeys: Sequence[tuple[float, float]]) -> Pace:
    """The middle three fifths of journeys on record, each (km, minutes); the usual pace while they are few."""
    speeds = sorted(60 * km / minutes for km, minutes in journeys if km > 0 and minutes > 0)
    if len(speeds) < ENOUGH:
        return USUAL
    at = [speeds[round(share * (len(speeds) - 1))] for share in (0.2, 0.8)]
    slow, fast = (min(130.0, max(5.0, speed)) for speed in at)
    return Pace(slow, fast)


def minutes_for(km: float, pace: Pace) -> tuple[int, int]:
    """From when until when he arrives, minutes from now, rounded outwards to fives."""
    return _outwards(60 * DETOUR * max(0.0, km - GRID_KM) / pace.fast, 60 * DETOUR * (km + GRID_KM) / pace.slow)


def minutes_around(said: int) -> tuple[int, int]:
    """The same for what a technician estimates."""
    return _outwards(0.8 * said, 1.25 * said)


def _outwards(low: float, high: float) -> tuple[int, int]:
    first = min(MOST_MINUTES, STEP * math.floor(low / STEP))
    return first, min(2 * MOST_MINUTES, max(first + STEP, STEP * math.ceil(high / STEP)))


def words(earliest: datetime, latest: datetime, now: datetime, *, language: str = "en") -> str:
    """How it is said to the customer; empty = the time has passed, nothing is known any more."""
    low, high = ((at - now).total_seconds() / 60 for at in (earliest, latest))
    if high <= 0:
        return ""
    first, last = _outwards(max(0.0, low), high)
    if language == "zh":
        return f"约 {first} 至 {last} 分钟后到达" if first else f"{last} 分钟内到达"
    return f"in about {first} to {last} minutes" if first else f"within {last} minutes"
