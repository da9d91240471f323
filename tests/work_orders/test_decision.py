"""Deciding by expected cost: pure, in one sentence, replayed from the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.asset_model import Cost
from tests.work_orders.world import PUMP, World
from work_orders import service
from work_orders.domain.decision import Autonomy, Inputs, Outcome, Path, Verdict, brake_limit, decide
from work_orders.domain.money import Costs, bill, expected_with_visit, expected_without_visit
from work_orders.domain.risk import Curve, interpolate, window
from work_orders.domain.words import chance, duration, percent, span
from work_orders.service import tables as t
from work_orders.service.intake import replay

NOW = datetime(2026, 11, 22, tzinfo=UTC)
COSTS = Costs("EUR", Cost(6500, 2500), Cost(0, 1500), Cost(0, 500), True)
INPUTS = Inputs(
    what="bearing wear", unit="h", risk_hours=(24, 120, 240), risk=(0.02, 0.2, 0.9), horizon_hours=120, consecutive=3,
    costs=COSTS, in_row=2, decided=False, autonomy=Autonomy.AUTOMATIC, approval_limit=10_000, orders_in_a_day=0,
    assets=8, brake_per_100=10, has_customer=True,
)  # fmt: skip


def test_it_acts_when_what_a_visit_saves_is_more_than_a_visit_for_nothing() -> None:
    outcome = decide(INPUTS)
    assert outcome.verdict is Verdict.ACT
    assert outcome.gain == pytest.approx(0.2 * (9000 - 1500))
    assert outcome.sentence == (
        "Act: 20 % chance that bearing wear leads to a failure within 5 days x (9,000 EUR failure - 1,500 EUR planned"
        " visit) = 1,500 EUR, more than the 500 EUR of a visit for nothing, for 3 forecasts in a row; a failure costs"
        " the customer 6,500 EUR and the provider 2,500 EUR, the visit 0 EUR and 1,500 EUR; the customer is asked."
    )


@pytest.mark.parametrize(
    ("change", "verdict", "in_row"),
    [
        ({"risk_hours": (), "risk": ()}, Verdict.NO_TREND, 0),
        ({"risk": (0.0, 0.0666, 0.9)}, Verdict.WAIT, 0),
        ({"risk": (0.0, 0.0667, 0.9)}, Verdict.ACT, 3),
        ({"in_row": 0}, Verdict.HOLD, 1),
        ({"in_row": 1}, Verdict.HOLD, 2),
        ({"decided": True}, Verdict.DECIDED, 3),
        ({"decided": True, "risk_hours": (), "risk": ()}, Verdict.DECIDED, 0),
    ],
)
def test_verdicts(change: dict[str, object], verdict: Verdict, in_row: int) -> None:
    outcome = decide(msgspec.convert({**msgspec.to_builtins(INPUTS), **change}, Inputs))
    assert (outcome.verdict, outcome.in_row) == (verdict, in_row)


@pytest.mark.parametrize(
    ("change", "path", "brake"),
    [
        ({}, Path.AUTOMATIC, False),
        ({"autonomy": "watch"}, Path.WATCH, False),
        ({"autonomy": "propose"}, Path.APPROVAL, False),
        ({"orders_in_a_day": 1}, Path.APPROVAL, True),
        ({"autonomy": "watch", "orders_in_a_day": 9}, Path.WATCH, False),
        ({"approval_limit": 1499}, Path.APPROVAL, False),
        ({"has_customer": False}, Path.APPROVAL, False),
        ({"baseline_confirmed": False}, Path.APPROVAL, False),
        ({"baseline_confirmed": False, "autonomy": "watch"}, Path.WATCH, False),
        ({"baseline_confirmed": False, "autonomy": "propose"}, Path.APPROVAL, False),
        ({"baseline_confirmed": False, "orders_in_a_day": 1}, Path.APPROVAL, True),
    ],
)
def test_who_is_asked(change: dict[str, object], path: Path, brake: bool) -> None:
    outcome = decide(msgspec.convert({**msgspec.to_builtins(INPUTS), **change}, Inputs))
    assert (outcome.path, outcome.brake) == (path, brake)


def test_what_nobody_confirmed_as_healthy_is_proposed_with_the_reason_and_old_inputs_still_replay(world: World) -> None:
    world.take(5, baseline=0, baseline_confirmed=False)
    assert world.only(t.orders).state == "awaiting_approval"
    acted = next(r for r in world.rows(t.decisions) if r.verdict == "act")
    assert acted.path == "approval"
    assert acted.sentence.endswith(
        "nobody has confirmed yet that the machine was healthy while its usual values were learned, so a dispatcher"
        " decides."
    )
    assert replay(acted.inputs).sentence == acted.sentence
    old = msgspec.json.decode(acted.inputs)
    del old["baseline_confirmed"]
    assert replay(msgspec.json.encode(old).decode()).path is Path.AUTOMATIC


@pytest.mark.parametrize(("assets", "limit"), [(0, 1), (8, 1), (11, 2), (100, 10), (101, 11)])
def test_the_brake_counts_orders_for_a_hundred_machines_and_day(assets: int, limit: int) -> None:
    assert brake_limit(assets, 10) == limit


@given(
    st.lists(st.tuples(st.floats(0.1, 50), st.floats(0, 1)), min_size=1, max_size=8),
    st.floats(-10, 500),
    st.floats(0, 50),
)
def test_a_rising_curve_is_read_rising_and_passes_where_it_reads(
    steps: list[tuple[float, float]], at: float, more: float
) -> None:
    hours, p = [0.0], [0.0]
    for dh, dp in steps:
        hours.append(hours[-1] + dh)
        p.append(p[-1] + (1 - p[-1]) * dp)
    low, high = interpolate(hours[1:], p[1:], at), interpolate(hours[1:], p[1:], at + more)
    assert low is not None
    assert high is not None
    assert 0 <= low <= high + 1e-12 <= 1 + 2e-12
    curve = Curve(NOW, tuple(hours[1:]), tuple(p[1:]))
    passes = curve.passes(p[-1] / 2)
    assert passes is not None
    assert NOW <= passes <= NOW + timedelta(hours=hours[-1], seconds=1)
    assert (curve.by(passes + timedelta(milliseconds=1)) or 0) >= p[-1] / 2 - 1e-6


def test_the_window_ends_before_the_risk_passes_its_limit() -> None:
    curve = Curve(NOW, (24, 120, 240), (0.02, 0.2, 0.9))
    found = window(curve, NOW + timedelta(hours=1), 24, 0.1)
    assert found.earliest == NOW + timedelta(hours=25)
    assert curve.by(found.latest) == pytest.approx(0.1)
    assert curve.by(found.at_most) == pytest.approx(0.5)


def test_no_trend_leaves_no_window() -> None:
    found = window(Curve(NOW, (), ()), NOW, 24, 0.1)
    assert found.earliest == found.latest == found.at_most


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.004, "less than 1 in 100"), (0.05, "about 1 in 20"), (0.02, "about 1 in 50"), (0.1, "about 1 in 10"),
     (0.68, "about 7 in 10"), (0.93, "about 9 in 10"), (0.97, "more than 19 in 20")],
)  # fmt: skip
def test_chances_in_words(p: float, words: str) -> None:
    assert chance(p) == words


@pytest.mark.parametrize(
    ("hours", "unit", "words"),
    [(0.5, "h", "30 minutes"), (1, "h", "1 hour"), (30, "h", "30 hours"), (120, "h", "5 days"), (720, "h", "4 weeks"),
     (30, "cycles", "30 cycles"), (1, "cycles", "1 cycle")],
)  # fmt: skip
def test_lengths_of_time_in_words(hours: float, unit: str, words: str) -> None:
    assert duration(hours, unit) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(96, 216, "between 4 and 9 days"), (10, 72, "between 10 hours and 3 days"), (50, 51, "about 2 days")],
)
def test_intervals_in_words(low: float, high: float, words: str) -> None:
    assert span(low, high) == words


def test_small_and_large_shares_are_not_rounded_away() -> None:
    assert (percent(0.001), percent(0.999), percent(0.123)) == ("less than 1 %", "more than 99 %", "12 %")


def test_the_bills_of_both_outcomes_name_both_bearers() -> None:
    failed, prevented, nothing = (bill(o, COSTS) for o in ("failed", "prevented", "found_nothing"))
    assert failed is not None
    assert prevented is not None
    assert nothing is not None
    assert (failed.customer, failed.provider, failed.total) == (6500, 2500, 9000)
    assert (prevented.customer, prevented.provider, prevented.total) == (0, 1500, 1500)
    assert nothing.total == 500
    assert failed.formula == "unplanned failure = 6,500 EUR (customer) + 2,500 EUR (provider) = 9,000 EUR"
    assert bill("running", COSTS) is None


def test_waiting_costs_the_risk_that_it_takes() -> None:
    visit, never = expected_with_visit(0.25, 48, COSTS), expected_without_visit(0.25, 48, COSTS)
    assert (visit.customer, visit.provider) == (0.25 * 6500, 0.25 * 2500 + 0.75 * 1500)
    assert (never.customer, never.provider) == (0.25 * 6500, 0.25 * 2500)


def test_every_decision_replays_from_its_log(world: World) -> None:
    world.take(2, p=0.01)
    world.take(1, p=0.3, first=3, risk_hours=[], risk=[], p_fail=None, remaining=None)
    world.take(5, p=0.3, first=4)
    world.take(3, p=0.2, device="p3")
    service.set_autonomy(world.shared, world.tenant, "watch", customer_id="brewery")
    rows = world.rows(t.decisions)
    assert len(rows) == 11
    assert {r.verdict for r in rows} == {"wait", "no_trend", "hold", "act", "decided"}
    for row in rows:
        assert replay(row.inputs) == msgspec.json.decode(row.outcome, type=Outcome)
        assert (replay(row.inputs).verdict, replay(row.inputs).sentence) == (row.verdict, row.sentence)


def test_a_forecast_without_a_trend_breaks_the_row(world: World) -> None:
    world.take(2)
    world.take(1, first=3, risk_hours=[], risk=[], p_fail=None, remaining=None)
    world.take(2, first=4)
    assert world.rows(t.orders) == []
    world.take(1, first=6)
    assert len(world.rows(t.orders)) == 1


def test_the_costs_of_the_model_are_the_costs_of_the_case(world: World) -> None:
    world.take(1)
    mode = PUMP.mode("bearing_wear")
    assert mode is not None
    assert msgspec.json.decode(world.only(t.cases).costs, type=Costs) == Costs.of(PUMP, mode)
