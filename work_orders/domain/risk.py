"""Reading a risk curve: P(failure within h hours), and the window that it leaves for a visit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

EVEN_CHANCE = 0.5
"""A window is never stretched beyond the time at which failure is as likely as not."""


@dataclass(frozen=True, slots=True)
class Curve:
    """P(failure within hours[i]) = p[i], rising; empty = no trend yet. Hours count from `start` (aware UTC)."""

    start: datetime
    hours: tuple[float, ...]
    p: tuple[float, ...]

    def within(self, hours: float) -> float | None:
        """P(failure within `hours` of the start); None = no trend yet. Between the points straight lines, from 0 at 0;
        beyond the last point its value, a lower bound."""
        return interpolate(self.hours, self.p, hours)

    def by(self, at: datetime) -> float | None:
        """P(failure before `at`)."""
        return self.within((at - self.start).total_seconds() / 3600)

    def passes(self, p: float) -> datetime | None:
        """When P(failure) reaches `p`; the end of the curve when it does not within it; None = no trend yet."""
        if not self.hours:
            return None
        before_h, before_p = 0.0, 0.0
        for h, q in zip(self.hours, self.p, strict=True):
            if q >= p:
                part = 1.0 if q <= before_p else max(0.0, (p - before_p) / (q - before_p))
                return self.start + timedelta(hours=before_h + part * (h - before_h))
            before_h, before_p = h, q
        return self.start + timedelta(hours=self.hours[-1])


def interpolate(hours: Sequence[float], p: Sequence[float], at: float) -> float | None:
    """The curve's value at a time, see `Curve.within`."""
    if not hours:
        return None
    if at <= 0:
        return 0.0
    before_h, before_p = 0.0, 0.0
    for h, q in zip(hours, p, strict=True):
        if at <= h:
            return q if h <= before_h else before_p + (q - before_p) * (at - before_h) / (h - before_h)
        before_h, before_p = h, q
    return p[-1]


@dataclass(frozen=True, slots=True)
class Window:
    """In which a visit should take place: not before `earliest`, over by `latest`; stretched at most to `at_most`."""

    earliest: datetime
    latest: datetime
    at_most: datetime


def window(curve: Curve, now: datetime, lead_hours: float, act_latest: float) -> Window:
    """The window for a visit.

    `earliest` is `lead_hours` from now, `latest` the last time before P(failure) passes `act_latest`; where that leaves
    too little for two half days it may be stretched up to the time at which failure is as likely as not.
    """
    earliest = now + timedelta(hours=lead_hours)
    latest = curve.passes(act_latest) or earliest
    at_most = curve.passes(max(EVEN_CHANCE, act_latest)) or latest
    return Window(earliest, max(latest, earliest), max(at_most, latest, earliest))
