"""Faults of sensors are recognised, named, and kept out of the machine's score; wear of the machine is none of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from anomaly.domain.forecast import Forecast
from anomaly.domain.layout import layout_of
from anomaly.domain.machines import Arrival, Machines
from anomaly.domain.sensing import _singly, sense
from anomaly.domain.sensing_records import take
from anomaly.domain.sensor_faults import Fault, SensorChanged, rules_of, sentence
from anomaly.domain.sensor_marks import blank
from anomaly.domain.watch import AlarmChanged, Event, Watch
from contracts.asset_model_text import parse
from simulators.pumps import SIGNALS as PUMP_SIGNALS
from simulators.pumps import fleet
from tests.anomaly.machines import HOUR_US, MODEL, SIGNALS, START_US, Values, life

LAYOUT = layout_of(MODEL)
RULES = rules_of(MODEL, LAYOUT)
FROM, TO = 800, 1000
Change = Callable[[Values, int], None]


def stuck(x: Values, j: int) -> None:
    x[FROM:TO, j] = x[FROM, j]


def dropped(x: Values, j: int) -> None:
    x[FROM:TO, j] = np.nan


def spiking(x: Values, j: int) -> None:
    x[FROM:TO:17, j] = 190.0


def fahrenheit(x: Values, j: int) -> None:
    x[FROM:TO, j] = 1.8 * x[FROM:TO, j] + 32


FAULTS: dict[Fault, tuple[Change, int]] = {
    Fault.STUCK: (stuck, 12),
    Fault.DROPPED_OUT: (dropped, 12),
    Fault.SPIKING: (spiking, 90),
    Fault.SWAPPED_UNIT: (fahrenheit, 3),
}


def happened(t_us: np.ndarray, x: Values) -> list[Event]:
    return Watch(MODEL).feed(t_us, LAYOUT.arrange(SIGNALS, x))[1]


def sensors(events: list[Event]) -> list[SensorChanged]:
    return [e for e in events if isinstance(e, SensorChanged)]


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_faulty_sensor_is_named_and_raises_no_alarm(fault: Fault) -> None:
    t_us, x = life(250, seed=3)
    change, within = FAULTS[fault]
    change(x, SIGNALS.index("temperature"))
    events = happened(t_us, x)
    begin, end = sensors(events)
    assert (begin.signal, begin.fault, begin.faulty) == ("temperature", fault, True)
    assert (end.signal, end.fault, end.faulty) == ("temperature", fault, False)
    assert int(t_us[FROM]) <= begin.at_us <= int(t_us[FROM + within])
    assert abs(begin.since_us - int(t_us[FROM])) <= HOUR_US
    assert end.at_us >= int(t_us[TO - 20])
    assert not [e for e in events if isinstance(e, AlarmChanged)]


def test_a_sensor_may_be_faulty_before_there_is_a_baseline() -> None:
    learns = replace(MODEL, detection=replace(MODEL.detection, learning_hours=1000.0))
    t_us, x = life(250, seed=3)
    stuck(x, SIGNALS.index("temperature"))
    watch = Watch(learns)
    begin, end = sensors(watch.feed(t_us, LAYOUT.arrange(SIGNALS, x))[1])
    assert watch.detector.baseline is None
    assert (begin.signal, begin.fault, begin.faulty, end.faulty) == ("temperature", Fault.STUCK, True, False)


def test_the_unit_that_it_looks_like_is_said() -> None:
    t_us, x = life(250, seed=3)
    fahrenheit(x, SIGNALS.index("temperature"))
    begin = sensors(happened(t_us, x))[0]
    assert begin.detail == "it looks like [degF]"
    assert sentence("Bearing temperature", begin.fault, begin.detail) == (
        "Bearing temperature is in another unit (it looks like [degF]): check the unit that its source or gateway is"
        " set to"
    )


@pytest.mark.parametrize("seed", [4, 5])
def test_wear_of_the_machine_is_no_fault_of_a_sensor(seed: int) -> None:
    events = happened(*life(250, seed=seed, fails_at=240))
    assert not sensors(events)
    assert any(isinstance(e, Forecast) for e in events)


@pytest.mark.parametrize("seed", [4, 5])
def test_a_mode_that_shows_in_one_signal_alone_stays_the_machines(seed: int) -> None:
    t_us, x = life(250, seed=seed)
    x[:, SIGNALS.index("pressure")] -= 1.5 * np.exp((np.arange(len(x)) / 6 - 245) / 20) * (x[:, 0] > 0)
    events = happened(t_us, x)
    assert not sensors(events)
    assert any(isinstance(e, AlarmChanged) for e in events)


PUMP = parse(
    (Path(__file__).parents[2] / "asset_models" / "centrifugal-pump.yaml").read_text(), "centrifugal-pump.yaml"
)
DAYS, CHANGED = 45, 36 * 144


def pump_days(offset: Values) -> tuple[Watch, np.ndarray, Values]:
    """A healthy simulated pump whose bearing temperature shows so much more from the 36th day on."""
    rows = fleet(1, datetime(2026, 3, 1, tzinfo=UTC)).pumps[5].rows(0, DAYS * 144)
    x = rows.values.copy()
    x[CHANGED:, PUMP_SIGNALS.index("bearing_temperature")] += offset
    watch = Watch(PUMP)
    return watch, rows.t_us, watch.layout.arrange(PUMP_SIGNALS, x)


@pytest.mark.parametrize("offset", [np.full(9 * 144, 12.0), np.linspace(0, 30, 9 * 144)], ids=["jumps", "drifts"])
def test_a_signal_that_moves_alone_is_its_sensors_fault_until_somebody_looked(offset: Values) -> None:
    watch, t_us, x = pump_days(offset)
    events = watch.feed(t_us[: 43 * 144], x[: 43 * 144])[1]
    (found,) = sensors(events)
    assert found.signal == "bearing_temperature"
    assert found.fault in (Fault.REPLACED, Fault.DRIFTING)
    assert not [e for e in events if isinstance(e, AlarmChanged) and e.at_us > found.at_us]
    (end,) = watch.checked("bearing_temperature", int(t_us[43 * 144]))
    assert isinstance(end, SensorChanged)
    assert not end.faulty
    assert watch.detector.hours_left() > 0
    assert not watch.feed(t_us[43 * 144 :], x[43 * 144 :])[1] or not watch.memory.alarm.raised


def test_a_signal_that_moved_alone_is_left_out_in_ticks_as_in_a_record() -> None:
    alone, t_us, x = pump_days(np.full(9 * 144, 12.0))
    cut, end = CHANGED, 38 * 144
    told = alone.feed(t_us[:end], x[:end])[1]
    machines, heard = Machines(PUMP), []
    names = list(alone.layout.signals)
    for first, to in [(0, cut), *((i, i + 1) for i in range(cut, end))]:
        (outcome,) = machines.feed([Arrival("p", names, t_us[first:to], x[first:to])])
        heard += outcome.events
    assert sensors(heard) == sensors(told) != []
    assert [type(e) for e in heard] == [type(e) for e in told]
    mine = machines.look_at("p").memory
    assert mine.apart == alone.memory.apart != {}
    assert mine.score == pytest.approx(alone.memory.score, rel=1e-9)


@pytest.mark.parametrize(
    ("what", "x"),
    [
        ("a set point that changes seldom", np.repeat([1450.0, 2900.0, 1450.0, 2100.0], 600)),
        ("a value that never moves", np.full(2400, 7.0)),
        ("a coarse reading", np.round(20 + 3 * np.sin(np.arange(2400) / 150))),
        ("a machine that is off", np.where(np.arange(2400) % 144 < 72, np.sin(np.arange(2400)), 0.0)),
    ],
)
def test_a_value_that_may_stand_still_is_not_stuck(what: str, x: Values) -> None:
    t_us, rows = life(400, seed=3)
    rows[:, SIGNALS.index("pressure")] = x
    if what == "a machine that is off":
        rows[:, SIGNALS.index("speed")] = np.where(x == 0, 0.0, 1450.0)
    assert not sensors(happened(t_us, rows)), what


@pytest.mark.parametrize("minutes", [15, 60])
def test_battery_sensors_are_judged_in_their_own_time(minutes: int) -> None:
    """A handful of readings a day, two signals, no schedule."""
    rng = np.random.default_rng(minutes)
    n = 900
    marks, t_us = blank(RULES.signals), START_US + np.arange(n) * minutes * HOUR_US // 60
    x = np.full((n, RULES.signals), np.nan)
    x[:, LAYOUT.signals.index("speed")] = 1450.0
    x[:, LAYOUT.signals.index("temperature")] = np.round(40 + 3 * np.sin(np.arange(n) / 9) + rng.normal(0, 0.3, n), 1)
    x[600:, LAYOUT.signals.index("temperature")] = 41.3
    at, turns = 0, []
    while at < n:
        done, found = take(marks, RULES, t_us[at:], x[at:])
        at += len(done)
        turns += [(at - 1, turn.after) for turn in found]
    assert len(turns) == 1
    assert turns[0][1] is Fault.STUCK
    assert 611 <= turns[0][0] <= 625


def test_doubled_times_are_told_of_the_device() -> None:
    t_us, x = life(250, seed=3)
    t_us[FROM : FROM + 100 : 5] = t_us[FROM - 1 : FROM + 99 : 5]
    begin, end = sensors(happened(t_us, x))
    assert (begin.signal, begin.fault) == ("", Fault.DOUBLED_TIMES)
    assert not end.faulty


def test_signals_that_come_one_by_one_with_one_time_are_not_doubled() -> None:
    t_us, x = life(150, seed=3)
    apart = np.full((3 * len(t_us), len(SIGNALS)), np.nan)
    for n, columns in enumerate(([0, 1], [2], [3, 4])):
        apart[n::3, columns] = x[:, columns]
    assert not sensors(happened(np.repeat(t_us, 3), apart))


def disturbed(seed: int) -> tuple[np.ndarray, Values]:
    """A record with several faults and holes."""
    t_us, x = life(200, seed=seed)
    rng = np.random.default_rng(seed)
    rows = LAYOUT.arrange(SIGNALS, x)
    j = rng.permutation(3)
    rows[500:600, j[0]] = rows[500, j[0]]
    rows[700:800:11, j[1]] = 500.0
    rows[850:950, j[2]] = np.nan
    rows[rng.random(rows.shape) < 0.03] = np.nan
    t_us[300] = t_us[299]
    t_us[1000:] += 9 * HOUR_US
    return t_us, rows


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_record_the_tick_and_the_plain_way_agree(seed: int) -> None:
    t_us, rows = disturbed(seed)
    out: list[tuple[np.ndarray, list[tuple[int, int, Fault]], np.ndarray]] = []
    for way in (sense, _singly):
        marks, turns = blank(RULES.signals), []
        cleaned = []
        for i in range(len(t_us)):
            one, found = way(marks[:, None, :], RULES, t_us[i : i + 1], rows[i : i + 1])
            cleaned.append(one[0])
            turns += [(i, turn.column, turn.after) for turn in found]
        out.append((np.array(cleaned), turns, marks))
    marks, parts, turns, at = blank(RULES.signals), [], [], 0
    while at < len(t_us):
        size = 1 + (at * 7919) % 300
        one, found = take(marks, RULES, t_us[at : at + size], rows[at : at + size])
        parts.append(one)
        at += len(one)
        turns += [(at - 1, turn.column, turn.after) for turn in found]
    out.append((np.concatenate(parts), turns, marks))
    assert len(turns) >= 4
    for believed, told, kept in out[1:]:
        np.testing.assert_array_equal(believed, out[0][0])
        assert told == out[0][1]
        np.testing.assert_array_equal(kept, out[0][2])


def test_machines_side_by_side_hear_the_same_of_their_sensors_as_alone() -> None:
    records = {}
    for seed, fault in zip((3, 4, 5, 6), FAULTS, strict=True):
        t_us, x = life(200, seed=seed)
        FAULTS[fault][0](x, SIGNALS.index("temperature"))
        records[f"m{seed}"] = t_us, x
    machines = Machines(MODEL)
    heard: dict[str, list[Event]] = {name: [] for name in records}
    for i in range(1200):
        for outcome in machines.feed(
            [Arrival(d, SIGNALS, t[i : i + 1], v[i : i + 1]) for d, (t, v) in records.items()]
        ):
            heard[outcome.device] += outcome.events
    for name, (t_us, x) in records.items():
        alone = happened(t_us, x)
        assert sensors(heard[name]) == sensors(alone) != []
        assert [type(e) for e in heard[name]] == [type(e) for e in alone]
