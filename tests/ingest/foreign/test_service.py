"""Foreign devices at the running ingest: on the embedded broker's port, and beside a real Mosquitto."""

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from contracts import topics
from contracts.points import DeviceRows, Refused
from forewarn.environment import WrongUse
from forewarn.foreign import FOREIGN_LISTEN, FOREIGN_PORT, FOREIGN_TLS, Beside, ForeignFleets, by_tls, port_of
from ingest.adapters.mosquitto_files import write_mosquitto_files
from ingest.adapters.pki_folder import PkiFolder
from ingest.service.access import Access
from ingest.service.foreign_names import speak_thingsboard
from ingest.service.registry import add_device, revoke_device, set_service_account
from ingest.service.tally import Tally
from ingest.settings import Settings
from ingest.wiring import AccessWatch, IngestService, build
from plumbing.broker import EmbeddedBroker, TlsPort
from plumbing.runtime import Shared
from plumbing.sql import Database
from plumbing.stores.duckdb import DuckStore
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from plumbing.tls import TlsFiles, client_context
from tests.conftest import MosquittoFactory
from tests.ingest.conftest import MemoryStore, pump
from tests.ingest.foreign.conftest import TOKEN

MODELS = {"pump": pump()}


def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


class Store(DuckStore):
    """A store that can be down."""

    memory: MemoryStore

    def write(self, rows: list[DeviceRows]) -> list[Refused]:
        return self.memory.write(rows)


@dataclass
class Site:
    """A device of ours `own`, a gateway `tb` with an access token, ingest, and where each connects."""

    database: Database
    store: MemoryStore
    own_port: int
    foreign_port: int
    password: str
    ca: str = ""
    clients: list[paho.Client] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def client(self, port: int, user: str, secret: str | None, version: int) -> paho.Client:
        made = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion(version))
        made.username_pw_set(user, secret)
        made.on_publish = lambda c, d, mid, reason, p: self.acknowledged.append(mid)
        made.on_disconnect = lambda c, d, f, reason, p: self.ended.append(str(reason))
        if self.ca and port == self.foreign_port:
            made.tls_set_context(client_context(TlsFiles(self.ca)))
        made.connect("127.0.0.1", port)
        made.loop_start()
        until(made.is_connected)
        self.clients.append(made)
        return made

    def foreign(self, version: int = paho.MQTTv5) -> paho.Client:
        return self.client(self.foreign_port, TOKEN, None, version)

    def own(self) -> paho.Client:
        return self.client(self.own_port, "acme/own", self.password, paho.MQTTv311)

    def stored(self) -> dict[tuple[str, str], float]:
        """(device, signal) -> value."""
        return {(d, s): v for (_, d, _, s), v in dict(self.store.points).items()}


WAYS = ("embedded", "embedded by TLS", "mosquitto", "mosquitto, own port by TLS")


@pytest.fixture(params=[pytest.param(w, marks=pytest.mark.mosquitto if "mosquitto" in w else ()) for w in WAYS])
def site(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Site]:
    system = SystemClock()
    now = system.now()
    set_service_account(database, "ingest", "for-ingest")
    made = add_device(database, "acme", "own", "pump", now=now)
    add_device(database, "acme", "tb", "pump", now=now)
    speak_thingsboard(database, "acme", "tb", token=TOKEN, now=now)
    store = Store(str(tmp_path / "unused.duckdb"))
    store.memory = MemoryStore()
    shared = Shared(tmp_path, database, system, TenantClocks(database, system), store, MODELS.get)
    tally = Tally(database, system)
    pki, embedded, ca = PkiFolder(tmp_path / "pki"), request.param.startswith("embedded"), ""
    if "TLS" in request.param:
        files, _ = pki.broker_files(database, ["127.0.0.1"], now)
        ca = str(pki.certificate)
    if embedded:
        tls = TlsPort("127.0.0.1", 0, files) if ca else None
        access = Access(database, system)
        fleets = ForeignFleets(shared, access, tally, {})
        broker = EmbeddedBroker(
            "127.0.0.1", 0, authenticate=access.verify, may_publish=access.may_publish, may_receive=access.may_receive,
            on_refused=tally.add, foreign=fleets.listener, tls=tls,
        )  # fmt: skip
        broker.start()

        def disconnect(user: str) -> None:
            broker.disconnect(user)
            fleets.listener.disconnect(user)

        watch = AccessWatch(access, disconnect)
        url, own_port = f"mqtt://ingest:for-ingest@127.0.0.1:{broker.port}", broker.port
        foreign_port = broker.tls_port or broker.port
    else:
        folder = tmp_path / "accounts"
        write_mosquitto_files(database, folder)
        factory: MosquittoFactory = request.getfixturevalue("mosquitto_factory")
        server = factory(folder / "passwd", folder / "acl")
        if not server.running:
            server.start()
        fleets = beside = Beside(shared, {FOREIGN_PORT: "0", **({FOREIGN_TLS: "1"} if ca else {})})
        watch, url, own_port = beside.watch, server.url("ingest", "for-ingest"), server.port
    fleets.start()
    watch.start()
    service = build(Settings.of({"FOREWARN_MQTT_URL": url}), shared, fleets.fleets)
    service.start()
    until(lambda: service.healthy() == "")
    site = Site(database, store.memory, own_port, foreign_port if embedded else fleets.listener.port, made.password, ca)
    yield site
    for client in site.clients:
        client.disconnect()
        client.loop_stop()
    _stop(service, fleets, watch)
    if embedded:
        broker.stop()
    store.close()


def _stop(service: IngestService, fleets: ForeignFleets, watch: AccessWatch) -> None:
    service.stop()
    watch.stop()
    fleets.stop()


def reading(value: float) -> bytes:
    """One value, now."""
    return json.dumps({"temp": value}).encode()


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
def test_ours_and_theirs_are_stored_side_by_side(site: Site, version: int) -> None:
    site.foreign(version).publish("v1/devices/me/telemetry", reading(1.0), qos=1)
    body = b'{"v":1,"samples":[{"values":{"temp":2}}]}'
    site.own().publish(topics.topic("acme", "own", "telemetry"), body, qos=1)
    until(lambda: site.stored() == {("tb", "temp"): 1.0, ("own", "temp"): 2.0})


def test_what_is_acknowledged_is_stored(site: Site) -> None:
    """While the store is down nothing is acknowledged; afterwards all of it is, and all of it is there."""
    client = site.foreign()
    client.publish("v1/devices/me/telemetry", b'{"ts":1,"values":{"temp":0}}', qos=1)
    until(lambda: len(site.acknowledged) == 1)
    site.store.down = True
    for i in range(1, 101):
        client.publish("v1/devices/me/telemetry", f'{{"ts":{i * 1000},"values":{{"temp":{i}}}}}', qos=1)
    time.sleep(1.0)
    assert len(site.acknowledged) == 1
    assert len(site.store.points) == 1
    site.store.down = False
    until(lambda: len(site.acknowledged) == 101)
    assert len(site.store.points) == 101


def test_a_foreign_device_reaches_nothing_of_ours(site: Site) -> None:
    client = site.foreign()
    client.publish(topics.topic("acme", "tb", "telemetry"), b'{"v":1,"samples":[{"values":{"temp":2}}]}', qos=1)
    client.publish(topics.topic("acme", "own", "telemetry"), b'{"v":1,"samples":[{"values":{"temp":2}}]}', qos=1)
    client.publish("v1/devices/me/telemetry", reading(3.0), qos=1)
    until(lambda: len(site.acknowledged) == 3)
    assert site.stored() == {("tb", "temp"): 3.0}


def test_the_revoked_are_disconnected(site: Site) -> None:
    site.foreign()
    revoke_device(site.database, "acme", "tb", now=SystemClock().now())
    until(lambda: bool(site.ended))


@pytest.mark.parametrize("text", ["x", "-1", "65536", "1.5"])
def test_a_port_that_is_none_is_wrong_use(text: str) -> None:
    with pytest.raises(WrongUse, match=FOREIGN_PORT):
        port_of({FOREIGN_PORT: text})


def test_a_port_of_their_own_listens_where_it_is_told(database: Database, tmp_path: Path) -> None:
    system = SystemClock()
    store = DuckStore(str(tmp_path / "t.duckdb"))
    shared = Shared(tmp_path, database, system, TenantClocks(database, system), store, MODELS.get)
    beside = Beside(shared, {FOREIGN_PORT: "0", FOREIGN_LISTEN: "127.0.0.1"})
    beside.start()
    with socket.create_connection(("127.0.0.1", beside.listener.port), 5):
        pass
    beside.stop()
    store.close()


def test_a_port_by_tls_takes_no_other_and_asks_who_signs(database: Database, tmp_path: Path) -> None:
    system = SystemClock()
    store = DuckStore(str(tmp_path / "t.duckdb"))
    shared = Shared(tmp_path, database, system, TenantClocks(database, system), store, MODELS.get)
    beside = Beside(shared, {FOREIGN_PORT: "0", FOREIGN_TLS: "1", "FOREWARN_PKI_DIR": str(tmp_path / "pki")})
    beside.start()
    at = ("127.0.0.1", beside.listener.port)
    with socket.create_connection(at, 5) as plain:
        plain.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04abcd")
        heard = plain.recv(100)
    assert heard[:1] != b"\x20", "no CONNACK without TLS"
    with socket.create_connection(at, 5) as one, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(one, server_hostname="127.0.0.1")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(tmp_path / "pki" / "ca.crt")
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(at, 5) as one, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(one, server_hostname="127.0.0.1")
    beside.stop()
    store.close()


def test_a_setting_of_tls_is_yes_or_no() -> None:
    assert [by_tls({FOREIGN_TLS: text}) for text in ("", "0", "1")] == [False, False, True]
    with pytest.raises(WrongUse, match=FOREIGN_TLS):
        by_tls({FOREIGN_TLS: "yes"})
