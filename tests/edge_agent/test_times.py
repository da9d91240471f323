from collections import deque
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.times import RECENT, Separator, epoch_us

START = datetime(2026, 11, 22, tzinfo=UTC)


@given(st.lists(st.integers(0, 30), max_size=200))
def test_each_time_differs_from_the_recent_ones_and_is_the_first_that_does(steps: list[int]) -> None:
    """Against the slow version that looks at every recent time."""
    separator, recent = Separator(), deque[datetime](maxlen=RECENT)
    for step in steps:
        t = START + timedelta(microseconds=step)
        given_text = t.isoformat()
        while t in recent:
            t += timedelta(microseconds=1)
        recent.append(t)
        assert datetime.fromisoformat(str(separator.apart(given_text))) == t


@pytest.mark.parametrize(
    ("t", "us"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.1234567Z", 123_456),
        (1500, 1_500_000),
        (-1, -1000),
        ("1970-01-01T00:00:00", None),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
    ],
)
def test_times_are_read_as_the_contract_says(t: str | int, us: int | None) -> None:
    assert epoch_us(t) == us


def test_milliseconds_become_text_only_where_they_must_move() -> None:
    separator = Separator()
    assert separator.apart(1500) == 1500
    assert separator.apart(1500) == "1970-01-01T00:00:01.500001Z"


def test_the_end_of_all_times_stays_as_it_is() -> None:
    separator = Separator()
    end = "9999-12-31T23:59:59.999999Z"
    assert [separator.apart(end), separator.apart(end)] == [end, end]
