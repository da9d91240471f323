"""What a failure mode wastes against the healthy model: kW, money a day, the cheapest day to act."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from anomaly.domain.efficiency import Wasted, wasted
from anomaly.domain.watch import Watch
from contracts.asset_model_text import BadAssetModel, parse
from simulators.pumps import SIGNALS, Wear, fleet

FILES = Path(__file__).parents[2] / "asset_models"
TEXT = (FILES / "centrifugal-pump.yaml").read_text()
PUMP = parse(TEXT, "centrifugal-pump.yaml")
DAYS, WORN = 52, 30


@cache
def seen(worn: bool) -> tuple[Wasted, ...]:
    pump = fleet(1, datetime(2026, 3, 1, tzinfo=UTC)).pumps[4]
    if worn:
        pump = pump.with_wear(Wear("impeller", WORN * 144, pump.first_running(60 * 144), 250.0))
    rows = pump.rows(0, DAYS * 144)
    watch = Watch(PUMP)
    watch.feed(rows.t_us, watch.layout.arrange(SIGNALS, rows.values))
    return wasted(watch)


def test_a_healthy_machine_wastes_nothing() -> None:
    assert seen(False) == ()


def test_a_worn_impeller_takes_more_power_for_what_it_delivers() -> None:
    (loss,) = seen(True)
    assert (loss.component, loss.mode) == ("impeller", "impeller_wear")
    assert 0.3 < loss.kw < 4.0
    assert loss.cost_a_day == pytest.approx(loss.kw * 0.22 * 24, rel=0.35)
    assert loss.planned == 2100.0
    assert loss.pays_back_days == pytest.approx(2100.0 / loss.cost_a_day)


def test_the_day_to_act_is_the_one_of_the_square_root_law() -> None:
    (loss,) = seen(True)
    assert loss.grows_a_day is not None
    assert loss.days is not None
    then = loss.cost_a_day + loss.days * loss.grows_a_day
    every = then / loss.grows_a_day
    cycle = np.arange(1.0, 5 * every, 0.5)
    cost = loss.planned / cycle + loss.grows_a_day * cycle / 2
    assert cycle[cost.argmin()] == pytest.approx(every, abs=0.5)


@pytest.mark.parametrize("name", ["centrifugal-pump", "chiller"])
def test_shipped_models_say_how_a_loss_is_told(name: str) -> None:
    model = parse((FILES / f"{name}.yaml").read_text(), name)
    assert [m.name for c in model.components.values() for m in c.modes if m.loss is not None]


@pytest.mark.parametrize("power", ["speed", "nonsense"])
def test_a_loss_is_told_by_a_symptom(power: str) -> None:
    with pytest.raises(BadAssetModel):
        parse(TEXT.replace("loss: {power: current", f"loss: {{power: {power}"), "x.yaml")
