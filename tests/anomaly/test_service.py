"""The service on a database: blocks in, alarms and predictions out, exactly once whatever dies in between."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from anomaly.queries.forecasts import alarms, index_chart, predictions
from anomaly.queries.states import asset_state
from anomaly.service.records import alarm_text
from anomaly.service.watching import JUDGED_ANEW
from contracts.records import BLOCKS, Alarm, Carrier, Finding, Prediction, Shelve
from plumbing import log
from plumbing.sql import from_us
from tests.anomaly.bench import FAILS_AT, HOUR, WALL, Bench
from tests.anomaly.machines import MODEL, SIGNALS, START_US, life


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def feed(bench: Bench, sizes: Sequence[int], hours: float = 290, history: bool = False, crash_every: int = 0) -> None:
    t_us, values = life(hours, fails_at=FAILS_AT)
    at = turn = 0
    while at < len(t_us):
        size = sizes[turn % len(sizes)]
        bench.put("pump", t_us[at : at + size], values[at : at + size], first=at + 1, boot="0123abcd", history=history)
        bench.monotonic += 0.3
        bench.run()
        at, turn = at + size, turn + 1
        if crash_every and turn % crash_every == 0:
            bench.rounds = bench.started()


def plain(records: Sequence[Prediction | Alarm]) -> list[object]:
    """Records without the times at which they were issued and whether they may page: these depend on the blocks."""
    return [
        rounded({k: v for k, v in msgspec.to_builtins(r).items() if k not in ("issued_at", "pageable")})
        for r in records
    ]


def rounded(x: object) -> object:
    """Figures to nine places."""
    if isinstance(x, float):
        return float(f"{x:.9g}")
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    return [rounded(v) for v in x] if isinstance(x, list | tuple) else x


def test_a_wearing_bearing_raises_one_alarm_and_is_forecast(bench: Bench) -> None:
    feed(bench, [6])
    said = bench.said()
    raised = [r for r in said if isinstance(r, Alarm)]
    made = [r for r in said if isinstance(r, Prediction)]
    assert [a.change for a in raised] == ["raised"]
    assert made[0].component == "bearing"
    assert made[0].carriers[0].signal == "vibration"
    assert made[0].carriers[0].direction == "up"
    assert abs(sum(c.share for c in made[-1].carriers) - 1) < 0.2
    last = made[-1]
    assert last.remaining is not None
    assert last.p_fail is not None
    assert last.pageable
    left = FAILS_AT - (last.measured_at - from_us(START_US)) / HOUR
    assert last.remaining.p05 <= left * 1.5
    assert last.p_fail["30d"] >= last.p_fail["7d"] >= last.p_fail["24h"]
    actions = [e.action for e in bench.told()]
    assert actions.count("alarm") == 1
    assert 1 <= actions.count("prediction") <= 6
    assert all({"asset", "id", "text"} <= set(e.diff) for e in bench.told())


def test_restarts_and_other_blocks_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, broken = Bench(tmp_path / "a"), Bench(tmp_path / "b")
    feed(whole, [24])
    feed(broken, [24, 1, 5, 60], crash_every=3)
    assert plain(whole.said()) == plain(broken.said())
    assert len(whole.said()) > 5


def test_imported_history_trains_and_forecasts_but_pages_nobody(bench: Bench) -> None:
    feed(bench, [500], history=True)
    made = [r for r in bench.said() if isinstance(r, Prediction)]
    assert made
    assert not any(p.pageable for p in made)
    assert bench.told() == []
    state = asset_state(bench.database, "acme", "pump")
    assert state is not None
    assert state.learned
    assert [a.history for a in alarms(bench.database, "acme")] == [True]


def test_a_machine_whose_asset_model_got_another_signal_learns_again_from_its_readings(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    feed(bench, [24], hours=100)
    bench.rounds.save()
    t_us, values = life(290, fails_at=FAILS_AT)
    bench.store.rows["pump"] = (t_us[:600], values[:600])
    current = replace(MODEL.signals["pressure"], name="current")
    bench.rounds = bench.started(model=replace(MODEL, signals={**MODEL.signals, "current": current}))
    bench.put("pump", t_us[600:1740], values[600:1740])
    bench.run()
    assert "small-machine had other signals" in caplog.text
    assert newest(bench) == from_us(int(t_us[1739]))
    assert any(isinstance(said, Prediction) for said in bench.said())


@pytest.mark.parametrize("crashed", [False, True])
def test_an_alarm_that_stood_in_a_snapshot_set_aside_does_not_stand_for_ever(bench: Bench, crashed: bool) -> None:
    feed(bench, [24])
    bench.rounds.save()
    if crashed:  # a block was judged, and no snapshot taken after it
        t_us, values = life(290.5, fails_at=FAILS_AT)
        bench.put("pump", t_us[1740:], values[1740:], first=1741, boot="0123abcd")
        bench.run()
    (stood,) = [a for a in bench.said() if isinstance(a, Alarm)]
    t_us, values = life(310)
    bench.store.rows["pump"] = (t_us[:1740], values[:1740])  # where nothing is odd
    bench.rounds = bench.started(model=replace(MODEL, regimes=()))
    bench.put("pump", t_us[1740:1746], values[1740:1746])
    bench.run()
    mine = [a for a in bench.said() if isinstance(a, Alarm) and a.id == stood.id]
    assert [(a.change, a.reason) for a in mine] == [("raised", stood.reason), ("cleared", JUDGED_ANEW)]


def test_a_gap_is_waited_for_once_then_left(bench: Bench) -> None:
    t_us, values = life(10)
    bench.put("pump", t_us[:10], values[:10], first=1, boot="0123abcd")
    bench.put("pump", t_us[20:30], values[20:30], first=21, boot="0123abcd")
    bench.run()
    assert newest(bench) == from_us(int(t_us[9]))
    bench.monotonic += 9.0
    bench.run()
    assert newest(bench) == from_us(int(t_us[9]))
    bench.monotonic += 1.5
    bench.run()
    assert newest(bench) == from_us(int(t_us[29]))
    bench.put("pump", t_us[10:20], values[10:20], first=11, boot="0123abcd")
    bench.monotonic += 2.0
    bench.run()
    assert newest(bench) == from_us(int(t_us[29]))


def newest(bench: Bench) -> datetime | None:
    bench.rounds.save()
    state = asset_state(bench.database, "acme", "pump")
    assert state is not None
    return state.measured_at


def test_rows_that_close_a_gap_in_time_are_taken_in_order(bench: Bench) -> None:
    t_us, values = life(10)
    bench.put("pump", t_us[20:30], values[20:30], first=21, boot="0123abcd")
    bench.put("pump", t_us[:20], values[:20], first=1, boot="0123abcd")
    bench.run()
    assert newest(bench) == from_us(int(t_us[29]))


def test_a_visit_shelves_alarms_with_reason_and_end(bench: Bench) -> None:
    feed(bench, [24], hours=200)
    start = from_us(START_US) + 200 * HOUR
    bench.tell(Shelve(1, "acme", "pump", "visit of Ada", start, start + 1000 * HOUR))
    bench.run()
    t_us, values = life(290, fails_at=FAILS_AT)
    bench.put("pump", t_us[1200:], values[1200:], first=1201, boot="0123abcd")
    bench.monotonic += 2
    bench.run()
    assert [r.change for r in bench.said() if isinstance(r, Alarm)] == ["shelved"]
    state = asset_state(bench.database, "acme", "pump")
    assert state is not None
    assert (state.state, state.shelved_why, state.shelved_until) == ("shelved", "visit of Ada", start + 1000 * HOUR)


def test_a_replaced_bearing_learns_anew_and_is_quiet(bench: Bench) -> None:
    feed(bench, [24])
    before = len([r for r in bench.said() if isinstance(r, Prediction)])
    at = from_us(START_US) + 290 * HOUR
    bench.tell(Finding(1, "f", "acme", "pump", "bearing", "c", "w", "prevented", "wear", "worn", True, at))
    bench.run()
    assert [r.change for r in bench.said() if isinstance(r, Alarm)] == ["raised", "cleared"]
    t_us, values = life(500)
    values[1740:, SIGNALS.index("vibration")] *= np.where(values[1740:, 0] > 0, 1.0, 0.0)
    values[1740:, SIGNALS.index("vibration")] += np.where(values[1740:, 0] > 0, 0.2, 0.0)
    bench.put("pump", t_us[1740:1800], values[1740:1800], first=1741, boot="0123abcd")
    bench.monotonic += 2
    bench.run()
    state = asset_state(bench.database, "acme", "pump")
    assert state is not None
    assert state.state == "learning"
    assert 0 < state.learning_hours_left <= MODEL.detection.learning_hours
    bench.put("pump", t_us[1800:], values[1800:], first=1801, boot="0123abcd")
    bench.monotonic += 2
    bench.run()
    assert len([r for r in bench.said() if isinstance(r, Prediction)]) == before
    state = asset_state(bench.database, "acme", "pump")
    assert state is not None
    assert state.learning_hours_left == 0


def test_one_who_is_behind_the_log_reads_the_store(bench: Bench) -> None:
    feed(bench, [24], hours=100)
    t_us, values = life(290, fails_at=FAILS_AT)
    bench.store.rows["pump"] = (t_us[:1500], values[:1500])
    bench.put("pump", t_us[600:1500], values[600:1500], first=601, boot="0123abcd")
    with bench.database.write() as connection:
        top = log.read(connection, BLOCKS, 0, 1000)[-1].position
        connection.execute(log.entries.delete().where(log.entries.c.topic == BLOCKS))
        log.advance(connection, "(removed)", BLOCKS, top)
    bench.rounds = bench.started()
    bench.run()
    assert newest(bench) == from_us(int(t_us[1499]))


def test_predictions_come_in_pages_and_the_chart_shows_the_band(bench: Bench) -> None:
    feed(bench, [24])
    first = predictions(bench.database, "acme", device="pump", limit=3)
    second = predictions(bench.database, "acme", device="pump", before=first.next, limit=3)
    times = [p.measured_at for p in [*first.items, *second.items]]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 6
    assert predictions(bench.database, "other").items == []
    chart = index_chart(bench.database, "acme", "pump", WALL, WALL + 1000 * HOUR)
    assert chart.health[0] > 80 > chart.health[-1]
    assert chart.fails_early is not None
    assert chart.fails_middle is not None
    assert chart.fails_early < chart.fails_middle


def test_a_block_that_is_none_is_passed_over(bench: Bench) -> None:
    with bench.database.write() as connection:
        log.append(connection, "acme", BLOCKS, "x", b"\xc1", WALL)
    t_us, values = life(1)
    bench.put("pump", t_us, values, first=1, boot="0123abcd")
    bench.run()
    assert newest(bench) == from_us(int(t_us[-1]))


def test_the_health_shown_never_contradicts_the_forecast(bench: Bench) -> None:
    feed(bench, [24])
    forecasts = [r for r in bench.said() if isinstance(r, Prediction) and r.remaining is not None]
    last = forecasts[-1]
    chance = dict(zip(last.risk_hours, last.risk, strict=True))[MODEL.decision.horizon_hours]
    assert chance > 0.5
    chart = index_chart(bench.database, "acme", "pump", WALL, WALL + 1000 * HOUR)
    state = asset_state(bench.database, "acme", "pump")
    assert state is not None
    assert state.health is not None
    for health in (last.health, chart.health[-1], state.health):
        assert health <= 100 * (1 - chance) + 1e-6
    horizon = last.risk_hours.index(MODEL.decision.horizon_hours)
    assert all(f.health <= 100 * (1 - f.risk[horizon]) + 1e-6 for f in forecasts)


def test_what_carries_a_forecast_says_how_far_it_is_outside_of_what_is_usual(bench: Bench) -> None:
    feed(bench, [24])
    made = [r for r in bench.said() if isinstance(r, Prediction)][-1]
    vibration = next(c for c in made.carriers if c.signal == "vibration")
    assert vibration.value is not None
    assert vibration.expected is not None
    assert vibration.usual is not None
    low, high = vibration.usual
    assert low < vibration.expected < high < vibration.value
    assert high - low < 0.5 * vibration.expected


def test_an_alarm_names_the_symptoms_of_its_component_alone() -> None:
    carriers = [Carrier("pressure", 0.5, ""), Carrier("vibration", 0.4, ""), Carrier("temperature", 0.04, "")]
    alarm = Alarm(1, "a", "acme", "pump", "raised", WALL, WALL, "", "bearing", 3.0, carriers)
    assert alarm_text(MODEL, alarm) == "pump: Bearing is not as usual; it shows in Vibration."
