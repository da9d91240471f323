"""Faulty sensors, quiet days and baselines on a database: what is kept, who is told, what people say."""

from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from anomaly.adapters.people import confirm_baseline
from anomaly.domain.explaining import explain
from anomaly.domain.following import Why
from anomaly.domain.quiet import Day, reason
from anomaly.domain.watch import Watch
from anomaly.queries.condition import baselines, confirmed, quiet_log, sensor_faults
from anomaly.queries.states import asset_state
from anomaly.service.tables import states
from contracts.records import Alarm, Finding, Prediction, SensorChecked
from plumbing.runtime import Shared
from plumbing.sql import from_us
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from tests.anomaly.bench import Bench
from tests.anomaly.machines import MODEL, SIGNALS, Values, life

FROM, TO = 800, 1000


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def feed(bench: Bench, t_us: np.ndarray, values: Values, before: int = 0) -> None:
    size = 60
    for at in range(0, len(t_us), size):
        bench.put("pump", t_us[at : at + size], values[at : at + size], first=before + at + 1, boot="0123abcd")
        bench.monotonic += 2.0
        bench.run()


def found(result: str, replaced: bool, at_us: int) -> Finding:
    return Finding(1, "F-1", "acme", "pump", "bearing", "C-1", "WO-1", result, "", "", replaced, from_us(at_us))


def test_a_stuck_sensor_is_kept_with_its_check_and_told_once_and_is_no_alarm(bench: Bench) -> None:
    t_us, x = life(200, seed=3)
    x[FROM:TO, SIGNALS.index("temperature")] = x[FROM, SIGNALS.index("temperature")]
    feed(bench, t_us[:TO], x[:TO])
    (fault,) = sensor_faults(bench.database, "acme", device="pump", standing=True)
    assert (fault.signal, fault.kind, fault.ended_at) == ("temperature", "stuck", None)
    assert fault.since - from_us(int(t_us[FROM])) < timedelta(minutes=1)
    assert fault.text.startswith("Bearing temperature is stuck: look whether")
    state = asset_state(bench.database, "acme", "pump")
    assert state is not None
    assert state.faults == {"temperature": "stuck"}
    bench.rounds = bench.started()
    bench.put("pump", t_us[TO:], x[TO:], first=TO + 1, boot="0123abcd")
    bench.monotonic += 2
    bench.run()
    assert not sensor_faults(bench.database, "acme", standing=True)
    assert len(sensor_faults(bench.database, "acme")) == 1
    assert [e.action for e in bench.told() if e.action.startswith("sensor")] == ["sensor_faulty", "sensor_well"]
    assert not [r for r in bench.said() if isinstance(r, Alarm)]
    texts = [e.text for e in quiet_log(bench.database, "acme", "pump")]
    assert any("a sensor was faulty, not the machine: Bearing temperature stuck" in text for text in texts)


def test_a_person_who_looked_ends_the_fault(bench: Bench) -> None:
    t_us, x = life(170, seed=3)
    x[FROM:, SIGNALS.index("temperature")] = x[FROM, SIGNALS.index("temperature")]
    feed(bench, t_us, x)
    bench.tell(SensorChecked(1, "acme", "pump", "temperature", from_us(int(t_us[-1])), "eva"))
    bench.run()
    assert not sensor_faults(bench.database, "acme", standing=True)


def test_a_baseline_is_not_confirmed_until_an_inspection_found_nothing(bench: Bench) -> None:
    t_us, x = life(60, seed=3)
    feed(bench, t_us, x)
    (learned,) = baselines(bench.database, "acme", "pump")
    assert (learned.number, learned.state, learned.why) == (0, "learned, not confirmed", "learned")
    bench.tell(found("false", False, int(t_us[-1])))
    bench.run()
    (learned,) = baselines(bench.database, "acme", "pump")
    assert learned.state == "confirmed"
    assert learned.how == "an inspection found nothing (F-1)"


def test_a_replacement_makes_a_new_baseline_and_keeps_the_old_one(bench: Bench) -> None:
    t_us, x = life(140, seed=3)
    feed(bench, t_us[:480], x[:480])
    bench.tell(found("false", False, int(t_us[479])))
    bench.tell(found("prevented", True, int(t_us[479])))
    bench.run()
    feed(bench, t_us[480:], x[480:], before=480)
    new, old = baselines(bench.database, "acme", "pump")
    assert (new.number, new.state) == (1, "learned, not confirmed")
    assert new.why == "learned anew after the bearing was replaced"
    assert (old.number, old.state) == (0, "confirmed")
    assert not confirmed(bench.database, "acme", "pump")
    bench.tell(found("false", False, int(t_us[-1])))
    bench.run()
    assert confirmed(bench.database, "acme", "pump")


def test_a_baseline_that_is_learned_again_after_an_upgrade_does_not_take_the_place_of_a_confirmed_one(
    bench: Bench,
) -> None:
    t_us, x = life(140, seed=3)
    feed(bench, t_us[:480], x[:480])
    bench.tell(found("false", False, int(t_us[479])))
    bench.tell(found("prevented", True, int(t_us[479])))
    bench.run()
    feed(bench, t_us[480:800], x[480:800], before=480)
    with bench.database.write() as connection:
        other = msgspec.msgpack.encode(["c", "OfAnotherVersion", {}])
        connection.execute(states.update().values(memory=other))
    bench.store.rows["pump"] = t_us[:800], x[:800]
    bench.rounds = bench.started()
    feed(bench, t_us[800:], x[800:], before=800)
    newest, *older = baselines(bench.database, "acme", "pump")
    assert (newest.number, newest.state, newest.why) == (
        2, "learned, not confirmed", "learned again from all its readings",
    )  # fmt: skip
    assert [(b.number, b.state) for b in older] == [(1, "learned, not confirmed"), (0, "confirmed")]


def test_the_first_baseline_learned_again_does_not_take_over_what_was_said_of_it(bench: Bench) -> None:
    t_us, x = life(140, seed=3)
    feed(bench, t_us[:480], x[:480])
    bench.tell(found("false", False, int(t_us[479])))
    bench.run()
    with bench.database.write() as connection:
        connection.execute(states.update().values(memory=msgspec.msgpack.encode(["c", "OfAnotherVersion", {}])))
    bench.store.rows["pump"] = t_us[:480], x[:480]
    bench.rounds = bench.started()
    feed(bench, t_us[480:800], x[480:800], before=480)
    found_now = [(b.number, b.state) for b in baselines(bench.database, "acme", "pump")]
    assert found_now == [(1, "learned, not confirmed"), (0, "confirmed")]


def test_a_prediction_says_whether_its_baseline_counts_as_healthy(bench: Bench, tmp_path: Path) -> None:
    t_us, x = life(200, seed=3, fails_at=170)
    half = 1100
    feed(bench, t_us[:half], x[:half])
    system = SystemClock()
    clocks = TenantClocks(bench.database, system)
    shared = Shared(tmp_path, bench.database, system, clocks, bench.store, {MODEL.name: MODEL}.get)
    assert confirm_baseline(shared, "acme", "pump", "eva")
    feed(bench, t_us[half:], x[half:], before=half)
    made = [p for p in bench.said() if isinstance(p, Prediction)]
    assert {p.baseline for p in made} == {0}
    told = [p.baseline_confirmed for p in made]
    assert told == sorted(told)
    assert set(told) == {False, True}


def test_an_odd_day_that_raised_nothing_says_why_and_the_words_follow_from_its_figures(bench: Bench) -> None:
    t_us, x = life(200, seed=3)
    x[900:904, SIGNALS.index("pressure")] -= 3.2
    feed(bench, t_us, x)
    entries = quiet_log(bench.database, "acme", "pump")
    assert entries
    titles = {name: s.title for name, s in MODEL.signals.items()}
    for entry in entries:
        again = msgspec.convert(entry.figures, Day)
        assert reason(again, MODEL.detection, titles, {"stuck": "stuck"}) == entry.text
        assert not again.raised
    assert len({e.day for e in entries}) == len(entries)


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        ({"peak": 2.7, "odd_hours": 3.0, "above_hours": 0.8, "longest_hours": 0.5}, "not held long enough"),
        ({"peak": 1.44, "odd_hours": 3.0}, "rose to 0.8 of the limit for 3 h and stayed below it"),
        ({"peak": 2.7, "shelved_hours": 2.0, "shelved_why": "visit"}, "worked on the machine (visit)"),
        ({"peak": 2.7, "above_hours": 2.0, "after_hours": 2.0}, "an alarm had ended within the 2 h before"),
        ({"hot": {"temperature": 4.0}}, "compensated by load and ambient it was usual"),
        ({"sensors": {"": "doubled_times"}}, "not the machine: the device"),
        ({"hours": [0.0, 0, 0, 0, 5.0, 0, 0, 0]}, "5 h outside the regimes"),
        ({"hours": [0.0, 0, 0, 0, 0, 0, 0, 9.0]}, "nothing was heard for 9 h"),
    ],
)  # fmt: skip
def test_each_reason_has_its_sentence(figures: dict[str, object], says: str) -> None:
    day = msgspec.convert({"day": 20_500} | figures, Day)
    assert day.is_odd()
    told = reason(day, MODEL.detection, {"temperature": "Bearing temperature"}, {})
    assert says in told
    assert told.startswith("On Monday")
    assert len(day.hours) == len(Why) + 1


def test_parts_sum_to_the_score_and_the_value_that_is_said_to_be_enough_is() -> None:
    t_us, x = life(290, fails_at=300)
    watch = Watch(MODEL)
    scores, _ = watch.feed(t_us, watch.layout.arrange(SIGNALS, x))
    told = explain(watch)
    assert told is not None
    assert told.score == pytest.approx(float(scores.score[np.isfinite(scores.score)][-1]))
    assert sum(c.part for c in told.contributions) == pytest.approx(told.score)
    assert told.contributions[0].part >= told.contributions[-1].part
    assert told.score > told.threshold
    base = watch.detector.baseline
    assert base is not None
    assert told.nearer is not None
    all_back = watch.detector.measure((watch.memory.means * (1 - told.nearer)).reshape(1, -1), base)[0][0]
    assert all_back == pytest.approx(told.threshold, rel=0.05)
    alone = [c for c in told.contributions if c.enough is not None and c.value is not None]
    for one in alone:
        j = watch.layout.symptoms.index(one.signal)
        means = watch.memory.means.copy()
        assert one.enough is not None
        assert one.value is not None
        means[j] += (one.enough - one.value) / base.scale[:, j].mean()
        assert watch.detector.measure(means.reshape(1, -1), base)[0][0] <= 1.05 * told.threshold
