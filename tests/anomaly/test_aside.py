"""A machine whose fit is made elsewhere waits with its rows; others go on, and all come to what they would at once."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from anomaly.adapters.sql import SqlTables
from anomaly.domain import machines as domain
from anomaly.domain.baseline import Baseline, Training
from anomaly.domain.baseline_fit import fit_with_noise
from anomaly.domain.layout import Layout
from anomaly.domain.machines import Arrival, Machines
from anomaly.domain.packing import pack
from anomaly.domain.watch import Event, Watch
from anomaly.service.rounds import Rounds
from anomaly.service.watching import Watching
from contracts.asset_model import AssetModel
from contracts.records import Finding
from plumbing.sql import from_us
from plumbing.system_clock import SystemClock
from tests.anomaly.bench import Bench
from tests.anomaly.machines import MODEL, SIGNALS, life
from tests.anomaly.test_live_equals_replay import exact
from tests.anomaly.test_service import plain
from tests.anomaly.test_stack import assert_close


class Hands:
    """Fits that are made when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[Callable[[], Training], Layout, Future[Baseline]]] = []

    def submit(self, training: Callable[[], Training], layout: Layout) -> Future[Baseline]:
        made: Future[Baseline] = Future()
        self.asked.append((training, layout, made))
        return made

    def make_all(self) -> None:
        asked, self.asked = self.asked, []
        for training, layout, made in asked:
            if made.set_running_or_notify_cancel():
                made.set_result(fit_with_noise(training(), layout))


def records() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {"well": life(150, seed=2), "wears": life(150, seed=4, fails_at=145), "later": life(150, seed=6)}


def alone(t_us: np.ndarray, values: np.ndarray) -> tuple[list[Event], Watch]:
    watch = Watch(MODEL)
    return watch.feed(t_us, watch.layout.arrange(SIGNALS, values))[1], watch


def settle(machines: Machines, events: dict[str, list[Event]]) -> None:
    for device in machines.back():
        for outcome in machines.settle(device):
            events[outcome.device] += outcome.events


def test_whenever_a_fit_comes_back_all_come_to_the_same() -> None:
    rows, hands, rng = records(), Hands(), np.random.default_rng(1)
    machines = Machines(MODEL, submit=hands.submit)
    events: dict[str, list[Event]] = {device: [] for device in rows}
    waited, went_on = set(), False
    for at in range(0, 900, 2):
        for outcome in machines.feed(
            [Arrival(d, SIGNALS, t[at : at + 2], v[at : at + 2]) for d, (t, v) in rows.items()]
        ):
            events[outcome.device] += outcome.events
        waiting = {d for d in rows if machines.held(d) is not None}
        went_on |= 0 < len(waiting) < len(rows)
        waited |= waiting
        assert all(machines.newest_us(d) == rows[d][0][at + 1] for d in rows)
        if rng.random() < 0.05:
            hands.make_all()
        settle(machines, events)
    hands.make_all()
    settle(machines, events)
    assert waited == set(rows)
    assert went_on
    for device, (t_us, values) in rows.items():
        theirs, watch = alone(t_us[:900], values[:900])
        assert [exact(e) for e in events[device]] == [exact(e) for e in theirs]
        assert_close(pack(machines.look_at(device).memory), pack(watch.memory))


def test_everybody_waits_where_too_many_rows_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "HELD_ROWS", 20)
    hands, (t_us, values) = Hands(), life(150, seed=2)
    machines = Machines(MODEL, submit=hands.submit)
    at = 0
    while machines.held("pump") is None or len(machines.held("pump") or []) < 20:
        machines.feed([Arrival("pump", SIGNALS, t_us[at : at + 1], values[at : at + 1])])
        at += 1
    threading.Timer(0.2, hands.make_all).start()
    machines.feed([Arrival("pump", SIGNALS, t_us[at : at + 1], values[at : at + 1])])
    assert not hands.asked
    machines.settle("pump")
    assert machines.newest_us("pump") == t_us[at]


ROWS = 4


class SlowBench(Bench):
    """A service whose fits the test makes by hand."""

    def started(self, batch: int = 10, save_seconds: float = 1.0, model: AssetModel = MODEL) -> Rounds:
        self.hands = Hands()
        return Rounds(
            SqlTables(self.database, SystemClock()),
            lambda: Watching(lambda _: model, self.clocks, self.store, submit=self.hands.submit),
            lambda: self.monotonic,
            save_seconds,
            batch,
        )

    def play(self, restarts: dict[int, bool], fits: set[int]) -> list[str]:
        """A life of one machine: restarts after these blocks (True = with a last snapshot), fits made after those."""
        t_us, values = life(150, seed=4, fails_at=145)
        for turn, at in enumerate(range(0, len(t_us), ROWS)):
            self.put("pump", t_us[at : at + ROWS], values[at : at + ROWS], first=at + 1, boot="0123abcd")
            self.run()
            if turn in restarts:
                if restarts[turn]:
                    self.rounds.save()
                self.rounds = self.started()
                self.run()
            if turn in fits:
                self.hands.make_all()
                self.monotonic += 2
                self.run()
        self.hands.make_all()
        self.monotonic += 2
        self.run()
        return sorted(map(repr, plain([r for r in self.said() if r.device == "pump"])))


def test_a_restart_while_machines_wait_loses_nothing_and_tells_nothing_twice(tmp_path: Path) -> None:
    plain, slow = tmp_path / "plain", tmp_path / "slow"
    plain.mkdir()
    slow.mkdir()
    every = set(range(1000))
    expected = SlowBench(plain).play({}, every)
    assert len(expected) > 5
    late = set(range(0, 1000, 9))
    found = SlowBench(slow).play({turn: turn % 8 == 0 for turn in range(20, 190, 4)}, late)
    assert found == expected


def test_work_on_a_machine_that_waits_waits_for_its_fit(tmp_path: Path) -> None:
    bench = SlowBench(tmp_path)
    t_us, values = life(100, seed=4)
    at = 0
    while not bench.hands.asked:
        bench.put("pump", t_us[at : at + 4], values[at : at + 4], first=at + 1, boot="0123abcd")
        bench.run()
        at += 4
    when = from_us(int(t_us[at]))
    bench.tell(Finding(1, "f1", "acme", "pump", "bearing", "c1", "w1", "confirmed", "bearing_wear", "", False, when))
    threading.Timer(0.2, bench.hands.make_all).start()
    bench.run()
    assert not bench.hands.asked
