"""What brokers read: certificates that renew themselves, lists that only grow newer, rights by listener, notices."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.adapters.mosquitto_files import Listeners, mosquitto_config, write_mosquitto_files
from ingest.adapters.mosquitto_log import UNNAMED, refusal
from ingest.adapters.pki_folder import PkiFolder
from ingest.service.certificates import (
    ending,
    issue_certificate,
    list_certificates,
    revoke_certificates,
)
from ingest.service.refusals import OTHERS, refused_publishes_of
from ingest.service.registry import UnknownDevice, add_device, revoke_device, suspend_device
from ingest.service.tally import MAX_WAITING, Tally
from plumbing.pki import read, revoked_in
from plumbing.sql import Database
from tests.ingest.conftest import NOW, HandClock

NAMES = ("broker.example", "127.0.0.1")
YEAR = timedelta(days=365)


@pytest.fixture
def pki(tmp_path: Path) -> PkiFolder:
    return PkiFolder(tmp_path / "pki")


def issue(database: Database, pki: PkiFolder, name: str, life: timedelta = YEAR) -> str:
    return issue_certificate(
        database, pki.authority(NOW), "acme", name, now=NOW, wall=NOW, life=life
    ).serial  # fmt: skip


def revoked(pki: PkiFolder, database: Database, at: timedelta = timedelta()) -> tuple[set[str], object]:
    files, _ = pki.broker_files(database, NAMES, NOW + at)
    found = revoked_in(files.revoked.read_bytes(), pki.certificate.read_text())
    assert found is not None
    return set(found.serials), found.at


def test_the_brokers_certificate_names_it_and_is_renewed_in_time(database: Database, pki: PkiFolder) -> None:
    files, changed = pki.broker_files(database, NAMES, NOW)
    assert changed
    first = read(files.certificate.read_bytes())
    assert first.names == NAMES
    assert not pki.broker_files(database, NAMES, NOW + timedelta(days=200))[1]
    assert read(files.certificate.read_bytes()).fingerprint == first.fingerprint
    assert pki.broker_files(database, NAMES, NOW + timedelta(days=270))[1]
    second = read(files.certificate.read_bytes())
    assert second.fingerprint != first.fingerprint
    assert pki.broker_files(database, (*NAMES, "another.example"), NOW + timedelta(days=271))[1]
    assert "another.example" in read(files.certificate.read_bytes()).names


def test_somebody_elses_certificate_for_the_broker_is_left_alone(
    database: Database, pki: PkiFolder, tmp_path: Path
) -> None:
    other = PkiFolder(tmp_path / "other").authority(NOW).for_server(["x.example"], NOW)
    pki.authority(NOW)
    (pki.folder / "server.crt").write_text(other.certificate)
    (pki.folder / "server.key").write_text(other.key or "")
    files, _ = pki.broker_files(database, NAMES, NOW + timedelta(days=390), tmp_path / "broker")
    assert files.certificate.read_text() == other.certificate


def test_keys_are_for_the_owner_alone(database: Database, pki: PkiFolder, tmp_path: Path) -> None:
    files, _ = pki.broker_files(database, NAMES, NOW, tmp_path / "broker")
    for path in (pki.folder / "ca.key", pki.folder / "server.key", files.key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(pki.folder.stat().st_mode) == 0o700
    assert not (tmp_path / "broker" / "ca.key").exists(), "the broker does not get the authority's key"


def test_each_list_is_newer_than_the_one_before_and_never_from_the_future(database: Database, pki: PkiFolder) -> None:
    serials = []
    for name in ("p1", "p2", "p3"):
        add_device(database, "acme", name, "pump", now=NOW)
        serials.append(issue(database, pki, name))
    assert revoked(pki, database) == (set(), NOW - timedelta(hours=1))
    revoke_certificates(database, "acme", "p1", now=NOW, wall=NOW)
    assert revoked(pki, database) == ({serials[0]}, NOW - timedelta(minutes=59, seconds=59))
    revoke_device(database, "acme", "p2", now=NOW)
    assert revoked(pki, database) == (set(serials[:2]), NOW - timedelta(minutes=59, seconds=58))
    assert revoked(pki, database, timedelta(hours=5)) == (set(serials[:2]), NOW - timedelta(minutes=59, seconds=58))
    revoke_certificates(database, "acme", "p3", now=NOW, wall=NOW + timedelta(hours=6))
    assert revoked(pki, database, timedelta(hours=6)) == (set(serials), NOW + timedelta(hours=5))


def test_who_is_shut_out_gets_no_certificate(database: Database, pki: PkiFolder) -> None:
    add_device(database, "acme", "p1", "pump", now=NOW)
    suspend_device(database, "acme", "p1", now=NOW)
    with pytest.raises(UnknownDevice):
        issue(database, pki, "p1")
    with pytest.raises(UnknownDevice):
        issue(database, pki, "p9")


def test_a_device_is_named_before_its_last_certificate_ends(database: Database, pki: PkiFolder) -> None:
    for name, lives in (("p1", (20, 400)), ("p2", (20,)), ("p3", (20,)), ("p4", (400,))):
        add_device(database, "acme", name, "pump", now=NOW)
        for days in lives:
            issue(database, pki, name, timedelta(days=days))
    revoke_device(database, "acme", "p3", now=NOW)
    assert [(c.device, c.days_left(NOW)) for c in ending(database, NOW)] == [("p2", 20)]
    assert [c.device for c in list_certificates(database, "acme", "p1")] == ["p1", "p1"]


def test_rights_by_certificate_are_for_devices_that_may_come(database: Database, tmp_path: Path) -> None:
    for name in ("p1", "p2", "p3"):
        add_device(database, "acme", name, "pump", now=NOW)
    add_device(database, "acme", "p4", "pump", username="plc7", now=NOW)
    suspend_device(database, "acme", "p2", now=NOW)
    revoke_device(database, "acme", "p3", now=NOW)
    write_mosquitto_files(database, tmp_path)
    text = (tmp_path / "acl-certificates").read_text()
    assert [line.split()[1] for line in text.splitlines() if line.startswith("user ")] == ["acme/p1", "plc7"]
    assert "pattern" not in text, "a name that nobody registered has no rights"
    assert "topic write forewarn/v1/acme/p4/telemetry" in text


def test_each_listener_has_rules_of_its_own() -> None:
    text = mosquitto_config(Path("/b"), Listeners())
    assert text.startswith("per_listener_settings true\n")
    parts = {part.split()[0]: part for part in text.split("\nlistener ")[1:]}
    assert set(parts) == {"1883", "8883", "8884"}
    assert all("allow_anonymous false" in part and "use_username_as_clientid true" in part for part in parts.values())
    assert "certfile" not in parts["1883"]
    assert all("tls_version tlsv1.2" in parts[port] for port in ("8883", "8884"))
    assert "password_file" not in parts["8884"]
    for line in ("require_certificate true", "use_identity_as_username true", "crlfile /b/revoked.crl"):
        assert line in parts["8884"]
        assert line not in parts["8883"]
    assert "8884" not in mosquitto_config(Path("/b"), Listeners(certificate=0))


@pytest.mark.parametrize(
    ("notice", "found"),
    [
        ("Bad socket read/write on client acme/p1: Unknown error.", ("acme/p1", UNNAMED)),
        ("1795323216: Bad socket read/write on client acme/p1: Unknown error.", ("acme/p1", UNNAMED)),
        ("Client <unknown> disconnected, not authorised.", (OTHERS, "")),
        ("Client <unknown> disconnected: Protocol error.", (OTHERS, "")),
        ("Bad socket read/write on client acme/p1: Connection reset by peer.", None),
        ("Client acme/p1 closed its connection.", None),
        ("Client acme/p1 disconnected.", None),
        ("New client connected from 127.0.0.1:1 as acme/p1 (p2, c1, k60, u'acme/p1').", None),
        ("", None),
    ],
)
def test_only_refusals_among_the_notices_are_counted(notice: str, found: tuple[str, str] | None) -> None:
    assert refusal(notice) == found


def test_a_flood_of_refusals_is_counted_in_a_bounded_memory(database: Database) -> None:
    tally = Tally(database, HandClock())
    tally.start()
    for n in range(MAX_WAITING + 500):
        tally.add(f"acme/p{n % 3}", f"topic/{n}")
    for _ in range(1000):
        tally.add("acme/p9", "x")
    tally.stop()
    users = ("acme/p0", "acme/p1", "acme/p2", "acme/p9", OTHERS)
    assert sum(sum(refused_publishes_of(database, user).values()) for user in users) == MAX_WAITING + 1500
