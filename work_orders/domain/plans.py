"""Preventive plans: when a job is due next, by the calendar, by running hours, or by what a reading shows.

A plan may have several reasons; the first that comes counts. A floating interval counts from the day it was last done,
a fixed one from the day the plan began, however late a job was done. Running hours come from meter readings, and the
day on which so many will have been run from how fast the newest of them went.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import inf, isfinite

from work_orders.domain.words import day_words

HOURS = "running_hours"
"""The meter of running hours, as people read it."""
COUNTED_HOURS = "running_hours_counted"
"""Running hours counted from telemetry; they stand in where nobody reads a meter."""
LONGEST_GAP = timedelta(hours=1)
RATE_DAYS = 60
"""Readings of so many days tell how fast the hours run."""
FURTHEST_DAYS = 3660
"""What is further away is not told."""


class BadPlan(ValueError):
    """A plan that cannot be; `field` says where."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field, self.rule = field, rule


@dataclass(frozen=True, slots=True)
class Condition:
    """A meter's reading from which on the job is due."""

    meter: str
    limit: float
    below: bool = False
    """Due at or below the limit; else at or above it."""

    def holds(self, value: float) -> bool:
        """Whether a reading calls for the job."""
        return value <= self.limit if self.below else value >= self.limit

    def words(self) -> str:
        """`pressure drop at or above 2.5`."""
        return f"{self.meter.replace('_', ' ')} at or {'below' if self.below else 'above'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Spec:
    """When a job is due and what is to be done. 0 and None = not a reason."""

    title: str
    tasks: tuple[str, ...]
    every_days: int = 0
    every_months: int = 0
    every_hours: float = 0.0
    """Of running."""
    when: Condition | None = None
    fixed: bool = False
    """Due dates stay on their grid, however late a job was done."""
    grace_before_days: float = 14.0
    """So much too early is fine when somebody is there anyway."""
    grace_after_days: float = 14.0
    lead_days: float = 7.0
    """The job is opened so long before it is due."""
    skill: str = ""
    minutes: int = 60

    def check(self) -> None:
        """Raises BadPlan."""
        if not self.title.strip() or len(self.title) > 200:
            raise BadPlan("title", "say what the plan is for, in at most 200 characters")
        if not self.tasks or len(self.tasks) > 50 or any(not t.strip() or len(t) > 400 for t in self.tasks):
            raise BadPlan("tasks", "1 to 50 steps of at most 400 characters")
        reasons = (self.every_days, self.every_months, self.every_hours)
        if not any(reasons) and self.when is None:
            raise BadPlan("every", "say when: every so many days, months or running hours, or at which reading")
        if self.every_days and self.every_months:
            raise BadPlan("every_months", "days or months, not both")
        if (
            not 0 <= self.every_days <= FURTHEST_DAYS
            or not 0 <= self.every_months <= 120
            or not 0 <= self.every_hours < inf
        ):
            raise BadPlan("every", f"at most {FURTHEST_DAYS} days or 120 months, and nothing below 0")
        if self.when is not None and not isfinite(self.when.limit):
            raise BadPlan("when.limit", "must be a number")
        for name in ("grace_before_days", "grace_after_days", "lead_days"):
            if not 0 <= getattr(self, name) <= 366:
                raise BadPlan(name, "0 to 366")
        if not 5 <= self.minutes <= 10_000:
            raise BadPlan("minutes", "5 to 10,000")

    def words(self) -> str:
        """`every 6 months or 2,000 running hours`."""
        made = []
        for n, what in ((self.every_days, "days"), (self.every_months, "months"), (self.every_hours, "running hours")):
            if n:
                made.append(f"{n:,g} {what}")
        told = [f"every {' or '.join(made)}"] if made else []
        if self.when is not None:
            told.append(f"at {self.when.words()}")
        return " or ".join(told) + (", on fixed days" if self.fixed and (self.every_days or self.every_months) else "")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter showed."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Due:
    """When a job is due, and why then."""

    at: datetime
    why: str


def add_months(start: datetime, months: int) -> datetime:
    """So many months later, on the same day of the month or on its last."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))


def grid(spec: Spec, begins: datetime, n: int) -> datetime:
    """The n-th due time of a calendar plan after the one that it begins with."""
    if spec.every_months:
        return add_months(begins, spec.every_months * n)
    return begins + timedelta(days=spec.every_days * n)


def by_calendar(spec: Spec, begins: datetime, done: datetime | None) -> Due | None:
    """The next date of a calendar plan. A job done up to half an interval early counts for the date that it is near."""
    if not (spec.every_days or spec.every_months):
        return None
    interval = f"every {spec.every_months} months" if spec.every_months else f"every {spec.every_days} days"
    if done is None:
        return Due(grid(spec, begins, 1), interval)
    if not spec.fixed:
        return Due(grid(spec, done, 1), f"{interval}; last done on {day_words(done.date())}")
    n = 1
    while grid(spec, begins, n) <= done or done - grid(spec, begins, n - 1) > grid(spec, begins, n) - done:
        n += 1
    return Due(grid(spec, begins, n), f"{interval} on fixed days")


def total(readings: Sequence[Reading]) -> list[Reading]:
    """Readings as one counter that never runs back: a meter that was exchanged goes on from where the old one was."""
    made: list[Reading] = []
    offset = 0.0
    last = None
    for one in sorted(readings, key=lambda r: r.at):
        if last is not None and one.value < last:
            offset += last
        last = one.value
        made.append(Reading(one.at, offset + one.value))
    return made


def rate(counted: Sequence[Reading]) -> float | None:
    """Hours of running a day, by the readings of the last time; None from fewer than two, or within one hour."""
    if len(counted) < 2:
        return None
    newest = counted[-1]
    lately = [r for r in counted if newest.at - r.at <= timedelta(days=RATE_DAYS)]
    first = lately[0] if len(lately) > 1 else counted[-2]
    days = (newest.at - first.at) / timedelta(days=1)
    return (newest.value - first.value) / days if days >= 1 / 24 else None


def hours_at(counted: Sequence[Reading], at: datetime) -> float | None:
    """What the counter stood at, between readings in a straight line; outside of them by the nearest rate there is."""
    if not counted:
        return None
    if at <= counted[0].at:
        return counted[0].value
    for a, b in pairwise(counted):
        if a.at <= at <= b.at:
            share = (at - a.at) / (b.at - a.at) if b.at > a.at else 1.0
            return a.value + share * (b.value - a.value)
    speed = rate(counted) or 0.0
    return counted[-1].value + speed * ((at - counted[-1].at) / timedelta(days=1))


def by_hours(spec: Spec, begins: datetime, done: datetime | None, readings: Sequence[Reading]) -> Due | None:
    """When so many hours will have been run since it was last done; None while that cannot be told."""
    counted = total(readings)
    since = hours_at(counted, done or begins)
    if not spec.every_hours or since is None:
        return None
    wanted = since + spec.every_hours
    if counted[-1].value >= wanted:
        crossed = next(i for i, r in enumerate(counted) if r.value >= wanted)
        at = counted[crossed].at
        if crossed and counted[crossed].value > counted[crossed - 1].value:
            before = counted[crossed - 1]
            share = (wanted - before.value) / (counted[crossed].value - before.value)
            at = before.at + share * (at - before.at)
        return Due(at, f"{spec.every_hours:,g} running hours have passed")
    speed = rate(counted)
    if not speed or speed <= 0:
        return None
    days = (wanted - counted[-1].value) / speed
    if days > FURTHEST_DAYS:
        return None
    left = wanted - counted[-1].value
    why = f"{left:,.0f} of {spec.every_hours:,g} running hours left, {speed:.1f} a day"
    return Due(counted[-1].at + timedelta(days=days), why)


def ran(starts: Sequence[datetime], running: Sequence[bool], until: datetime) -> timedelta:
    """How long it ran: what a reading shows holds until the next one, an hour at the most."""
    total_ = timedelta()
    for start, after, on in zip(starts, [*starts, until][1:], running, strict=True):
        if on:
            total_ += min(after - start, LONGEST_GAP)
    return total_


def by_condition(spec: Spec, begins: datetime, done: datetime | None, readings: Sequence[Reading]) -> Due | None:
    """At the first reading since it was last done that calls for it."""
    if spec.when is None:
        return None
    for one in sorted(readings, key=lambda r: r.at):
        if one.at >= begins and (done is None or one.at > done) and spec.when.holds(one.value):
            return Due(one.at, f"{spec.when.words()}: {one.value:g}")
    return None


def next_due(spec: Spec, begins: datetime, done: datetime | None, readings: dict[str, Sequence[Reading]]) -> Due | None:
    """When the job is due next: the first of its reasons. None while nothing tells it."""
    found = (
        by_calendar(spec, begins, done),
        by_hours(spec, begins, done, readings.get(HOURS) or readings.get(COUNTED_HOURS, ())),
        by_condition(spec, begins, done, readings.get(spec.when.meter, ()) if spec.when else ()),
    )
    return min((d for d in found if d is not None), key=lambda d: d.at, default=None)


def rides(spec: Spec, due: datetime, visit: datetime) -> bool:
    """Whether a visit that is planned anyway lies in the time in which the job may be done."""
    early, late = timedelta(days=spec.grace_before_days), timedelta(days=spec.grace_after_days)
    return due - early <= visit <= due + late
