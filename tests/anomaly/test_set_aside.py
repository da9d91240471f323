"""A machine whose rows the program fails on is set aside; others notice nothing, and later it misses nothing."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError

from anomaly.adapters import sql
from anomaly.adapters.sql import SqlTables
from anomaly.domain import ticking
from anomaly.domain.baseline import Baseline, Training
from anomaly.domain.baseline_fit import fit_with_noise
from anomaly.domain.layout import Array, Layout, layout_of
from anomaly.domain.slots import Ints, Slots
from anomaly.domain.ticking import Emitted
from anomaly.domain.watch import Event, Watch
from anomaly.queries.states import asset_state
from anomaly.service import tables as t
from anomaly.service.isolating import Isolation
from anomaly.service.port import Loaded, Results, Trouble
from anomaly.service.rounds import Rounds
from anomaly.service.watching import Watching
from anomaly.training.lives import devices_of
from contracts.asset_model import AssetModel
from contracts.points import Block, DeviceRows, encode_block
from contracts.records import BLOCKS, Alarm, Finding, Shelve
from plumbing import log, metrics
from plumbing.sql import from_us
from plumbing.system_clock import SystemClock
from tests.anomaly.bench import FAILS_AT, HOUR, WALL, Bench
from tests.anomaly.machines import MODEL, SIGNALS, life
from tests.anomaly.test_service import plain

PUMPS = {"good": 1, "bad": 4, "well": 2}
LONG, BAD_ROW, MENDED, END = 1236, 1310, 1692, 1740
RECORDS = {device: life(290, seed, None if device == "well" else FAILS_AT) for device, seed in PUMPS.items()}


def put(bench: Bench, begin: int, end: int, devices: Sequence[str] = tuple(PUMPS)) -> None:
    rows = []
    for device in devices:
        t_us, values = (x[begin:end] for x in RECORDS[device])
        seq = list(range(begin + 1, end + 1))
        rows.append(DeviceRows("acme", device, MODEL.name, "0123abcd", SIGNALS, seq, t_us.tolist(), values.tolist(), 0))
    bench.clocks.clock.at = max(bench.clocks.clock.at, from_us(max(r.t_us[-1] for r in rows) + 1))
    with bench.database.write() as connection:
        log.append(connection, "acme", BLOCKS, "", encode_block(Block(1, "acme", rows)), WALL)


def feed(bench: Bench, begin: int, end: int, size: int = 12) -> None:
    for at in range(begin, end, size):
        put(bench, at, min(at + size, end))
        bench.monotonic += 0.3
        bench.run()


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of machines that have learned what is usual."""
    folder = tmp_path_factory.mktemp("learned")
    bench = Bench(folder)
    feed(bench, 0, LONG, 206)
    bench.rounds.save()
    bench.database.close()
    return folder


def of(learned: Path, folder: Path) -> Bench:
    shutil.copytree(learned, folder)
    bench = Bench(folder)
    bench.store.rows = dict(RECORDS)
    return bench


def what_came(bench: Bench, device: str) -> list[object]:
    """All that was told of a machine, and its chart."""
    bench.monotonic += 40
    bench.run()
    bench.rounds.save()
    with bench.database.read() as connection:
        p = t.points.c
        points = connection.execute(sa.select(p.at, p.health, p.score).where(p.device == device).order_by(p.at)).all()
    told = [e.diff["id"] for e in bench.told() if e.diff["asset"] == device and e.action in ("alarm", "prediction")]
    chart = [(at, round(health, 6), round(score, 6)) for at, health, score in points]
    return [plain([r for r in bench.said() if r.device == device]), told, chart]


@pytest.fixture(scope="module")
def undisturbed(learned: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    bench = of(learned, tmp_path_factory.mktemp("plain") / "x")
    feed(bench, LONG, END)
    return {device: what_came(bench, device) for device in PUMPS}


class Fault:
    """A program that fails on one row of one machine, after it has changed what it holds of all in the block."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patches, row = monkeypatch, RECORDS["bad"][1][BAD_ROW : BAD_ROW + 1]
        self._row = layout_of(MODEL).arrange(SIGNALS, row)

    def begin(self) -> None:
        follow, watched = ticking.follow, Watch.feed

        def follow_and_fail(slots: Slots, which: Ints, t_us: Ints, values: Array) -> Emitted:
            done = follow(slots, which, t_us, values)
            self._fail(values)
            return done

        def watch_and_fail(watch: Watch, t_us: Ints, values: Array) -> tuple[object, list[Event]]:
            done = watched(watch, t_us, values)
            self._fail(values)
            return done

        self._patches.setattr(ticking, "follow", follow_and_fail)
        self._patches.setattr(Watch, "feed", watch_and_fail)

    def end(self) -> None:
        self._patches.undo()

    def _fail(self, values: Array) -> None:
        if (np.isclose(values, self._row, atol=1e-12).all(1)).any():
            raise ZeroDivisionError("no such bearing")


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Fault:
    return Fault(monkeypatch)


def aside(bench: Bench) -> list[str]:
    with bench.database.read() as connection:
        return list(connection.execute(sa.select(t.troubles.c.device)).scalars())


@pytest.mark.parametrize("restarts", [False, True])
def test_one_bad_machine_delays_nobody_and_misses_nothing_when_it_is_mended(
    learned: Path, tmp_path: Path, fault: Fault, undisturbed: dict[str, list[object]], restarts: bool
) -> None:
    bench = of(learned, tmp_path / "x")
    fault.begin()
    feed(bench, LONG, MENDED)
    assert aside(bench) == ["bad"]
    assert {r.device for r in bench.said() if isinstance(r, Alarm)} == {"good"}
    state = asset_state(bench.database, "acme", "bad")
    assert state is not None
    assert (state.state, state.health, state.score) == ("set aside", None, None)
    assert "cannot be judged" in state.note
    (entry,) = [e for e in bench.told() if e.action == "machine_set_aside"]
    assert (entry.diff["asset"], entry.diff["error"]) == ("bad", "ZeroDivisionError: no such bearing")
    assert b"forewarn_anomaly_machines_set_aside 1.0" in metrics.text()
    if restarts:
        bench.rounds = bench.started()
        feed(bench, MENDED, MENDED + 12)
        assert aside(bench) == ["bad"]
        assert len([e for e in bench.told() if e.action == "machine_set_aside"]) == 1
        fault.end()
        bench.rounds = bench.started()
    fault.end()
    feed(bench, MENDED + 12 if restarts else MENDED, END)
    found = {device: what_came(bench, device) for device in PUMPS}
    assert found == undisturbed
    assert aside(bench) == []
    assert any(isinstance(r, Alarm) and r.device == "bad" for r in bench.said())
    assert [e.action for e in bench.told()].count("machine_back") == 1
    assert b"forewarn_anomaly_machines_set_aside 0.0" in metrics.text()


def test_a_machine_whose_results_cannot_be_written_is_set_aside_too(
    learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, list[object]]
) -> None:
    keep = sql._keep_alarm

    def fail(connection: sa.Connection, alarm: Alarm, history: bool) -> None:
        keep(connection, alarm, history)
        if alarm.device == "bad":
            raise DataError("insert", None, ValueError("a string cannot contain NUL \0"))

    bench = of(learned, tmp_path / "x")
    monkeypatch.setattr(sql, "_keep_alarm", fail)
    feed(bench, LONG, MENDED)
    assert aside(bench) == ["bad"]
    assert {r.device for r in bench.said() if isinstance(r, Alarm)} == {"good"}
    monkeypatch.undo()
    feed(bench, MENDED, END)
    assert {device: what_came(bench, device) for device in PUMPS} == undisturbed
    assert aside(bench) == []


def test_what_work_orders_tell_of_a_machine_set_aside_waits_for_its_rows(
    learned: Path, tmp_path: Path, fault: Fault
) -> None:
    bench = of(learned, tmp_path / "x")
    fault.begin()
    feed(bench, LONG, LONG + 120)
    at = from_us(int(RECORDS["bad"][0][LONG + 119]))
    bench.tell(Shelve(1, "acme", "bad", "work", at, at + 40 * HOUR))
    bench.tell(Finding(1, "f1", "acme", "bad", "bearing", "c1", "w1", "false", "wear", "", False, at))
    bench.run()
    with bench.database.read() as connection:
        assert connection.execute(sa.select(t.labels.c.finding_id)).scalars().all() == ["f1"]
    assert not [r for r in bench.said() if isinstance(r, Alarm)]
    bench.rounds = bench.started()
    fault.end()
    bench.run()
    assert aside(bench) == []
    assert [r.change for r in bench.said() if isinstance(r, Alarm) and r.device == "bad"] == ["shelved"]
    state = asset_state(bench.database, "acme", "bad")
    assert state is not None
    assert (state.measured_at, state.shelved_until) == (at, at + 40 * HOUR)


class BrokenFit(Bench):
    """A service whose fits of one machine fail until they are mended."""

    tried: list[float]
    mended = False

    def started(self, batch: int = 10, save_seconds: float = 1.0, model: AssetModel = MODEL) -> Rounds:
        self.tried, mine = [], RECORDS["bad"][1][:240, SIGNALS.index("temperature")].round(9)

        def fit(training: Training, layout: Layout) -> Baseline:
            if np.isin(training.symptoms.round(9), mine).any() and not self.mended:
                self.tried.append(self.monotonic)
                raise np.linalg.LinAlgError("singular matrix")
            return fit_with_noise(training, layout)

        return Rounds(
            SqlTables(self.database, SystemClock()),
            lambda: Watching(lambda _: model, self.clocks, self.store, fitter=fit),
            lambda: self.monotonic,
            save_seconds,
            batch,
        )


def test_a_machine_whose_fit_fails_is_tried_again_more_and_more_seldom(tmp_path: Path) -> None:
    bench = BrokenFit(tmp_path)
    bench.store.rows = dict(RECORDS)
    feed(bench, 0, 240)
    assert aside(bench) == ["bad"]
    for _ in range(100):
        bench.monotonic += 5
        bench.run()
    waits = np.diff(bench.tried[1:])
    assert waits.tolist() == sorted(waits)
    assert waits[-1] > 100
    assert len(waits) < 8
    state = asset_state(bench.database, "acme", "good")
    assert state is not None
    assert state.learned
    bench.mended = True
    bench.monotonic += 1000
    bench.run()
    assert aside(bench) == []
    state = asset_state(bench.database, "acme", "bad")
    assert state is not None
    assert state.learned


def test_a_damaged_snapshot_is_made_anew_from_the_machines_history(
    learned: Path, tmp_path: Path, undisturbed: dict[str, list[object]]
) -> None:
    bench = of(learned, tmp_path / "x")
    with bench.database.write() as connection:
        broken = t.states.update().where(t.states.c.device == "bad")
        connection.execute(broken.values(memory=b"\x93\xc1", picture="{"))
    state = asset_state(bench.database, "acme", "bad")
    assert state is not None
    assert "made anew" in state.note
    assert [device for device, _ in devices_of(bench.database, "acme", MODEL.name)] == ["good", "well"]
    bench.rounds = bench.started()
    feed(bench, LONG, END)
    assert aside(bench) == []
    assert what_came(bench, "good") == undisturbed["good"]
    bad = [[r.id for r in bench.said() if isinstance(r, Alarm) and r.device == device] for device in ("bad", "good")]
    assert [len(ids) for ids in bad] == [1, 1]
    assert bad[0][0] in str(undisturbed["bad"][0])


def test_a_machine_that_failed_comes_back_with_a_damaged_snapshot(learned: Path, tmp_path: Path, fault: Fault) -> None:
    bench = of(learned, tmp_path / "x")
    with bench.database.write() as connection:
        broken = t.states.update().where(t.states.c.device == "bad")
        connection.execute(broken.values(memory=b"\x93\xc1", picture="{"))
    bench.rounds = bench.started()
    fault.begin()
    feed(bench, BAD_ROW, BAD_ROW + 12)
    assert aside(bench) == ["bad"]
    fault.end()
    bench.monotonic += 100
    bench.run()
    assert aside(bench) == []
    state = asset_state(bench.database, "acme", "bad")
    assert state is not None
    assert state.learned


def test_tries_of_many_machines_that_fail_leave_the_others_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, took = Bench(tmp_path), 0.0
    watching = Watching(lambda _: MODEL, bench.clocks, bench.store)
    machines = Isolation(watching, SqlTables(bench.database, SystemClock()), lambda: bench.monotonic)

    def fail(*_: object) -> None:
        nonlocal took
        bench.monotonic, took = bench.monotonic + 3, took + 3
        raise ZeroDivisionError

    monkeypatch.setattr(Isolation, "_again", fail)
    troubles = [Trouble("acme", f"p{i}", MODEL.name, WALL, "", 0, -1, 0, -1, "", 0, []) for i in range(200)]
    machines.begin(Loaded([], troubles, 0, 0, 0))
    began = bench.monotonic
    while bench.monotonic < began + 3600:
        assert not machines.retry(Results())
        bench.monotonic += 1
    assert 0.03 < took / (bench.monotonic - began) < 0.06


def test_blocks_that_fail_as_a_whole_are_not_all_taken_again_for_each(
    learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, list[object]]
) -> None:
    bench = of(learned, tmp_path / "x")
    bench.rounds = bench.started(save_seconds=1000)
    follow, taken = ticking.follow, Isolation._take_alone
    again: list[bool] = []

    def not_together(slots: Slots, which: Ints, t_us: Ints, values: Array) -> Emitted:
        if len(which) > 1:
            raise IndexError("shapes do not fit")
        return follow(slots, which, t_us, values)

    def counted(
        machines: Isolation, block: Block, results: Results, newest: bool, anew: Results | None, silent: bool
    ) -> None:
        again.append(silent)
        taken(machines, block, results, newest, anew, silent)

    monkeypatch.setattr(ticking, "follow", not_together)
    monkeypatch.setattr(Isolation, "_take_alone", counted)
    feed(bench, LONG, LONG + 240)
    assert len(again) > 30
    assert sum(again) < len(again) / 4
    monkeypatch.undo()
    feed(bench, LONG + 240, END)
    assert aside(bench) == []
    assert what_came(bench, "bad") == undisturbed["bad"]
