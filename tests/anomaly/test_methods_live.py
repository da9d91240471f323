"""The methods beside the baseline in the live watch: they score as the family's detectors do, and say why."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from anomaly.domain.alarm import Change
from anomaly.domain.beside import NEAR
from anomaly.domain.explaining import explain
from anomaly.domain.family import FAMILY
from anomaly.domain.forecast import Forecast
from anomaly.domain.machines import Arrival, Machines
from anomaly.domain.quiet import Day, reason
from anomaly.domain.watch import AlarmChanged, Event, Watch
from anomaly.service.records import alarm_record, alarm_text, prediction_record
from contracts.asset_model import AssetModel
from contracts.asset_model_text import parse
from tests.anomaly.machines import HOUR_US, MODEL, SIGNALS, START_US, Values, life
from tests.anomaly.test_live_equals_replay import exact, restarted

GAUGE = parse(
    """
name: gauge
version: 1
title: Gauge
signals: {level: {unit: m, range: [0, 100], role: symptom, title: Level}}
""",
    "gauge.yaml",
)


def with_methods(*methods: str, **settings: Any) -> AssetModel:
    return replace(MODEL, detection=replace(MODEL.detection, methods=methods, **settings))


def live(model: AssetModel, t_us: np.ndarray, values: Values, restart_every: int = 150) -> tuple[Values, list[Event]]:
    """The newest score after each row, fed one at a time through restarts."""
    watch, scores, events = Watch(model), [], []
    for i in range(len(t_us)):
        _, happened = watch.feed(t_us[i : i + 1], values[i : i + 1])
        scores.append(np.nan if watch.memory.score is None else watch.memory.score)
        events += happened
        if i % restart_every == restart_every - 1:
            watch = restarted(watch)
    return np.array(scores), events


def rows(hours: float, **more: Any) -> tuple[np.ndarray, Values]:
    t_us, values = life(hours, **more)
    return t_us, Watch(MODEL).layout.arrange(SIGNALS, values)


@pytest.mark.parametrize("name", ["cusum", "limits", "seasonal"])
def test_each_scores_live_as_the_detector_of_its_name(name: str) -> None:
    t_us, values = rows(90, fails_at=85)
    model = with_methods(name, cusum_threshold=2.0, seasonal_threshold=3.0, baseline_hours=0.0)
    scores, _ = live(model, t_us, values)
    expected = FAMILY[name].made(model, None).feed(t_us, values).score.copy()
    own = {"cusum": 2.0, "limits": 1.0, "seasonal": 3.0}[name]
    if name == "limits":
        expected[expected < NEAR] = np.nan
    if name == "seasonal":
        expected[: round(6 * model.detection.learning_hours)] = np.nan
    assert np.isfinite(expected).sum() > 10
    np.testing.assert_allclose(scores, expected / own * model.detection.threshold, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["baseline", "cusum", "limits", "seasonal"])
def test_each_keeps_the_promises_of_the_family_live(name: str) -> None:
    """Rows stay as they are, a signal that never comes is left out, alone or in other columns; parts sum up."""
    t_us, values = rows(187, fails_at=186)
    pressure = Watch(MODEL).layout.signals.index("pressure")
    values[:, pressure] = np.nan
    before = values.copy()
    model = with_methods(name, baseline_hours=0.0, hold_hours=0.0, hold_samples=1, seasonal_threshold=4.0)
    watch, turned = Watch(model), Watch(model)
    _, events = watch.feed(t_us, values)
    assert np.array_equal(values, before, equal_nan=True)
    raised = [e for e in events if isinstance(e, AlarmChanged) and e.change is Change.RAISED]
    assert raised
    for one in raised:
        assert sum(share for _, share in one.parts) == pytest.approx(1.0)
        assert "pressure" not in dict(one.parts)
    told = explain(watch)
    assert told is not None
    assert told.by == name
    assert sum(c.part for c in told.contributions) == pytest.approx(told.score)
    names = list(reversed(watch.layout.signals))
    _, same = turned.feed(t_us, turned.layout.arrange(names, values[:, ::-1]))
    assert [exact(e) for e in same] == [exact(e) for e in events]


def test_a_limit_that_is_reached_while_it_still_learns_is_an_alarm_with_its_component_and_its_reason() -> None:
    t_us, values = rows(20)
    values[:, Watch(MODEL).layout.signals.index("vibration")] = 10.0 + 0.01 * np.arange(len(t_us)) % 0.05
    _, events = live(MODEL, t_us, values)
    raised = next(e for e in events if isinstance(e, AlarmChanged))
    assert (raised.change, raised.component, raised.parts) == (Change.RAISED, "bearing", (("vibration", 1.0),))
    text = alarm_text(MODEL, alarm_record("acme", "pump", raised))
    assert text.startswith("pump: Bearing is not as usual: Vibration is at 10")
    assert text.endswith("mm/s, the limit of bearing wear is 9.")
    forecast = next(e for e in events if isinstance(e, Forecast))
    assert (forecast.mode, forecast.life, forecast.health) == ("wear", None, 0.0)
    made = prediction_record("acme", "pump", MODEL, forecast, 0, True)
    assert (made.method, made.quality) == ("limits", "what is usual for it is not learned yet")
    machines, together = Machines(MODEL), []
    for i in range(len(t_us)):
        arrivals = [Arrival(d, Watch(MODEL).layout.signals, t_us[i : i + 1], values[i : i + 1]) for d in "ab"]
        together += [e for outcome in machines.feed(arrivals) for e in outcome.events if outcome.device == "b"]
    assert set(machines.stack.slot_of) == {"a", "b"}
    assert machines.baseline_number("a") == -1
    assert [exact(e) for e in together] == [exact(e) for e in events]


def test_a_small_drift_that_the_baseline_does_not_see_adds_up_live() -> None:
    t_us, values = rows(230, seed=4)
    values[960:, Watch(MODEL).layout.signals.index("pressure")] -= 0.04
    _, unseen = Watch(with_methods("baseline")).feed(t_us, values)
    watch = Watch(with_methods("baseline", "cusum"))
    _, seen = watch.feed(t_us, values)
    assert not [e for e in unseen if isinstance(e, AlarmChanged)]
    raised = next(e for e in seen if isinstance(e, AlarmChanged))
    assert (raised.reason, raised.component) == ("small deviations of Pressure add up", "filter")
    told = explain(watch)
    assert told is not None
    assert (told.by, told.says, told.contributions[0].signal) == ("cusum", raised.reason, "pressure")
    assert sum(c.part for c in told.contributions) == pytest.approx(told.score)


def test_a_single_signal_is_watched_against_its_own_course() -> None:
    n = 12 * 24 * 8
    t_us = START_US + np.arange(n, dtype=np.int64) * (HOUR_US // 12)
    values = 40 + 10 * np.sin(2 * np.pi * np.arange(n) / 288) + np.random.default_rng(5).normal(0, 0.5, n)
    values[2000:] += 12.0
    watch = Watch(GAUGE)
    _, events = watch.feed(t_us, values.reshape(-1, 1))
    (raised, *_) = (e for e in events if isinstance(e, AlarmChanged))
    assert 0 <= raised.at_us - t_us[2000] <= HOUR_US
    assert raised.reason == "Level has left its usual course over the day and week"
    assert raised.parts == (("level", 1.0),)


def test_gauges_without_conditions_come_to_the_same_side_by_side() -> None:
    n, begin = 2040, 1900
    t_us = START_US + np.arange(n, dtype=np.int64) * (HOUR_US // 12)
    course = 40 + 10 * np.sin(2 * np.pi * np.arange(n) / 288)
    values = {f"g{i}": course + np.random.default_rng(i).normal(0, 0.5, n) for i in range(5)}
    values["g1"][2000:] += 12.0
    machines, events = Machines(GAUGE), []
    for name, row in values.items():
        machines.feed([Arrival(name, ["level"], t_us[:begin], row[:begin, None])])
    for i in range(begin, n):
        fed = machines.feed([Arrival(g, ["level"], t_us[i : i + 1], x[i : i + 1, None]) for g, x in values.items()])
        events += [e for outcome in fed if outcome.device == "g1" for e in outcome.events]
    assert set(machines.stack.slot_of) == set(values)
    watch = Watch(GAUGE)
    watch.feed(t_us[:begin], values["g1"][:begin, None])
    _, expected = watch.feed(t_us[begin:], values["g1"][begin:, None])
    assert [exact(e) for e in events] == [exact(e) for e in expected]
    assert any(isinstance(e, AlarmChanged) for e in events)


def test_nothing_is_summed_up_before_the_record_shows_how_far_the_machine_wanders() -> None:
    t_us, values = rows(155)
    watch = Watch(with_methods("cusum"))
    for first, end, growing in ((0, 840, True), (840, 930, False)):
        watch.feed(t_us[first:end], values[first:end])
        assert watch.detector.growing is growing
        assert (len(watch.memory.beside.up) == 0) is growing
        assert (watch.memory.score is None) is growing


def test_a_replaced_part_ends_its_sums_and_a_lone_sensor_is_not_judged() -> None:
    t_us, values = rows(150)
    watch = Watch(with_methods("cusum", "limits"))
    watch.feed(t_us, values)
    pressure = watch.layout.symptoms.index("pressure")
    watch.memory.beside.up[:] = 30.0
    watch.memory.beside.by = "cusum"
    watch.memory.apart["temperature"] = [0, 0]
    told = watch.told()
    assert told is not None
    assert told.strength[watch.layout.symptoms.index("temperature")] == 0.0
    watch.replaced("filter", int(t_us[-1]))
    assert watch.memory.beside.up[pressure] == 0.0
    assert watch.memory.beside.up.max() == 30.0


def test_the_quiet_log_names_the_method() -> None:
    day = Day(day=20_500, peak=1.44, odd_hours=3.0, by="cusum")
    assert reason(day, MODEL.detection, {}, {}).startswith("On Monday the score (small deviations that add up) rose to")
