"""What a failure mode wastes against the healthy model: kW, money a day, the cheapest day to act."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from anomaly.domain.efficiency import Wasted, wasted
from anomaly.domain.forecast import Forecast
from anomaly.domain.watch import Watch
from contracts.asset_model_text import BadAssetModel, parse
from simulators.pumps import SIGNALS, Wear, fleet
from tests.anomaly import chiller

FILES = Path(__file__).parents[2] / "asset_models"
TEXT = (FILES / "centrifugal-pump.yaml").read_text()
PUMP = parse(TEXT, "centrifugal-pump.yaml")
CHILLER = parse((FILES / "chiller.yaml").read_text(), "chiller.yaml")
DAYS, WORN = 52, 30


@cache
def watched(worn: bool) -> tuple[Watch, list[Forecast]]:
    pump = fleet(1, datetime(2026, 3, 1, tzinfo=UTC)).pumps[4]
    if worn:
        pump = pump.with_wear(Wear("impeller", WORN * 144, pump.first_running(60 * 144), 250.0))
    rows = pump.rows(0, DAYS * 144)
    watch = Watch(PUMP)
    _, events = watch.feed(rows.t_us, watch.layout.arrange(SIGNALS, rows.values))
    return watch, [e for e in events if isinstance(e, Forecast)]


def seen(worn: bool) -> tuple[Wasted, ...]:
    return wasted(watched(worn)[0])


def test_a_healthy_machine_wastes_nothing() -> None:
    assert seen(False) == ()


def test_a_worn_impeller_takes_more_power_for_what_it_delivers() -> None:
    (loss,) = seen(True)
    assert (loss.component, loss.mode) == ("impeller", "impeller_wear")
    assert 0.3 < loss.kw < 4.0
    assert loss.cost_a_day == pytest.approx(loss.kw * 0.22 * 24, rel=0.35)
    assert loss.planned == 2100.0
    assert loss.pays_back_days == pytest.approx(2100.0 / loss.cost_a_day)


def test_a_forecast_tells_what_its_failure_mode_wastes_standing_still_counted() -> None:
    watch, made = watched(True)
    (loss,) = wasted(watch)
    assert made[-1].mode == "impeller_wear"
    assert made[-1].wasted_kw == pytest.approx(loss.cost_a_day / 24 / 0.22, rel=0.2)


def test_the_day_to_act_is_the_one_of_the_square_root_law() -> None:
    (loss,) = seen(True)
    assert loss.grows_a_day is not None
    assert loss.days is not None
    then = loss.cost_a_day + loss.days * loss.grows_a_day
    every = then / loss.grows_a_day
    cycle = np.arange(1.0, 5 * every, 0.5)
    cost = loss.planned / cycle + loss.grows_a_day * cycle / 2
    assert cycle[cost.argmin()] == pytest.approx(every, abs=0.5)


@cache
def chilled(fouled: float) -> tuple[float, float, tuple[Wasted, ...]]:
    """What fouling took on the last day and its growth a day (both kW), and what was told of it."""
    days, begins = 105, 75
    run = chiller.run(days, begins, fouled, seed=5)
    watch = Watch(CHILLER)
    watch.point_hours = 48.0
    watch.feed(run.t_us, watch.layout.arrange(list(chiller.SIGNALS), run.values))
    kw = float(run.wasted_kw[-144:].mean())
    return kw, kw / (days - begins), wasted(watch)


def test_a_clean_chiller_wastes_nothing_in_a_warmer_month_than_it_learned_from() -> None:
    assert chilled(0.0)[2] == ()


def test_fouled_tubes_waste_what_the_formula_says_within_the_error_that_is_stated() -> None:
    kw, growth, (loss,) = chilled(0.6)
    assert loss.mode == "condenser_fouling"
    assert 0 < loss.error_kw < kw
    assert abs(loss.kw - kw) < loss.error_kw
    assert loss.cost_a_day == pytest.approx(loss.kw * 24 * 0.22, rel=0.01)
    assert loss.days is not None
    money = growth * 24 * 0.22
    best = (2 * loss.planned / money) ** 0.5
    assert loss.days == pytest.approx(best - kw / growth, rel=0.5)


@pytest.mark.parametrize("name", ["centrifugal-pump", "chiller"])
def test_shipped_models_say_how_a_loss_is_told(name: str) -> None:
    model = parse((FILES / f"{name}.yaml").read_text(), name)
    assert [m.name for c in model.components.values() for m in c.modes if m.loss is not None]


@pytest.mark.parametrize("power", ["speed", "nonsense"])
def test_a_loss_is_told_by_a_symptom(power: str) -> None:
    with pytest.raises(BadAssetModel):
        parse(TEXT.replace("loss: {power: current", f"loss: {{power: {power}"), "x.yaml")
