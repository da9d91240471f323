"""Outcomes correct what a learned model says: little by little, within bounds, and only once a week is over."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.adapters.sql import SqlTables
from anomaly.domain.corrected import (
    LEAST,
    MOST,
    NARROWEST,
    PRIOR_FAILURES,
    Ended,
    chances,
    factor,
    life,
    wider,
    width,
)
from anomaly.domain.forecast import Life
from anomaly.domain.learned_states import Kind
from anomaly.queries.forecasts import alarms
from anomaly.queries.past_cases import like_now
from anomaly.service import tables as t
from anomaly.service.event_records import event_alarm
from anomaly.service.hazard_tables import hazard_said
from anomaly.service.port import Results
from anomaly.training.correcting import WEEK_US, Correction, came_and_expected, ended_lives
from anomaly.training.foretelling import Foretelling
from anomaly.training.histories import modes_found
from anomaly.training.registry import Learned, enter, one
from anomaly.training.warned import HOLDS_US, warned
from plumbing import migrate
from plumbing.runtime import Shared
from plumbing.sql import Database, from_us, to_us
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from tests.anomaly.bench import WALL, Bench, MemoryStore, StillClocks
from tests.work_orders.world import PUMP

MONDAY = from_us(2900 * WEEK_US)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COUNTS = st.floats(0, 1e4)


@pytest.mark.parametrize(
    ("came", "expected", "by"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.5), (15, 5, 2.0), (0, 1e6, LEAST), (1e6, 0, MOST)],
    ids=["nothing_known", "as_said", "half_as_many", "twice_as_many", "never_below", "never_above"],
)
def test_the_factor_leans_to_one_until_outcomes_speak(came: float, expected: float, by: float) -> None:
    assert factor(came, expected) == pytest.approx(by)


@given(came=COUNTS, expected=COUNTS)
def test_one_failure_more_never_lowers_the_factor(came: float, expected: float) -> None:
    assert factor(came + 1, expected) >= factor(came, expected)
    assert factor(came, expected + 1) <= factor(came, expected)
    assert abs(factor(came, came) - 1.0) < 1e-12


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=6).map(sorted), by=st.floats(LEAST, MOST))
def test_corrected_chances_stay_chances_in_their_order(p: list[float], by: float) -> None:
    out = chances(np.array(p), by)
    assert (out >= 0).all()
    assert (out <= 1).all()
    assert (np.diff(out) >= 0).all()
    assert ((out >= np.array(p) - 1e-9) if by >= 1 else (out <= np.array(p) + 1e-9)).all()


def test_a_life_keeps_its_quantiles_and_says_the_same_chance_everywhere() -> None:
    of = Life(1.0, 2.0, 3.0, {"24h": 0.19, "7d": 0.75}, (24.0, 168.0), (0.19, 0.75))
    assert life(of, 1.0) is of
    half = life(of, 0.5)
    assert (half.p05, half.p50, half.p95) == (1.0, 2.0, 3.0)
    assert half.by(24.0) == pytest.approx(0.1)
    assert half.p_fail == pytest.approx(dict(zip(("24h", "7d"), half.risk, strict=True)))


def test_a_model_that_fears_too_much_is_nearer_to_the_truth_once_corrected() -> None:
    chance = np.random.default_rng(3)
    true = chance.uniform(0.01, 0.3, 4000)
    said = chances(true, 2.5)
    came = chance.uniform(size=len(true)) < true
    by = factor(float(came[:1000].sum()), float(said[:1000].sum()))
    told = chances(said[1000:], by)
    assert np.mean((told - true[1000:]) ** 2) < 0.2 * np.mean((said[1000:] - true[1000:]) ** 2)


@pytest.mark.parametrize("wrong_by", [0.4, 1.0, 1.7])
def test_nine_of_ten_ends_lie_inside_in_the_long_run_whatever_the_model_thought(wrong_by: float) -> None:
    """Errors are normal; the model's 90 % interval is so many times what it should be, within bounds."""
    chance = np.random.default_rng(11)
    half = 1.645 * 20.0 * wrong_by
    lives = [Ended(300.0 + x, 300.0 - half, 300.0, 300.0 + half) for x in chance.normal(0, 20, 600).tolist()]
    inside = [not one.missed(width(lives[:n])) for n, one in enumerate(lives) if n >= 300]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.035)


def test_an_interval_grows_after_an_end_outside_and_shrinks_a_little_after_one_inside() -> None:
    inside, outside = Ended(50.0, 40.0, 50.0, 60.0), Ended(70.0, 40.0, 50.0, 60.0)
    assert width([]) == 1.0
    assert 1.2 < width([outside]) < 1.3
    assert 0.97 < width([inside]) < 1.0
    assert width([outside] * 20) == pytest.approx(2.0, rel=0.3)  # wide enough to hold it
    assert width([inside] * 200) == NARROWEST
    assert not replace(outside, capped=True).missed(1.0)  # "that long or longer"
    told = wider(Life(40.0, 50.0, 60.0, {}, (24.0,), (0.1,)), 6.0)
    assert (told.p05, told.p50, told.p95) == (0.0, 50.0, 110.0)


def test_each_life_that_ended_counts_once_as_it_was_told_while_it_lasted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    facts = {"asset_model": "pump", "sha256": "s", "card_sha256": "c", "data_sha256": "d", "lives": 9, "failures": 9,
             "metrics": {"cap_hours": 500.0}}  # fmt: skip
    enter(bench.database, "acme", "pump-1", facts, "1", WALL, "eva")
    of = one(bench.database, "acme", "pump-1")
    row = {"tenant": "acme", "learned": "pump-1", "device": "p1", "p_24h": 0.1, "p_7d": 0.2, "p_30d": 0.9}
    with bench.database.write() as connection:
        for hours, p50 in ((0, 100.0), (6, 94.0), (130, 60.0), (300, 400.0)):
            values = {**row, "at": MONDAY + hours * HOUR, "p05": p50 - 20, "p50": p50, "p95": p50 + 100}
            connection.execute(t.said.insert().values(**values))
    failed(bench, "bearing", MONDAY - 50 * HOUR)
    failed(bench, "bearing", MONDAY + 100 * HOUR)
    failed(bench, "bearing", MONDAY + 200 * HOUR)
    assert ended_lives(bench.database, "acme", of, MONDAY) == []
    first, second = ended_lives(bench.database, "acme", of, MONDAY + 250 * HOUR)
    assert (first.left, first.p50) in ((100.0, 100.0), (94.0, 94.0))
    assert second == Ended(70.0, 40.0, 60.0, 160.0)
    failed(bench, "bearing", MONDAY + 320 * HOUR)
    assert ended_lives(bench.database, "acme", of, MONDAY + 400 * HOUR)[2].capped


def hazard(bench: Bench) -> Learned:
    facts = {"asset_model": "pump", "sha256": "s", "card_sha256": "c", "data_sha256": "d", "lives": 9, "failures": 9,
             "kind": Kind.EVENTS, "metrics": {}}  # fmt: skip
    enter(bench.database, "acme", "pump-1", facts, "1", WALL, "eva")
    return one(bench.database, "acme", "pump-1")


def said(bench: Bench, component: str, at: datetime, p: float) -> None:
    row = {"tenant": "acme", "learned": "pump-1", "device": "p1", "component": component, "at": at, "p_24h": p / 2,
           "p_7d": p, "p_30d": 1.0}  # fmt: skip
    with bench.database.write() as connection:
        connection.execute(hazard_said.insert(), [row])


def failed(bench: Bench, component: str, at: datetime) -> None:
    with bench.database.write() as connection:
        connection.execute(t.labels.insert().values(
            tenant="acme", device="p1", finding_id=f"F-{component}-{at}", case_id=f"C-{at}", asset="p1",
            component=component, mode="wear", verdict="true", from_at=at, to_at=at, as_found="", replaced=True,
            serial="",
        ))  # fmt: skip


def test_what_came_counts_once_a_week_by_component_and_when_the_week_is_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    of = hazard(bench)
    for week in range(4):
        for hours in (0, 6, 80):  # the first of a week counts
            said(bench, "bearing", MONDAY + 7 * week * DAY + hours * HOUR, 0.5)
            said(bench, "seal", MONDAY + 7 * week * DAY + hours * HOUR, 0.25)
    failed(bench, "bearing", MONDAY + 9 * DAY)
    failed(bench, "gearbox", MONDAY + 9 * DAY)
    assert came_and_expected(bench.database, "acme", of, MONDAY + 6 * DAY) == (0.0, 0.0)
    assert came_and_expected(bench.database, "acme", of, MONDAY + 21 * DAY) == pytest.approx((1.0, 2.25))
    correction = Correction(bench.database)
    first = correction.of("acme", of, MONDAY + 6 * DAY)
    assert first == 1.0
    assert correction.of("acme", of, MONDAY + 6 * DAY + 5 * HOUR) == first
    later = correction.of("acme", of, MONDAY + 21 * DAY)
    assert later == pytest.approx((1.0 + PRIOR_FAILURES) / (2.25 + PRIOR_FAILURES))


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_what_hazards_ask_of_their_tables_is_the_same_on_both_databases(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/x.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    database = Database(url)
    migrate.upgrade(database, ["plumbing", "anomaly"])
    facts = {"asset_model": "pump", "sha256": "s", "card_sha256": "c", "data_sha256": "d", "lives": 9, "failures": 9,
             "kind": Kind.EVENTS, "metrics": {}}  # fmt: skip
    enter(database, "acme", "pump-1", facts, "1", WALL, "eva")
    of, at = one(database, "acme", "pump-1"), MONDAY + 2 * DAY
    tables = SqlTables(database, SystemClock())
    alarm = event_alarm("acme", "p1", "bearing", to_us(at), to_us(at), "raised", "Bearing: error 1 came 0 h ago", 3.0)
    tables.add(Results(alarms=[(alarm, False)]), lambda _: True)
    with database.write() as connection:
        connection.execute(t.states.insert().values(tenant="acme", device="p1", model="pump", memory=b"", picture="{}"))
        connection.execute(hazard_said.insert().values(
            tenant="acme", learned="pump-1", device="p1", component="bearing", at=MONDAY, p_24h=0.1, p_7d=0.5,
            p_30d=0.9,
        ))  # fmt: skip
        connection.execute(t.labels.insert().values(
            tenant="acme", device="p1", finding_id="F-1", case_id="C-1", asset="p1", component="bearing", mode="wear",
            verdict="true", from_at=at, to_at=at + DAY, as_found="", replaced=True, serial="",
        ))  # fmt: skip
    assert came_and_expected(database, "acme", of, MONDAY + 8 * DAY) == (1.0, 0.5)
    assert modes_found(database, "acme", "pump") == {"bearing": {"wear": 1}}
    assert like_now(database, "acme", "p1") == []
    (shown,) = alarms(database, "acme", device="p1", standing=True)
    assert (shown.id, shown.component) == (alarm.id, "bearing")
    clocks = cast("TenantClocks", StillClocks())
    gone = Foretelling(Shared(tmp_path, database, SystemClock(), clocks, MemoryStore(), {"pump": PUMP}.get), tables.add)
    assert gone.round() == 0  # no hazard is live: its alarm ends
    assert alarms(database, "acme", device="p1", standing=True) == []
    database.close()


@pytest.mark.parametrize(
    ("said", "failed", "ends", "now", "right", "wrong", "recall"),
    [
        ([(0, 0.6), (1, 0.7), (2, 0.9)], [3], [3], 30, 1, 0, 1.0),
        ([(0, 0.6), (1, 0.7)], [9], [9], 30, 0, 1, 0.0),
        ([(0, 0.6), (8, 0.7)], [9], [9], 30, 1, 1, 1.0),
        ([(0, 0.6)], [], [3], 30, 0, 0, None),
        ([(0, 0.6)], [], [], 6, 0, 0, None),
        ([(0, 0.6)], [], [], 8, 0, 1, None),
        ([(0, 0.6), (3.5, 0.6)], [3, 5], [3, 5], 30, 2, 0, 1.0),
        ([(0, 0.4)], [3], [3], 30, 0, 0, 0.0),
    ],
    ids=[
        "once",
        "too_early",
        "again_after_a_week",
        "good_part_replaced",
        "not_over",
        "for_nothing",
        "each_life",
        "none",
    ],
)
def test_a_warning_was_right_if_the_failure_came_within_seven_days(
    said: list[tuple[float, float]], failed: list[float], ends: list[float], now: float, right: int, wrong: int,
    recall: float | None,
) -> None:  # fmt: skip
    day = HOLDS_US // 7
    found = warned(
        [(round(at * day), p) for at, p in said], [round(x * day) for x in failed], [round(x * day) for x in ends],
        round(now * day),
    )  # fmt: skip
    assert (found.right, found.wrong, found.recall) == (right, wrong, recall)
