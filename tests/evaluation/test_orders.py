"""Orders are judged by what happened, paid for, and compared with the best fixed interval."""

import math

import numpy as np
import pytest

from anomaly.domain.history import HOUR_US
from anomaly.evaluation.intervals import Lives, best_interval, cost_per_hour, paid, survival
from anomaly.evaluation.orders import Watched, cost, judge, precision, recall
from contracts.worth import acts, gain, least_chance


def watched(alarms: list[int], failed: list[int], hours: int = 400) -> Watched:
    at = np.arange(hours, dtype=np.int64) * HOUR_US
    p = np.isin(np.arange(hours), alarms).astype(np.float64)
    return Watched("1", "pump", at, p, np.array(failed, dtype=np.int64) * HOUR_US, (hours - 1) * HOUR_US)


@pytest.mark.parametrize(
    ("alarms", "failed", "leads", "missed", "right", "false", "unknown"),
    [
        ([100], [150], [50], 0, 1, 0, 0),
        ([100], [173], [], 1, 0, 1, 0),
        ([100], [172], [72], 0, 1, 0, 0),
        (list(range(100, 149)), [150], [50], 0, 1, 0, 0),
        (list(range(90, 150)), [150], [60], 0, 1, 1, 0),
        ([100], [100], [], 1, 0, 1, 0),
        ([390], [], [], 0, 0, 0, 1),
        ([], [150], [], 1, 0, 0, 0),
        ([10, 200], [40, 230], [30, 30], 0, 2, 0, 0),
        ([100, 149], [120, 160], [20, 60], 0, 2, 0, 0),
    ],
    ids=[
        "within_72_hours", "an_hour_too_early", "just_in_time", "one_order_covers_48_hours", "a_second_order_is_false",
        "at_the_failure_is_too_late", "the_record_ends_first", "no_alarm", "two_failures", "each_order_its_failure",
    ],
)  # fmt: skip
def test_an_order_is_right_when_the_failure_follows(
    alarms: list[int], failed: list[int], leads: list[int], missed: int, right: int, false: int, unknown: int
) -> None:
    found = judge(watched(alarms, failed), 0.5, 0)
    assert [round(lead) for lead in found.leads] == leads
    assert (len(found.missed), found.right, found.false, found.unknown) == (missed, right, false, unknown)


def test_failures_before_the_judged_part_count_neither_way() -> None:
    found = judge(watched([10], [40, 90]), 0.5, 50 * HOUR_US)
    assert (found.failures, len(found.missed)) == (1, 1)


def test_shares_without_anything_to_share_are_not_known() -> None:
    nothing = [judge(watched([], []), 0.5, 0)]
    assert recall(nothing) is None
    assert precision(nothing) is None
    assert cost(nothing, 10, 1, 1) == 0


def test_what_is_announced_costs_a_visit_and_what_is_missed_a_failure() -> None:
    found = [judge(watched([100], [150, 300]), 0.5, 0), judge(watched([20], []), 0.5, 0)]
    assert cost(found, 10, 1, 2) == 10 + 1 + 2


@pytest.mark.parametrize("p", [0.0, 0.11, 1 / 9, 0.12, 1.0])
def test_the_least_chance_and_the_inequality_say_the_same(p: float) -> None:
    assert acts(p, 10, 1, 1) == (p > least_chance(10, 1, 1))
    assert gain(p, 10, 1) == pytest.approx(9 * p)


def test_a_failure_that_costs_no_more_than_a_visit_is_waited_for() -> None:
    assert least_chance(1, 1, 0.5) == math.inf
    assert not acts(1.0, 1, 1, 0.5)


def lives(hours: list[float], failed: bool = True) -> Lives:
    return Lives(np.zeros(len(hours)), np.array(hours), np.full(len(hours), failed))


def test_parts_that_wear_out_are_replaced_before_they_do() -> None:
    worn = lives([24 * d for d in (90, 95, 100, 105, 110)])
    assert 24 * 60 < best_interval(worn, 10, 1) < 24 * 95


def test_parts_that_fail_at_random_are_not_replaced_early() -> None:
    chance = np.random.default_rng(1)
    assert best_interval(lives(list(chance.exponential(24 * 50, 4000))), 3, 1) == math.inf


def test_nothing_on_record_means_no_interval() -> None:
    assert best_interval(lives([]), 10, 1) == math.inf
    assert best_interval(lives([100.0, 200.0], failed=False), 10, 1) == math.inf


def test_an_interval_costs_what_a_simulation_of_it_costs() -> None:
    chance = np.random.default_rng(2)
    ages = 24 * 80 * chance.weibull(3.0, 5000)
    at = 24.0 * 50
    ended = np.minimum(ages, at)
    simulated = float(np.where(ages < at, 10.0, 1.0).sum() / ended.sum())
    alive = survival(lives(list(ages)), float(ages.max()))
    assert cost_per_hour(alive, at, 10, 1) == pytest.approx(simulated, rel=0.03)


def test_a_life_that_came_under_watch_late_counts_from_then_on() -> None:
    late = Lives(np.array([24.0 * 40]), np.array([24.0 * 60]), np.array([True]))
    alive = survival(late, 24.0 * 60)
    assert alive[40] == 1.0
    assert alive[-1] < 0.5


def test_without_an_interval_failures_cost_what_they_cost() -> None:
    assert paid(lives([10.0, 20.0]), math.inf, 10, 1) == 20
