"""Real programs of others against the foreign listener and ingest: what they send is stored, with nothing changed."""

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from deploy.servers.foreign_programs import folder_of, path_of
from ingest.domain.account import UNSEQUENCED
from ingest.service.access import Access
from ingest.service.foreign import Fleets, FromStation
from ingest.service.foreign_names import speak_influx, speak_sparkplug, speak_thingsboard, stand_behind
from ingest.service.registry import find_device, new_secret
from plumbing.foreign_listener import ForeignListener
from plumbing.mqtt import Incoming
from plumbing.sql import to_us
from plumbing.system_clock import SystemClock
from tests.ingest.conftest import HandClock, World
from tests.ingest.foreign.conftest import TOKEN

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE_S = 100.0
NO_INTERNET = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
"""The gateway asks for its updates otherwise."""


class LiveClock(HandClock):
    """The machine's clock: programs of others have no other."""

    def now(self) -> datetime:
        return SystemClock().now()

    def monotonic(self) -> float:
        return SystemClock().monotonic()


@dataclass
class Fleet:
    """A listener, ingest in a thread, a Sparkplug node `gate` and a ThingsBoard gateway `tb` with a pump each."""

    world: World
    port: int
    t: int
    """Epoch milliseconds, a minute ago."""
    secret: str
    refused: list[tuple[str, str]] = field(default_factory=list)

    def run(self, *command: str | Path | int) -> str:
        """A program, to its end."""
        done = subprocess.run(
            [str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def values(self, device: str) -> dict[tuple[int, str], float]:
        """What is stored of a device: (milliseconds after t, signal) -> value."""
        points = dict(self.world.store.points)
        return {(us // 1000 - self.t, s): v for (_, d, us, s), v in points.items() if d == device}


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:
    system = SystemClock()
    world.clock = LiveClock()
    world.fresh()
    for name in ("gate", "tb", "pump-2"):
        world.device(name)
    now = system.now()
    secret = new_secret(world.database, "acme", "gate", now=now).password
    speak_sparkplug(world.database, "acme", "gate", "Plant 1/Line 4", now=now)
    stand_behind(world.database, "acme", "pump-1", "gate", "Pump", signals={"Motor/Temp": "temp"}, now=now)
    speak_thingsboard(world.database, "acme", "tb", token=TOKEN, now=now)
    stand_behind(world.database, "acme", "pump-2", "tb", "Device A", now=now)
    refused: list[tuple[str, str]] = []
    fleets = Fleets(
        world.database, system, verify=Access(world.database, system).verify,
        refused=lambda user, topic: refused.append((user, topic)),
    )  # fmt: skip
    waiting: queue.SimpleQueue[Incoming | None] = queue.SimpleQueue()

    def put(message: FromStation) -> bool:
        waiting.put(message)
        return True

    def take() -> None:
        while (message := waiting.get()) is not None:
            block, done = fleets.translate([message])
            world.intake.take(block)
            for each in done:
                each()

    fleets.attach(put)
    listener = ForeignListener("127.0.0.1", 0, fleets)
    fleets.answer_by(listener.send)
    listener.start()
    writer = threading.Thread(target=take)
    writer.start()
    yield Fleet(world, listener.port, to_us(now) // 1000 - 60_000, secret, refused)
    listener.stop()
    waiting.put(None)
    writer.join()


def until(what: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def offline(world: World, device: str) -> bool:
    """Whether it said that it went."""
    found = find_device(world.database, "acme", device)
    return found is not None and found.online is False


@pytest.mark.sparkplug_python
def test_pysparkplug(fleet: Fleet) -> None:
    python = path_of("sparkplug-python")
    fleet.run(python, PROGRAMS / "pysparkplug_node.txt", fleet.port, "acme/gate", fleet.secret, fleet.t)
    until(lambda: (1, "rpm") in fleet.values("gate"))
    assert fleet.values("gate") == {(0, "rpm"): 1500.0, (1, "rpm"): 1600.0}
    assert fleet.values("pump-1") == {
        (0, "temp"): 20.5, (0, "rpm"): 9.0, (1, "temp"): 21.5, (1, "rpm"): 8.0,
    }  # fmt: skip
    assert fleet.world.refusals() == [("samples[0].values.name", "unknown_signal")]
    assert fleet.refused == []


@pytest.mark.sparkplug_python
def test_mqtt_spb_wrapper(fleet: Fleet) -> None:
    python = path_of("sparkplug-python")
    fleet.run(python, PROGRAMS / "spb_wrapper_device.txt", fleet.port, "acme/gate", fleet.secret, fleet.t)
    until(lambda: (1, "temp") in fleet.values("gate"))
    assert fleet.values("gate") == {(0, "rpm"): 1500.0, (1, "rpm"): 1600.0, (1, "temp"): -7.0}
    until(lambda: offline(fleet.world, "gate"))
    assert fleet.refused == []


@pytest.mark.foreign_node
def test_the_npm_sparkplug_client(fleet: Fleet) -> None:
    """It tells a DataSet, compressed data, an alias that was never named, and obeys the call for its births."""
    said = fleet.run(
        path_of("foreign-node"), PROGRAMS / "sparkplug_client.js", folder_of("foreign-node"), fleet.port, "acme/gate",
        fleet.secret, fleet.t,
    )  # fmt: skip
    assert said == "reborn\n"
    assert fleet.values("gate") == {(0, "rpm"): 1500.0}
    assert fleet.values("pump-1") == {
        (0, "temp"): 20.5, (0, "rpm"): 900.0, (1, "temp"): 21.5, (1, "rpm"): 800.0,
    }  # fmt: skip
    assert ("samples[0].values.metrics[0]", "malformed") in fleet.world.refusals()
    assert ("samples[0].values.table", "unknown_signal") in fleet.world.refusals()


@pytest.mark.foreign_node
def test_mqtt_js_in_both_versions_of_mqtt(fleet: Fleet) -> None:
    said = fleet.run(
        path_of("foreign-node"), PROGRAMS / "mqtt_js.js", folder_of("foreign-node"), fleet.port, TOKEN, fleet.t
    )
    assert fleet.values("tb") == {(4, "temp"): 24.0, (4, "rpm"): 1000.0, (5, "temp"): 25.0, (5, "rpm"): 1000.0}
    assert said.count('{"client": {"make": "Acme"}, "shared": {}}') == 2


@pytest.mark.mosquitto
@pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mosquitto_pub(fleet: Fleet, version: str, qos: int) -> None:
    body = json.dumps({"ts": fleet.t, "values": {"temp": 21.5}})
    fleet.run("mosquitto_pub", "-h", "127.0.0.1", "-p", fleet.port, "-V", version, "-u", TOKEN, "-q", qos,
              "-t", "v1/devices/me/telemetry", "-m", body)  # fmt: skip
    until(lambda: fleet.values("tb") == {(0, "temp"): 21.5})


@pytest.mark.mosquitto
def test_mosquitto_pub_with_influx_lines(fleet: Fleet, tmp_path: Path) -> None:
    now, lines = SystemClock().now(), tmp_path / "lines"
    fleet.world.device("hall")
    fleet.world.device("fan-1")
    secret = new_secret(fleet.world.database, "acme", "hall", now=now).password
    table = {"motor/temp": "temp", "motor/rpm": "rpm", "*": ""}
    speak_influx(fleet.world.database, "acme", "hall", signals=table, now=now)
    stand_behind(fleet.world.database, "acme", "fan-1", "hall", "Fan 1", signals=table, now=now)
    time.sleep(1.1)  # the registry is looked at once a second
    at = fleet.t * 1_000_000
    lines.write_text(
        f'motor,host=pi temp=21.5,rpm=1500i,state="on" {at}\n'
        f"motor,host=pi temp=22.5 {at + 1_000_000}\n"
        f"motor,device=Fan\\ 1,host=pi temp=30 {at}\n"
    )
    fleet.run("mosquitto_pub", "-h", "127.0.0.1", "-p", fleet.port, "-V", "mqttv5", "-u", "acme/hall", "-P", secret,
              "-q", 1, "-t", "influx/pi/motor", "-f", lines)  # fmt: skip
    until(lambda: fleet.values("fan-1") == {(0, "temp"): 30.0})
    assert fleet.values("hall") == {(0, "temp"): 21.5, (0, "rpm"): 1500.0, (1, "temp"): 22.5}
    assert fleet.world.page() == []
    done = subprocess.run(
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(fleet.port), "-V", "mqttv5", "-u", "acme/hall", "-P", secret,
         "-q", "1", "-t", "influxes", "-m", "m f=1"], capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert "not authori" in (done.stdout + done.stderr).lower()
    assert ("acme/hall", "influxes") in fleet.refused
    found = find_device(fleet.world.database, "acme", "fan-1")
    assert found is not None
    assert found.online, "it went in good order, and may come again"


@pytest.mark.mosquitto
def test_mosquitto_pub_with_a_wrong_token_is_turned_away(fleet: Fleet) -> None:
    done = subprocess.run(
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(fleet.port), "-u", "A1_TEST_TOKEM", "-q", "1",
         "-t", "v1/devices/me/telemetry", "-m", "{}"], capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "not authori" in done.stderr.lower()


@pytest.mark.thingsboard_gateway
def test_tb_mqtt_client(fleet: Fleet) -> None:
    fleet.run(path_of("thingsboard-gateway"), PROGRAMS / "tb_client.txt", fleet.port, TOKEN, fleet.t)
    assert fleet.values("tb") == {(0, "temp"): 1.5, (0, "rpm"): 700.0}
    assert fleet.values("pump-2") == {(0, "temp"): 2.5, (1, "temp"): 3.5}
    assert [q.reason for q in fleet.world.page()] == ["unknown_device"]
    until(lambda: offline(fleet.world, "pump-2"))


@pytest.mark.thingsboard_gateway
def test_thingsboard_gateway_fed_by_a_modbus_simulator(fleet: Fleet, tmp_path: Path) -> None:
    from tests.ingest.foreign.gateway_files import free_port, write_gateway

    python, modbus = path_of("thingsboard-gateway"), free_port()
    folder = write_gateway(tmp_path, fleet.port, TOKEN, modbus)
    simulator = subprocess.Popen([python, PROGRAMS / "modbus_simulator.txt", str(modbus)], stdin=subprocess.DEVNULL)
    log = (tmp_path / "gateway.log").open("w")
    gateway = subprocess.Popen(
        [python, "-c", "from thingsboard_gateway.tb_gateway import main; main()"], cwd=tmp_path, stdout=log,
        stderr=log, stdin=subprocess.DEVNULL,
        env={"TB_GW_CONFIG_DIR": str(folder), "PATH": "/usr/bin:/bin", **NO_INTERNET},
    )  # fmt: skip
    try:
        until(lambda: len(fleet.values("pump-2")) >= 4)
    finally:
        for process in (gateway, simulator):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        log.close()
    found = fleet.values("pump-2")
    assert {(signal, value) for (_, signal), value in found.items()} == {("temp", 21.5), ("rpm", 1480.0)}
    assert fleet.world.entry(UNSEQUENCED, "pump-2").quarantined == 0
