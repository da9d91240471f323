"""The commands of a device's identity: what they print, what they write, and for whom to read."""

import csv
import json
import stat
from pathlib import Path

import pytest

from forewarn.__main__ import DONE, FAILED, WRONG_USE, main
from forewarn.commands.up import warning
from ingest.service.access import Access
from ingest.service.registry import list_devices
from plumbing.pki import read
from plumbing.sql import Database
from plumbing.system_clock import SystemClock

MODEL = "centrifugal-pump"


class Shell:
    """`forewarn` on a home of its own."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._capsys = home, capsys

    def run(self, *words: object, code: int = DONE) -> str:
        """What a command prints."""
        assert main([*map(str, words), "--data-dir", str(self.home)]) == code
        said = self._capsys.readouterr()
        return said.out + said.err

    def json(self, *words: object) -> dict[str, object]:
        """The same, machine-readable."""
        made: dict[str, object] = json.loads(self.run(*words, "--json"))
        return made

    @property
    def database(self) -> Database:
        """What it wrote."""
        return Database(f"sqlite:///{self.home}/forewarn.sqlite")


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """With one device."""
    monkeypatch.chdir(tmp_path)
    made = Shell(tmp_path / "home", capsys)
    made.run("device", "add", "p1", "--model", MODEL)
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_devices_are_suspended_resumed_and_revoked(shell: Shell) -> None:
    assert "until it is resumed" in shell.run("device", "suspend", "p1")
    assert "can take: resume, revoke" in shell.run("device", "suspend", "p1", code=FAILED)
    assert "suspended" in shell.run("device", "list")
    assert shell.json("device", "resume", "p1")["state"] == "created"
    shell.run("device", "revoke", "p1")
    assert "can take: nothing" in shell.run("device", "resume", "p1", code=FAILED)
    assert "no device of this name" in shell.run("device", "suspend", "p9", code=WRONG_USE)


def test_a_file_of_devices_is_registered_and_its_secrets_written_for_the_owner_alone(
    shell: Shell, tmp_path: Path
) -> None:
    rows = tmp_path / "fleet.csv"
    rows.write_text(f"name,model\nfleet-1,{MODEL}\nfleet-2,{MODEL}\n")
    said = shell.run("device", "import", rows)
    secrets = tmp_path / "fleet.secrets.csv"
    assert mode(secrets) == 0o600
    with secrets.open() as file:
        made = list(csv.DictReader(file))
    access = Access(shell.database, SystemClock())
    assert all(access.verify(row["username"], row["secret"]) for row in made)
    assert not any(row["secret"] in said for row in made)
    assert "Secrets overwrite nothing" in shell.run("device", "import", rows, code=WRONG_USE)


def test_a_faulty_file_registers_nothing_and_leaves_no_file(shell: Shell, tmp_path: Path) -> None:
    rows = tmp_path / "fleet.csv"
    rows.write_text(f"name,model\nfleet-1,{MODEL}\np1,{MODEL}\nfleet-3,kettle\nx y,{MODEL}\n")
    said = shell.run("device", "import", rows, code=FAILED)
    for words in ("line 3: name 'p1'", "line 4: model 'kettle'", "line 5: name 'x y'", "Nothing was registered"):
        assert words in said
    assert not (tmp_path / "fleet.secrets.csv").exists()
    assert [d.device for d in list_devices(shell.database)] == ["p1"]


def test_a_claim_code_is_shown_as_text_for_a_camera_and_as_a_picture(shell: Shell, tmp_path: Path) -> None:
    said = shell.run("device", "claim-code", "p1", "--qr", "--svg", tmp_path / "code.svg")
    assert "good once" in said
    assert "█" in said or "▄" in said
    assert "<svg" in (tmp_path / "code.svg").read_text()
    made = shell.json("device", "claim-code", "p1", "--minutes", "5")
    assert str(made["claim"]).endswith("/api/v1/claims")
    assert "at most 30 days" in shell.run("device", "claim-code", "p1", "--minutes", "99999999", code=WRONG_USE)


def test_certificates_are_issued_rotated_listed_and_revoked(shell: Shell, tmp_path: Path) -> None:
    first = shell.json("device", "certificate", "p1", "--days", "20")
    folder = tmp_path / "p1-certificate"
    assert (mode(folder), mode(folder / "device.key")) == (0o700, 0o600)
    assert read((folder / "device.crt").read_bytes()).name == "local/p1"
    assert mode(shell.home / "pki" / "ca.key") == 0o600
    assert mode(shell.home / "pki") == 0o700
    assert "keys overwrite nothing" in shell.run("device", "certificate", "p1", code=WRONG_USE)
    told = shell.run("doctor", code=FAILED)
    assert "1 end within 30 days: local/p1 (19 days)" in told
    second = shell.json("device", "certificate", "p1", "--out", tmp_path / "new", "--void-others")
    assert second["revoked"] == [first["serial"]]
    assert "0 end within 30 days" in shell.run("doctor")
    listed = shell.run("device", "certificates")
    assert "revoked" in listed
    assert "364 days left" in listed
    assert str(second["serial"]) in shell.run("device", "certificate", "p1", "--revoke", "all")
    assert "no certificate of this number" in shell.run("device", "certificate", "p1", "--revoke", "ff", code=WRONG_USE)


def test_a_key_that_is_a_secret_of_the_environment_lies_in_no_folder(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run("device", "certificate", "p1")
    key = tmp_path / "kept-elsewhere.key"
    (shell.home / "pki" / "ca.key").rename(key)
    monkeypatch.setenv("FOREWARN_CA_KEY_FILE", str(key))
    shell.run("device", "certificate", "p1", "--out", tmp_path / "again")
    assert not (shell.home / "pki" / "ca.key").exists()
    monkeypatch.delenv("FOREWARN_CA_KEY_FILE")
    assert "ca.key" in shell.run("device", "certificate", "p1", "--out", tmp_path / "third", code=WRONG_USE)


@pytest.mark.parametrize(
    ("listen", "tls", "words"),
    [
        ("127.0.0.1", False, []),
        ("0.0.0.0", False, ["the broker and the pages", "--mqtts-port 8883"]),
        ("0.0.0.0", True, ["the pages", "devices use TLS"]),
    ],
)
def test_who_listens_to_a_network_is_told_what_is_not_encrypted(listen: str, tls: bool, words: list[str]) -> None:
    said = warning(listen, tls)
    assert bool(said) == bool(words)
    assert all(word in said for word in words)
