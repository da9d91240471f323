"""When preventive jobs are due: by the calendar, by running hours, by a reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from work_orders.domain.plans import (
    HOURS,
    BadPlan,
    Condition,
    Reading,
    Spec,
    by_calendar,
    by_condition,
    by_hours,
    hours_at,
    next_due,
    rides,
    total,
)

BEGINS = datetime(2026, 1, 31, tzinfo=UTC)
DAY = timedelta(days=1)


def spec(**values: Any) -> Spec:
    given: dict[str, Any] = {"title": "Grease", "tasks": ("Grease it",), **values}
    return Spec(**given)


def readings(*pairs: tuple[float, float]) -> list[Reading]:
    return [Reading(BEGINS + days * DAY, value) for days, value in pairs]


@pytest.mark.parametrize(
    ("values", "done", "due"),
    [
        ({"every_days": 30}, None, BEGINS + 30 * DAY),
        ({"every_days": 30}, BEGINS + 40 * DAY, BEGINS + 70 * DAY),  # floating: from when it was done
        ({"every_days": 30, "fixed": True}, BEGINS + 40 * DAY, BEGINS + 60 * DAY),  # fixed: late does not move it
        ({"every_days": 30, "fixed": True}, BEGINS + 50 * DAY, BEGINS + 90 * DAY),  # nearer to the 60th: that is done
        ({"every_days": 30, "fixed": True}, BEGINS + 25 * DAY, BEGINS + 60 * DAY),  # rode along a little early
        ({"every_months": 1}, None, datetime(2026, 2, 28, tzinfo=UTC)),
        ({"every_months": 1, "fixed": True}, datetime(2026, 2, 27, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)),
        ({"every_months": 12}, datetime(2026, 2, 5, tzinfo=UTC), datetime(2027, 2, 5, tzinfo=UTC)),
        ({"every_hours": 100.0}, None, None),
    ],
)
def test_the_calendar_gives_the_next_date(values: dict[str, Any], done: datetime | None, due: datetime | None) -> None:
    found = by_calendar(spec(**values), BEGINS, done)
    assert (found.at if found else None) == due


def test_running_hours_are_carried_on_at_the_pace_of_the_newest_readings() -> None:
    grease = spec(every_hours=1000.0)
    found = by_hours(grease, BEGINS, None, readings((0, 5000), (50, 5100), (60, 5180), (70, 5260), (110, 5580)))
    assert found is not None
    assert found.at == BEGINS + (110 + 420 / 8) * DAY  # 8 hours a day over the last 60 days
    assert "8.0 a day" in found.why
    passed = by_hours(grease, BEGINS, None, readings((0, 5000), (100, 5500), (200, 6500)))
    assert passed is not None
    assert passed.at == BEGINS + 150 * DAY
    done = by_hours(grease, BEGINS, BEGINS + 150 * DAY, readings((0, 5000), (100, 5500), (200, 6500)))
    assert done is not None
    assert done.at == BEGINS + 250 * DAY


@pytest.mark.parametrize("pairs", [(), ((0, 100),), ((0, 100), (30, 100)), ((0, 100), (0.01, 101))])
def test_what_readings_do_not_tell_is_not_told(pairs: tuple[tuple[float, float], ...]) -> None:
    assert by_hours(spec(every_hours=1000.0), BEGINS, None, readings(*pairs)) is None


def test_an_exchanged_meter_goes_on_where_the_old_one_was() -> None:
    assert [r.value for r in total(readings((0, 900), (10, 980), (20, 30), (30, 110)))] == [900, 980, 1010, 1090]


def test_a_reading_calls_for_the_job_once_it_was_done_only_anew() -> None:
    filter_ = spec(when=Condition("pressure_drop", 2.5))
    shown = readings((1, 1.0), (2, 2.6), (3, 2.7), (5, 0.4), (9, 2.5))
    first, second = by_condition(filter_, BEGINS, None, shown), by_condition(filter_, BEGINS, BEGINS + 4 * DAY, shown)
    assert first is not None
    assert second is not None
    assert (first.at, second.at) == (BEGINS + 2 * DAY, BEGINS + 9 * DAY)
    assert by_condition(spec(when=Condition("level", 10, below=True)), BEGINS, None, readings((1, 11), (2, 12))) is None


def test_the_first_reason_counts() -> None:
    both = spec(every_months=12, every_hours=1000.0, when=Condition("pressure_drop", 2.5))
    hours = {HOURS: readings((0, 0), (10, 100))}
    assert next_due(both, BEGINS, None, {}) == by_calendar(both, BEGINS, None)
    assert next_due(both, BEGINS, None, dict(hours)) == by_hours(both, BEGINS, None, hours[HOURS])
    found = next_due(both, BEGINS, None, {**hours, "pressure_drop": readings((3, 9.0))})
    assert found is not None
    assert found.at == BEGINS + 3 * DAY


@pytest.mark.parametrize(("days", "fine"), [(-15, False), (-14, True), (0, True), (7, True), (8, False)])
def test_a_job_rides_along_inside_its_grace(days: int, fine: bool) -> None:
    assert rides(spec(every_days=30, grace_after_days=7), BEGINS, BEGINS + days * DAY) is fine


@given(
    st.lists(st.floats(0, 50), min_size=2, max_size=20), st.floats(1, 500), st.integers(0, 19),
)  # fmt: skip
def test_the_hours_at_the_due_date_are_those_of_the_plan(steps: list[float], every: float, at: int) -> None:
    shown, value = [], 0.0
    for n, step in enumerate(steps):
        value += step
        shown.append(Reading(BEGINS + n * DAY, value))
    done = BEGINS + min(at, len(steps) - 1) * DAY
    found = by_hours(spec(every_hours=every), BEGINS, done, shown)
    if found is None:
        assert sum(steps[1:]) < 1e-9 or every > 500 or (shown[-1].value - shown[0].value) * 3660 < every * len(steps)
        return
    begun, ended = hours_at(shown, done), hours_at(shown, found.at)
    assert begun is not None
    assert ended is not None
    assert ended - begun == pytest.approx(every, abs=1e-3)
    assert found.at >= done


@given(st.integers(1, 400), st.integers(0, 4000), st.booleans())
def test_the_next_date_lies_ahead_and_not_much_more_than_an_interval(every: int, late: int, fixed: bool) -> None:
    done = BEGINS + late * DAY
    found = by_calendar(spec(every_days=every, fixed=fixed), BEGINS, done)
    assert found is not None
    assert done < found.at <= done + 1.5 * every * DAY
    if fixed:
        assert (found.at - BEGINS) % (every * DAY) == timedelta()


@pytest.mark.parametrize(
    "values",
    [
        {}, {"every_days": -1}, {"every_days": 1, "every_months": 1}, {"every_days": 10, "tasks": ()},
        {"every_days": 10, "title": " "}, {"every_days": 10, "lead_days": 1000}, {"every_days": 10, "minutes": 1},
        {"every_hours": float("nan")}, {"every_hours": float("inf")}, {"when": Condition("pressure", float("nan"))},
    ],
)  # fmt: skip
def test_plans_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(BadPlan):
        spec(**values).check()


def test_a_plan_says_when() -> None:
    assert spec(every_months=6, every_hours=2000.0).words() == "every 6 months or 2,000 running hours"
    assert spec(every_days=90, fixed=True, when=Condition("pressure_drop", 2.5)).words() == (
        "every 90 days or at pressure drop at or above 2.5, on fixed days"
    )
