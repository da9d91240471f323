"""What every evaluation shares: reports, intervals, files, drawings, worse data, the page of results."""

import gzip
import hashlib
import json
import lzma
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from anomaly.evaluation.bootstrap import bootstrap
from anomaly.evaluation.drawing import bars, line, scatter, ticks
from anomaly.evaluation.files import BadData, every, finding, open_table, sha256_of
from anomaly.evaluation.html import page
from anomaly.evaluation.page import TARGETS
from anomaly.evaluation.page import page as results_page
from anomaly.evaluation.perturbing import CHANGES, changed
from anomaly.evaluation.report import Plot, Report
from anomaly.evaluation.words import WORDS, number

ROOT = Path(__file__).parents[2]


def report(**more: object) -> Report:
    plots = [Plot("Course", line([0, 1, 2], {"a": [1.0, None, 3.0]}, x_label="h", y_label="<b>"))]
    return Report(
        "skab", "", (0, 1), {"a.csv": "00"}, {"n": np.int64(3), "path": Path("x")},
        {"f1": 0.5, "far": float("nan"), "mar": None}, {"f1": (0.4, 0.6)},
        [{"file": "<script>", "ok": True, "at": np.float64(1.5)}], plots, perturbed={"gaps": {"f1": 0.25}},
    )  # fmt: skip


def test_a_report_in_json_holds_numbers_or_null() -> None:
    said = json.loads(report().as_json())
    assert said["version"] == 1
    assert said["figures"] == {"f1": 0.5, "far": None, "mar": None}
    assert said["ci95"] == {"f1": [0.4, 0.6]}
    assert said["config"] == {"n": 3, "path": "x"}
    assert said["per_item"] == [{"file": "<script>", "ok": True, "at": 1.5}]
    assert said["perturbed"] == {"gaps": {"f1": 0.25}}
    assert list(said)[:9] == [
        "version",
        "dataset",
        "subset",
        "seeds",
        "data_sha256",
        "config",
        "figures",
        "ci95",
        "per_item",
    ]


def test_the_page_stands_alone_and_takes_no_text_for_markup() -> None:
    text = page(report())
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "http" not in text.replace("http-equiv", "")
    assert "0.400 to 0.600" in text
    assert "0.250" in text


def test_drawings_are_whole_xml_and_leave_gaps_open() -> None:
    drawn = [
        line([0, 1, 2, 3, 4], {"a": [1, 2, None, 4, 5], "b": [1, 1, 1, 1, 1]}, x_label="x", y_label="y",
             limits=[2.0], spans=[(1, 2)], alarms=[3]),
        scatter([1, 2, None], [1, 3, 2], x_label="x", y_label="y", diagonal=True, low=[0, 1, 1], high=[2, 4, 3]),
        bars(["a", "b"], [1.0, None], y_label="y"),
        bars([], [], y_label="y"),
        line([], {}, x_label="x", y_label="y"),
    ]  # fmt: skip
    for svg in drawn:
        assert ElementTree.fromstring(svg).tag == "svg"
    assert drawn[0].count("<polyline") == 3
    assert drawn[1].count("<circle") == 2


def test_a_long_line_keeps_its_peaks() -> None:
    values: list[float | None] = [0.0] * 50_000
    values[12_345] = 9.0
    svg = line(list(range(50_000)), {"a": values}, x_label="x", y_label="y")
    assert len(svg) < 60_000
    assert ",12.0 " in svg


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3e-7, 2e-7), (99.9, 100.1), (-1e6, 5e9)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 2 <= len(found) <= 7
    assert all(low - 1e-9 * abs(low) <= at <= high + 1e-9 * abs(high) for at in found)


def test_the_interval_is_about_the_mean_and_the_same_for_a_seed() -> None:
    items = np.random.default_rng(0).normal(10.0, 2.0, 100).tolist()
    found = bootstrap(items, lambda some: sum(some) / len(some), seed=1)
    assert found is not None
    low, high = found
    assert low < sum(items) / 100 < high
    assert 0.5 < high - low < 1.1
    assert found == bootstrap(items, lambda some: sum(some) / len(some), seed=1)


def test_no_interval_where_most_draws_have_no_figure() -> None:
    assert bootstrap([1.0], lambda some: 1.0, seed=0) is None
    assert bootstrap([1.0, 2.0, 3.0], lambda some: None, seed=0) is None


def test_files_are_found_plain_or_packed_and_named_by_their_content(tmp_path: Path) -> None:
    text = b"a,b\n1,2\n"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.csv.xz").write_bytes(lzma.compress(text))
    (tmp_path / "two.csv.gz").write_bytes(gzip.compress(text))
    (tmp_path / "three.csv").write_bytes(text)
    (tmp_path / "three.csv.xz").write_bytes(lzma.compress(b"older"))
    found = every(tmp_path, "*.csv")
    assert [p.name for p in found] == ["one.csv.xz", "three.csv", "two.csv.gz"]
    sha = hashlib.sha256(text).hexdigest()
    assert sha256_of(found, tmp_path) == {"deep/one.csv": sha, "three.csv": sha, "two.csv": sha}
    for path in found:
        assert open_table(path).to_dict("list") == {"a": [1], "b": [2]}
    assert finding(tmp_path, ["none.csv", "one.csv"], "") == found[0]


@pytest.mark.parametrize("content", [b"\xfd7zXZ\x00broken", b""])
def test_what_cannot_be_read_is_bad_data_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "one.csv.xz").write_bytes(content)
    with pytest.raises(BadData, match=r"one\.csv\.xz"):
        open_table(tmp_path / "one.csv.xz")
    with pytest.raises(BadData, match="From the moon"):
        finding(tmp_path, ["none.csv"], "From the moon.")
    with pytest.raises(BadData, match="folder"):
        every(tmp_path / "nowhere", "*.csv")


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_makes_readings_worse_and_leaves_what_is_trained_on(name: str) -> None:
    chance = np.random.default_rng(0)
    table = pd.DataFrame({"t": np.arange(500), "a": chance.normal(size=500), "b": chance.normal(size=500)})
    worse = changed(name, table, ["a", "b"], seed=3, keep=100)
    assert not worse.reset_index(drop=True).equals(table)
    assert changed(name, table, ["a", "b"], seed=3, keep=100).equals(worse)
    if name not in ("start shifted", "units changed"):
        assert worse.iloc[:100].equals(table.iloc[:100].astype({"a": float, "b": float}))
    assert changed(None, table, ["a", "b"], seed=3) is table


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (3.0, "3"),
        (0.1234, "0.123"),
        (12.345, "12.35"),
        (123.45, "123.5"),
        (12345.6, "12,346"),
    ],
)
def test_numbers_are_said_with_as_many_digits_as_they_carry(value: float | None, said: str) -> None:
    assert number(value) == said


def test_every_figure_with_a_target_has_a_name_for_people() -> None:
    assert {name for targets in TARGETS.values() for name in targets} <= set(WORDS)


def test_the_page_of_results_is_what_the_results_say() -> None:
    assert (ROOT / "docs/evaluation.md").read_text() == results_page(ROOT / "docs/evaluation"), (
        "run `python -m anomaly.evaluation.page docs/evaluation`"
    )
