"""The SLA clock minute by minute: looks at the clock on the wall and at every pause, once for each minute.

Slow, and nothing shared with the product: no intervals, no offsets, a loop that a person can follow.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Hours:
    """Weekly hours as pairs of minutes of the day (an end past 1440 is on the next day), from Monday on."""

    zone: tzinfo
    week: Sequence[Sequence[tuple[int, int]]]
    holidays: Collection[date]
    exceptions: Mapping[date, Sequence[tuple[int, int]]]

    def _of(self, day: date) -> Sequence[tuple[int, int]]:
        if day in self.exceptions:
            return self.exceptions[day]
        return [] if day in self.holidays else self.week[day.weekday()]

    def open_at(self, at: datetime) -> bool:
        """Whether it is open in the minute that begins then."""
        wall = at.astimezone(self.zone)
        today, minute = wall.date(), wall.hour * 60 + wall.minute
        for first, last in self._of(today):
            if first <= minute < last:
                return True
        return any(last > 1440 and first <= minute + 1440 < last for first, last in self._of(today - timedelta(days=1)))


Pause = tuple[datetime, datetime | None]


def counting(hours: Hours, start: datetime, pauses: Sequence[Pause], minutes: int) -> Iterator[tuple[datetime, int]]:
    """Each minute with the minutes of business time that have passed when it begins."""
    used, at = 0, start.astimezone(UTC)
    for _ in range(minutes):
        yield at, used
        stopped = any(a <= at and (b is None or at < b) for a, b in pauses)
        used += not stopped and hours.open_at(at)
        at += MINUTE
    yield at, used
