"""Machines that can be made again from their facts: any slot, any order, after any restart."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simulators.pumps import SIGNALS, Event, Fleet, Kind, fleet

LIVE = datetime(2026, 3, 1, tzinfo=UTC)
SPEED, VIBRATION = SIGNALS.index("speed"), SIGNALS.index("vibration")
BEARING, WINDING = SIGNALS.index("bearing_temperature"), SIGNALS.index("winding_temperature")


@pytest.fixture(scope="module")
def company() -> Fleet:
    return fleet(7, LIVE)


def running(values: np.ndarray) -> np.ndarray:
    return np.asarray(values[:, SPEED] > 300)


def test_equal_seeds_give_equal_machines_and_other_seeds_give_others(company: Fleet) -> None:
    again, other = fleet(7, LIVE), fleet(8, LIVE)
    for pump, same, different in zip(company.pumps, again.pumps, other.pumps, strict=True):
        assert np.array_equal(pump.rows(0, 500).values, same.rows(0, 500).values)
        assert not np.array_equal(pump.rows(0, 500).values, different.rows(0, 500).values)


def test_a_slot_reads_the_same_alone_out_of_order_and_within_the_history(company: Fleet) -> None:
    pump = company.pump("pump-01")
    rows = pump.rows(0, company.history_end + 1440)
    for slot in (12_980, 0, 143, 144, 5_000, 14_399, 1):
        assert list(pump.sample(slot).values()) == rows.values[slot].tolist()
        assert rows.t_us[slot] == round(pump.time(slot).timestamp() * 1e6)
        assert pump.slot(pump.time(slot) + timedelta(minutes=9)) == slot


def test_ninety_days_of_history_end_where_the_live_part_begins(company: Fleet) -> None:
    for pump in company.pumps:
        assert pump.time(0) == LIVE - timedelta(days=90)
        assert pump.time(company.history_end) == LIVE


def test_the_served_pump_and_its_ignored_twin_are_identical_until_a_repair(company: Fleet) -> None:
    served, twin = (company.pump(company.stories[s]) for s in ("served", "ignored_twin"))
    end = company.history_end + 12 * 144
    repair = (Event(LIVE + timedelta(hours=100), Kind.REPAIRED, "bearing"),)
    mended, ignored = served.rows(0, end, repair), twin.rows(0, end)
    at = served.slot(repair[0].at)
    assert np.array_equal(mended.values[:at], ignored.values[:at])
    assert mended.values[at + 20 : at + 400, VIBRATION].max() < 3.5
    assert ignored.values[at + 20 : at + 400, VIBRATION].max() > 5
    calm = [i for i, s in enumerate(SIGNALS) if s in ("flow", "ambient_temperature", "seal_leakage")]
    before_failure = twin.slot(LIVE + timedelta(hours=165))
    assert np.array_equal(mended.values[:before_failure, calm], ignored.values[:before_failure, calm])


@pytest.mark.parametrize("seed", range(20, 24))
def test_the_served_pump_fails_about_176_hours_into_its_story_at_the_vibration_limit(seed: int) -> None:
    company = fleet(seed, LIVE)
    twin = company.pump("pump-02")
    failed = twin.failed_at()
    assert failed is not None
    assert timedelta(hours=167) < failed - LIVE < timedelta(hours=192)
    slot = twin.slot(failed)
    last = twin.rows(slot - 12, slot).values
    assert 8 < last[running(last), VIBRATION].mean() < 11
    assert not running(twin.rows(slot, slot + 400).values).any()
    assert twin.rows(0, company.history_end).values[:, VIBRATION].max() < 3


@pytest.mark.parametrize(
    ("kind", "component", "hours", "fails"),
    [
        (Kind.REPAIRED, "bearing", 100, False),
        (Kind.REPAIRED, "seal", 100, True),
        (Kind.REPAIRED, "bearing", -24 * 30, True),
        (Kind.STOPPED, "", 100, True),
    ],
)
def test_only_a_new_bearing_before_the_failure_prevents_it(
    company: Fleet, kind: Kind, component: str, hours: int, fails: bool
) -> None:
    events = (Event(LIVE + timedelta(hours=hours), kind, component),)
    assert (company.pump("pump-01").failed_at(events) is not None) is fails


def test_a_machine_that_was_stopped_or_failed_stands_until_it_is_started_or_repaired(company: Fleet) -> None:
    pump = company.pump("pump-05")
    off, on = LIVE + timedelta(hours=32), LIVE + timedelta(hours=36)
    for down, up in ((Kind.STOPPED, Kind.STARTED), (Kind.FAILED, Kind.REPAIRED)):
        events = (Event(off, down), Event(on, up, "bearing"))
        rows = pump.rows(pump.slot(off) - 12, pump.slot(on) + 12, events).values
        assert running(rows[:12]).any()
        assert not running(rows[12:36]).any()
        assert running(rows[36:]).any()


def test_a_hot_afternoon_moves_plain_temperatures_out_of_everything_seen_before() -> None:
    for seed in range(30, 33):
        company = fleet(seed, LIVE)
        pump = company.pump(company.stories["hot_afternoon"])
        history = pump.rows(0, company.history_end).values
        first_day = pump.rows(company.history_end, company.history_end + 144).values
        for signal in (BEARING, WINDING):
            assert first_day[:, signal].max() > history[:, signal].max() + 1
        assert company.heat[1] < LIVE + timedelta(hours=24)
        assert pump.failed_at() is None


def test_the_others_stay_well_and_the_next_one_that_wears_fails_as_the_first_did(company: Fleet) -> None:
    assert [company.pumps[i].name for i in company.healthy()] == [f"pump-{n:02d}" for n in (4, 5, 7)]
    assert all(company.pumps[i].failed_at() is None for i in company.healthy())
    start = LIVE + timedelta(days=14, hours=5)
    later = company.next_wearing(company.healthy()[0], start)
    old, new = company.pump("pump-04"), later.pump("pump-04")
    failed = new.failed_at()
    assert failed is not None
    assert timedelta(hours=167) < failed - start < timedelta(hours=192)
    slot = new.slot(start)
    assert np.array_equal(old.rows(0, slot + 1).values, new.rows(0, slot + 1).values)
    assert later.healthy() == company.healthy()[1:]


def test_the_story_starts_on_a_sunday() -> None:
    with pytest.raises(ValueError, match="Sunday"):
        fleet(1, LIVE + timedelta(days=1))


def test_the_values_lie_in_the_ranges_that_the_sensors_can_give(company: Fleet) -> None:
    for pump in company.pumps:
        values = pump.rows(0, company.history_end + 2_000).values
        assert np.isfinite(values).all()
        on = running(values)
        assert 0.8 < on.mean() < 0.98 or pump.failed_at() is not None
        assert values[:, SPEED].max() < 2_000
        assert values[:, VIBRATION].min() >= 0


def test_a_stuck_sensor_stands_still_while_its_machine_goes_on() -> None:
    company = fleet(3, LIVE)
    pump = company.pump(company.stories["stuck_sensor"])
    assert pump.stuck is not None
    column = SIGNALS.index(pump.stuck.signal)
    rows = pump.rows(pump.stuck.begins - 144, pump.stuck.ends + 144).values
    held = rows[144:-144]
    assert len(set(held[:, column].tolist())) == 1
    assert len(set(rows[:144, column].tolist())) > 60
    assert len(set(rows[-144:, column].tolist())) > 60
    assert all(len(set(held[:, j].tolist())) > 60 for j in range(len(SIGNALS)) if j != column)
    assert pump.failed_at() is None


def test_a_spell_looks_like_wear_up_to_its_top_then_it_is_gone_and_nothing_fails(company: Fleet) -> None:
    pump = company.pump(company.stories["found_nothing"])
    plain = replace(pump, spells=())
    assert pump.failed_at() is None
    first, second = pump.spells
    for spell in (first, second):
        before, at_the_end, after = (
            pump.rows(slot, slot + 144).values - plain.rows(slot, slot + 144).values
            for slot in (spell.ends - 600, spell.ends - 144, spell.ends)
        )
        assert 0.2 < before[:, VIBRATION].max() <= at_the_end[:, VIBRATION].max() + 0.5
        assert after[:, VIBRATION].max() < 0.2
    assert first.ends < second.begins
