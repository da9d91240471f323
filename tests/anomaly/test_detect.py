"""`forewarn detect` on anybody's file: what it finds, what it writes, what it says of a file that it cannot use."""

import csv
import gzip
import json
import lzma
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from anomaly.adapters.detect import Result, detect, run, settings_for
from anomaly.adapters.detect_plot import Assets
from anomaly.adapters.table import BadTable, Table, WrongColumn, read_table
from anomaly.domain.alarm import AlarmMachine
from anomaly.domain.detector import detector_of
from anomaly.domain.layout import plain_layout
from anomaly.domain.wandering import integrated_time

Floats = NDArray[np.float64]
TRAIN = 400
FAULT = slice(700, 900)


def machine(seed: int = 5, rows: int = 1200, fault: slice | None = FAULT) -> Floats:
    """Four signals: two plain ones, one that a fault moves, one that never moves."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 4)) * [1.0, 0.2, 3.0, 0.0] + [10.0, 5.0, 50.0, 7.0]
    if fault is not None:
        values[fault, 2] += 7.0
    return values


def table_of(values: Floats, step_s: float = 1.0) -> Table:
    names = tuple(f"s{j}" for j in range(values.shape[1]))
    t_us = 1_700_000_000_000_000 + np.round(np.arange(len(values)) * step_s * 1e6).astype(np.int64)
    return Table("machine.csv", [str(t) for t in t_us.tolist()], t_us, names, values, ())


def write(path: Path, values: Floats, header: str = "time;a;b;c;d;anomaly", label: str = "0") -> Path:
    lines = [header]
    for i, row in enumerate(values.tolist()):
        cells = ";".join("" if np.isnan(x) else f"{x:.6f}" for x in row)
        lines.append(f"2026-03-01 {i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d};{cells};{label}")
    text = "\n".join(lines) + "\n"
    if path.suffix == ".xz":
        path.write_bytes(lzma.compress(text.encode()))
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


class Said:
    """What the command said, in two piles."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.err: list[str] = []

    def run(
        self,
        path: Path,
        time: str = "time",
        train: int = TRAIN,
        *,
        signals: Sequence[str] = (),
        separator: str = "auto",
        out: Path | None = None,
        plot: Path | None = None,
        json_file: Path | None = None,
        assets: Assets | None = None,
    ) -> int:
        return run(
            path, time, train, signals=signals, separator=separator, out=out, plot=plot, json_file=json_file,
            assets=assets, say=self.out.append, tell=self.err.append,
        )  # fmt: skip


def test_a_fault_is_found_and_named_and_nothing_else_is() -> None:
    found = detect(table_of(machine()), TRAIN)
    assert len(found.alarms) == 1
    alarm = found.alarms[0]
    assert 700 <= alarm.start_row <= 730
    assert 890 <= alarm.end_row <= 930
    assert alarm.top_signals[0] == "s2"
    assert found.alarm[alarm.start_row : alarm.end_row + 1].all()
    assert found.alarm.sum() == alarm.end_row - alarm.start_row + 1


@pytest.mark.parametrize("start", [430, 600, 777, 1000])
def test_it_does_not_matter_when_a_fault_begins(start: int) -> None:
    found = detect(table_of(machine(fault=slice(start, start + 150))), TRAIN)
    assert [start <= a.start_row <= start + 30 for a in found.alarms] == [True]


@pytest.mark.parametrize("seed", range(4))
def test_hours_of_health_with_a_drifting_temperature_are_hardly_ever_an_alarm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = machine(seed, 9_000, None)
    drift = np.cumsum(rng.normal(size=9_000)) * 0.05 + 4.0 * np.sin(np.arange(9_000) / 900.0)
    values[:, 1] = 60.0 + drift + 0.1 * rng.normal(size=9_000)
    values[:, 0] += np.linspace(0.0, 2.0, 9_000)
    assert detect(table_of(values), TRAIN).alarm_share < 0.01


def test_constant_signals_and_missing_values_survive() -> None:
    values = machine()
    values[::7, 0] = np.nan
    values[500:640, 1] = np.nan
    values[:, 3] = np.nan
    found = detect(table_of(values), TRAIN)
    assert [a.top_signals[0] for a in found.alarms] == ["s2"]
    nothing = np.full((600, 2), np.nan)
    assert np.isnan(detect(table_of(nothing), TRAIN).score).all()


def test_training_rows_have_no_score_and_no_alarm_whatever_they_hold() -> None:
    values = machine()
    values[100:140] *= 3.0
    found = detect(table_of(values), TRAIN)
    assert np.isnan(found.score[:TRAIN]).all()
    assert not found.alarm[:TRAIN].any()
    assert np.isfinite(found.score[TRAIN:]).all()


def test_rows_one_by_one_and_all_at_once_give_the_same_scores() -> None:
    table = table_of(machine(8))
    settings = settings_for(table, TRAIN)

    def scores(cut: int) -> Floats:
        detector, alarm = detector_of(plain_layout(table.signals, settings)), AlarmMachine()

        def judge(t_us: int, score: float) -> bool:
            alarm.step(t_us, score, settings)
            return alarm.raised

        pieces = []
        for first in range(0, len(table), cut):
            detector.state.frozen = alarm.raised
            rows = slice(first, first + cut)
            pieces.append(detector.feed(table.t_us[rows], table.values[rows], judge).score)
        return np.concatenate(pieces)

    one, many = scores(1), scores(777)
    assert np.array_equal(np.isnan(one), np.isnan(many))
    assert np.nanmax(np.abs(one - many)) < 1e-9
    assert np.nanmax(np.abs(detect(table, TRAIN).score - many)) < 1e-9


def test_the_order_of_the_columns_does_not_matter() -> None:
    table = table_of(machine())
    turned = replace(table, signals=table.signals[::-1], values=table.values[:, ::-1])
    assert np.allclose(detect(table, TRAIN).score, detect(turned, TRAIN).score, rtol=1e-9, equal_nan=True)


def test_windows_start_anew_after_a_long_silence() -> None:
    table = table_of(machine())
    late = table.t_us.copy()
    late[600:] += 3_600_000_000
    found = detect(replace(table, t_us=late), TRAIN)
    assert np.isnan(found.score[600:619]).all()
    assert np.isfinite(found.score[619:]).all()


@pytest.mark.parametrize("suffix", [".csv", ".csv.xz", ".csv.gz"])
def test_scores_are_written_a_row_for_every_row(tmp_path: Path, suffix: str) -> None:
    source = write(tmp_path / f"rows{suffix}", machine())
    said, out, summary = Said(), tmp_path / "scores.csv", tmp_path / "found.json"
    assert said.run(source, out=out, json_file=summary) == 0
    with out.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["time", "score", "threshold", "alarm", "top_signals"]
    assert len(rows) == 1201
    assert rows[1] == ["2026-03-01 00:00:00", "", "", "0", ""]
    assert rows[TRAIN + 1][1] != ""
    alarm = rows[801]
    assert (float(alarm[1]) > float(alarm[2]), alarm[3]) == (True, "1")
    assert alarm[4].split(";")[0] == "c"
    found = json.loads(summary.read_text())
    assert set(found) == {"rows", "train_rows", "signals", "alarms", "alarm_share", "seed", "version"}
    assert (found["rows"], found["train_rows"], found["signals"]) == (1200, TRAIN, ["a", "b", "c", "d"])
    (one,) = found["alarms"]
    assert set(one) == {"start", "end", "start_row", "end_row", "peak", "top_signals"}
    assert one["start"] == rows[one["start_row"] + 1][0]
    assert found["alarm_share"] == pytest.approx(sum(r[3] == "1" for r in rows[1:]) / 800)
    assert any("left out: anomaly" in line for line in said.err)


def test_chosen_and_excluded_columns_are_respected(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.csv", machine())
    assert read_table(source, "time", signals=["c", "a"]).signals == ("c", "a")
    assert read_table(source, "time", exclude=["c"]).signals == ("a", "b", "d")
    assert read_table(source, "time", signals=["anomaly"]).signals == ("anomaly",)


@pytest.mark.parametrize(
    "cells",
    [
        ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00+00:00"],
        ["2004.02.12.10.32.39", "2004.02.12.11.32.39"],
        ["01.03.2026 00:00", "01.03.2026 01:00"],
        ["1/31/2015 11:00:00 PM", "2/1/2015 12:00:00 AM"],
        ["31/01/2015 23:00", "01/02/2015 00:00"],
        ["1700000000", "1700003600"],
        ["1700000000000", "1700003600000"],
        ["1700000000000000000", "1700003600000000000"],
        ["0", "3600"],
        ["20260301000000", "20260301010000"],
    ],
)
def test_many_ways_to_write_a_time_are_read(tmp_path: Path, cells: list[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("when,x\n" + "".join(f"{c},1\n" for c in cells))
    table = read_table(path, "when")
    assert table.times == cells
    assert int(table.t_us[1] - table.t_us[0]) == 3_600_000_000


def test_repeated_times_keep_their_order_and_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("t,x\n1,1\n1,2\n1,3\n2,4\n")
    table = read_table(path, "t")
    assert (np.diff(table.t_us) > 0).all()
    assert "2 rows repeat the time" in table.notices[0]


GOOD = "time,a,b\n1,1,2\n2,1,2\n3,1,2\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("time,a,b\n", "holds no rows"),
        (GOOD + "4,x7,2\n", ":5: column 'a': 'x7' must be a number or empty"),
        (GOOD + "4,inf,2\n", ":5: column 'a': 'inf' must be a finite number"),
        ("time;a\n1;1,5\n", ":2: column 'a': '1,5' must be a number or empty; a number has a decimal point"),
        (GOOD + "2,1,2\n", ":5: column 'time': '2' lies before '3' in the row above"),
        (GOOD + ",1,2\n", ":5: column 'time': '' must be a time"),
        (GOOD + "NaN,1,2\n", ":5: column 'time': 'NaN' must be a time"),
        ("time,a\n2026-03-01,1\nyesterday,2\n", ":3: column 'time': 'yesterday' must be a time"),
        (GOOD + "4,1\n", ":5: has 2 cells, the header 3"),
        ("time,a,a\n1,2,3\n", ":1: column 'a' is there twice"),
        ("time,anomaly\n1,0\n", "no column is left"),
        ("only one thing\n1\n", "no separator found"),
        ("time,a\n1,1\n1,1\n1,1\n", "'1' stands in every row"),
    ],
)
def test_a_bad_file_is_named_with_line_column_value_and_rule(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(BadTable) as raised:
        read_table(path, "time")
    assert str(raised.value).startswith(str(path))
    assert said in str(raised.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01 not text", b"no archive"])
@pytest.mark.parametrize("suffix", [".csv", ".xz", ".gz"])
def test_bytes_that_are_no_table_are_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(BadTable):
        read_table(path, "time")


@pytest.mark.parametrize(
    ("use", "code", "said"),
    [
        (lambda said, path: said.run(path, "nope"), 2, "column 'nope' is missing; there: time, a, b, c, d"),
        (lambda said, path: said.run(path, signals=["z"]), 2, "column 'z' is missing"),
        (lambda said, path: said.run(path, train=5), 2, "must be at least 30"),
        (lambda said, path: said.run(path, train=1200), 2, "has 1200 rows, so nothing is left"),
        (lambda said, path: said.run(path, separator="::"), 1, "must be one character"),
    ],
)
def test_wrong_use_ends_with_a_sentence_and_its_code(
    tmp_path: Path, use: Callable[[Said, Path], int], code: int, said: str
) -> None:
    all_said = Said()
    assert use(all_said, write(tmp_path / "rows.csv", machine())) == code
    assert said in all_said.err[-1]
    assert not all_said.out


def test_a_file_that_is_not_there_and_a_place_that_cannot_be_written_fail_in_one_line(tmp_path: Path) -> None:
    said = Said()
    assert said.run(tmp_path / "none.csv") == 1
    assert said.run(write(tmp_path / "rows.csv", machine()), out=tmp_path / "no" / "scores.csv") == 1
    assert ["none.csv" in said.err[0], "scores.csv" in said.err[-1]] == [True, True]


def test_a_missing_column_is_told_apart_from_a_bad_file(tmp_path: Path) -> None:
    with pytest.raises(WrongColumn):
        read_table(write(tmp_path / "rows.csv", machine()), "time", exclude=["nope"])


def test_the_plot_stands_alone_and_nothing_in_the_file_can_break_out_of_it(tmp_path: Path) -> None:
    nasty = "time;</script><b>;b;c;d;label"
    source = write(tmp_path / "rows.csv", machine(), nasty)
    plot = tmp_path / "plot.html"
    assert Said().run(source, plot=plot, assets=Assets("var uPlot;", ".u{}")) == 0
    text = plot.read_text()
    assert "</script><b>" not in text
    assert text.count("</script>") == 3
    for outside in ("http://", "https://", 'src="', "@import"):
        assert outside not in text
    assert "{{" not in text.split('id="data"')[0]


def test_white_noise_forgets_at_once_and_a_walk_does_not() -> None:
    rng = np.random.default_rng(3)
    assert integrated_time(rng.normal(size=4_000)) < 2
    x = np.zeros(20_000)
    for i in range(1, len(x)):
        x[i] = 0.9 * x[i - 1] + rng.normal()
    assert integrated_time(x) == pytest.approx(19.0, rel=0.15)
    assert integrated_time(np.cumsum(rng.normal(size=400))) > 40


@pytest.fixture(scope="module")
def valve1(shared_data: Path) -> list[tuple[Result, NDArray[np.bool_]]]:
    """The detector on every experiment of SKAB's first valve, with the labels."""
    out = []
    for path in sorted((shared_data / "skab" / "valve1").glob("*.csv.xz")):
        label = read_table(path, "datetime", signals=["anomaly"]).values[:, 0] > 0.5
        out.append((detect(read_table(path, "datetime"), TRAIN), label))
    return out


@pytest.mark.shared_data
def test_real_valve_faults_are_found_with_few_false_rows(valve1: list[tuple[Result, NDArray[np.bool_]]]) -> None:
    told = np.concatenate([r.alarm[TRAIN:] for r, _ in valve1])
    true = np.concatenate([y[TRAIN:] for _, y in valve1])
    hits, false, missed = (told & true).sum(), (told & ~true).sum(), (~told & true).sum()
    f1, far = hits / (hits + 0.5 * (false + missed)), false / (~true).sum()
    found = sum(bool((r.alarm & y).any()) for r, y in valve1)
    assert len(valve1) == 16
    assert (f1 >= 0.80, far <= 0.10, found >= 14) == (True, True, True), (f1, far, found)


@pytest.mark.shared_data
def test_real_health_joined_to_one_long_drifting_record_is_seldom_an_alarm(
    valve1: list[tuple[Result, NDArray[np.bool_]]],
) -> None:
    """The fault-free beginnings of all experiments, with the temperatures made continuous where they are joined."""
    pieces: list[Floats] = []
    for result, label in sorted(valve1, key=lambda one: one[0].table.times[0]):
        piece = result.table.values[: int(np.flatnonzero(label)[0]) - 5].copy()
        for j, name in enumerate(result.table.signals):
            if pieces and name in ("Temperature", "Thermocouple"):
                piece[:, j] += pieces[-1][-15:, j].mean() - piece[:15, j].mean()
        pieces.append(piece)
    record = np.concatenate(pieces)
    assert len(record) > 8_000
    shares = [detect(table_of(record[a : a + 3_400]), TRAIN).alarm_share for a in (0, 1_700, 3_400, 5_100)]
    assert detect(table_of(record), TRAIN).alarm_share <= 0.03
    assert float(np.mean(shares)) <= 0.035, shares
