"""The alarm machine as a table: scores by the hour, and what becomes of them."""

from dataclasses import replace

import pytest

from anomaly.domain.alarm import AlarmMachine, Change, Phase
from contracts.asset_model import Detection

HOUR_US = 3_600_000_000
SETTINGS = Detection(threshold=1.0, clear=0.7, hold_hours=2.0, hold_samples=3, refractory_hours=4.0)


def run(scores: list[float | None], settings: Detection = SETTINGS, every: float = 1.0) -> list[str]:
    """What happened, as `hour:change`."""
    machine, out = AlarmMachine(), []
    for i, score in enumerate(scores):
        change = machine.step(round(i * every * HOUR_US), score, settings)
        if change is not None:
            out.append(f"{i * every:g}:{change.value}")
    return out


TABLE = [
    ("one high score is no alarm", [2.0, 0.1, 0.1], []),
    ("two hours and three samples raise", [2.0, 2.0, 2.0], ["2:raised"]),
    ("a dip begins the hold anew", [2.0, 2.0, 0.5, 2.0, 2.0, 2.0], ["5:raised"]),
    ("the threshold itself is not above it", [1.0, 1.0, 1.0, 1.0], []),
    ("it stays until it is well below", [2.0, 2.0, 2.0, 0.9, 0.75, 0.69], ["2:raised", "5:cleared"]),
    ("nothing to judge changes nothing", [2.0, None, 2.0, None, 2.0], ["4:raised"]),
    ("an alarm outlasts what cannot be judged", [2.0, 2.0, 2.0, None, None, 0.1], ["2:raised", "5:cleared"]),
    ("after clearing it is quiet for a while", [2.0, 2.0, 2.0, 0.1, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0],
     ["2:raised", "3:cleared", "9:raised"]),
]  # fmt: skip


@pytest.mark.parametrize(("scores", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_scores_by_the_hour(scores: list[float | None], expected: list[str]) -> None:
    assert run(scores) == expected


def test_fast_samples_must_hold_in_time_as_well() -> None:
    assert run([2.0] * 100, every=0.01) == []
    assert run([2.0] * 201, every=0.01) == ["2:raised"]


def test_slow_samples_must_hold_in_number_as_well() -> None:
    assert run([2.0] * 4, replace(SETTINGS, hold_samples=4), every=10) == ["30:raised"]


def test_a_gap_begins_the_hold_anew() -> None:
    machine = AlarmMachine()
    machine.step(0, 2.0, SETTINGS)
    machine.step(HOUR_US, 2.0, SETTINGS)
    machine.interrupted()
    assert machine.step(2 * HOUR_US, 2.0, SETTINGS) is None
    assert machine.phase is Phase.PENDING


def test_a_gap_leaves_a_standing_alarm() -> None:
    machine = AlarmMachine()
    for hour in range(3):
        machine.step(hour * HOUR_US, 2.0, SETTINGS)
    machine.interrupted()
    assert machine.raised


def test_nothing_is_raised_while_shelved_and_the_hold_begins_after_it() -> None:
    machine = AlarmMachine()
    machine.shelve(0, 5 * HOUR_US, "visit")
    changes = [machine.step(hour * HOUR_US, 2.0, SETTINGS) for hour in range(9)]
    assert changes == [None] * 7 + [Change.RAISED, None]


def test_a_shelving_ended_early_lets_alarms_through() -> None:
    machine = AlarmMachine()
    machine.shelve(0, 50 * HOUR_US, "visit")
    assert machine.unshelve(HOUR_US)
    assert not machine.unshelve(2 * HOUR_US)
    changes = [machine.step(hour * HOUR_US, 2.0, SETTINGS) for hour in (1, 2, 3)]
    assert changes[-1] is Change.RAISED


def test_a_replaced_part_ends_the_alarm_without_a_refractory_time() -> None:
    machine = AlarmMachine()
    for hour in range(3):
        machine.step(hour * HOUR_US, 2.0, SETTINGS)
    assert machine.restart(3 * HOUR_US) is Change.CLEARED
    assert machine.restart(3 * HOUR_US) is None
    changes = [machine.step(hour * HOUR_US, 2.0, SETTINGS) for hour in (4, 5, 6)]
    assert changes[-1] is Change.RAISED
