"""`forewarn evaluate ims` and `ai4i` on records made here, and on a slice of real bearings."""

import json
import lzma
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from anomaly.evaluation import ai4i
from forewarn.__main__ import main

START = datetime(2004, 2, 12, 10, 32, 39, tzinfo=UTC)
ROWS = 900


def record(names: tuple[str, ...], failing: int, written: str = "%Y.%m.%d.%H.%M.%S") -> str:
    """Bearings at 10 minutes; one of them wears over its last three days."""
    chance = np.random.default_rng(1)
    v = 0.07 + 0.001 * chance.normal(size=(ROWS, len(names)))
    v[-432:, failing] += 0.1 * np.exp(-np.arange(432)[::-1] / 150.0)
    lines = [",".join(["", "Datetime", *names])]
    for i, row in enumerate(v.tolist()):
        at = START + timedelta(minutes=10 * i)
        lines.append(",".join([str(i), at.strftime(written), *(f"{x:.6f}" for x in row)]))
    return "\n".join(lines) + "\n"


def said(folder: Path, name: str, *words: str) -> dict[str, dict[str, float | None]]:
    out = folder / "out.json"
    assert main(["evaluate", name, "--data", str(folder), "--json", str(out), *words]) == 0
    found: dict[str, dict[str, float | None]] = json.loads(out.read_text())
    return found


@pytest.mark.parametrize(
    ("file", "names", "failing", "written"),
    [
        ("bearings.csv", ("Bearing 1", "Bearing 2", "Bearing 3"), 2, "%Y.%m.%d.%H.%M.%S"),
        ("2nd_test.csv", ("b1", "b2", "b3", "b4"), 0, "%Y-%m-%d %H:%M:%S"),
        ("test3.csv.xz", ("Bearing 1", "Bearing 2", "Bearing 3", "Bearing 4"), 2, "%Y-%m-%dT%H:%M:%SZ"),
        ("pump house.csv", ("left", "right"), 1, "%Y-%m-%d %H:%M:%S"),
    ],
)
def test_the_failing_bearing_is_warned_of_and_the_others_keep_quiet(
    tmp_path: Path, file: str, names: tuple[str, ...], failing: int, written: str
) -> None:
    text = record(names, failing, written).encode()
    (tmp_path / file).write_bytes(lzma.compress(text) if file.endswith(".xz") else text)
    found = said(tmp_path, "ims")
    figures = found["figures"]
    assert (figures["failed"], figures["failed_warned_24h"], figures["healthy_false_alarms"]) == (1, 1, 0)
    assert figures["lead_hours_min"] is not None
    assert 24 <= figures["lead_hours_min"] <= 72
    assert set(figures) == {"failed", "failed_warned_24h", "healthy_false_alarms", "lead_hours_min"}


def test_two_columns_a_bearing_are_those_of_the_first_test_of_the_publication(tmp_path: Path) -> None:
    names = tuple(f"Bearing {b} {axis}" for b in range(1, 5) for axis in "xy")
    (tmp_path / "1st_test.csv").write_text(record(names, 4))
    assert said(tmp_path, "ims")["figures"]["failed"] == 4


def test_the_column_of_times_may_have_no_name_and_other_tables_may_lie_beside(tmp_path: Path) -> None:
    rows = record(("0", "1", "2", "3"), 0).splitlines()
    (tmp_path / "merged_test_2.csv").write_text("\n".join([",0,1,2,3", *(row.split(",", 1)[1] for row in rows[1:])]))
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    found = said(tmp_path, "ims")
    assert found["figures"]["failed_warned_24h"] == found["figures"]["failed"] == 1
    assert "notes.csv" in str(found["per_item"])


@pytest.mark.parametrize(
    ("text", "why"),
    [("a,b\n1,2\n", "no column named as a time"), ("time,b1\n1,x\n", "b1"), ("time,b1\n1,2\n", "too few")],
)
def test_what_is_no_record_of_bearings_ends_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    (tmp_path / "x.csv").write_text(text)
    assert main(["evaluate", "ims", "--data", str(tmp_path)]) == 1
    assert why in capsys.readouterr().err


@pytest.mark.shared_data
def test_the_real_bearing_is_announced_days_ahead(shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert main(["evaluate", "ims", "--data", str(shared_data / "ims_test2"), "--json", str(out)]) == 0
    figures = json.loads(out.read_text())["figures"]
    assert figures["failed_warned_24h"] == figures["failed"] == 1
    assert figures["healthy_false_alarms"] <= 1


def test_failures_of_a_milling_process_are_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ai4i.TREES, "max_iter", 60)
    chance = np.random.default_rng(2)
    rows = [
        "UDI,Product ID,Type,Air temperature [K],ProcessTemperature[K],Rotational speed [rpm],Torque [Nm],"
        "Tool wear [min],Machine failure,TWF"
    ]
    for i in range(800):
        wear, torque = chance.uniform(0, 250), chance.normal(40, 8)
        failed = int(wear * torque > 9000)
        rows.append(f"{i},M{i},M,300,310,1500,{torque:.1f},{wear:.0f},{failed},{failed}")
    (tmp_path / "ai4i2020.csv").write_text("\n".join(rows) + "\n")
    found = said(tmp_path, "ai4i", "--seeds", "1")
    assert set(found["figures"]) == {"f1", "precision", "recall"}
    assert (found["figures"]["f1"] or 0) > 0.8
    (tmp_path / "ai4i2020.csv").write_text("a,b\n1,2\n")
    assert main(["evaluate", "ai4i", "--data", str(tmp_path)]) == 1
