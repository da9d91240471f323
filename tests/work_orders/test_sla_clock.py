"""The SLA clock against a minute-by-minute oracle, and by cases that people know."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles import sla as oracle
from work_orders.domain.calendars import BadCalendar, Calendar, Shift, always, parse_shifts, parse_week
from work_orders.domain.intervals import Interval, intersect, length, subtract, union
from work_orders.domain.sla import (
    DEFAULT_POLICY,
    Clock,
    ClockState,
    Metric,
    Rule,
    SlaPolicy,
    Step,
    Target,
    Wait,
    business_time,
    reached,
)

BERLIN = ZoneInfo("Europe/Berlin")
SPANS_DAYS = 3
# around both changes of the clock, in both hemispheres, one by half an hour, one zone without any, and year's end
STARTS = (
    ("Europe/Berlin", datetime(2026, 3, 28, 6, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 24, 6, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 10, 31, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 3, 18, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 2, 18, tzinfo=UTC)),
    ("Asia/Shanghai", datetime(2026, 12, 30, 12, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 5, 1, 3, tzinfo=UTC)),
)
WEEKDAY = ["08:00-12:00", "13:00-17:00"]
OFFICE = parse_week(dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), WEEKDAY))


def berlin(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN)


@st.composite
def shifts(draw: st.DrawFn) -> tuple[Shift, ...]:
    edges = draw(st.lists(st.integers(0, 1440), max_size=4, unique=True).filter(lambda x: len(x) % 2 == 0))
    made = [Shift(a, b) for a, b in list(pairwise(sorted(edges)))[::2]]
    if draw(st.integers(0, 4)) == 0:  # a night shift
        first = max([s.end for s in made], default=1200)
        if first < 1440:
            made.append(Shift(first, 1440 + draw(st.integers(1, 400))))
    return tuple(made)


@dataclasses.dataclass(frozen=True)
class Scene:
    calendar: Calendar
    hours: oracle.Hours
    start: datetime
    waits: tuple[Wait, ...]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    name, base = draw(st.sampled_from(STARTS))
    zone = ZoneInfo(name)
    start = base + timedelta(minutes=draw(st.integers(0, 1440)))
    days = [(start + timedelta(days=n)).astimezone(zone).date() for n in range(-1, SPANS_DAYS + 2)]
    week = (
        draw(shifts()),
        draw(shifts()),
        draw(shifts()),
        draw(shifts()),
        draw(shifts()),
        draw(shifts()),
        draw(shifts()),
    )
    holidays = set(draw(st.lists(st.sampled_from(days), max_size=2)))
    exceptions = draw(st.dictionaries(st.sampled_from(days), shifts(), max_size=1))
    minutes = st.integers(-600, SPANS_DAYS * 1440)
    waits = tuple(
        Wait(
            draw(st.sampled_from(("customer", "parts", "weather"))),
            start + timedelta(minutes=min(a, b)),
            None if draw(st.integers(0, 5)) == 0 else start + timedelta(minutes=max(a, b)),
        )
        for a, b in draw(st.lists(st.tuples(minutes, minutes), max_size=4))
    )
    calendar = Calendar(zone, week, lambda day: "a holiday" * (day in holidays), exceptions)
    plain = {d: [(s.start, s.end) for s in x] for d, x in exceptions.items()}
    hours = oracle.Hours(zone, [[(s.start, s.end) for s in x] for x in week], holidays, plain)
    return Scene(calendar, hours, start, waits)


@settings(max_examples=40, deadline=None)
@given(scenes(), st.integers(1, 1500), st.sampled_from((("customer", "weather"), ("customer", "parts"), ())))
def test_every_minute_agrees_with_the_oracle(scene: Scene, target: int, reasons: tuple[str, ...]) -> None:
    # one set of segments under several policies: what pauses, and how much is promised, may change at any time
    pauses = [(w.start, w.end) for w in scene.waits if w.reason in reasons]
    minutes = SPANS_DAYS * 1440
    passed = dict(oracle.counting(scene.hours, scene.start, pauses, minutes))
    for at in (scene.start + timedelta(minutes=minutes * n // 3) for n in range(4)):
        mine = business_time(scene.calendar, scene.start, at, scene.waits, reasons)
        assert mine == passed[at] * oracle.MINUTE
    due = reached(scene.calendar, scene.start, target * oracle.MINUTE, scene.waits, reasons)
    theirs = next((at for at, used in passed.items() if used >= target), None)
    assert theirs == (due if due is not None and due <= scene.start + timedelta(minutes=minutes) else None)


_points = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6)


@given(_points, _points)
def test_the_algebra_of_stretches_is_that_of_sets(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    base = datetime(2026, 1, 1, tzinfo=UTC)

    def made(points: list[tuple[int, int]]) -> tuple[Interval, ...]:
        return union(Interval(base + timedelta(minutes=x), base + timedelta(minutes=y)) for x, y in points)

    def minutes(points: list[tuple[int, int]]) -> set[int]:
        return {m for x, y in points for m in range(x, y)}

    def of(stretches: tuple[Interval, ...]) -> set[int]:
        assert stretches == union(stretches)  # in order and apart
        return {
            int((i.start - base).total_seconds() // 60) + n
            for i in stretches
            for n in range(int(i.length.seconds // 60))
        }

    x, y = made(a), made(b)
    assert of(union(x, y)) == minutes(a) | minutes(b)
    assert of(intersect(x, y)) == minutes(a) & minutes(b)
    assert of(subtract(x, y)) == minutes(a) - minutes(b)
    assert length(subtract(x, y)) + length(intersect(x, y)) == length(x)


LATE, NIGHT, EARLY = berlin(2026, 11, 20, 16, 30), berlin(2026, 11, 20, 18), berlin(2026, 11, 23, 7)
BOTH = [(berlin(2026, 11, 23, 8), berlin(2026, 11, 23, 10)), (berlin(2026, 11, 23, 9), berlin(2026, 11, 23, 11))]
OFFICE_HOURS = Calendar(BERLIN, OFFICE, lambda day: "Christmas" * ((day.month, day.day) in ((12, 25), (12, 26))))


@pytest.mark.parametrize(
    ("start", "minutes", "waits", "due"),
    [
        # Friday afternoon into Monday, over the lunch break
        (berlin(2026, 11, 20, 16), 4 * 60, (), berlin(2026, 11, 23, 11)),
        (berlin(2026, 11, 23, 11, 30), 60, (), berlin(2026, 11, 23, 13, 30)),
        # due exactly when it closes, not when it opens again
        (berlin(2026, 11, 23, 13), 4 * 60, (), berlin(2026, 11, 23, 17)),
        # a pause in closed hours adds nothing
        (berlin(2026, 11, 20, 16), 4 * 60, [(NIGHT, EARLY)], berlin(2026, 11, 23, 11)),
        # of a pause over closing time only the open part counts
        (berlin(2026, 11, 20, 16), 4 * 60, [(LATE, EARLY)], berlin(2026, 11, 23, 11, 30)),
        # two pauses at once count once
        (berlin(2026, 11, 23, 8), 60, BOTH, berlin(2026, 11, 23, 12)),
        # holidays: 24 December is a Thursday, 25 a Friday, 26 and 27 a weekend
        (berlin(2026, 12, 24, 16), 2 * 60, (), berlin(2026, 12, 28, 9)),
        # a pause that has no end: nobody can tell
        (berlin(2026, 11, 23, 8), 60, [(berlin(2026, 11, 23, 8, 30), None)], None),
        # but what was reached before it was reached
        (berlin(2026, 11, 23, 8), 60, [(berlin(2026, 11, 23, 9), None)], berlin(2026, 11, 23, 9)),
    ],
)  # fmt: skip
def test_deadlines_that_people_can_check(
    start: datetime, minutes: int, waits: list[tuple[datetime, datetime | None]], due: datetime | None
) -> None:
    clock = Clock(Target(Metric.RESTORE, minutes), OFFICE_HOURS, start, tuple(Wait("customer", a, b) for a, b in waits))
    assert clock.due == due


def test_around_the_clock_a_day_has_the_hours_that_it_has() -> None:
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    hours = [
        length(always(BERLIN).open(berlin(d.year, d.month, d.day), berlin(d.year, d.month, d.day + 1)))
        for d in (spring, autumn, date(2026, 11, 22))
    ]
    assert hours == [timedelta(hours=23), timedelta(hours=25), timedelta(hours=24)]
    nights = Calendar(BERLIN, parse_week({"sat": ["22:00-06:00"]}))
    assert length(nights.open(berlin(2026, 3, 28), berlin(2026, 3, 30))) == timedelta(hours=7)
    assert length(nights.open(berlin(2026, 10, 24), berlin(2026, 10, 26))) == timedelta(hours=9)


def test_met_or_breached_and_never_both() -> None:
    target = Target(Metric.RESPONSE, 60, steps=(Step("dispatcher", 0.5), Step("admin"), Step("admin", 1, 30)))
    clock = Clock(target, OFFICE_HOURS, berlin(2026, 11, 23, 8))
    at = {name: berlin(2026, 11, 23, h, m) for name, h, m in (("soon", 8, 40), ("due", 9, 0), ("late", 9, 1))}
    assert [clock.state(t) for t in at.values()] == [ClockState.RUNNING, ClockState.RUNNING, ClockState.BREACHED]
    for name, found in (("soon", ClockState.MET), ("due", ClockState.MET), ("late", ClockState.BREACHED)):
        stopped = dataclasses.replace(clock, stopped=at[name])
        assert {stopped.state(at[name] + timedelta(days=n)) for n in range(30)} == {found}
    # nobody is told after somebody answered
    assert [n for n, _, _ in clock.escalations()] == [0, 1, 2]
    assert [n for n, _, _ in dataclasses.replace(clock, stopped=at["soon"]).escalations()] == [0]
    assert dataclasses.replace(clock, stopped=berlin(2026, 11, 23, 8, 30)).escalations() == []
    # answered on Saturday though it was due when it closed on Friday
    friday = Clock(
        Target(Metric.RESPONSE, 60), OFFICE_HOURS, berlin(2026, 11, 20, 16), stopped=berlin(2026, 11, 21, 10)
    )
    assert friday.state(berlin(2026, 11, 21, 10)) is ClockState.BREACHED


def test_the_rule_that_says_most_counts() -> None:
    def rule(minutes: float, **about: str) -> Rule:
        return Rule(Target(Metric.RESPONSE, minutes), **about)

    policy = SlaPolicy(
        (
            rule(1), rule(2, kind="breakdown"), rule(3, tier="gold"), rule(4, tier="gold", priority="high"),
            rule(0, kind="recall"),
        )
    )  # fmt: skip

    def held_to(kind: str, tier: str, priority: str) -> float | None:
        found = policy.target(Metric.RESPONSE, kind, tier, priority)
        return found.minutes if found else None

    assert held_to("report", "", "normal") == 1
    assert held_to("breakdown", "", "high") == 2
    assert held_to("breakdown", "gold", "normal") == 2  # as close as the tier's, and above it
    assert held_to("report", "gold", "normal") == 3
    assert held_to("breakdown", "gold", "high") == 4
    assert held_to("recall", "", "normal") is None  # nothing is promised
    assert policy.target(Metric.RESTORE, "report", "", "") is None
    assert DEFAULT_POLICY.target(Metric.RESPONSE, "complaint", "", "normal") != DEFAULT_POLICY.target(
        Metric.RESPONSE, "report", "", "normal"
    )


@pytest.mark.parametrize("words", [["8-17"], ["08:00-25:00"], ["08:60-17:00"], ["08:00-12:00", "11:00-13:00"]])
def test_hours_that_cannot_be_are_refused(words: list[str]) -> None:
    with pytest.raises(BadCalendar):
        parse_shifts(words)
    with pytest.raises(BadCalendar):
        parse_week({"someday": ["08:00-17:00"]})
