"""Each story of the demo, from simulated readings through the live watch to the rule by which an order is opened."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from anomaly.domain.forecast import Forecast
from anomaly.domain.watch import AlarmChanged, Watch
from contracts.asset_model import AssetModel
from contracts.asset_model_text import parse
from plumbing.ucum import UcumUnits
from simulators.pumps import SIGNALS, Event, Fleet, Kind, Pump, fleet

UNITS = UcumUnits()
MODELS = Path(__file__).parents[2] / "asset_models"
LIVE = datetime(2026, 3, 1, tzinfo=UTC)
LIVE_US = round(LIVE.timestamp() * 1e6)
SEEDS = (50, 51)
BLOCK = 600


@cache
def model_of(name: str) -> AssetModel:
    path = MODELS / f"{name}.yaml"
    return parse(path.read_text(), path.name, lambda code: UNITS.resolve(code) is not None)


@cache
def company(seed: int) -> Fleet:
    return fleet(seed, LIVE)


@dataclass
class Course:
    """What the live part of a pump's story brought, in hours since it began."""

    orders: list[tuple[float, str]] = field(default_factory=list)
    alarms: list[tuple[float, str]] = field(default_factory=list)
    newest: Forecast | None = None


def live(pump: Pump, hours: float, repaired_at: float | None = None) -> Course:
    """History and then the live part; an order opens where acting is cheaper in so many forecasts in a row."""
    model, course, in_row = model_of("centrifugal-pump"), Course(), 0
    events: tuple[Event, ...] = ()
    if repaired_at is not None:
        at = LIVE + timedelta(hours=repaired_at)
        events = (Event(at - timedelta(hours=3), Kind.STOPPED), Event(at, Kind.REPAIRED, "bearing"))
    rows = pump.rows(0, pump.slot(LIVE + timedelta(hours=hours)), events)
    watch = Watch(model)
    values = watch.layout.arrange(SIGNALS, rows.values)
    cut = len(values) if repaired_at is None else pump.slot(events[-1].at)
    starts = [*range(0, 144 * 4, 72), *range(144 * 4, cut, BLOCK), *range(cut, len(values), BLOCK)]
    for first, end in zip(starts, [*starts[1:], len(values)], strict=True):
        if first == cut:
            watch.replaced("bearing", int(rows.t_us[cut]))
            in_row = 0
        for happened in watch.feed(rows.t_us[first:end], values[first:end])[1]:
            if isinstance(happened, AlarmChanged):
                in_row = 0
                course.alarms.append(((happened.at_us - LIVE_US) / 3.6e9, str(happened.change)))
            elif isinstance(happened, Forecast) and happened.measured_us >= LIVE_US:
                mode = model.mode(happened.mode)
                assert mode is not None
                life, horizon = happened.life, model.decision.horizon_hours
                p = 0.0 if life is None else float(np.interp(horizon, life.risk_hours, life.risk))
                in_row = in_row + 1 if p * (mode.failure.total - mode.planned.total) > mode.false_visit.total else 0
                course.newest = happened
                if in_row == model.decision.consecutive:
                    course.orders.append(((happened.measured_us - LIVE_US) / 3.6e9, mode.component))
    return course


@pytest.mark.parametrize("name", ["centrifugal-pump", "chiller"])
def test_the_models_are_without_fault_and_every_mode_says_what_to_do(name: str) -> None:
    model = model_of(name)
    for component in model.components.values():
        for mode in component.modes:
            assert mode.checks
            assert mode.symptoms
            assert mode.failure.total > mode.planned.total > mode.false_visit.total or mode.kind == "efficiency"
            assert not (mode.covered and mode.planned.customer), f"{mode.name} is covered and still costs the customer"


def test_the_simulated_pump_sends_exactly_what_the_model_knows_and_within_its_ranges() -> None:
    signals = model_of("centrifugal-pump").signals
    assert set(SIGNALS) == set(signals)
    for pump in company(SEEDS[0]).pumps[:3]:
        rows = pump.rows(0, 144 * 100).values
        for j, name in enumerate(SIGNALS):
            assert signals[name].low <= rows[:, j].min() <= rows[:, j].max() <= signals[name].high


@pytest.mark.parametrize("seed", SEEDS)
def test_the_served_pump_is_ordered_in_time_once_for_its_bearing_and_is_well_after_the_repair(seed: int) -> None:
    pump = company(seed).pump("pump-01")
    course = live(pump, 110 + 24 * 8, repaired_at=110)
    failed = pump.failed_at()
    assert failed is not None
    assert [component for _, component in course.orders] == ["bearing"]
    hour = course.orders[0][0]
    assert 5 < hour < 110
    assert LIVE + timedelta(hours=hour + 48) < failed
    assert pump.failed_at((Event(LIVE + timedelta(hours=110), Kind.REPAIRED, "bearing"),)) is None


def test_the_ignored_twin_is_forecast_to_fail_and_fails() -> None:
    twin = company(SEEDS[0]).pump("pump-02")
    failed = twin.failed_at()
    assert failed is not None
    hours = (failed - LIVE) / timedelta(hours=1)
    course = live(twin, hours - 20)
    assert course.orders
    assert course.newest is not None
    assert course.newest.life is not None
    assert course.newest.life.p05 < 20 < course.newest.life.p95 + 20
    assert course.newest.health < 60


def test_a_hot_afternoon_moves_plain_values_out_of_their_band_and_orders_nothing() -> None:
    hot = company(SEEDS[0])
    pump = hot.pump(hot.stories["hot_afternoon"])
    bearing = SIGNALS.index("bearing_temperature")
    history = pump.rows(0, hot.history_end).values[:, bearing]
    assert pump.rows(hot.history_end, hot.history_end + 144).values[:, bearing].max() > history.max()
    assert live(pump, 48).orders == []


def test_a_healthy_pump_opens_no_order_in_thirteen_days() -> None:
    assert live(company(SEEDS[1]).pumps[6], 13 * 24).orders == []


def test_a_pump_that_something_shakes_is_ordered_for_its_bearing_and_clears_when_that_goes() -> None:
    pump = company(SEEDS[0]).pump(company(SEEDS[0]).stories["found_nothing"])
    course = live(pump, 11 * 24)
    assert [component for _, component in course.orders] == ["bearing"]
    assert course.orders[0][0] < 5 * 24  # days before it goes: the visit comes in time to find nothing
    assert [change for hour, change in course.alarms if hour > 0] == ["raised", "cleared"]
    assert pump.failed_at() is None
