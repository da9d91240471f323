"""The members of the family agree with slow versions, and each sees what it is there for."""

import numpy as np
import pytest
from numpy.typing import NDArray

from anomaly.domain.cusum import ALLOWANCE, LIMIT, MOST, CusumDetector
from anomaly.domain.detector import detector_of
from anomaly.domain.layout import Layout, plain_layout
from anomaly.domain.limits import Rule, rules_of
from anomaly.domain.profile import DAY_US, SLOTS, Course, profile_of
from anomaly.domain.quick_mean import learn_quick_mean
from anomaly.domain.seasonal import SeasonalDetector, Single
from anomaly.domain.tail import tail_of
from contracts.asset_model import Detection
from tests.anomaly.machines import MODEL
from tests.oracles.detectors import followed, page_sums, usual_at

Floats = NDArray[np.float64]
SECOND_US = 1_000_000
MONDAY_US = 1_767_571_200_000_000
"""2026-01-05, a Monday."""


def plain(k: int = 1, quick_samples: float = 0.0, adapt_samples: float = 0.0, adapt_below: float = 1.0) -> Layout:
    rows = Detection(
        window_samples=20, window_hours=0.0, threshold=2.75, learning_hours=0.0, learning_samples=400,
        hold_hours=0.0, settle_hours=0.0, compensate=False, quick_samples=quick_samples, adapt_samples=adapt_samples,
        adapt_below=adapt_below,
    )  # fmt: skip
    return plain_layout([f"s{j}" for j in range(k)], rows)


def seconds(n: int) -> NDArray[np.int64]:
    return MONDAY_US + SECOND_US * np.arange(n, dtype=np.int64)


def half_hours(days: int) -> NDArray[np.int64]:
    return MONDAY_US + DAY_US // SLOTS * np.arange(days * SLOTS, dtype=np.int64)


def test_cumulative_sums_are_those_of_page() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(900, 1))
    values[600:] += 0.8
    detector = CusumDetector(plain())
    found = detector.feed(seconds(900), values).score[400:]
    base = detector.state.inner.baseline
    assert base is not None
    z = (values[400:, 0] - base.centre[0, 0]) / base.scale[0, 0] * detector.state.shrink[0]
    expected = np.array(page_sums(z.tolist(), ALLOWANCE, MOST * LIMIT)) / LIMIT
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_small_shift_that_windows_show_now_and_then_adds_up_and_stays() -> None:
    summed, shown = [], []
    for seed in range(4):
        values = np.random.default_rng(seed).normal(size=(1400, 1))
        values[900:] += 0.8
        sums = CusumDetector(plain()).feed(seconds(1400), values).score
        assert np.nanmax(sums[400:900]) < 1
        summed.append((sums[950:] > 1).mean())
        shown.append((detector_of(plain()).feed(seconds(1400), values).score[950:] > 2.75).mean())
    assert np.mean(summed) > 0.8 > 0.5 > np.mean(shown)


def step(window: Floats, samples: float) -> Floats:
    found = learn_quick_mean(window, np.array([True]), 5, samples)
    assert found is not None
    return found.at


def test_the_quick_mean_is_a_weighted_mean_of_what_it_followed() -> None:
    means = np.random.default_rng(2).normal(size=(80, 1))
    assert step(means, 12.0)[0] == pytest.approx(followed(means[:, 0].tolist(), 10, 12.0), rel=1e-9)


@pytest.mark.parametrize("seed", range(2))
def test_a_signal_that_creeps_is_no_alarm_for_the_quick_mean_and_a_sudden_change_in_it_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(3000, 3))
    values[:, 0] += 2.0 * np.arange(3000) / 3000
    values[2800:2900, 0] += 3.0

    def peaks(layout: Layout) -> tuple[bool, bool]:
        found = detector_of(layout).feed(seconds(3000), values, lambda at, score: score > 2.75)
        return bool(np.nanmax(found.score[400:2780]) > 2.75), bool(np.nanmax(found.score[2800:2900]) > 2.75)

    assert peaks(plain(3, quick_samples=100.0, adapt_samples=1000.0, adapt_below=0.7)) == (False, True)
    assert peaks(plain(3)) == (True, True)


def test_the_usual_course_is_the_median_at_that_time_of_the_week() -> None:
    rng = np.random.default_rng(4)
    t_us = half_hours(35)
    slot, day = np.arange(len(t_us)) % SLOTS, np.arange(len(t_us)) // SLOTS % 7
    values = 10 * np.sin(2 * np.pi * slot / SLOTS) * (day < 5) + rng.normal(0, 0.3, len(t_us))
    course = Course()
    for t, x in zip(t_us.tolist(), values.tolist(), strict=True):
        course.add(t, x)
    course.add(int(t_us[-1]) + DAY_US, 0.0)
    history = [
        (d, s, x)
        for d, s, x, i in zip(day.tolist(), slot.tolist(), values.tolist(), range(len(t_us)), strict=True)
        if i >= SLOTS
    ]
    assert len(course.usual) == 7 * SLOTS
    expected = [usual_at(history, d, s) for d in range(7) for s in range(SLOTS)]
    np.testing.assert_allclose(course.usual, expected, atol=1e-12)


@pytest.mark.parametrize(("what", "length"), [("noise", 1), ("daily", SLOTS)])
def test_a_season_counts_only_where_it_predicts_days_that_were_not_seen(what: str, length: int) -> None:
    rng = np.random.default_rng(5)
    table = rng.normal(size=(10, SLOTS)) + (5 * np.sin(np.arange(SLOTS) / 7) if what == "daily" else 0.0)
    assert len(profile_of(np.arange(10), table)) == length


def test_a_flat_afternoon_is_a_surprise_though_its_value_is_usual_at_night() -> None:
    rng = np.random.default_rng(6)
    t_us = half_hours(40)
    slot = np.arange(len(t_us)) % SLOTS
    values = np.where((slot > 16) & (slot < 36), 60.0, 20.0) + rng.normal(size=len(t_us))
    strange = slice(30 * SLOTS + 20, 30 * SLOTS + 32)
    values[strange] = 20.0 + rng.normal(size=12)
    single = Single()
    found = np.array([single.take(t, x, np.inf) for t, x in zip(t_us.tolist(), values.tolist(), strict=True)])
    assert np.nanmax(found[strange]) > 6.0
    assert (found[15 * SLOTS : 30 * SLOTS] > 6.0).mean() < 0.01


def test_the_surprise_of_a_tail_is_that_of_a_generalised_pareto_distribution() -> None:
    from scipy.stats import genpareto

    seen = np.random.default_rng(7).pareto(4.0, 20_000)
    tail = tail_of(seen)
    assert 0.0 < tail.shape <= 0.5
    for value in (1.2 * tail.above, 3.0 * tail.above):
        chance = tail.chance * genpareto.sf(value - tail.above, tail.shape, scale=tail.scale)
        assert tail.surprise(value) == pytest.approx(-np.log10(chance), rel=1e-9)
        assert chance == pytest.approx((1 + value) ** -4.0, rel=0.6)
    assert tail.surprise(tail.above) == 0.0


def test_what_was_never_seen_is_as_rare_as_the_record_is_long() -> None:
    assert tail_of(np.full(999, 5.0)).surprise(5.1) == pytest.approx(3.0)


def test_missing_readings_of_one_signal_do_not_hide_another() -> None:
    values = np.random.default_rng(8).normal(size=(700, 2))
    values[::3, 0] = np.nan
    values[650, 1] = 60.0
    found = SeasonalDetector(plain(2)).feed(seconds(700), values)
    assert found.score[650] == np.nanmax(found.score)
    assert found.parts[650, 1] > 0.9 * found.score[650]


@pytest.mark.parametrize(
    ("rule", "value", "score"),
    [(Rule(0, 0.0, 9.0), 4.5, 0.5), (Rule(0, 0.0, 9.0), 18.0, 2.0), (Rule(0, 40.0, 1.0), 4.0, 0.25),
     (Rule(0, 40.0, 1.0), 0.5, 2.0), (Rule(0, 40.0, 1.0), 0.0, 10.0), (Rule(0, 10.0, -10.0), 0.0, 0.5)],
)  # fmt: skip
def test_a_limit_scores_one(rule: Rule, value: float, score: float) -> None:
    assert rule.near(value) == pytest.approx(score)


def test_rules_come_from_the_failure_modes_of_the_asset_model() -> None:
    assert rules_of(MODEL) == (Rule(2, 0.0, 9.0, "wear"), Rule(0, 40.0, 1.0, "clogged"))
