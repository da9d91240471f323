"""`evaluate azure` on a made-up fleet in the set's format: its figures, its split, its faults."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from anomaly.domain.hazard import Fleet
from anomaly.domain.history import HOUR_US
from anomaly.evaluation.azure import evaluate, split_of
from anomaly.evaluation.azure_files import Part, read_part
from anomaly.evaluation.files import BadData
from anomaly.evaluation.report import Options, Report, silent
from tests.evaluation.fleets import fleet, write_azure

NAMES = {
    "event_recall", "order_precision", "false_orders_per_asset_month", "lead_hours_p10", "lead_hours_p50",
    "lead_hours_p90", "brier_24h", "ece_24h",
    *(f"cost_saved_vs_{what}_{r}" for what in ("run_to_failure", "fixed_interval") for r in (5, 10, 20)),
}  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("azure")
    write_azure(folder, fleet(6))
    return evaluate(folder, None, Options(train="2020-05-15"), silent)


def test_all_figures_are_there_and_within_their_bounds(report: Report) -> None:
    assert set(report.figures) == NAMES
    shares = [report.figures[name] for name in ("event_recall", "order_precision", "brier_24h", "ece_24h")]
    assert all(share is not None and 0 <= share <= 1 for share in shares)
    for name, (low, high) in report.ci95.items():
        assert low <= high, name


def test_failures_with_an_announcing_error_are_ordered_for(report: Report) -> None:
    assert (report.figures["event_recall"] or 0) >= 0.8
    assert (report.figures["order_precision"] or 0) >= 0.6
    assert (report.figures["lead_hours_p50"] or 0) <= 72
    assert sum(int(str(item["failures"])) for item in report.per_item) == report.config["failures_judged"]


def test_what_was_learned_and_read_is_stated(report: Report) -> None:
    assert report.config["learned_until"] == "2020-05-15"
    assert set(report.data_sha256) == {
        "PdM_errors.csv", "PdM_failures.csv", "PdM_machines.csv", "PdM_maint.csv",
    }  # fmt: skip
    assert report.subset == "events"


@pytest.mark.parametrize(
    ("begin", "end", "telemetry", "split"),
    [
        ("2015-01-01", "2015-04-01", True, "2015-02-25"),
        ("2020-01-01", "2021-01-01", False, "2020-10-01"),
        ("2015-01-01", "2016-01-01", True, "2015-10-01"),
        ("2020-01-01", "2020-12-31", False, "2020-10-01"),
    ],
)
def test_the_judged_part_begins_where_the_protocol_says(begin: str, end: str, telemetry: bool, split: str) -> None:
    first, last = (_us(datetime.fromisoformat(day)) for day in (begin, end))
    part = Part([], Fleet((), (), ("volt",) if telemetry else ()), first, last, [])
    assert split_of(part, None) == _us(datetime.fromisoformat(split))


def _us(at: datetime) -> int:
    return round(at.replace(tzinfo=UTC).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("file", "line", "text", "said"),
    [
        (
            "errors",
            3,
            "2020-99-01 06:00:00,0,E1",
            r"PdM_errors.csv:3: column 'datetime': '2020-99-01 06:00:00' must be",
        ),
        ("failures", 0, "datetime,machineID,what", r"PdM_failures.csv:1: column 'failure' must be there"),
        ("machines", 1, "0,model1,", r"PdM_machines.csv:2: column 'age' must not be empty"),
    ],
)
def test_a_fault_is_told_by_file_line_and_column(tmp_path: Path, file: str, line: int, text: str, said: str) -> None:
    write_azure(tmp_path, fleet(2))
    path = tmp_path / f"PdM_{file}.csv"
    lines = path.read_text("utf-8").splitlines()
    lines[line - 1 if line > 1 else line] = text
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(BadData, match=said):
        read_part(tmp_path, False, None)


def test_an_empty_folder_says_where_the_set_is(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"PdM_errors\.csv .* The set is"):
        evaluate(tmp_path, None, Options(), silent)


def test_telemetry_is_read_where_there_is_some_and_left_out_where_asked(tmp_path: Path) -> None:
    machines = fleet(2)
    write_azure(tmp_path, machines)
    hours = np.datetime64("2020-01-01T00:00:00") + np.arange(50).astype("timedelta64[h]")
    rows = [f"{str(t).replace('T', ' ')},{m.asset},170,450,100,40" for m in machines for t in hours]
    (tmp_path / "PdM_telemetry.csv").write_text(
        "datetime,machineID,volt,rotate,pressure,vibration\n" + "\n".join(rows), encoding="utf-8"
    )
    part = read_part(tmp_path, False, None)
    readings = part.histories[1].readings
    assert part.telemetry
    assert readings is not None
    assert readings.values.shape == (50, 4)
    assert np.diff(readings.at_us).tolist() == [HOUR_US] * 49
    assert not read_part(tmp_path, True, None).telemetry


def test_the_files_may_be_named_and_dated_as_in_microsofts_guide(tmp_path: Path) -> None:
    write_azure(tmp_path / "kaggle", fleet(2))
    (tmp_path / "guide").mkdir()
    for path in (tmp_path / "kaggle").glob("PdM_*.csv"):
        rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
        if rows[0][0] == "datetime":
            rows[1:] = [[f"{datetime.fromisoformat(at):%m/%d/%Y %I:%M:%S %p}", *rest] for at, *rest in rows[1:]]
        text = "\n".join(",".join(row) for row in rows) + "\n"
        (tmp_path / "guide" / path.name.removeprefix("PdM_")).write_text(text, encoding="utf-8")
    one, other = (read_part(tmp_path / name, False, None) for name in ("kaggle", "guide"))
    assert (one.begin_us, one.end_us) == (other.begin_us, other.end_us)
    assert [h.failed.at_us.tolist() for h in one.histories] == [h.failed.at_us.tolist() for h in other.histories]
