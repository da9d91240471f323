"""The SLA clock. Business time is the time since the start in which it is open and nothing pauses the clock.

The deadline is the first moment at which business time reaches the target: it is worked out from the segments each
time, never counted down, so that a change of policy, priority or calendar is right for what has already happened.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from work_orders.domain.calendars import FURTHEST, Calendar
from work_orders.domain.intervals import NONE, Interval, Intervals, intersect, length, subtract, union

_FAR = datetime(9999, 1, 1, tzinfo=UTC)


class Metric(StrEnum):
    """What is promised."""

    RESPONSE = "response"
    """Until a person, or a message about the matter itself, has answered."""
    ARRIVAL = "arrival"
    """Until a technician is on site."""
    RESTORE = "restore"
    """Until the work is done."""


class ClockState(StrEnum):
    """Where a clock stands."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    BREACHED = "breached"
    WITHDRAWN = "withdrawn"
    """Nobody asks for it any more: the customer declined, or the case was stood down or merged."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A stretch in which something was waited for. Whether that pauses a clock is for the policy to say."""

    reason: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """Who hears of it, and when: at a share of the time, or so many minutes of business time after the deadline."""

    who: str
    share: float = 1.0
    after_minutes: float = 0.0

    def threshold(self, target: timedelta) -> timedelta:
        """Business time at which it is due."""
        return target * self.share + timedelta(minutes=self.after_minutes)

    def words(self) -> str:
        """`at 75 % of the time`, `60 minutes after the deadline`."""
        if self.after_minutes:
            return f"{self.after_minutes:g} minutes after the deadline"
        return f"at {self.share:.0%} of the time" if self.share < 1 else "at the deadline"


PAUSING = ("customer", "access", "weather")
"""What pauses a clock unless a rule says otherwise. Parts and safety are the provider's own matter."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a clock is held to."""

    metric: Metric
    minutes: float
    calendar: str = ""
    """Name of a calendar; "" = the site's own."""
    pauses: tuple[str, ...] = PAUSING
    steps: tuple[Step, ...] = ()

    @property
    def time(self) -> timedelta:
        """Business time that may pass."""
        return timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class Rule:
    """A target for cases of a kind, customers of a tier, a priority; "" = any."""

    target: Target
    kind: str = ""
    tier: str = ""
    priority: str = ""

    def fits(self, kind: str, tier: str, priority: str) -> bool:
        """Whether it is about such a case."""
        asked = ((self.kind, kind), (self.tier, tier), (self.priority, priority))
        return all(mine in ("", theirs) for mine, theirs in asked)

    @property
    def told(self) -> int:
        """How much it says; the more, the closer it fits."""
        return sum(map(bool, (self.kind, self.tier, self.priority)))


@dataclass(frozen=True, slots=True)
class SlaPolicy:
    """Rules; of those that fit, the one that says most counts, of two that say as much the upper."""

    rules: tuple[Rule, ...] = ()

    def target(self, metric: Metric, kind: str, tier: str, priority: str) -> Target | None:
        """What such a case is held to; None = nothing is promised."""
        found = [r for r in self.rules if r.target.metric is metric and r.fits(kind, tier, priority)]
        best = max(found, key=lambda r: r.told, default=None)
        return best.target if best is not None and best.target.minutes > 0 else None


def paused(waits: Iterable[Wait], reasons: Iterable[str], until: datetime = _FAR) -> Intervals:
    """When a clock is paused by what was waited for."""
    counted = set(reasons)
    return union(Interval(w.start, min(w.end or until, until)) for w in waits if w.reason in counted)


def business_time(
    calendar: Calendar, started: datetime, until: datetime, waits: Iterable[Wait], reasons: Iterable[str]
) -> timedelta:
    """Time that counts from the start until a moment."""
    if until <= started:
        return NONE
    running = subtract((Interval(started, until),), paused(waits, reasons, until))
    if not running:
        return NONE
    return length(intersect(running, calendar.open(started, until)))


def reached(
    calendar: Calendar, started: datetime, amount: timedelta, waits: Iterable[Wait], reasons: Iterable[str]
) -> datetime | None:
    """The first moment at which business time reaches an amount; None while a pause that has no end yet, or a calendar
    that never opens, stands before it."""
    if amount <= NONE:
        return started
    left = amount
    stops = paused(waits, reasons)
    begin = max([started, *(p.end for p in stops if p.end < _FAR)])  # after the last pause nothing pauses any more
    for stretch in _counting(calendar, started, begin, stops):
        if stretch.length >= left:
            return stretch.start + left
        left -= stretch.length
    return None


def _counting(calendar: Calendar, started: datetime, begin: datetime, stops: Intervals) -> Iterable[Interval]:
    yield from intersect(subtract((Interval(started, begin),), stops), calendar.open(started, begin))
    last = next((p.start for p in stops if p.end == _FAR), None)
    if last is not None and last <= begin:
        return
    end = min(last or _FAR, begin + FURTHEST)
    for stretch in calendar.open_from(begin):
        if stretch.start >= end:
            return
        yield Interval(stretch.start, min(stretch.end, end))


@dataclass(frozen=True, slots=True)
class Clock:
    """The facts of one promise: what it is held to, when it began and ended, what was waited for meanwhile."""

    target: Target
    calendar: Calendar
    started: datetime
    waits: tuple[Wait, ...] = ()
    stopped: datetime | None = None

    @property
    def due(self) -> datetime | None:
        """The deadline; None while it cannot be told."""
        return self._when(self.target.time)

    def _when(self, amount: timedelta) -> datetime | None:
        waits = self.waits
        if self.stopped is not None:  # what was waited for after the end has no part in it
            stop = self.stopped
            waits = tuple(Wait(w.reason, w.start, min(w.end or stop, stop)) for w in waits if w.start < stop)
        return reached(self.calendar, self.started, amount, waits, self.target.pauses)

    def used(self, now: datetime) -> timedelta:
        """Business time until now, or until it stopped."""
        until = now if self.stopped is None else min(now, self.stopped)
        return business_time(self.calendar, self.started, until, self.waits, self.target.pauses)

    def state(self, now: datetime) -> ClockState:
        """Met when it stopped by the deadline, breached once the deadline has passed, whatever comes later."""
        due = self.due
        if self.stopped is not None and self.stopped <= now and (due is None or self.stopped <= due):
            return ClockState.MET
        if due is not None and due < now:
            return ClockState.BREACHED
        return ClockState.PAUSED if self.waiting(now) else ClockState.RUNNING

    def waiting(self, now: datetime) -> str:
        """What pauses it now; "" = nothing."""
        for wait in self.waits:
            if wait.reason in self.target.pauses and wait.start <= now and (wait.end is None or now < wait.end):
                return wait.reason
        return ""

    def escalations(self) -> Sequence[tuple[int, Step, datetime]]:
        """Steps of the chain that can be told, with their moments; none lies after the stop."""
        made = []
        for n, step in enumerate(self.target.steps):
            at = self._when(step.threshold(self.target.time))
            if at is not None and (self.stopped is None or at < self.stopped):
                made.append((n, step, at))
        return made


def _rules() -> tuple[Rule, ...]:
    office, manager = Step("dispatcher", 0.75), Step("admin", 1.0)
    later = Step("admin", 1.0, 60)

    def rule(kind: str, metric: Metric, minutes: float, *steps: Step, priority: str = "", calendar: str = "") -> Rule:
        return Rule(Target(metric, minutes, calendar, PAUSING, steps or (office, manager)), kind, "", priority)

    return (
        rule("preventive", Metric.RESPONSE, 0),  # nobody waits for an answer
        rule("recall", Metric.RESPONSE, 0),
        rule("breakdown", Metric.RESPONSE, 60, office, manager, later),
        rule("breakdown", Metric.ARRIVAL, 8 * 60, office, manager, later),
        rule("breakdown", Metric.RESTORE, 16 * 60, office, manager, later),
        rule("complaint", Metric.RESPONSE, 4 * 60, office, manager, later),
        rule("complaint", Metric.RESTORE, 5 * 9 * 60),
        rule("", Metric.RESPONSE, 9 * 60),
        rule("", Metric.RESPONSE, 4 * 60, priority="high"),
        rule("", Metric.RESPONSE, 2 * 60, office, manager, later, priority="urgent"),
        rule("report", Metric.RESTORE, 5 * 9 * 60),
        rule("", Metric.RESTORE, 16 * 60, office, manager, later, priority="urgent"),
    )


DEFAULT_POLICY = SlaPolicy(_rules())
"""What holds until the office says otherwise."""
