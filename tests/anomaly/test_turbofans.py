"""The engines of C-MAPSS FD001 through the live watch: what `forewarn replay cmapss` must reach."""

from importlib.resources import files
from pathlib import Path

import pytest

from contracts.asset_model import AssetModel
from contracts.asset_model_text import parse
from tests.anomaly.turbofans import Replayed, figures, read_engines, replay

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "cmapss"
ENGINES = 20
CLOSES_AT = 30
"""Cycles of an engine that go into the pool."""


def model() -> AssetModel:
    file = files("asset_models") / "turbofan.yaml"
    return parse(file.read_text(), "turbofan.yaml")


@pytest.fixture(scope="module", params=["alone", "in the pool of all"])
def lives(request: pytest.FixtureRequest) -> list[Replayed]:
    """The first engines, alone or with all the others; those matter until the pool of baselines closes."""
    engines = read_engines(DATA / "train_FD001.txt.xz")
    judged = {unit: engines[unit] for unit in range(1, ENGINES + 1)}
    if request.param == "alone":
        return replay(judged, model())
    baselines = {unit: rows[: CLOSES_AT + 1] for unit, rows in engines.items()}
    return replay(baselines | judged, model())[:ENGINES]


pytestmark = pytest.mark.shared_data


def test_every_engine_is_warned_in_time_and_ordered_once(lives: list[Replayed]) -> None:
    found = figures(lives)
    assert found.warned_10 == ENGINES
    assert found.warned_15_90 >= 18
    assert found.above_125 <= 1
    assert found.one_order == ENGINES


def test_the_predicted_end_is_near(lives: list[Replayed]) -> None:
    found = figures(lives)
    assert found.first_error <= 12
    assert found.late_error <= 12
    assert found.late_forecasts == ENGINES


def test_the_interval_holds_the_end_and_is_narrow(lives: list[Replayed]) -> None:
    found = figures(lives)
    assert found.first_covered >= 16
    assert found.late_covered >= 16
    assert found.first_width <= 60
    assert found.late_width <= 50


def test_blocks_of_many_cycles_say_the_same() -> None:
    engines = read_engines(DATA / "train_FD001.txt.xz")
    some = {unit: engines[unit] for unit in (1, 2, 3)}
    assert [(r.order_cycle, r.orders) for r in replay(some, model(), block=1)] == [
        (r.order_cycle, r.orders) for r in replay(some, model(), block=50)
    ]


def test_nothing_after_the_baseline_sets_a_parameter() -> None:
    """The index of an engine up to a cycle is the same whatever comes later, to it or to the others."""
    engines = read_engines(DATA / "train_FD001.txt.xz")
    some = {unit: engines[unit] for unit in (1, 2, 3)}
    short = {unit: rows[:150] for unit, rows in some.items()}
    whole, cut = replay(some, model()), replay(short, model())
    for a, b in zip(whole, cut, strict=True):
        assert b.forecasts == {cycle: made for cycle, made in a.forecasts.items() if cycle <= 150}
