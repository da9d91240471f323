"""Report by exception: what is no news stays here, a step stays a step, and nothing is forgotten that was not kept."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent import settings
from edge_agent.domain.by_exception import ByException, Exceptions
from edge_agent.domain.driving import Batch, Cell, Reading
from edge_agent.settings import BadSettings
from tests.edge_agent.test_settings import URL, config, faults

AT = datetime(2026, 11, 22, tzinfo=UTC)


class Script:
    """Gives a reading a poll; its place is how many were given, unless it has none."""

    def __init__(self, readings: Sequence[dict[str, Cell]], places: bool = True) -> None:
        self.readings, self.places, self.n = readings, places, 0

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        n = int(position or 0) if self.places else self.n
        if n >= len(self.readings):
            return Batch([], position, now)
        self.n = n + 1
        return Batch([Reading(n, self.readings[n])], str(n + 1) if self.places else "", now)

    def close(self) -> None: ...


def told(values: Sequence[Cell], rule: Exceptions, step_s: float = 1.0, places: bool = True) -> list[tuple[int, Cell]]:
    """What goes out of one signal: (place, value)."""
    sifted = ByException(Script([{"x": v} for v in values], places), rule)
    out: list[tuple[int, Cell]] = []
    position, now = "", 0.0
    for _ in values:
        batch = sifted.poll(position, AT, now, 1)
        position, now = batch.position, now + step_s
        out += [(int(r.t), r.values["x"]) for r in batch.readings]
    return out


@pytest.mark.parametrize(
    ("values", "band", "out"),
    [
        ([1.0, 1.0, 1.0], 0.0, [(0, 1.0)]),
        ([1.0, 1.4, 1.5, 1.6, 1.7], 0.5, [(0, 1.0), (2, 1.5), (3, 1.6)]),
        ([0.0, 0.0, 0.0, 9.0, 9.0], 0.5, [(0, 0.0), (2, 0.0), (3, 9.0)]),
        ([1.0, None, None, 1.0], 0.5, [(0, 1.0), (1, None), (2, None), (3, 1.0)]),
        ([True, True, False], 5.0, [(0, True), (1, True), (2, False)]),
        (["a", "a", "b"], 0.0, [(0, "a"), (1, "a"), (2, "b")]),
        ([1, True], 5.0, [(0, 1), (1, True)]),
    ],
)
def test_what_left_the_band_goes_out_with_the_value_before_it(
    values: list[Cell], band: float, out: list[tuple[int, Cell]]
) -> None:
    assert told(values, Exceptions({"x": band})) == out
    assert told(values, Exceptions({"*": band}), places=False) == out


def test_a_signal_that_stands_still_goes_out_now_and_then() -> None:
    assert told([5.0] * 8, Exceptions({"x": 1.0}, 3.0)) == [(0, 5.0), (3, 5.0), (6, 5.0)]


def test_a_signal_without_a_band_always_goes_out() -> None:
    assert len(told([5.0] * 4, Exceptions({"y": 1.0}))) == 4


def test_what_goes_out_tells_every_value_to_within_the_band() -> None:
    dice = random.Random(7)
    value, values = 0.0, []
    for _ in range(500):
        value += dice.choice([0.0, 0.0, 0.05, -0.05, 3.0, -3.0])
        values.append(value)
    out = dict(told(values, Exceptions({"x": 0.2}, 1e6)))
    assert len(out) < 400
    last = 0.0
    for n, true in enumerate(values):
        sent = out.get(n, last)
        assert isinstance(sent, float)
        last = sent
        assert abs(last - true) <= 0.2


def test_what_the_outbox_could_not_take_is_news_again() -> None:
    sifted = ByException(Script([{"x": v} for v in (1.0, 1.0, 9.0)]), Exceptions({"x": 0.5}))
    first = sifted.poll("", AT, 0.0, 1)
    again = sifted.poll("", AT, 1.0, 1)
    assert [r.values for r in first.readings] == [r.values for r in again.readings] == [{"x": 1.0}]
    assert sifted.poll("1", AT, 2.0, 1).readings == []
    for now in (3.0, 4.0):
        batch = sifted.poll("2", AT, now, 1)
        assert [(r.t, r.values["x"]) for r in batch.readings] == [(1, 1.0), (2, 9.0)]
    assert sifted.kept_back == 1


def test_the_file_says_which_values_are_no_news(tmp_path: Path) -> None:
    text = '[csv]\npath = "in.csv"\ntime = "t"\ndeadband = {x = 0.5, "*" = 0}\nat_least_every = 60\n'
    made = settings.load(config(tmp_path, text), {"FOREWARN_MQTT_URL": URL})
    assert made.drivers["csv"].exceptions == Exceptions({"x": 0.5, "*": 0.0}, 60.0)
    plain = settings.load(config(tmp_path, '[csv]\npath = "in.csv"\ntime = "t"\n'), {"FOREWARN_MQTT_URL": URL})
    assert plain.drivers["csv"].exceptions is None


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("deadband = 5", "drivers.csv.deadband"),
        ("deadband = {x = -1}", "drivers.csv.deadband.x"),
        ('deadband = {x = "far"}', "drivers.csv.deadband.x"),
        ('deadband = {"a b" = 1}', "drivers.csv.deadband.a b"),
        ("deadband = {x = 1}\nat_least_every = 0", "drivers.csv.at_least_every"),
        ("at_least_every = 60", "drivers.csv.at_least_every"),
    ],
)
def test_a_deadband_that_cannot_be_is_named(tmp_path: Path, more: str, field: str) -> None:
    assert list(faults(tmp_path, f'[csv]\npath = "in.csv"\ntime = "t"\n{more}\n', FOREWARN_MQTT_URL=URL)) == [field]


def test_faults_of_a_deadband_are_bad_settings() -> None:
    with pytest.raises(BadSettings):
        settings.read({"host": {"deadband": {"x": float("nan")}}}, {"FOREWARN_MQTT_URL": URL})
