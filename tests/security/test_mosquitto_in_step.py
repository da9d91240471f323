"""Ingest's side of Mosquitto as it runs: files, the script that reloads, eviction, counting. Nobody lends a hand."""

import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.servers.launch import accepts_connections, free_port, path_of
from deploy.servers.mosquitto import owner_name
from forewarn.accounts import AccountFiles, pki_of
from ingest.adapters.mosquitto_files import Listeners, mosquitto_config
from ingest.service.certificates import issue_certificate, revoke_certificates
from ingest.service.refusals import refused_publishes_of
from ingest.service.registry import add_device, suspend_device
from plumbing.mqtt import MqttLink
from plumbing.runtime import Shared
from plumbing.sql import Database
from plumbing.stores.absent import NoStore
from plumbing.tenants import TenantClocks
from plumbing.tls import TlsFiles
from tests.security.brokers import CLOCK, until

ROOT = Path(__file__).parents[2]
MINUTE_S = 60.0


@pytest.mark.mosquitto
def test_the_registry_reaches_a_running_mosquitto_within_a_minute(database: Database, tmp_path: Path) -> None:
    plain, secret_port, certificate_port = free_port(), free_port(), free_port()
    environ = {
        "FOREWARN_MQTT_URL": f"mqtt://ingest:a-secret-of-ingest@127.0.0.1:{plain}",
        "FOREWARN_BROKER_CERTIFICATE_PORT": str(certificate_port),
    }
    shared = Shared(tmp_path, database, CLOCK, TenantClocks(database, CLOCK), NoStore(), lambda _: None)
    files = AccountFiles(shared, environ)
    folder = tmp_path / "broker"
    config = tmp_path / "mosquitto.conf"
    listeners = Listeners(plain, "127.0.0.1", secret_port, certificate_port, "127.0.0.1")
    config.write_text(mosquitto_config(folder, listeners, owner_name()))
    path = f"{Path(path_of('mosquitto')).parent}{os.pathsep}{os.environ['PATH']}"
    links: list[MqttLink] = []
    files.start()
    with (tmp_path / "broker.log").open("wb") as log:
        broker = subprocess.Popen(
            ["sh", str(ROOT / "deploy/compose/broker.sh"), str(folder), str(config)], env={**os.environ, "PATH": path},
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until(lambda: accepts_connections(plain), MINUTE_S)
        now, pki = CLOCK.now(), pki_of(environ, tmp_path)
        one = add_device(database, "acme", "p1", "pump", now=now)
        add_device(database, "acme", "p2", "pump", now=now)
        made = issue_certificate(
            database, pki.authority(now), "acme", "p2", now=now, wall=now, life=timedelta(days=9)
        )  # fmt: skip
        (tmp_path / "p2.crt").write_text(made.certificate)
        (tmp_path / "p2.key").write_text(made.key or "")

        def link(url: str, tls: TlsFiles) -> MqttLink:
            started = MqttLink(url, "x", subscribe=[], on_connect=lambda: None, on_message=lambda _: None, tls=tls)
            started.start()
            links.append(started)
            until(lambda: started.connected, MINUTE_S)
            return started

        ca = str(pki.certificate)
        by_secret = link(f"mqtts://acme%2Fp1:{one.password}@127.0.0.1:{secret_port}", TlsFiles(ca))
        shown = TlsFiles(ca, str(tmp_path / "p2.crt"), str(tmp_path / "p2.key"))
        by_certificate = link(f"mqtts://127.0.0.1:{certificate_port}", shown)

        by_secret.publish("forewarn/v1/acme/p2/telemetry", b"forged")
        until(lambda: sum(refused_publishes_of(database, "acme/p1").values()) == 1, MINUTE_S)
        until(lambda: by_secret.connected, MINUTE_S)

        suspend_device(database, "acme", "p1", now=now)
        revoke_certificates(database, "acme", "p2", now=now, wall=CLOCK.now())
        until(lambda: not by_secret.connected and not by_certificate.connected, MINUTE_S)
        epochs = [each.epoch for each in links]
        until(lambda: all(each.problem for each in links), MINUTE_S)
        assert [each.epoch for each in links] == epochs
    finally:
        for each in links:
            each.stop()
        files.stop()
        broker.terminate()
        broker.wait(20)


def test_ingest_starts_on_a_full_disk_with_the_files_of_before(database: Database, tmp_path: Path) -> None:
    def files() -> AccountFiles:
        shared = Shared(tmp_path, database, CLOCK, TenantClocks(database, CLOCK), NoStore(), lambda _: None)
        return AccountFiles(shared, {"FOREWARN_MQTT_URL": f"mqtt://ingest:a-secret@127.0.0.1:{free_port()}"})

    full = tmp_path / "broker" / "passwd.new"
    full.parent.mkdir()
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        files().start()  # nothing to go on with

    full.unlink()
    first = files()
    first.start()
    first.stop()
    before = (full.parent / "passwd").read_text()
    full.symlink_to("/dev/full")
    second = files()
    second.start()
    try:
        assert "No space left" in second.healthy()
        assert (full.parent / "passwd").read_text() == before
        full.unlink()
        until(lambda: second.healthy() == "", MINUTE_S)
        assert (full.parent / "passwd").read_text() != before
    finally:
        second.stop()
