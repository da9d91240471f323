"""`forewarn up` as a process: quick to start, alone on its home, clean to stop, whole after a crash."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from forewarn.__main__ import main
from forewarn.commands.up import warning
from plumbing.mqtt import MqttLink

FOREWARN = (sys.executable, "-m", "forewarn")
UP = ("up", "--no-host", "--http-port", "0", "--mqtt-port", "0")
OPEN = "opens the broker and the pages to your network without encryption"
READY_WITHIN_S, STARTS_S, STOPS_S = 5.0, 30.0, 15.0
HEAVY = (
    "pandas", "scipy", "sklearn", "statsmodels", "matplotlib", "pint", "lightgbm", "pyarrow", "polars",
    "influxdb_client",
    "psycopg", "psutil", "pytest", "hypothesis",
)  # fmt: skip
"""What `up` must not load to start: analysis, other stores, the agent's drivers. (`--no-host` needs no psutil.)"""


def environ() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("FOREWARN_")}


def forewarn(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command beside the running product; in this process, since starting one takes longer than what it does."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*words, "--data-dir", str(home)])
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def second_up(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Another `forewarn up` on the same home."""
    return subprocess.run(
        [*FOREWARN, *UP, *words, "--data-dir", str(home)], env=environ(), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@dataclass
class Up:
    """A running `forewarn up`, ready."""

    home: Path
    process: subprocess.Popen[bytes]
    ready_after: float
    processor_s: float
    run: dict[str, Any]

    def get(self, path: str) -> Any:
        request = urllib.request.Request(
            self.run["http"] + path, headers={"Authorization": f"Bearer {self.run['api_key']}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def readings(self, device: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/api/v1/devices/local/{device}/readings")["items"]
        return found

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOPS_S)


def up(home: Path, *words: str) -> Up:
    """Start it and wait until /readyz says 200; `ready_after` counts from the start of the process."""
    with (home.parent / f"{home.name}.log").open("ab") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            [*FOREWARN, *UP, *words, "--data-dir", str(home)], env=environ(), stdin=subprocess.DEVNULL, stdout=log,
            stderr=log,
        )  # fmt: skip
    while time.monotonic() - began < STARTS_S and process.poll() is None:
        try:
            run = json.loads((home / "run.json").read_text())
            if run["pid"] == process.pid:
                urllib.request.urlopen(run["http"] + "/readyz", timeout=4).close()
                used = psutil.Process(process.pid).cpu_times()
                return Up(home, process, time.monotonic() - began, used.user + used.system, run)
        except (FileNotFoundError, urllib.error.URLError):
            pass  # not yet
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise AssertionError((home.parent / f"{home.name}.log").read_text())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    product = up(tmp_path_factory.mktemp("up") / "home")
    yield product
    product.process.kill()
    product.process.wait()


def csv(folder: Path, rows: int) -> Path:
    path = folder / f"{rows}.csv"
    lines = [f"2026-01-01T{n // 60:02}:{n % 60:02}:00Z,{2 + n % 7 / 10}" for n in range(rows)]
    path.write_text("\n".join(["time,vibration", *lines]) + "\n")
    return path


def test_it_is_ready_within_five_seconds(running: Up, tmp_path: Path) -> None:
    """One more try: other programs may have had the processor. If they have it still, its own share of it counts."""
    found = running
    if found.ready_after >= READY_WITHIN_S:
        found = up(tmp_path / "home")
        assert found.end() == 0
    assert found.processor_s < READY_WITHIN_S
    if os.getloadavg()[0] <= (os.cpu_count() or 1):
        assert found.ready_after < READY_WITHIN_S


def test_what_a_start_need_not_load_is_not_loaded(tmp_path: Path) -> None:
    code = f"""
import json, os, signal, sys, threading, time, urllib.request
from pathlib import Path
def look():
    run = Path(sys.argv[-1]) / "run.json"
    while not run.exists():
        time.sleep(0.02)
    urllib.request.urlopen(json.loads(run.read_text())["http"] + "/readyz").close()
    print("LOADED", json.dumps([n for n in {HEAVY!r} if n in sys.modules]), flush=True)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=look, daemon=True).start()
from forewarn.__main__ import main
sys.exit(main())
"""
    words = [sys.executable, "-c", code, *UP, "--data-dir", str(tmp_path / "home")]
    done = subprocess.run(words, env=environ(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = re.search(r"^LOADED (.*)$", done.stdout, re.MULTILINE)
    assert found is not None
    assert json.loads(found[1]) == []


def test_the_file_that_names_a_running_product_is_its_owners_alone(running: Up) -> None:
    assert stat.S_IMODE((running.home / "run.json").stat().st_mode) == 0o600
    assert running.run["http"].startswith("http://127.0.0.1:")
    assert running.run["mqtt"].startswith("mqtt://127.0.0.1:")
    assert set(running.run["links"]) == {"customer", "technician", "dispatcher", "engineer", "admin"}


def test_a_second_one_on_the_same_home_is_refused_and_told_who_has_it(running: Up) -> None:
    second = second_up(running.home)
    assert second.returncode == 1
    assert f"process {running.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    fresh = second_up(running.home, "--fresh")
    assert fresh.returncode == 1
    assert "stop it before --fresh" in fresh.stderr
    assert running.get("/readyz")["status"] == "ready"


def test_history_is_imported_while_the_product_runs_and_repeats_change_nothing(running: Up, tmp_path: Path) -> None:
    assert forewarn(running.home, "device", "add", "pump-1", "--model", "centrifugal-pump").returncode == 0
    for words in ("120 stored, 0 were there before", "0 stored, 120 were there before"):
        done = forewarn(running.home, "import", str(csv(tmp_path, 120)), "--device", "pump-1")
        assert done.returncode == 0, done.stderr
        assert words in done.stdout
    assert len(running.readings("pump-1")) == 120
    unknown = forewarn(running.home, "import", str(csv(tmp_path, 3)), "--device", "nobody")
    assert unknown.returncode == 2
    assert "nobody" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_a_running_product_answers_the_commands_that_look_at_it(running: Up) -> None:
    status = forewarn(running.home, "status")
    assert status.returncode == 0
    assert "all well" in status.stdout
    told = json.loads(forewarn(running.home, "status", "--json").stdout)
    assert (told["pid"], told["ready"]) == (running.process.pid, "")
    doctor = forewarn(running.home, "doctor")
    assert (doctor.returncode, "BAD" in doctor.stdout) == (0, False)
    assert f"process {running.process.pid}" in doctor.stdout
    link = forewarn(running.home, "link", "engineer").stdout.strip()
    with urllib.request.urlopen(urllib.request.Request(link, headers={"Accept": "text/html"}), timeout=10) as page:
        assert page.status == 200
    assert forewarn(running.home, "audit", "verify").returncode == 0


def test_ctrl_c_ends_it_cleanly_and_history_is_imported_without_it(tmp_path: Path) -> None:
    product = up(tmp_path / "home")
    assert product.end() == 0
    log = (tmp_path / "home.log").read_text()
    assert "Traceback" not in log, log
    assert OPEN not in log
    assert not (product.home / "run.json").exists()
    assert forewarn(product.home, "status").returncode == 1
    assert forewarn(product.home, "device", "add", "pump-2", "--model", "centrifugal-pump").returncode == 0
    done = forewarn(product.home, "import", str(csv(tmp_path, 60)), "--device", "pump-2")
    assert done.returncode == 0, done.stderr
    assert "60 stored" in done.stdout
    ledger = json.loads(forewarn(product.home, "ledger", "pump-2", "--json").stdout)
    assert ledger["history"]["stored"] == 60


def test_after_kill_9_it_starts_again_with_all_that_was_settled(tmp_path: Path) -> None:
    first = up(tmp_path / "home")
    added = forewarn(first.home, "device", "add", "pump-3", "--model", "centrifugal-pump", "--json")
    device = json.loads(added.stdout)
    settled = threading.Event()
    link = MqttLink(
        device["mqtt"], "any", subscribe=[device["topic"].replace("telemetry", "stored")],
        on_connect=lambda: None, on_message=lambda message: settled.set(),
    )  # fmt: skip
    link.start()
    try:
        deadline = time.monotonic() + 10
        while not link.connected and time.monotonic() < deadline:
            time.sleep(0.05)
        body = (
            b'{"v":1,"boot_id":"0000abcd","seq":1,"samples":[{"t":"2026-01-02T03:04:05Z","values":{"vibration":2.5}}]}'
        )
        assert link.publish(device["topic"], body), link.problem
        assert settled.wait(10)
    finally:
        link.stop()
    first.process.kill()
    first.process.wait()
    assert (first.home / "run.json").exists()
    assert forewarn(first.home, "status").returncode == 1
    second = up(first.home)
    try:
        assert second.readings("pump-3") == [{"t": "2026-01-02T03:04:05Z", "values": {"vibration": 2.5}}]
        assert second.run["links"] != first.run["links"]
    finally:
        assert second.end() == 0


def test_listening_to_the_network_is_said_aloud_and_works_here(tmp_path: Path) -> None:
    product = up(tmp_path / "home", "--listen", "0.0.0.0")
    try:
        assert product.run["http"].startswith("http://127.0.0.1:")
        assert OPEN in (tmp_path / "home.log").read_text()
    finally:
        assert product.end() == 0


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_whoever_opens_it_to_the_network_is_warned(address: str) -> None:
    assert OPEN in warning(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_this_computer_is_no_network(address: str) -> None:
    assert warning(address) == ""


def test_a_service_whose_port_is_taken_says_so_and_ends(tmp_path: Path) -> None:
    assert forewarn(tmp_path, "migrate").returncode == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [*FOREWARN, "run", "api", "--http-port", port, "--data-dir", str(tmp_path)], env=environ(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert f"127.0.0.1:{port}" in ended.stderr
