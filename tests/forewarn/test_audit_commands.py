"""`forewarn audit` and `forewarn verify` as a person uses them: on a stopped home, and with nothing but the key."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forewarn.__main__ import main
from plumbing import audit, audit_key, migrate
from plumbing.audit_signing import AuditSigner
from plumbing.seal import seal
from plumbing.sql import Database

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A stopped home: ten entries of two tenants, the first six signed."""
    database = Database(f"sqlite:///{tmp_path}/forewarn.sqlite")
    migrate.upgrade(database, ("plumbing",))
    signer = AuditSigner(database, audit_key.load({}, tmp_path), lambda: NOON, tmp_path)
    for n in range(10):
        with database.write() as connection:
            for tenant in ("acme", "other"):
                audit.append(connection, tenant, NOON, "ann", "case_opened", {"id": f"c{n}"})
        if n == 5:
            signer.sign_all()
    database.close()
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, Any]:
    """Exit code and the one JSON object on stdout."""
    code = main([*words, "--data-dir", str(home)])
    return code, json.loads(capsys.readouterr().out)


def change(home: Path, statement: str) -> None:
    """What somebody with the file does."""
    database = Database(f"sqlite:///{home}/forewarn.sqlite")
    with database.write() as connection:
        connection.exec_driver_sql(statement)
    database.close()


@pytest.mark.parametrize(
    ("statement", "seq", "kind"),
    [
        ("update audit_entries set actor = 'bob' where tenant = 'acme' and seq = 3", 3, "changed"),
        ("delete from audit_entries where tenant = 'acme' and seq = 8", 8, "removed"),
        ("delete from audit_checkpoints where tenant = 'acme'", 1, "checkpoint"),
        ("update audit_heads set seq = 12 where tenant = 'acme'", 10, "head"),
    ],
)
def test_a_stopped_home_is_verified(
    home: Path, capsys: pytest.CaptureFixture[str], statement: str, seq: int, kind: str
) -> None:
    code, whole = said(capsys, home, "audit", "verify", "--json")
    assert (code, whole) == (0, {"ok": True, "first_bad_seq": None, "kind": None})
    change(home, statement)
    code, found = said(capsys, home, "audit", "verify", "--json")
    assert (code, found["ok"], found["first_bad_seq"], found["kind"], found["tenant"]) == (1, False, seq, kind, "acme")
    assert list(found["faults"]) == ["acme"]


@pytest.mark.parametrize("statement", ["drop table audit_checkpoints", "drop table audit_entries"])
def test_a_database_that_cannot_be_read_is_not_called_whole(
    home: Path, capsys: pytest.CaptureFixture[str], statement: str
) -> None:
    change(home, statement)
    code, found = said(capsys, home, "audit", "verify", "--json")
    assert (code, found) == (1, {"ok": False, "first_bad_seq": None, "kind": "unreadable"})
    code, found = said(capsys, home / "elsewhere", "audit", "verify", "--json")
    assert (code, found["kind"]) == (1, "unreadable")


def test_a_chain_of_which_nothing_is_left_is_missed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for table in ("audit_entries", "audit_heads", "audit_checkpoints"):
        change(home, f"delete from {table} where tenant = 'acme'")
    code, found = said(capsys, home, "audit", "verify", "--json")
    assert (code, found["first_bad_seq"], found["tenant"]) == (1, 1, "acme")


def test_a_proof_goes_elsewhere_and_holds(home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["audit", "key", "--data-dir", str(home)]) == 0
    key = capsys.readouterr().out.strip()
    assert main(["audit", "prove", "4", "--tenant", "acme", "--data-dir", str(home)]) == 0
    (proof := tmp_path / "proof.json").write_text(capsys.readouterr().out)
    (named := tmp_path / "company.key").write_text(key + "\n")
    for given in (key, key.removeprefix("ed25519:"), str(named)):
        assert said(capsys, home, "verify", str(proof), "--key", given, "--json")[0] == 0
    proof.write_text(proof.read_text().replace('\\"c3\\"', '\\"c4\\"'))
    code, found = said(capsys, home, "verify", str(proof), "--key", key, "--json")
    assert (code, found["ok"]) == (1, False)
    assert main(["audit", "prove", "9", "--tenant", "acme", "--data-dir", str(home)]) == 1


def test_verify_tells_wrong_use_from_what_is_not_intact(home: Path, tmp_path: Path) -> None:
    key = audit_key.load({}, home)
    (other := tmp_path / "other.pdf").write_bytes(b"%PDF-1.7\nstartxref\n5\n%%EOF\n")
    (hollow := tmp_path / "hollow.pdf").write_bytes(seal(other.read_bytes(), key.public, key))
    assert main(["verify", str(other), "--key", key.public]) == 1
    assert main(["verify", str(hollow), "--key", key.public]) == 1
    assert main(["verify", str(tmp_path / "none.pdf"), "--key", key.public]) == 2
    assert main(["verify", str(other), "--key", "nonsense"]) == 2
    assert main(["verify", str(other)]) == 2
