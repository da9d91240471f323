"""Three ways of telling remaining life: who is believed, and what is said where nobody knows."""

from importlib import resources

import numpy as np
import pytest

from anomaly.domain.forecast import Life
from anomaly.domain.health import Course
from anomaly.domain.prognosis import (
    EVENTS,
    LEARNED,
    NO_TREND,
    NOT_ON_RECORD,
    PATH,
    PathWay,
    Prognosis,
    Walked,
    chosen,
    needs,
    risk_hours,
)
from contracts.asset_model import AssetModel
from contracts.asset_model_text import parse

LIFE = Life(1.0, 2.0, 3.0, {}, (24.0,), (0.9,))


@pytest.fixture(scope="module")
def model() -> AssetModel:
    return parse((resources.files("asset_models") / "turbofan.yaml").read_text("utf-8"), "turbofan.yaml")


def walked(path: list[float], duty: float = 1.0) -> Walked:
    course = Course(np.array(path), 0.01, 0.0, 3.0, 0.2, None)
    return Walked(course, np.arange(float(len(path))), duty, 20)


KNOWS = {way: Prognosis(way, LIFE) for way in (LEARNED, EVENTS, PATH)}
STILL = Prognosis(PATH, None, NO_TREND)


@pytest.mark.parametrize(
    ("said", "way", "answer"),
    [
        ([KNOWS[PATH], KNOWS[EVENTS], KNOWS[LEARNED]], LEARNED, ""),
        ([KNOWS[PATH], KNOWS[EVENTS]], EVENTS, ""),
        ([KNOWS[PATH], needs(LEARNED, 5.0)], PATH, ""),
        ([STILL, needs(LEARNED, 5.0)], LEARNED, "needs about 5 more hours"),
        ([needs(PATH, 1.2), needs(LEARNED, 5.0)], PATH, "needs about 1 more hour"),
        ([STILL, Prognosis(EVENTS, None, NOT_ON_RECORD)], PATH, NO_TREND),
        ([], PATH, NOT_ON_RECORD),
    ],
)
def test_the_most_trusted_way_that_knows_is_believed(said: list[Prognosis], way: str, answer: str) -> None:
    assert (chosen(said).way, chosen(said).answer) == (way, answer)


def test_a_rising_path_has_a_life_and_a_flat_one_has_no_trend_yet(model: AssetModel) -> None:
    rising = PathWay(model).prognose(walked([0.05 * 1.05**i for i in range(70)]))
    assert rising.life is not None
    assert 0 < rising.life.p05 < rising.life.p50 < rising.life.p95
    flat = PathWay(model).prognose(walked([0.1, -0.1] * 40))
    assert (flat.life, flat.answer) == (None, NO_TREND)


def test_a_short_path_says_how_long_it_needs_by_the_clock(model: AssetModel) -> None:
    said = PathWay(model).prognose(walked([0.0] * 3, duty=0.5))
    assert said.answer == "needs about 10 more hours"
    assert PathWay(model).prognose(Walked(None, np.zeros(0), 1.0, 20)).answer == NOT_ON_RECORD


def test_risk_is_told_at_the_hours_that_decisions_look_at() -> None:
    assert {24.0, 168.0, 720.0, 100.0, 150.0, 200.0} <= set(risk_hours(100.0))
    assert list(risk_hours(100.0)) == sorted(risk_hours(100.0))
