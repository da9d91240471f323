"""The hazard from events looks at the past only, counts what it saw in part, and learns what announces a failure."""

import math
from pathlib import Path

import numpy as np
import pytest

from anomaly.domain.hazard import EventHazard, EventsWay, Recorded, chances_now, curve, life_by
from anomaly.domain.hazard_features import COLUMNS, features, incidents, movements, rate_of
from anomaly.domain.history import HOUR_US, Events, History, Readings
from anomaly.domain.prognosis import NOT_ON_RECORD
from anomaly.training.files import BadModel
from anomaly.training.hazard import TooLittle, fit, learn_tables, life_of, outcomes, snapped
from anomaly.training.hazard_files import read_hazard, write_hazard
from tests.evaluation.fleets import BEGIN_US, DAYS, FLEET, fleet

SPLIT = BEGIN_US + 150 * 24 * HOUR_US


@pytest.fixture(scope="module")
def fitted() -> EventHazard:
    return fit(fleet(8), FLEET, SPLIT).hazard


def at_hours(*hours: float) -> np.ndarray:
    return BEGIN_US + np.array([round(h * HOUR_US) for h in hours], dtype=np.int64)


def events(*rows: tuple[float, int]) -> Events:
    return Events(at_hours(*(h for h, _ in rows)), np.array([w for _, w in rows], dtype=np.int64))


def one(replaced: Events, failed: Events | None = None) -> History:
    end = BEGIN_US + 100 * 24 * HOUR_US
    return History("1", BEGIN_US, end, Events(), replaced, Events() if failed is None else failed, 1.0)


def test_what_is_not_yet_on_record_changes_nothing() -> None:
    tables = learn_tables(fleet(6), FLEET, SPLIT)
    whole = fleet(6)[2]
    at = at_hours(*range(500, 4000, 331))
    blind = movements(None, at, 0)
    together = features(whole, 0, at, tables, blind)
    for i, t in enumerate(at.tolist()):
        alone = features(whole.until(t), 0, at[[i]], tables, blind[:, [i]])
        np.testing.assert_array_equal(alone[0], together[i])


def test_movements_of_readings_look_back_only() -> None:
    chance = np.random.default_rng(0)
    readings = Readings(at_hours(*range(300)), chance.normal(size=(300, 2)))
    at = at_hours(100, 200, 250)
    together = movements(readings, at, 2)
    for i, t in enumerate(at.tolist()):
        n = int(np.searchsorted(readings.at_us, t, side="right"))
        alone = movements(Readings(readings.at_us[:n], readings.values[:n]), at[[i]], 2)
        np.testing.assert_allclose(alone[:, 0], together[:, i], atol=1e-5)


def test_codes_of_one_hour_are_one_incident_as_far_as_known() -> None:
    seen = incidents(events((10, 0), (10, 1), (10.5, 2), (11.6, 0)))
    assert [sorted(i.codes) for i in seen] == [[0, 1], [0, 1, 2], [0]]


def test_an_unseen_set_of_codes_is_rated_by_its_known_part() -> None:
    table = {frozenset({0}): 0.2, frozenset({0, 1}): 0.9}
    assert rate_of(frozenset({0, 1, 2}), table, 0.01) == 0.9
    assert rate_of(frozenset({2}), table, 0.01) == 0.01


@pytest.mark.parametrize(
    ("failed", "replaced", "at", "hit", "weight"),
    [
        ([100], [100], 80, [1, 0, 0], [1, 0, 0]),
        ([200], [200], 80, [0, 1, 0], [1, 1, 0]),
        ([], [92], 80, [0, 0, 0], [0.5, 0, 0]),
        ([], [], 80, [0, 0, 0], [1, 1, 1]),
        ([], [], 2388, [0, 0, 0], [0.5, 0, 0]),
        ([200], [90, 200], 80, [0, 0, 0], [10 / 24, 0, 0]),
    ],
    ids=["fails_soon", "fails_within_a_week", "replaced_before", "nothing", "record_ends", "failure_of_the_next_part"],
)
def test_what_was_seen_in_part_weighs_in_part(
    failed: list[int], replaced: list[int], at: int, hit: list[float], weight: list[float]
) -> None:
    history = one(failed=events(*((float(h), 0) for h in failed)), replaced=events(*((float(h), 0) for h in replaced)))
    found_hit, found_weight = outcomes(history, 0, at_hours(at), history.end_us)
    assert found_hit[:, 0].tolist() == hit
    assert found_weight[:, 0].tolist() == pytest.approx(weight)


def test_the_weibull_life_is_found_though_most_lives_are_cut_short() -> None:
    chance = np.random.default_rng(4)
    histories = []
    for _ in range(60):
        hour, replaced, failed = 0.0, [(0.0, 0)], []
        while True:
            life, planned = 2000 * float(chance.weibull(3.0)), 1200.0
            hour += min(life, planned)
            if hour > 100 * 24:
                break
            replaced.append((hour, 0))
            if life < planned:
                failed.append((hour, 0))
        histories.append(one(replaced=events(*replaced), failed=events(*failed)))
    found = life_of(histories, 0)
    assert found.shape == pytest.approx(3.0, abs=0.8)
    assert found.scale == pytest.approx(2000, rel=0.25)


def test_without_failures_the_prior_is_cautious_and_nothing_is_fitted() -> None:
    quiet = [one(replaced=events((0.0, 0), (1000.0, 0)))]
    assert life_of(quiet, 0).shape == 1.0
    with pytest.raises(TooLittle):
        fit(quiet, FLEET, quiet[0].end_us)


def test_the_announcing_error_raises_the_chance_of_its_component_alone(fitted: EventHazard) -> None:
    later = [h for h in fleet(8) if (h.failed.at_us > SPLIT + 48 * HOUR_US).any()]
    assert later
    announced, quiet = [], []
    for h in later:
        for failed_us, c in zip(h.failed.at_us.tolist(), h.failed.which.tolist(), strict=True):
            if failed_us > SPLIT + 48 * HOUR_US:
                p = curve(fitted, h, np.array([failed_us - 30 * HOUR_US, failed_us - 20 * HOUR_US]))
                announced.append(float(p[c, 0, 1]))
                quiet.append(float(p[c, 0, 0]))
    assert np.median(announced) > 0.5
    assert np.median(quiet) < 0.1


def test_chances_rise_with_the_time_ahead_and_state_their_reasons(fitted: EventHazard) -> None:
    h = next(h for h in fleet(8) if (h.failed.at_us > SPLIT + 48 * HOUR_US).any())
    failed_us = int(h.failed.at_us[h.failed.at_us > SPLIT + 48 * HOUR_US][0])
    said = chances_now(fitted, h.until(failed_us - 20 * HOUR_US), failed_us - 20 * HOUR_US)
    assert {s.component for s in said} == set(FLEET.components)
    for s in said:
        assert 0 <= s.p_fail["24h"] <= s.p_fail["7d"] <= s.p_fail["30d"] <= 1
    assert said[0].p_fail["24h"] == max(s.p_fail["24h"] for s in said)
    assert {name for name, _ in said[0].reasons} <= set(COLUMNS)


def test_the_way_of_events_gives_a_life_and_says_when_it_cannot(fitted: EventHazard) -> None:
    way = EventsWay(fitted, 120.0)
    h = fleet(8)[0]
    life = way.prognose(Recorded(h, "pump", SPLIT)).life
    assert life is not None
    assert life.p05 < life.p50 < life.p95
    assert life.by(120.0) <= life.by(240.0)
    assert list(life.risk) == sorted(life.risk)
    assert way.prognose(Recorded(h, "gearbox", SPLIT)).answer == NOT_ON_RECORD


@pytest.mark.parametrize("p", [(0.0, 0.0, 0.0), (0.5, 0.6, 0.7), (1.0, 1.0, 1.0)])
def test_a_life_says_what_the_chances_say(p: tuple[float, float, float]) -> None:
    life = life_by(np.array(p), 120.0)
    assert [life.p_fail[name] for name in ("24h", "7d", "30d")] == pytest.approx(p, abs=1e-6)
    assert math.isfinite(life.p95)


def test_few_levels_keep_the_order_of_values_and_what_is_not_known() -> None:
    x = np.random.default_rng(0).normal(size=(5000, 2))
    x[::7, 0] = np.nan
    out = snapped(x)
    assert len(np.unique(out[np.isfinite(out[:, 0]), 0])) <= 200
    assert np.isnan(out[::7, 0]).all()
    order = np.argsort(x[:, 1])
    assert (np.diff(out[order, 1]) >= 0).all()


def test_a_kept_hazard_says_the_same_and_an_altered_one_is_refused(fitted: EventHazard, tmp_path: Path) -> None:
    write_hazard(tmp_path / "hazard", fitted, {"lives": 12})
    again = read_hazard(tmp_path / "hazard")
    at = BEGIN_US + np.arange(0, DAYS, 9, dtype=np.int64) * 24 * HOUR_US
    for h in fleet(3):
        np.testing.assert_array_equal(curve(again, h, at), curve(fitted, h, at))
    file = tmp_path / "hazard" / "arrays.npz"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BadModel, match="altered"):
        read_hazard(tmp_path / "hazard")
