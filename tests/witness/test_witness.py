"""What an outside witness has of the same topics, we have too."""

from pathlib import Path

import pytest

from benchmarks import witness
from benchmarks.fault_files import Points


@pytest.mark.mosquitto
@pytest.mark.influxdb
@pytest.mark.postgres
@pytest.mark.telegraf
def test_whatever_telegraf_wrote_of_the_same_topics_we_have_while_ingest_is_killed(tmp_path: Path) -> None:
    report = witness.run(15, 1, tmp_path)
    assert report.well, report
    assert report.theirs > 500
    assert report.refused > 0
    assert report.ours >= report.theirs - report.refused


WITNESSED: Points = {1: {"speed": 1500.0, "vibration": 2.0}, 2: {"vibration": -5.0}}


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        ({1: {"speed": 1500.0, "vibration": 2.0}}, (0, 0, 0)),
        ({1: {"speed": 1500.0, "vibration": 2.0}, 3: {"speed": 1.0}}, (0, 0, 0)),
        ({1: {"speed": 1500.0}}, (1, 0, 0)),
        ({}, (2, 0, 0)),
        ({1: {"speed": 1500.0, "vibration": 2.1}}, (0, 1, 0)),
        ({1: {"speed": 1500.0, "vibration": 2.0}, 2: {"vibration": -5.0}}, (0, 0, 1)),
    ],
)
def test_the_comparison_finds_what_is_lacking_different_or_let_in(ours: Points, expected: tuple[int, int, int]) -> None:
    report = witness.Report()
    witness.compare(report, "acme/p1", WITNESSED, ours)
    assert (report.theirs, report.refused) == (3, 1)
    assert (report.lacking, report.different, report.let_in) == expected
    assert report.well is (expected == (0, 0, 0))
    assert bool(report.examples) is not report.well
