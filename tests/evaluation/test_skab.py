"""Experiments with labelled faults, counted by hand; records without faults; any part of the set."""

from pathlib import Path

import numpy as np
import pytest

from anomaly.adapters.detect import Result, detect
from anomaly.adapters.table import Table, read_table
from anomaly.evaluation.files import BadData
from anomaly.evaluation.report import Options, silent
from anomaly.evaluation.skab import TRAIN_ROWS, change_windows, evaluate, judge, stretches


def experiment(path: Path, seed: int, fault: slice | None, rows: int = 900, labels: bool = True) -> Path:
    """Three signals at 1 Hz, one of which a fault moves."""
    rng = np.random.default_rng(seed)
    values = rng.normal((5.0, 60.0, 230.0), 1.0, (rows, 3))
    label, change = np.zeros(rows, dtype=int), np.zeros(rows, dtype=int)
    if fault is not None:
        values[fault, 0] += 6.0
        label[fault] = 1
        change[[fault.start, fault.stop]] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.write("datetime;Current;Flow;Voltage" + (";anomaly;changepoint\n" if labels else "\n"))
        for i, row in enumerate(values.tolist()):
            at = f"2020-03-09 {10 + i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}"
            marks = f";{label[i]}.0;{change[i]}.0" if labels else ""
            file.write(";".join([at, *(f"{x:.5f}" for x in row)]) + marks + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("skab")
    experiment(found / "valve1" / "0.csv", 0, slice(600, 800))
    experiment(found / "valve2" / "0.csv", 1, slice(500, 700))
    experiment(found / "other" / "1.csv", 2, slice(650, 850))
    experiment(found / "anomaly-free" / "anomaly-free.csv", 3, None, 1200, labels=False)
    (found / "notes.csv").write_text("a,b\n1,2\n")
    (found / "empty.csv").write_text("")
    return found


def test_every_file_is_scored_and_without_faults_the_share_in_alarm(folder: Path) -> None:
    found = evaluate(folder, None, Options(), silent)
    figures = found.figures
    assert (figures["events"], figures["events_found"], figures["false_runs"]) == (3, 3, 0)
    assert figures["alarm_share_fault_free"] == 0.0
    f1, far, delay = figures["f1"], figures["far"], figures["median_delay_s"]
    assert f1 is not None
    assert far is not None
    assert delay is not None
    assert f1 > 0.9
    assert 0 <= far < 15
    assert 5 <= delay <= 25
    assert len(found.data_sha256) == 4


def test_what_choices_were_fixed_on_is_not_scored(folder: Path) -> None:
    found = evaluate(folder, None, Options(train="valve1"), silent)
    assert sorted(str(item["file"]).split("/")[0] for item in found.per_item) == ["anomaly-free", "other", "valve2"]


def test_one_folder_alone_has_no_share_without_faults(folder: Path) -> None:
    found = evaluate(folder, "valve2", Options(), silent)
    assert found.figures["events"] == 1
    assert found.figures["alarm_share_fault_free"] is None


def test_nothing_left_to_score_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no experiment"):
        evaluate(tmp_path, None, Options(), silent)
    with pytest.raises(BadData, match="valve9"):
        evaluate(folder, "valve9", Options(), silent)


@pytest.mark.parametrize("change", ["doubled and late rows", "gaps", "units changed", "channel missing"])
def test_worse_data_is_judged_too(folder: Path, change: str) -> None:
    found = evaluate(folder, "valve2", Options(perturb=change), silent)
    assert found.figures["f1"] is not None


def result(alarm: list[slice], rows: int = 1000) -> Result:
    told = np.zeros(rows, dtype=bool)
    for part in alarm:
        told[part] = True
    t_us = np.arange(rows, dtype=np.int64) * 1_000_000
    table = Table("x", [""] * rows, t_us, ("a",), np.zeros((rows, 1)), ())
    return Result(table, TRAIN_ROWS, 1.0, np.zeros(rows), told, np.zeros((rows, 1)), (), 0)


def test_rows_events_and_runs_are_counted_after_the_training_rows() -> None:
    label = np.zeros(1000, dtype=bool)
    label[600:700] = True
    change = np.zeros(1000, dtype=bool)
    change[[600, 700]] = True
    found = judge("x", result([slice(0, 50), slice(630, 720), slice(900, 910)]), label, change)
    assert (found.hits, found.false, found.missed, found.quiet) == (70, 30, 30, 470)
    assert (found.events, found.found, found.false_runs, found.delays_s) == (1, 1, 1, (30.0,))
    assert found.changes is not None
    assert (found.changes.windows, found.changes.hit, found.changes.false_runs) == (2, 2, 2)


def test_windows_of_change_points_last_a_minute_and_do_not_overlap() -> None:
    t_us = np.arange(300, dtype=np.int64) * 1_000_000
    assert change_windows(t_us, np.array([10, 40, 290])) == [(10, 39), (40, 100), (290, 299)]
    assert stretches(np.array([True, False, True, True])) == [(0, 1), (2, 4)]


@pytest.mark.shared_data
def test_a_real_valve_fault_that_begins_earlier_is_found_as_well(shared_data: Path) -> None:
    table = read_table(shared_data / "skab" / "valve1" / "12.csv.xz", "datetime")
    for drop in (0, 90, 160):
        rows = slice(drop, None)
        part = Table(table.name, table.times[rows], table.t_us[rows], table.signals, table.values[rows], ())
        begins = [one.start_row + drop for one in detect(part, TRAIN_ROWS).alarms]
        assert any(570 <= at <= 640 for at in begins)
