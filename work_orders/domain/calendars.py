"""When somebody is there: weekly hours with split shifts, holidays, days that differ, on the clock of a place.

It is open when the clock on the wall says so: in the hour that summer time leaves out nobody is there, in the hour that
comes twice it is open twice. Only whole days know of holidays and exceptions, those that a shift begins on.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from work_orders.domain.intervals import Interval, Intervals, union

DAY_MINUTES = 24 * 60
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FURTHEST = timedelta(days=3 * 366)
"""As far as open hours are looked for."""
_STEP = timedelta(hours=12)
_MONTH = timedelta(days=31)
_SHIFT = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")


class BadCalendar(ValueError):
    """Hours that cannot be read; `field` says where."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field, self.rule = field, rule


@dataclass(frozen=True, slots=True, order=True)
class Shift:
    """Open from a minute of the day until another one; past 24:00 it goes on into the next day."""

    start: int
    end: int

    def words(self) -> str:
        """`08:00-17:00`."""
        end = self.end if self.end <= DAY_MINUTES else self.end - DAY_MINUTES
        return f"{self.start // 60:02}:{self.start % 60:02}-{end // 60:02}:{end % 60:02}"


Shifts = tuple[Shift, ...]
ALL_DAY: Shifts = (Shift(0, DAY_MINUTES),)


def no_holiday(day: date) -> str:
    """Every day is a day like any other."""
    return ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Weekly hours from Monday on; `holiday` names the holiday of a day ("" = none), on which it is closed;
    `exceptions` are days with hours of their own, whatever else they are."""

    zone: tzinfo
    week: tuple[Shifts, Shifts, Shifts, Shifts, Shifts, Shifts, Shifts]
    holiday: Callable[[date], str] = no_holiday
    exceptions: Mapping[date, Shifts] = field(default_factory=dict)

    def shifts(self, day: date) -> Shifts:
        """The hours that begin on a day."""
        if day in self.exceptions:
            return self.exceptions[day]
        hours = self.week[day.weekday()]
        return () if hours and self.holiday(day) else hours

    def open(self, start: datetime, end: datetime) -> Intervals:
        """When it is open from `start` until `end`."""
        return union(self._raw(start.astimezone(UTC), end.astimezone(UTC)))

    def open_from(self, start: datetime) -> Iterator[Interval]:
        """The stretches in which it is open, one after another (one may be told in parts), as far as is looked."""
        begin = start.astimezone(UTC)
        for n in range(FURTHEST // _MONTH):
            yield from self.open(begin + n * _MONTH, begin + (n + 1) * _MONTH)

    def _raw(self, start: datetime, end: datetime) -> Iterator[Interval]:
        for a, b, offset in _steady(self.zone, start, end):
            day = (a + offset).date() - timedelta(days=1)  # a night shift of yesterday may still last
            while day <= (b + offset).date():
                midnight = datetime.combine(day, time(), UTC) - offset
                for shift in self.shifts(day):
                    first, last = (midnight + timedelta(minutes=m) for m in (shift.start, shift.end))
                    yield Interval(max(a, first), min(b, last))
                day += timedelta(days=1)


def always(zone: tzinfo = UTC) -> Calendar:
    """Around the clock, holidays as well."""
    return Calendar(zone, (ALL_DAY,) * 7)


def _steady(zone: tzinfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Stretches in which the zone's clock is ahead of UTC by the same time."""
    begin, offset, a = start, _offset(zone, start), start
    while a < end:
        b = min(a + _STEP, end)
        after = _offset(zone, b)
        if after != offset:
            low, high = a, b
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                if _offset(zone, middle) == offset:
                    low = middle
                else:
                    high = middle
            change = high.replace(microsecond=0)  # clocks change on a whole second
            yield begin, change, offset
            begin, offset = change, after
        a = b
    if begin < end:
        yield begin, end, offset


def _offset(zone: tzinfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def parse_shifts(words: Sequence[str], field: str = "hours") -> Shifts:
    """`["08:00-12:00", "13:00-17:00"]`; an end at or before the start is on the next day. Raises BadCalendar."""
    made = []
    for word in words:
        found = _SHIFT.fullmatch(word.strip())
        if found is None:
            raise BadCalendar(field, f"{word!r} must look like 08:00-17:00")
        h1, m1, h2, m2 = map(int, found.groups())
        start, end = h1 * 60 + m1, h2 * 60 + m2
        if m1 > 59 or m2 > 59 or start >= DAY_MINUTES or end > DAY_MINUTES:
            raise BadCalendar(field, f"{word!r} is no time of the day")
        made.append(Shift(start, end if end > start else end + DAY_MINUTES))
    made.sort()
    for one, other in pairwise(made):
        if other.start < one.end:
            raise BadCalendar(field, f"{one.words()} and {other.words()} overlap")
    return tuple(made)


def parse_week(
    hours: Mapping[str, Sequence[str]],
) -> tuple[Shifts, Shifts, Shifts, Shifts, Shifts, Shifts, Shifts]:
    """Hours by weekday (`mon` ... `sun`); a day that is not named is closed. Raises BadCalendar."""
    unknown = sorted(set(hours) - set(WEEKDAYS))
    if unknown:
        raise BadCalendar(f"week.{unknown[0]}", f"must be one of {', '.join(WEEKDAYS)}")
    mon, tue, wed, thu, fri, sat, sun = (parse_shifts(hours.get(d, ()), f"week.{d}") for d in WEEKDAYS)
    return mon, tue, wed, thu, fri, sat, sun


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours as a person writes them; "" stands for what the site has."""

    week: dict[str, list[str]]
    time_zone: str = ""
    country: str = ""
    """Whose public holidays are days off: `DE`, `DE-BY`; `-` = none."""
    exceptions: dict[str, list[str]] = field(default_factory=dict)
    """Days such as 2026-12-24 with hours of their own; none = closed."""

    def calendar(self, zone: tzinfo, holiday: Callable[[date], str]) -> Calendar:
        """The calendar of these hours. Raises BadCalendar."""
        days = {}
        for day, hours in self.exceptions.items():
            try:
                days[date.fromisoformat(day)] = parse_shifts(hours, f"exceptions.{day}")
            except ValueError as no:
                raise no if isinstance(no, BadCalendar) else BadCalendar("exceptions", f"{day!r} is no day") from no
        return Calendar(zone, parse_week(self.week), holiday, days)


STANDARD, ALWAYS = "standard", "always"
BUILT_IN = {
    STANDARD: Hours({day: ["08:00-17:00"] for day in WEEKDAYS[:5]}),
    ALWAYS: Hours({day: ["00:00-24:00"] for day in WEEKDAYS}, country="-"),
}
"""Calendars that are there from the start: working days of the site, and around the clock."""
