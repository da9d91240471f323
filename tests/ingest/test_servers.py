"""The running service on real servers and on the embedded ones; access rules on both brokers by one suite."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts import topics, wire
from contracts.asset_model import AssetModel
from contracts.points import TelemetryStore
from deploy.servers.launch import InfluxAccess, Mosquitto
from ingest.adapters.mosquitto_files import write_mosquitto_files
from ingest.service.access import Access
from ingest.service.ledger import ledger
from ingest.service.registry import add_device, new_secret, revoke_device, set_service_account
from ingest.settings import Settings
from ingest.wiring import AccessWatch, IngestService, build
from plumbing.broker import EmbeddedBroker
from plumbing.migrate import upgrade
from plumbing.mqtt import Incoming, MqttLink
from plumbing.runtime import Shared
from plumbing.sql import Database
from plumbing.stores.duckdb import DuckStore
from plumbing.stores.influx import InfluxStore
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from tests.ingest.conftest import BOOT, pump


def until(what: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@dataclass
class Broker:
    """One of the two brokers, with the registry's accounts."""

    database: Database
    url: Callable[[str, str], str]
    apply: Callable[[], None]
    links: list[MqttLink] = field(default_factory=list)

    def connect(self, user: str, secret: str, *subscribe: str) -> tuple[MqttLink, list[Incoming]]:
        """A client, started."""
        heard: list[Incoming] = []
        link = MqttLink(
            self.url(user, secret), user, subscribe=subscribe, on_connect=lambda: None, on_message=heard.append
        )
        link.start()
        self.links.append(link)
        return link, heard


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def broker(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Broker]:
    """Both brokers, with no account but ingest's (secret `for-ingest`)."""
    set_service_account(database, "ingest", "for-ingest")
    if request.param == "embedded":
        access = Access(database, SystemClock())
        inside = EmbeddedBroker(
            "127.0.0.1", 0, authenticate=access.verify, may_publish=access.may_publish,
            may_receive=access.may_receive, on_refused=lambda user, topic: None,
        )  # fmt: skip
        inside.start()
        watch = AccessWatch(access, inside.disconnect)
        watch.start()
        made = Broker(
            database, lambda u, s: f"mqtt://{u.replace('/', '%2F')}:{s}@127.0.0.1:{inside.port}", lambda: None
        )
        yield made
        _stop(made)
        watch.stop()
        inside.stop()
        return
    folder = tmp_path / "accounts"
    write_mosquitto_files(database, folder)
    server: Mosquitto = request.getfixturevalue("mosquitto_factory")(folder / "passwd", folder / "acl")
    if not server.running:
        server.start()
    made = Broker(database, server.url, lambda: _reload(database, folder, server))
    yield made
    _stop(made)


def _reload(database: Database, folder: Path, server: Mosquitto) -> None:
    write_mosquitto_files(database, folder, reload_pid=server.pid)
    time.sleep(0.3)


def _stop(broker: Broker) -> None:
    for link in broker.links:
        link.stop()


def telemetry_of(device: str) -> str:
    return topics.topic("acme", device, "telemetry")


class TestRights:
    """What a device may do, on each broker."""

    def test_a_device_reaches_its_own_topics_only(self, broker: Broker) -> None:
        now = SystemClock().now()
        one = add_device(broker.database, "acme", "p1", "pump", now=now)
        add_device(broker.database, "acme", "p2", "pump", now=now)
        foreign = add_device(broker.database, "acme", "p3", "pump", username="plc7", now=now)
        broker.apply()
        ingest, at_ingest = broker.connect("ingest", "for-ingest", "forewarn/v1/+/+/telemetry")
        # Mosquitto 2.0.11 without a limit of queued messages ends the connection of who publishes where he may not
        for device, topic in (
            (one, telemetry_of("p2")),
            (one, topics.topic("acme", "p1", "stored")),
            (one, "forewarn/v1/other/p1/telemetry"),
            (one, "anything"),
            (foreign, telemetry_of("p1")),
        ):
            link, _ = broker.connect(device.username, device.password)
            until(partial(getattr, link, "connected"))
            assert link.publish(topic, b"not mine")
            time.sleep(0.2)
            link.stop()
        first, _ = broker.connect(one.username, one.password)
        plc, at_plc = broker.connect("plc7", foreign.password, topics.topic("acme", "p3", "stored"))
        until(lambda: ingest.connected and first.connected and plc.connected)
        time.sleep(0.2)
        first.publish(telemetry_of("p1"), b"mine")
        plc.publish(telemetry_of("p3"), b"mine too")
        until(lambda: len(at_ingest) >= 2)
        ingest.publish(topics.topic("acme", "p3", "stored"), b"for you")
        until(lambda: len(at_plc) >= 1)
        time.sleep(0.2)
        assert sorted(m.body for m in at_ingest) == [b"mine", b"mine too"]
        assert [m.body for m in at_plc] == [b"for you"]

    @pytest.mark.parametrize("filter_", ["#", "forewarn/v1/#", "forewarn/v1/+/+/stored", "forewarn/v1/acme/p2/stored"])
    def test_a_device_hears_nothing_that_is_for_others(self, broker: Broker, filter_: str) -> None:
        now = SystemClock().now()
        one = add_device(broker.database, "acme", "p1", "pump", now=now)
        two = add_device(broker.database, "acme", "p2", "pump", now=now)
        broker.apply()
        curious, heard = broker.connect(one.username, one.password, filter_)
        other, at_other = broker.connect(two.username, two.password, topics.topic("acme", "p2", "stored"))
        ingest, _ = broker.connect("ingest", "for-ingest")
        until(lambda: curious.connected and other.connected and ingest.connected)
        time.sleep(0.2)
        ingest.publish(topics.topic("acme", "p2", "stored"), b"for p2")
        other.publish(telemetry_of("p2"), b"from p2")
        until(lambda: len(at_other) == 1)
        time.sleep(0.2)
        assert heard == []

    def test_strangers_wrong_secrets_and_the_revoked_are_kept_out(self, broker: Broker) -> None:
        now = SystemClock().now()
        one = add_device(broker.database, "acme", "p1", "pump", now=now)
        broker.apply()
        good, _ = broker.connect(one.username, one.password)
        until(lambda: good.connected)
        wrong, _ = broker.connect("acme/p1", "wrong")
        nobody, _ = broker.connect("", "")
        stranger, _ = broker.connect("acme/p9", one.password)
        time.sleep(1.0)
        assert [link.connected for link in (wrong, nobody, stranger)] == [False] * 3
        revoke_device(broker.database, "acme", "p1", now=now)
        broker.apply()
        until(lambda: not good.connected)
        time.sleep(1.5)
        assert not good.connected

    def test_a_new_secret_voids_the_old_one(self, broker: Broker) -> None:
        now = SystemClock().now()
        old = add_device(broker.database, "acme", "p1", "pump", now=now)
        fresh = new_secret(broker.database, "acme", "p1", now=now)
        broker.apply()
        first, _ = broker.connect(old.username, old.password)
        time.sleep(0.5)
        assert not first.connected
        first.stop()
        second, _ = broker.connect(fresh.username, fresh.password)
        until(lambda: second.connected)


@dataclass
class Running:
    """A device that is connected, and what it was told."""

    link: MqttLink
    heard: list[wire.Stored]

    def send(self, seq: int, n: int, value: float | str = 20.0, kind: str = "telemetry") -> None:
        now_ms = int(SystemClock().now().timestamp() * 1000)
        samples = [{"t": now_ms - 10_000 + seq + i, "values": {"temp": value, "rpm": 1.0 + i}} for i in range(n)]
        body = msgspec.json.encode({"v": 1, "boot_id": BOOT, "seq": seq, "samples": samples})
        self.link.publish(topics.topic("acme", "p1", kind), body)

    def state(self, first: int, last: int) -> None:
        self.link.publish(topics.topic("acme", "p1", "state"), msgspec.json.encode(wire.State(1, BOOT, first, last)))

    def through(self) -> int:
        return max((s.through for s in self.heard), default=-1)


def start(
    database: Database, store: TelemetryStore, broker_url: Callable[[str, str], str], home: Path
) -> IngestService:
    clock = SystemClock()
    models: dict[str, AssetModel] = {"pump": pump()}
    shared = Shared(home, database, clock, TenantClocks(database, clock), store, models.get)
    settings = Settings.of({"FOREWARN_MQTT_URL": broker_url("ingest", "for-ingest")})
    service = build(settings, shared)
    service.start()
    return service


def road(database: Database, store: TelemetryStore, broker: Broker, home: Path) -> None:
    """A device sends, is told, sends nonsense; ingest restarts; everything is accounted for."""
    made = add_device(database, "acme", "p1", "pump", now=SystemClock().now())
    broker.apply()
    service = start(database, store, broker.url, home)
    until(lambda: service.healthy() == "")
    link, heard = broker.connect(made.username, made.password, topics.topic("acme", "p1", "stored"))
    until(lambda: link.connected)
    told: list[wire.Stored] = []
    running = Running(link, told)

    def listen() -> list[wire.Stored]:
        while heard:
            told.append(wire.decode_stored(heard.pop(0).body))
        return told

    def through() -> int:
        listen()
        return running.through()

    running.state(1, 0)
    until(lambda: through() == 0)
    running.send(1, 5)
    running.send(6, 2, "hot")
    link.publish(topics.topic("acme", "p1", "telemetry"), b"nonsense")
    running.send(10, 3)
    until(lambda: any(s.through == 7 and s.settled == [(10, 12)] for s in listen()))
    running.state(1, 12)
    until(lambda: any(s.ask == [(8, 9)] for s in listen()))
    service.stop()
    running.send(8, 2)
    service = start(database, store, broker.url, home)
    until(lambda: service.healthy() == "")
    running.send(8, 2)  # the embedded broker keeps nothing for the absent; the agent sends again
    until(lambda: through() == 12)
    service.stop()
    (entry,) = (e for e in ledger(database, "acme", "p1").outboxes if e.boot_id == BOOT)
    assert (entry.sent, entry.stored, entry.quarantined, entry.lost, entry.waiting) == (12, 12, 0, 0, 0)
    assert entry.refused == {"wrong_type": 2}
    found = store.read("acme", "p1", signals=["temp", "rpm"])
    assert len(found.t_us) == 12


def test_the_road_on_the_embedded_store(broker: Broker, database: Database, tmp_path: Path) -> None:
    store = DuckStore(str(tmp_path / "t.duckdb"))
    road(database, store, broker, tmp_path)
    store.close()


@pytest.mark.mosquitto
@pytest.mark.influxdb
@pytest.mark.postgres
def test_the_road_on_real_servers(
    influxdb: InfluxAccess, postgres_url: str, mosquitto_factory: Any, tmp_path: Path
) -> None:
    database = Database(postgres_url)
    upgrade(database)
    set_service_account(database, "ingest", "for-ingest")
    folder = tmp_path / "accounts"
    write_mosquitto_files(database, folder)
    server = mosquitto_factory(folder / "passwd", folder / "acl")
    if not server.running:
        server.start()
    broker = Broker(database, server.url, lambda: _reload(database, folder, server))
    store = InfluxStore(influxdb.url, influxdb.token, influxdb.org, influxdb.bucket)
    road(database, store, broker, tmp_path)
    _stop(broker)
    store.close()
    database.close()


def test_no_thread_is_left_behind(broker: Broker, database: Database, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    store = DuckStore(str(tmp_path / "t.duckdb"))
    service = start(database, store, broker.url, tmp_path)
    until(lambda: service.healthy() == "")
    service.stop()
    assert [t.name for t in threading.enumerate() if t not in before and "ingest" in t.name] == []
    assert service.healthy() == "not running"
    store.close()
