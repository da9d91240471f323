"""Fits in a child process: the same baselines, whatever becomes of the child, and none left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from anomaly.adapters.fitting import FitWorker
from anomaly.domain.baseline import Training
from anomaly.domain.baseline_fit import fit_with_noise
from anomaly.domain.layout import layout_of
from anomaly.domain.packing import pack
from anomaly.domain.watch import Watch
from anomaly.queries.states import asset_state
from anomaly.service import tables
from plumbing.sql import from_us
from tests.anomaly.bench import Bench
from tests.anomaly.machines import MODEL, SIGNALS, life

LAYOUT = layout_of(MODEL)


def training(hours: float = 60) -> Training:
    made = Watch(MODEL)
    t_us, values = life(hours)
    for at in range(0, len(t_us), 20):
        made.detector.feed(t_us[at : at + 20], LAYOUT.arrange(SIGNALS, values[at : at + 20]))
    return made.detector.training()


@pytest.fixture
def worker() -> Iterator[FitWorker]:
    made = FitWorker()
    yield made
    made.close()


def test_a_fit_elsewhere_is_the_fit_here(worker: FitWorker) -> None:
    assert worker.pid is None
    assert pack(worker(training(), LAYOUT)) == pack(fit_with_noise(training(), LAYOUT))
    first = worker.pid
    worker(training(), LAYOUT)
    assert worker.pid == first


def test_a_child_that_was_killed_is_replaced_and_its_job_done_again(worker: FitWorker) -> None:
    expected = pack(fit_with_noise(training(), LAYOUT))
    worker(training(), LAYOUT)
    for _ in range(2):
        pid = worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert pack(worker(training(), LAYOUT)) == expected
        assert worker.pid != pid


def test_a_child_killed_in_the_middle_of_a_job_is_replaced(worker: FitWorker) -> None:
    rows = training(100)
    worker(training(), LAYOUT)
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    assert pack(worker(rows, LAYOUT)) == pack(fit_with_noise(rows, LAYOUT))


def test_closing_ends_the_child(worker: FitWorker) -> None:
    worker(training(), LAYOUT)
    pid = worker.pid
    assert pid is not None
    worker.close()
    assert worker.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_ends_with_a_parent_that_was_killed() -> None:
    program = (
        "import sys, time; from tests.anomaly.test_fitting import *; worker = FitWorker(); worker(training(), LAYOUT);"
        "print(worker.pid, flush=True); time.sleep(60)"
    )
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 30
    while time.monotonic() < until and alive(pid):
        time.sleep(0.05)
    assert not alive(pid)


def alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_snapshot_of_another_version_is_learned_again_from_the_store(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    t_us, values = life(100)
    bench.put("pump", t_us[:500], values[:500], first=1, boot="0123abcd")
    bench.run()
    bench.rounds.save()
    old = msgspec.msgpack.encode(["l", ["c", "Memory", {"shape": "of old"}], None, None])
    with bench.database.write() as connection:
        connection.execute(sa.update(tables.states).values(memory=old))
    bench.store.rows["pump"] = (t_us[:500], values[:500])
    bench.rounds = bench.started()
    bench.put("pump", t_us[500:], values[500:], first=501, boot="0123abcd")
    bench.run()
    bench.monotonic += 11
    bench.run()
    bench.rounds.save()
    state = asset_state(bench.database, "acme", "pump")
    assert state is not None
    assert state.learned
    assert state.measured_at == from_us(int(t_us[-1]))
