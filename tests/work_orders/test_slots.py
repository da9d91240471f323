"""Half days: the clever search against a slow and obvious one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from work_orders.domain.risk import Window
from work_orders.domain.slots import HALVES, Crew, HalfDay, free_slots, half_days, offer

START = datetime(2026, 3, 26, 5, tzinfo=UTC)
"""Three days before the clocks change in Berlin."""
ZONES = (UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"))
days = st.integers(0, 8).map(lambda n: date(2026, 3, 26) + timedelta(days=n))
slots = st.builds(HalfDay, days, st.sampled_from(sorted(HALVES)))
people = st.builds(
    Crew,
    st.sampled_from(["ann", "bob", "cy"]),
    st.frozensets(st.sampled_from(["mechanical", "electrical"])),
    st.frozensets(st.integers(0, 6)),
    st.frozensets(slots, max_size=10),
)


@settings(max_examples=60)
@given(
    st.lists(people, max_size=3, unique_by=lambda c: c.id),
    st.sampled_from(ZONES),
    st.integers(0, 100),
    st.integers(0, 120),
)
def test_free_half_days_are_those_that_an_obvious_search_finds(
    crew: list[Crew], zone: ZoneInfo, after: int, hours: int
) -> None:
    earliest = START + timedelta(hours=after)
    latest = earliest + timedelta(hours=hours)
    obvious = []
    for slot in half_days(date(2026, 3, 20), date(2026, 4, 20)):
        start, end = slot.bounds(zone)
        if start >= earliest and end <= latest:
            who = {
                c.id
                for c in crew
                if "mechanical" in c.skills and slot.day.weekday() in c.weekdays and slot not in c.taken
            }
            if who:
                obvious.append((slot, who))
    found = [(f.slot, set(f.technicians)) for f in free_slots(crew, "mechanical", zone, earliest, latest)]
    assert found == obvious


ALL_WEEK = Crew("ann", frozenset(["mechanical"]), frozenset(range(6)), frozenset())
SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("latest_hours", "at_most_hours", "count", "left"),
    [(120, 300, 2, 8), (38, 300, 2, 2), (38, 38, 1, 1), (30, 30, 0, 0), (30, 60, 2, 2)],
)
def test_an_offer_is_two_half_days_where_the_risk_allows(
    latest_hours: int, at_most_hours: int, count: int, left: int
) -> None:
    window = Window(
        SUNDAY + timedelta(hours=24), SUNDAY + timedelta(hours=latest_hours), SUNDAY + timedelta(hours=at_most_hours)
    )
    made = offer([ALL_WEEK], "mechanical", UTC, window, SUNDAY)
    assert (len(made.slots), made.left) == (count, left)
    assert all(f.slot.bounds(UTC)[1] <= SUNDAY + timedelta(hours=at_most_hours) for f in made.slots)


def test_nobody_comes_on_a_sunday() -> None:
    found = list(free_slots([ALL_WEEK], "mechanical", UTC, SUNDAY, SUNDAY + timedelta(days=14)))
    assert {f.slot.day.weekday() for f in found} == {0, 1, 2, 3, 4, 5}
    assert len(found) == 24


def test_half_days_in_words() -> None:
    assert HalfDay(date(2026, 11, 24), "am").words() == "Tuesday, 24 November, morning (8 to 12)"
