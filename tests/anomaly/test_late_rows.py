"""Rows that come after their turn are scored with their neighbours in time, and page nobody."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from anomaly.domain.watch import Watch
from anomaly.queries.late import late_rows
from anomaly.queries.states import asset_state
from contracts.records import Alarm, Prediction
from plumbing.sql import from_us
from tests.anomaly.bench import Bench
from tests.anomaly.machines import MODEL, SIGNALS, life

BOOT = "0123abcd"
LATE = slice(1200, 1260)
"""Ten hours in which the bearing was hot, after 200 hours."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def hot_rows() -> tuple[np.ndarray, np.ndarray]:
    t_us, values = life(230)
    running = values[:, SIGNALS.index("speed")] > 0
    values[LATE, SIGNALS.index("vibration")] += 4.0 * running[LATE]
    values[LATE, SIGNALS.index("temperature")] += 20.0 * running[LATE]
    return t_us, values


def feed_with_late_rows(bench: Bench, turn: list[slice]) -> None:
    """All rows up to the late ones, those behind them, and then the late ones, in the pieces of `turn`."""
    t_us, values = hot_rows()
    bench.put("pump", t_us[: LATE.start], values[: LATE.start], first=1, boot=BOOT)
    bench.run()
    bench.put("pump", t_us[LATE.stop :], values[LATE.stop :], first=LATE.stop + 1, boot=BOOT)
    bench.run()
    bench.monotonic += 11.0
    bench.run()
    bench.store.rows["pump"] = (t_us, values)
    for piece in turn:
        bench.put("pump", t_us[piece], values[piece], first=piece.start + 1, boot=BOOT)
        bench.monotonic += 1.0
        bench.run()


def test_late_rows_are_scored_among_their_neighbours_in_time_and_page_nobody(bench: Bench) -> None:
    feed_with_late_rows(bench, [LATE])
    t_us, values = hot_rows()
    found = late_rows(bench.database, "acme", device="pump")
    assert [(f.rows, f.from_at, f.to_at) for f in found] == [
        (60, from_us(int(t_us[LATE.start])), from_us(int(t_us[LATE.stop - 1])))
    ]
    watch = Watch(MODEL)
    in_turn, _ = watch.feed(t_us, watch.layout.arrange(SIGNALS, values))
    expected = np.nanmax(in_turn.score[LATE])
    assert expected > 3 * MODEL.detection.threshold
    assert found[0].peak == pytest.approx(expected, rel=0.2)
    assert not [r for r in bench.said() if isinstance(r, Alarm | Prediction)]
    assert bench.told() == []


def test_late_pieces_in_the_wrong_order_have_the_scores_of_their_time(bench: Bench) -> None:
    feed_with_late_rows(bench, [slice(1230, 1260), slice(1200, 1230)])
    newest, oldest = late_rows(bench.database, "acme")
    assert newest.from_at - oldest.from_at == timedelta(hours=5)
    assert (newest.rows, oldest.rows) == (30, 30)
    assert newest.peak is not None
    assert oldest.peak is not None
    assert newest.peak > oldest.peak > MODEL.detection.threshold


def test_late_rows_leave_the_machines_present_alone(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    other = Bench(tmp_path / "b")
    feed_with_late_rows(bench, [LATE])
    feed_with_late_rows(other, [])
    states = []
    for one in (bench, other):
        one.rounds.save()
        states.append(asset_state(one.database, "acme", "pump"))
    assert states[0] == states[1]
    assert states[0] is not None
    assert states[0].measured_at == from_us(int(hot_rows()[0][-1]))


def test_rows_that_came_too_late_before_there_is_a_baseline_have_no_score(bench: Bench) -> None:
    t_us, values = life(20)
    bench.put("pump", t_us[60:], values[60:], first=61, boot=BOOT)
    bench.run()
    bench.monotonic += 11.0
    bench.run()
    bench.store.rows["pump"] = (t_us, values)
    bench.put("pump", t_us[:60], values[:60], first=1, boot=BOOT)
    bench.run()
    assert [(f.rows, f.peak) for f in late_rows(bench.database, "acme")] == [(60, None)]
    assert late_rows(bench.database, "acme", since=from_us(int(t_us[60]))) == []
    assert late_rows(bench.database, "other") == []
