"""Ingest reads by TLS: on both brokers, from its settings on; and on a socket that gives half of a record."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from contracts.points import TelemetryStore
from forewarn.accounts import link_tls
from forewarn.environment import expand
from ingest.settings import Settings
from ingest.wiring import build
from plumbing.mqtt_reader import MqttReader
from plumbing.mqtt_stream import Incoming
from plumbing.pki import Authority
from plumbing.runtime import Shared
from plumbing.settings import BadSettings
from plumbing.sql import Database
from plumbing.tenants import TenantClocks
from plumbing.tls import TlsFiles
from tests.ingest.conftest import MemoryStore, pump
from tests.security.brokers import CLOCK, INGEST_SECRET, Fortress, packet, text, until

TAKEN = b"\x20\x02\x00\x00"


def ingest_url(house: Fortress) -> str:
    return f"mqtts://ingest:{INGEST_SECRET}@127.0.0.1:{house.secret_port}"


def environment(house: Fortress, **more: str) -> dict[str, str]:
    return expand({"FOREWARN_MQTT_URL": ingest_url(house), "FOREWARN_HOME": str(house.home), **more})


def test_what_a_device_sends_is_stored_and_answered_by_tls(house: Fortress, database: Database, tmp_path: Path) -> None:
    house.ingest.link.stop()
    device = house.by_secret("p1", house.device("p1"), "forewarn/v1/acme/p1/stored")
    settings = Settings.of(environment(house, FOREWARN_MQTT_CA_FILE=str(house.ca)))
    assert settings.tls == TlsFiles(str(house.ca))
    store = MemoryStore()
    shared = Shared(
        tmp_path, database, CLOCK, TenantClocks(database, CLOCK), cast(TelemetryStore, store), {"pump": pump()}.get
    )
    service = build(settings, shared)
    service.start()
    try:
        until(lambda: not service.healthy() and device.link.connected)
        sent = b'{"v":1,"boot_id":"0123456789abcdef","seq":1,"samples":[[%d,{"vibration_velocity_rms":2.0}]]}'
        device.link.publish("forewarn/v1/acme/p1/telemetry", sent % (CLOCK.now().timestamp() * 1000))
        until(lambda: device.bodies)  # ingest answers what it took
    finally:
        service.stop()


def test_thousands_of_messages_come_whole_in_order_and_are_acknowledged(house: Fortress) -> None:
    house.ingest.link.stop()
    device = house.by_secret("p1", house.device("p1"))
    heard: list[Incoming] = []
    topic = "forewarn/v1/acme/p1/telemetry"
    reader = MqttReader(
        ingest_url(house), "ingest", subscribe=["forewarn/v1/+/+/telemetry"], on_messages=heard.extend,
        tls=TlsFiles(str(house.ca)),
    )  # fmt: skip
    reader.start()

    def has(count: int) -> bool:
        return len(heard) == count

    try:
        until(lambda: reader.connected and device.link.connected)
        bodies = [b"%d " % n * (1 + n % 50) for n in range(3000)]
        for n, body in enumerate(bodies):
            assert device.link.publish(topic, body)
            if n % 500 == 499:
                until(partial(has, n + 1))
                reader.acknowledge(heard[n - 499 : n + 1])
        assert [m.body for m in heard] == bodies
        assert reader.epoch == 1
    finally:
        reader.stop()


def test_a_broker_that_cannot_prove_who_it_is_gets_no_secret(house: Fortress, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    other.write_bytes(Authority.fresh(CLOCK.now()).certificate)
    reader = MqttReader(
        ingest_url(house), "any", subscribe=[], on_messages=lambda _: None, tls=TlsFiles(str(other))
    )  # fmt: skip
    reader.start()
    try:
        until(lambda: "no TLS with the broker" in reader.problem)
        assert reader.epoch == 0
        assert INGEST_SECRET not in reader.problem
    finally:
        reader.stop()


def test_the_products_own_authority_counts_where_none_is_named(tmp_path: Path) -> None:
    environ = expand({"FOREWARN_MQTT_URL": "mqtts://ingest:x@h", "FOREWARN_HOME": str(tmp_path)})
    assert link_tls(environ, tmp_path) == TlsFiles(str(tmp_path / "pki" / "ca.crt"))
    assert link_tls({"FOREWARN_MQTT_URL": "mqtt://ingest:x@h"}, tmp_path) == TlsFiles()


@pytest.mark.parametrize(
    ("scheme", "given", "named"),
    [
        ("mqtts", {"FOREWARN_MQTT_CA_FILE": "missing.crt"}, "FOREWARN_MQTT_CA_FILE"),
        ("mqtt", {"FOREWARN_MQTT_CA_FILE": __file__}, "begins with mqtts:"),
        ("mqtts", {"FOREWARN_MQTT_CERTIFICATE_FILE": __file__}, "one of them is missing"),
        ("mqttx", {}, "FOREWARN_MQTT_URL"),
    ],
)
def test_files_that_cannot_be_are_named_before_anything_connects(
    scheme: str, given: dict[str, str], named: str
) -> None:
    environ = expand({"FOREWARN_MQTT_URL": f"{scheme}://ingest:a-secret@h:8883", **given})
    with pytest.raises(BadSettings) as said:
        Settings.of(environ)
    assert named in str(said.value)
    assert "a-secret" not in str(said.value)
    made = Settings.of({"FOREWARN_MQTT_URL": "mqtts://ingest:a-secret@h:8883"})
    assert "a-secret" not in repr(made)


@contextmanager
def halting(folder: Path) -> Iterator[tuple[int, Path, threading.Event, list[bytes]]]:
    """A broker by TLS that sends half of a message's record, and the rest when told; and what it heard meanwhile."""
    authority = Authority.fresh(CLOCK.now())
    made = Authority(authority.certificate, authority.key).for_server(["127.0.0.1"], CLOCK.now())
    ca, certificate, key = folder / "half-ca.crt", folder / "half.crt", folder / "half.key"
    ca.write_bytes(authority.certificate)
    certificate.write_text(made.certificate)
    key.write_text(made.key or "")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    go_on = threading.Event()
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            plain, _ = listener.accept()
            come, leave = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(come, leave, server_side=True)

            def read(most: int = 4096) -> bytes:
                while True:
                    try:
                        return tls.read(most)
                    except ssl.SSLWantReadError:
                        plain.sendall(leave.read())
                        come.write(plain.recv(4096))

            with plain:
                read()  # shakes hands, too
                tls.write(TAKEN)
                plain.sendall(leave.read())
                tls.write(packet(0x32, text("a/b"), b"\x00\x01", b"whole" * 100))
                record = leave.read()
                plain.sendall(record[:40])
                while b"meanwhile" not in b"".join(heard):
                    heard.append(read())
                go_on.wait(20)
                plain.sendall(record[40:])
                go_on.clear()
                go_on.wait(20)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], ca, go_on, heard
        go_on.set()
        thread.join(20)


def test_half_a_record_keeps_nobody_from_sending(tmp_path: Path) -> None:
    got: list[Incoming] = []
    with halting(tmp_path) as (port, ca, go_on, heard):
        reader = MqttReader(
            f"mqtts://ingest:x@127.0.0.1:{port}", "ingest", subscribe=[], on_messages=got.extend, tls=TlsFiles(str(ca))
        )
        reader.start()
        try:
            until(lambda: reader.connected)
            time.sleep(0.5)  # it has begun to read the half by now
            reader.publish("c/d", b"meanwhile")
            reader.acknowledge(())
            until(lambda: b"meanwhile" in b"".join(heard), 8.0)
            assert got == []
            go_on.set()
            until(lambda: [m.body for m in got] == [b"whole" * 100])
            assert reader.epoch == 1
        finally:
            go_on.set()
            reader.stop()
