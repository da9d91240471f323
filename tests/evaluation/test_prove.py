"""`forewarn prove`: columns are guessed and corrected, the second part is judged, faults are told, mappings kept."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from anomaly.evaluation import prove
from anomaly.evaluation.files import BadData
from anomaly.evaluation.own_data import Given, guess_mapping, read_own, sheet
from anomaly.evaluation.own_mapping import Columns, as_yaml, guess_signal, read_mapping
from anomaly.evaluation.proof_report import wilson
from contracts.asset_model_text import parse
from edge_agent.adapters.csv_driver import CsvDriver
from edge_agent.settings import load
from forewarn.__main__ import main

BEGIN = np.datetime64("2024-01-01T00:00:00")
DAYS, STEP_HOURS = 60, 2


@pytest.mark.parametrize(
    ("column", "name", "unit", "role"),
    [
        ("vibration", "vibration", "mm/s", "symptom"),
        ("Bearing temp (degC)", "bearing_temp", "Cel", "symptom"),
        ("ambient_temperature", "ambient_temperature", "Cel", "condition"),
        ("Speed [rpm]", "speed", "/min", "symptom"),
        ("Pressure [psi]", "pressure", "[psi]", "symptom"),
        ("battery", "battery", "1", "device_health"),
        ("load", "load", "%", "condition"),
        ("x1", "x1", "1", "symptom"),
    ],
)
def test_a_columns_name_tells_signal_unit_and_role(column: str, name: str, unit: str, role: str) -> None:
    found = guess_signal(column)
    assert (found.name, found.unit, found.role) == (name, unit, role)


def write_pumps(folder: Path, fails: dict[str, int], pumps: int = 3) -> None:
    """A reading every two hours; a pump that fails on a day shakes more and more in the five days before it."""
    (folder / "telemetry").mkdir(parents=True)
    at = np.arange(0, DAYS * 24, STEP_HOURS)
    hours = len(at)
    times = [str(t).replace("T", " ") for t in BEGIN + at.astype("timedelta64[h]")]
    for i in range(pumps):
        chance = np.random.default_rng(i)
        vibration, temperature = 2 + chance.normal(0, 0.1, hours), 50 + chance.normal(0, 0.5, hours)
        day = fails.get(f"pump-{i}")
        if day is not None:
            grown = np.clip((at - 24 * (day - 5)) / 120, 0, 1) * (at < 24 * day)
            vibration, temperature = vibration + 3 * grown, temperature + 8 * grown
        rows = [
            f"{t},{v:.3f},{c:.2f},{n}" for n, (t, v, c) in enumerate(zip(times, vibration, temperature, strict=True))
        ]
        (folder / "telemetry" / f"pump-{i}.csv").write_text(
            "time,vibration,bearing_temperature,count\n" + "\n".join(rows) + "\n", encoding="utf-8"
        )
    failures = [f"{str(BEGIN + np.timedelta64(d, 'D')).replace('T', ' ')},{a},bearing,8" for a, d in fails.items()]
    (folder / "failures.csv").write_text(
        "time,machine,component,downtime_hours\n" + "\n".join(failures) + "\n", encoding="utf-8"
    )


def run(folder: Path, *more: str) -> int:
    return main([
        "prove", "--telemetry", str(folder / "telemetry"), "--failures", str(folder / "failures.csv"),
        "--keep", str(folder / "proof"), *more,
    ])  # fmt: skip


def test_two_failures_prove_nothing_and_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pumps(tmp_path, {"pump-0": 45, "pump-1": 52})
    out, page = tmp_path / "proof.json", tmp_path / "proof.html"
    assert run(tmp_path, "--json", str(out), "--html", str(page), "--cost-failure", "9000", "--cost-planned", "1500",
               "--cost-false", "500") == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "2 failures prove nothing; here is what they show." in said
    assert "install -D" in said
    assert "forewarn run agent --config" in said
    found = json.loads(out.read_text("utf-8"))
    assert (found["version"], found["figures"]["failures_judged"]) == (1, 2)
    assert found["figures"]["failures_announced"] == 2
    assert found["figures"]["cost_as_it_was"] == 18000
    assert found["figures"]["downtime_hours_as_it_was"] == 16
    html = page.read_text("utf-8")
    assert "prove nothing" in html
    assert not re.search(r"<script|(src|href)=", html)


def test_what_cannot_be_seen_is_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pumps(tmp_path, {})
    (tmp_path / "failures.csv").write_text("time,machine\n2024-02-20,pump-2\n", encoding="utf-8")
    assert run(tmp_path) == 0
    assert "missed: Not visible in these signals" in capsys.readouterr().out


def test_without_failures_only_visits_for_nothing_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pumps(tmp_path, {})
    assert run(tmp_path) == 0
    assert "nothing is proved about failures" in capsys.readouterr().out


def test_the_mapping_is_kept_and_a_correction_of_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pumps(tmp_path, {"pump-0": 45}, pumps=1)
    assert run(tmp_path) == 0
    mapping = tmp_path / "proof" / "mapping.yaml"
    guessed = read_mapping(mapping)
    assert [(s.name, s.role) for s in guessed.signals] == [
        ("vibration", "symptom"), ("bearing_temperature", "symptom"), ("count", "leave out"),
    ]  # fmt: skip
    corrected = mapping.read_text("utf-8").replace("name: vibration", "name: shaking")
    mapping.write_text(corrected, encoding="utf-8")
    assert run(tmp_path) == 0
    model = parse((tmp_path / "proof" / "own-machines.yaml").read_text("utf-8"), "model")
    assert set(model.signals) == {"shaking", "bearing_temperature"}
    assert set(model.components) == {"bearing"}
    assert capsys.readouterr().err.count("mapping.yaml") == 2


def test_the_trial_becomes_the_installation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pumps(tmp_path, {"pump-0": 45}, pumps=2)
    rows = []
    for name in ("pump-0", "pump-1"):
        lines = (tmp_path / "telemetry" / f"{name}.csv").read_text("utf-8").splitlines()
        rows += [f"{name},{line}" for line in lines[1:]]
    header = "machine,time,Vibration (mm/s),bearing_temperature,count"
    (tmp_path / "all.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    asked = ["--telemetry", str(tmp_path / "all.csv"), "--failures", str(tmp_path / "failures.csv")]
    assert main(["prove", *asked, "--keep", str(tmp_path / "proof")]) == 0
    assert main(["model", "check", str(tmp_path / "proof" / "own-machines.yaml")]) == 0
    url = {"FOREWARN_MQTT_URL": "mqtt://acme%2Fpump-0:secret@127.0.0.1:1883", "FOREWARN_HOME": str(tmp_path)}
    agent = load(tmp_path / "proof" / "agent.toml", url)
    [driver] = agent.drivers.values()
    assert driver.units == {"vibration": "mm/s", "bearing_temperature": "Cel"}
    csv = CsvDriver(driver.options)
    first = csv.poll("", datetime(2024, 6, 1, tzinfo=UTC), 0.0, 10_000)
    taken = [*first.readings, *csv.poll(first.position, datetime(2024, 6, 1, tzinfo=UTC), 0.0, 10_000).readings]
    model = parse((tmp_path / "proof" / "own-machines.yaml").read_text("utf-8"), "model")
    assert {name for r in taken for name in r.values} == set(model.signals)
    assert len(taken) == DAYS * 24 / STEP_HOURS
    assert taken[0].t == "2024-01-01T00:00:00+00:00"
    assert "install -D" in capsys.readouterr().out


def test_a_stuck_sensor_is_told_and_is_none_of_the_machine(tmp_path: Path) -> None:
    write_pumps(tmp_path, {}, pumps=1)
    file = tmp_path / "telemetry" / "pump-0.csv"
    lines = file.read_text("utf-8").splitlines()
    stuck = [line.split(",") for line in lines]
    for cells in stuck[500:600]:
        cells[1] = stuck[499][1]
    file.write_text("\n".join(",".join(cells) for cells in stuck) + "\n", encoding="utf-8")
    assert run(tmp_path, "--json", str(tmp_path / "p.json")) == 0
    [item] = json.loads((tmp_path / "p.json").read_text("utf-8"))["per_item"]
    assert [(f["signal"], f["is"]) for f in item["sensor_faults"]] == [("vibration", "stuck")]
    assert item["false_visits"] == 0


def test_a_log_of_events_is_mapped_like_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pumps(tmp_path, {"pump-0": 45})
    (tmp_path / "errors.csv").write_text("time,machine,errorID\n2024-02-12,pump-0,E7\n", encoding="utf-8")
    assert run(tmp_path, "--events", str(tmp_path / "errors.csv")) == 0
    assert read_mapping(tmp_path / "proof" / "mapping.yaml").errors == Columns("time", "machine", "errorID")
    said = capsys.readouterr()
    assert "1 event" in said.out
    assert "the log of 1 events was not used" in said.err


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("failures.csv", "time,machine\n2024-02-40,pump-0\n",
         "failures.csv:2: column 'time': '2024-02-40' must be a time"),
        ("failures.csv", "time,what\n2024-02-01,x\n", "failures.csv:1: no column is named like a machine"),
        ("failures.csv", "time,machine\n2024-02-01\n", "failures.csv:2: has 1 cells, the header 2"),
        ("failures.csv", "", "failures.csv: the file is empty"),
        ("telemetry/pump-0.csv", "time,vibration\n2024-01-01,1\n2024-01-02,2,5\n",
         "pump-0.csv:3: has 3 cells, the header 2"),
        ("telemetry/pump-0.csv", "time,vibration\n2024-01-01,1\n2024-01-02,2\n2024-01-03,abc\n",
         "pump-0.csv:4: column 'vibration': 'abc' must be a number"),
        ("telemetry/pump-0.csv", "time,note\n2024-01-01,a\n", "no column beside 'time' holds numbers"),
        ("telemetry/pump-0.csv", "vibration\n1\n", "pump-0.csv:1: no separator found"),
    ],
)  # fmt: skip
def test_bad_input_is_told_by_file_line_column_and_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, said: str
) -> None:
    write_pumps(tmp_path, {"pump-0": 45}, pumps=2)
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert run(tmp_path) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("find", "put", "said"),
    [
        ("role: symptom\n", "role: guess\n", r"telemetry\.signals\.vibration\.role: 'guess' must be one of"),
        ("name: vibration", "name: a b", r"telemetry\.signals\.vibration\.name: 'a b' must be"),
        ("time: time\n  asset", "time: ''\n  asset", None),
        ("failures:", "failings:", r"failures: must be there"),
        ("role: symptom\n", "role: condition\n", r"at least one column must be a symptom"),
    ],
)
def test_a_bad_mapping_is_told_by_field_and_rule(tmp_path: Path, find: str, put: str, said: str | None) -> None:
    write_pumps(tmp_path, {"pump-0": 45}, pumps=1)
    given = Given([sheet(tmp_path / "telemetry" / "pump-0.csv")], sheet(tmp_path / "failures.csv"))
    file = tmp_path / "mapping.yaml"
    file.write_text(as_yaml(guess_mapping(given)).replace(find, put), encoding="utf-8")
    with pytest.raises(BadData, match=said):
        read_own(given, read_mapping(file))


def test_what_is_of_unknown_machines_is_left_out_and_told(tmp_path: Path) -> None:
    write_pumps(tmp_path, {"pump-0": 45, "pump-9": 50}, pumps=2)
    given = Given([sheet(p) for p in sorted((tmp_path / "telemetry").iterdir())], sheet(tmp_path / "failures.csv"))
    data = read_own(given, guess_mapping(given))
    assert [f.asset for f in data.failures] == ["pump-0"]
    assert "1 failures are of machines without telemetry" in data.notices[0]


def test_too_many_readings_are_averaged_and_gaps_stay_gaps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_pumps(tmp_path, {"pump-0": 45}, pumps=1)
    given = Given([sheet(tmp_path / "telemetry" / "pump-0.csv")], sheet(tmp_path / "failures.csv"))
    data = read_own(given, guess_mapping(given))
    monkeypatch.setattr(prove, "MOST_ROWS", 100)
    fewer = prove.coarser(data)
    assert 90 <= len(fewer.machines[0].at_us) <= 101
    assert (np.diff(fewer.machines[0].at_us) > 0).all()
    np.testing.assert_allclose(fewer.machines[0].values.mean(0), data.machines[0].values.mean(0), rtol=0.05)
    assert "were averaged over" in fewer.notices[-1]


def test_few_failures_leave_the_share_open() -> None:
    assert wilson(0, 0) is None
    low, high = wilson(2, 2) or (0, 0)
    assert low < 0.4
    assert high == pytest.approx(1.0)
