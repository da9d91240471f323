"""Half days: which are free, counted from technicians' calendars, skills and bookings."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from work_orders.domain.risk import Window
from work_orders.domain.words import day_words

AM, PM = "am", "pm"
HALVES = {AM: (time(8), time(12)), PM: (time(13), time(17))}
WORKDAYS = (0, 1, 2, 3, 4, 5)
"""Monday to Saturday."""
OFFERED = 2
FURTHEST_DAYS = 60


@dataclass(frozen=True, slots=True, order=True)
class HalfDay:
    """A morning or an afternoon."""

    day: date
    half: str

    def bounds(self, zone: tzinfo) -> tuple[datetime, datetime]:
        """Start and end in a time zone."""
        start, end = HALVES[self.half]
        return datetime.combine(self.day, start, zone), datetime.combine(self.day, end, zone)

    def words(self) -> str:
        """`Tuesday, 24 November, morning (8 to 12)`."""
        return f"{day_words(self.day)}, " + ("morning (8 to 12)" if self.half == AM else "afternoon (13 to 17)")


@dataclass(frozen=True, slots=True)
class Crew:
    """One technician as the calendar sees him."""

    id: str
    skills: frozenset[str]
    weekdays: frozenset[int]
    taken: frozenset[HalfDay]

    def free(self, slot: HalfDay, skill: str) -> bool:
        """Whether he could come."""
        return skill in self.skills and slot.day.weekday() in self.weekdays and slot not in self.taken


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """A half day with who is free in it (ids, least busy first)."""

    slot: HalfDay
    technicians: tuple[str, ...]


def half_days(first: date, last: date) -> Iterator[HalfDay]:
    """All half days of the days, both included."""
    for n in range((last - first).days + 1):
        for half in HALVES:
            yield HalfDay(first + timedelta(days=n), half)


def free_slots(
    crew: Sequence[Crew], skill: str, zone: tzinfo, earliest: datetime, latest: datetime
) -> Iterator[FreeSlot]:
    """Half days that lie within [earliest, latest] and have somebody free, earliest first."""
    latest = min(latest, earliest + timedelta(days=FURTHEST_DAYS))
    for slot in half_days(earliest.astimezone(zone).date(), latest.astimezone(zone).date()):
        start, end = slot.bounds(zone)
        if start < earliest or end > latest:
            continue
        free = sorted((len(c.taken), c.id) for c in crew if c.free(slot, skill))
        if free:
            yield FreeSlot(slot, tuple(name for _, name in free))


@dataclass(frozen=True, slots=True)
class Offer:
    """What a customer may choose from: at most two half days; `left` counts all free ones until `latest`."""

    slots: tuple[FreeSlot, ...]
    left: int
    latest: datetime


def offer(crew: Sequence[Crew], skill: str, zone: tzinfo, window: Window, not_before: datetime) -> Offer:
    """The earliest two half days of the window; it is stretched, as far as the risk allows, until two fit."""
    earliest = max(window.earliest, not_before)
    found = list(free_slots(crew, skill, zone, earliest, window.latest))
    if len(found) >= OFFERED:
        return Offer(tuple(found[:OFFERED]), len(found), window.latest)
    found = list(free_slots(crew, skill, zone, earliest, window.at_most))[:OFFERED]
    latest = max([window.latest, *(f.slot.bounds(zone)[1] for f in found)])
    return Offer(tuple(found), len(found), latest)


def count_free(crew: Collection[Crew], skill: str, slot: HalfDay) -> int:
    """How many technicians could come in a half day."""
    return sum(c.free(slot, skill) for c in crew)
