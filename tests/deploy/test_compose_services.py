"""The services of docker-compose.yml, with its commands and environment, on real servers."""

import json
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from deploy.servers.launch import InfluxDB, PostgreSQL
from plumbing.mqtt import MqttLink
from plumbing.stores.influx import InfluxStore
from plumbing.tls import TlsFiles
from tests.deploy.composed import Composed

pytestmark = pytest.mark.mosquitto
READY_S, LET_IN_S, STORED_S, STOP_S = 60.0, 30.0, 30.0, 10.0


def within(seconds: float, done: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def composed(
    influxdb_server: InfluxDB, postgres_server: PostgreSQL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Composed]:
    influx, url = influxdb_server.fresh_bucket(), postgres_server.create_database()
    made = Composed(tmp_path_factory.mktemp("composed"), url, influx)
    try:
        yield made
    finally:
        made.close()
        postgres_server.drop_database(url)


def test_before_migrate_a_service_refuses_and_says_what_to_run(composed: Composed) -> None:
    words, environ = composed.command("work-orders"), composed.environment("work-orders")
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "run `forewarn migrate`" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_services_run_let_a_new_device_in_store_its_reading_and_stop_cleanly(composed: Composed) -> None:
    for _ in range(2):
        migrated = composed.migrate()
        assert (migrated.returncode, migrated.stderr) == (0, "")
    composed.start()
    assert set(composed.running) == {"mosquitto", "ingest", "anomaly", "work-orders", "api"}
    _becomes_healthy(composed)
    _takes_a_reading(composed)
    stopped = composed.stop(STOP_S)
    assert {name: code for name, (code, _) in stopped.items()} == dict.fromkeys(stopped, 0), stopped
    for name in stopped:
        assert "Traceback" not in composed.log(name), composed.log(name)


def _becomes_healthy(composed: Composed) -> None:
    names = [name for name in composed.running if name != "mosquitto"]
    within(READY_S, lambda: all(composed.answer(name, "/readyz")[0] == 200 for name in names))
    assert {n: composed.answer(n, "/readyz") for n in names} == dict.fromkeys(names, (200, "ok\n"))
    assert composed.broker_answers()
    for name in names:
        assert composed.answer(name, "/healthz")[0] == 200
        assert composed.answer(name, "/metrics")[0] == 200
        assert subprocess.run(composed.check_of(name), timeout=10, check=False).returncode == 0
    for name in ("passwd", "acl", "acl-certificates", "server.key"):
        assert stat.S_IMODE((composed.folder / "broker" / name).stat().st_mode) == 0o600
    assert (composed.folder / "broker" / "data").is_dir()
    link = composed.forewarn("link", "admin")
    assert link.stdout.startswith(f"http://127.0.0.1:{composed.http_port}/"), link


def _takes_a_reading(composed: Composed) -> None:
    """A device that is registered while all runs gets in, once Mosquitto has read its accounts again."""
    added = composed.forewarn("device", "add", "pump-1", "--model", "centrifugal-pump", "--tenant", "acme", "--json")
    assert added.returncode == 0, added.stderr
    device = json.loads(added.stdout)
    assert device["username"] == "acme/pump-1"
    url = f"mqtts://acme%2Fpump-1:{device['password']}@127.0.0.1:{composed.mqtts_port}"
    tls = TlsFiles(str(composed.folder / "home" / "pki" / "ca.crt"))
    connected = threading.Event()
    link = MqttLink(url, "any", subscribe=[], on_connect=connected.set, on_message=lambda message: None, tls=tls)
    link.start()
    try:
        assert connected.wait(LET_IN_S), (link.problem, composed.log("mosquitto"))
        body = (
            b'{"v":1,"boot_id":"0000abcd","seq":1,"samples":[{"t":"2026-01-02T03:04:05Z","values":{"vibration":2.5}}]}'
        )
        assert link.publish(device["topic"], body)
        influx = composed.influx
        store = InfluxStore(influx.url, influx.token, influx.org, influx.bucket)
        try:
            assert within(STORED_S, lambda: len(store.read("acme", "pump-1").t_us) == 1), composed.log("ingest")
            found = store.read("acme", "pump-1")
        finally:
            store.close()
        assert (list(found.signals), found.values.tolist()) == (["vibration"], [[2.5]])
        ledger = composed.forewarn("ledger", "pump-1", "--tenant", "acme", "--json")
        assert json.loads(ledger.stdout)["sums"]["stored"] == 1
    finally:
        link.stop()
