"""Devices, their secrets and rights, and the files that Mosquitto reads."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.adapters.mosquitto_files import write_mosquitto_files
from ingest.domain.passwords import hashed, matches
from ingest.domain.rights import may_publish, may_receive
from ingest.service.access import Access
from ingest.service.registry import (
    BadName,
    DuplicateDevice,
    RegistryFault,
    UnknownDevice,
    UnknownModel,
    add_device,
    find_device,
    list_devices,
    new_secret,
    revoke_device,
    set_service_account,
)
from plumbing import audit
from plumbing.sql import Database
from tests.ingest.conftest import NOW, HandClock, World, batch, pump


def test_a_device_gets_a_secret_of_256_bits_that_is_shown_once(database: Database) -> None:
    made = add_device(database, "acme", "pump-1", "pump", now=NOW, models={"pump": pump()}.get)
    assert (made.tenant, made.device, made.username) == ("acme", "pump-1", "acme/pump-1")
    assert len(made.password) == 43
    (device,) = list_devices(database, "acme")
    assert (device.state, device.model, device.created_at, device.first_seen) == ("created", "pump", NOW, None)
    with database.read() as connection:
        stories = audit.read(connection, "acme")
    assert [(e.action, e.diff["asset"]) for e in stories] == [("device_added", "pump-1")]
    assert made.password not in str(stories)
    assert made.password.encode() not in Path(database.url.removeprefix("sqlite:///")).read_bytes()


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        ({"name": "a b"}, BadName, "name"),
        ({"name": ""}, BadName, "name"),
        ({"name": "x" * 65}, BadName, "name"),
        ({"tenant": "-x"}, BadName, "tenant"),
        ({"model": "unheard-of"}, UnknownModel, "model"),
        ({"model": "../pump"}, UnknownModel, "model"),
        ({"name": "pump-1"}, DuplicateDevice, "name"),
        ({"username": "other/pump-9"}, BadName, "username"),
        ({"username": "ingest"}, BadName, "username"),
        ({"username": "a:b"}, BadName, "username"),
        ({"username": "#"}, BadName, "username"),
        ({"username": "taken"}, DuplicateDevice, "username"),
    ],
)
def test_a_command_that_cannot_be_done_names_field_value_and_rule(
    database: Database, change: dict[str, str], kind: type[RegistryFault], field: str
) -> None:
    models = {"pump": pump()}.get
    add_device(database, "acme", "pump-1", "pump", now=NOW, models=models)
    add_device(database, "acme", "foreign", "pump", username="taken", now=NOW, models=models)
    given = {"tenant": "acme", "name": "pump-2", "model": "pump"} | change
    with pytest.raises(kind) as said:
        add_device(
            database, given["tenant"], given["name"], given["model"], username=given.get("username"), now=NOW,
            models=models,
        )  # fmt: skip
    assert said.value.field == field
    assert len(list_devices(database)) == 2


def test_secrets_are_kept_in_mosquittos_form() -> None:
    kept = hashed("s3cret", b"012345678901")
    assert kept.startswith("$7$101$")
    assert matches("s3cret", kept)
    assert not any(matches("s3cret", bad) for bad in ("", "$7$101$", "$6$101$eA==$eA==", kept[:-4], "x$7$1$a$b"))
    assert not matches("\ud800", kept)


RIGHTS = [
    ("acme/pump-1", "forewarn/v1/acme/pump-1/telemetry", True, False),
    ("acme/pump-1", "forewarn/v1/acme/pump-1/state", True, False),
    ("acme/pump-1", "forewarn/v1/acme/pump-1/stored", False, True),
    ("acme/pump-1", "forewarn/v1/acme/pump-2/telemetry", False, False),
    ("acme/pump-1", "forewarn/v1/acme/pump-2/stored", False, False),
    ("acme/pump-1", "forewarn/v1/other/pump-1/telemetry", False, False),
    ("acme/pump-1", "forewarn/v1/+/+/stored", False, False),
    ("acme/pump-1", "forewarn/v1/#", False, False),
    ("acme/pump-1", "#", False, False),
    ("acme/pump-1", "$SYS/#", False, False),
    ("acme/pump-1", "forewarn/v1/acme/pump-1/telemetry/x", False, False),
    ("ingest", "forewarn/v1/+/+/telemetry", False, True),
    ("ingest", "forewarn/v1/acme/pump-1/stored", True, False),
    ("ingest", "forewarn/v1/acme/pump-1/telemetry", False, True),
    ("ingest", "#", False, False),
    ("local", "forewarn/v1/acme/pump-1/telemetry", True, True),
    ("local", "other/topic", False, False),
]


@pytest.mark.parametrize(("user", "topic", "up", "down"), RIGHTS)
def test_who_may_publish_and_receive(user: str, topic: str, up: bool, down: bool) -> None:
    assert (may_publish(user, topic), may_receive(user, topic)) == (up, down)


def test_access_follows_the_registry(database: Database) -> None:
    clock = HandClock()
    access = Access(database, clock)
    assert not access.verify("acme/pump-1", "x")
    clock.pass_(0.3)
    made = add_device(database, "acme", "pump-1", "pump", now=NOW)
    foreign = add_device(database, "acme", "pump-2", "pump", username="plc7", now=NOW)
    assert access.verify(made.username, made.password)
    assert access.verify(made.username, made.password)
    assert not access.verify(made.username, made.password + "x")
    assert not access.verify("", "")
    assert access.verify("plc7", foreign.password)
    assert access.may_publish("plc7", "forewarn/v1/acme/pump-2/telemetry")
    assert not access.may_publish("plc7", "forewarn/v1/acme/pump-1/telemetry")
    assert not access.may_publish("nobody", "forewarn/v1/acme/pump-1/telemetry")
    secret = set_service_account(database, "ingest")
    clock.pass_(1)
    assert access.refresh() == set()
    assert access.verify("ingest", secret)
    assert access.may_receive("ingest", "forewarn/v1/+/+/telemetry")
    changed = new_secret(database, "acme", "pump-1", now=NOW)
    clock.pass_(1)
    assert access.verify(made.username, changed.password)
    assert not access.verify(made.username, made.password)
    assert access.refresh() == {"acme/pump-1"}, "another secret ends its connections, whoever looked first"
    revoke_device(database, "acme", "pump-1", now=NOW)
    assert access.refresh() == {"acme/pump-1"}
    assert not access.verify(made.username, changed.password)
    assert not access.may_publish(made.username, "forewarn/v1/acme/pump-1/telemetry")


def test_a_revoked_device_is_unknown_and_stays_revoked(world: World) -> None:
    world.take(batch(1, 1))
    revoke_device(world.database, "acme", "pump-1", now=NOW)
    revoke_device(world.database, "acme", "pump-1", now=NOW + timedelta(1))
    world.clock.pass_(2)
    world.take(batch(2, 1))
    assert world.refusals() == [("topic", "unknown_device")]
    assert (world.entry().stored, len(world.store.points)) == (1, 1)
    device = find_device(world.database, "acme", "pump-1")
    assert device is not None
    assert device.state == "revoked"
    with pytest.raises(UnknownDevice):
        new_secret(world.database, "acme", "pump-1", now=NOW)
    with pytest.raises(UnknownDevice):
        revoke_device(world.database, "acme", "pump-9", now=NOW)


def test_mosquittos_files_hold_the_accounts_and_nobody_else_reads_them(database: Database, tmp_path: Path) -> None:
    made = add_device(database, "acme", "pump-1", "pump", now=NOW)
    add_device(database, "acme", "pump-2", "pump", username="plc7", now=NOW)
    set_service_account(database, "ingest", "from a file")
    folder = tmp_path / "mosquitto"
    assert write_mosquitto_files(database, folder)
    assert not write_mosquitto_files(database, folder)
    users = [line.split(":")[0] for line in (folder / "passwd").read_text().splitlines()]
    assert users == ["ingest", "acme/pump-1", "plc7"]
    assert made.password not in (folder / "passwd").read_text()
    assert all(stat.S_IMODE((folder / name).stat().st_mode) == 0o600 for name in ("passwd", "acl"))
    acl = (folder / "acl").read_text()
    assert "pattern write forewarn/v1/%u/telemetry" in acl
    assert "user plc7\ntopic write forewarn/v1/acme/pump-2/telemetry" in acl
    assert acl.count("acme/pump-1") == 0
    revoke_device(database, "acme", "pump-1", now=NOW)
    assert write_mosquitto_files(database, folder)
    assert "acme/pump-1" not in (folder / "passwd").read_text()
