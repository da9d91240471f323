"""The corpus' score against a slow version of it; any part of the corpus is judged, whatever its layout."""

import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from anomaly.evaluation.files import BadData
from anomaly.evaluation.nab import evaluate
from anomaly.evaluation.nab_scoring import PROFILES, earned, normalised, probation
from anomaly.evaluation.report import Options, silent
from tests.oracles.detectors import corpus_score


@pytest.mark.parametrize("seed", range(20))
def test_a_series_scores_as_row_by_row(seed: int) -> None:
    rng = np.random.default_rng(seed)
    windows = [(150, 190), (400, 460), (700, 720)][: int(rng.integers(1, 4))]
    detections = np.sort(rng.choice(1000, int(rng.integers(0, 12)), replace=False)).astype(np.int64)
    found = normalised([earned(detections, windows, 160)], PROFILES["standard"])
    assert found == pytest.approx(corpus_score(1000, windows, detections.tolist(), 160, 0.11))


@pytest.mark.parametrize(
    ("detections", "score"), [([], 0.0), ([100], 100.0), ([100, 120, 140], 100.0)]
)  # fmt: skip
def test_nothing_detected_scores_0_and_every_window_at_once_100(detections: list[int], score: float) -> None:
    one = earned(np.array(detections, dtype=np.int64), [(100, 199)])
    assert normalised([one], PROFILES["standard"]) == pytest.approx(score)


def test_a_detection_far_from_any_window_costs_twice_as_much_where_false_alarms_do() -> None:
    one = earned(np.array([10, 900], dtype=np.int64), [(100, 199)])
    assert one.raw(PROFILES["standard"]) == pytest.approx(-1.0 - 2 * 0.11)
    assert one.raw(PROFILES["low_fp"]) == pytest.approx(-1.0 - 2 * 0.22)
    assert one.raw(PROFILES["low_fn"]) == pytest.approx(-2.0 - 2 * 0.11)


def test_series_without_windows_have_no_score() -> None:
    assert normalised([earned(np.array([5], dtype=np.int64), [])], PROFILES["standard"]) is None


def corpus(folder: Path, original: bool) -> Path:
    """One hourly series of 50 days with a stretch that is out of the ordinary."""
    rng = np.random.default_rng(1)
    hours = np.arange(1200)
    values = 50 + 10 * np.sin(2 * np.pi * hours / 24) + rng.normal(size=1200)
    values[900:930] += 40
    days = np.datetime64("2026-01-05T00:00:00") + hours.astype("timedelta64[h]")
    text = "timestamp,value\n" + "".join(
        f"{str(t).replace('T', ' ')},{x:.4f}\n" for t, x in zip(days, values, strict=True)
    )
    series = folder / "data" / "real" if original else folder / "real"
    labels = folder / "labels" if original else folder
    for part in (series, labels):
        part.mkdir(parents=True, exist_ok=True)
    windows = [[f"{str(days[890]).replace('T', ' ')}.000000", f"{str(days[960]).replace('T', ' ')}.000000"]]
    (labels / "combined_windows.json").write_text(json.dumps({"real/pump.csv": windows, "real/not-here.csv": []}))
    if original:
        (series / "pump.csv").write_text(text)
    else:
        (series / "pump.csv.xz").write_bytes(lzma.compress(text.encode()))
    return folder


@pytest.mark.parametrize("original", [True, False])
def test_a_part_of_the_corpus_is_judged_in_both_layouts(tmp_path: Path, original: bool) -> None:
    corpus(tmp_path, original)
    if original:
        (tmp_path / "results" / "null" / "real").mkdir(parents=True)
        (tmp_path / "results" / "null" / "real" / "pump.csv").write_text("timestamp,value,label\n2026-01-05,1,0\n")
    found = evaluate(tmp_path, None, Options(), silent)
    standard = found.figures["standard"]
    assert standard is not None
    assert standard > 80
    assert found.figures["machine_temperature_hits"] is None
    assert [item["hit"] for item in found.per_item] == [1]
    assert probation(1200) == 180


def test_a_folder_without_the_corpus_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"combined_windows\.json"):
        evaluate(tmp_path, None, Options(), silent)
    with pytest.raises(BadData, match="tweets"):
        evaluate(corpus(tmp_path, True), "tweets", Options(), silent)


@pytest.mark.shared_data
def test_real_taxi_holidays_are_found_with_few_false_alarms(shared_data: Path) -> None:
    found = evaluate(shared_data / "nab", "nyc_taxi", Options(), silent)
    (taxi,) = found.per_item
    assert (taxi["windows"], taxi["hit"]) == (5, 5)
    assert int(str(taxi["false_alarms"])) <= 3
