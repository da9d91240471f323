"""`forewarn quarantine` and `forewarn ledger` on a product that stands still."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from forewarn.__main__ import DONE, WRONG_USE, main
from forewarn.product import share
from ingest.service.intake import Intake
from plumbing.system_clock import SystemClock
from plumbing.ucum import UcumUnits
from tests.ingest.conftest import Message


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A device that sent one good sample and three under another name."""
    for name in ("FOREWARN_DATABASE_URL", "FOREWARN_INFLUX_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main(["device", "add", "p1", "--model", "centrifugal-pump", "--data-dir", str(tmp_path)]) == DONE
    capsys.readouterr()
    shared = share({}, tmp_path, SystemClock())
    intake = Intake(
        database=shared.database, store=shared.store, clocks=shared.clocks, system=shared.system, models=shared.models,
        units=UcumUnits(), publish=lambda _topic, _body: True,
    )  # fmt: skip
    names = ["vibration", "vib", "vib", "vib"]
    bodies = [
        {"v": 1, "boot_id": "9f3c01aa", "seq": n, "samples": [{"t": None, "values": {name: 1.5}}]}
        for n, name in enumerate(names, 1)
    ]
    for body in bodies:
        intake.take([Message("forewarn/v1/local/p1/telemetry", msgspec.json.encode(body))])
    intake.close()
    shared.store.close()
    shared.database.close()
    return tmp_path


def run(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main([*words, "--json", "--data-dir", str(home)]) == DONE
    return json.loads(capsys.readouterr().out)


def test_the_quarantine_is_listed_mended_replayed_and_expired(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = run(home, capsys, "quarantine", "list", "--device", "p1")
    assert [(q["reason"], q["state"]) for q in listed] == [("unknown_signal", "kept")] * 3
    assert run(home, capsys, "quarantine", "show", "1")["refusals"] == [["samples[0].values.vib", "unknown_signal"]]
    first = run(home, capsys, "quarantine", "replay", "1", "--signal", "vib=vibration")
    assert (first["samples"], first["replayed"], first["kept"]) == (1, 1, 0)
    assert run(home, capsys, "quarantine", "expire", "2") == {"expired": 1}
    assert run(home, capsys, "quarantine", "replay")["samples"] == 1
    assert [q["state"] for q in run(home, capsys, "quarantine", "list")] == ["replayed", "expired", "replayed"]
    (rule,) = run(home, capsys, "quarantine", "rules")
    assert (rule["owner"], rule["name"], rule["to"]) == ("p1", "vib", "vibration")
    assert run(home, capsys, "quarantine", "drop", "signal", "vib", "--device", "p1") == {"dropped": "vib"}
    told = run(home, capsys, "ledger", "p1", "--signals", "--days", "2")
    assert (told["sums"]["stored"], told["sums"]["quarantined"]) == (3, 1)
    assert sum(d["stored"] for d in told["signal_days"] if d["signal"] == "vibration") == 3
    assert sum(d["stored"] for d in told["days"]) == 3
    assert main(["ledger", "p1", "--data-dir", str(home)]) == DONE
    assert "stored 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["replay", "--signal", "vib=vibration"],
        ["replay", "--device", "p1", "--signal", "vib"],
        ["replay", "--device", "p1", "--signal", "vib=heat"],
        ["replay", "--from-now-on"],
        ["show", "99"],
        ["expire"],
        ["drop", "signal", "vib"],
        ["drop", "signal", "vib", "--device", "p1"],
    ],
)
def test_wrong_use_is_told(home: Path, words: list[str]) -> None:
    assert main(["quarantine", *words, "--data-dir", str(home)]) == WRONG_USE
