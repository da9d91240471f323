"""What signals can show: in counts, in names, and in what one more would add."""

from importlib.resources import files
from pathlib import Path

import pytest

from anomaly.domain.blind_spots import sight, told
from contracts.asset_model import AssetModel
from contracts.asset_model_text import parse
from forewarn.__main__ import main


@pytest.fixture(scope="module")
def pump() -> AssetModel:
    name = "centrifugal-pump.yaml"
    return parse((files("asset_models") / name).read_text("utf-8"), name, lambda code: True)


def test_with_all_signals_every_mode_with_a_symptom_is_seen(pump: AssetModel) -> None:
    found = sight(pump)
    with_symptoms = [m for c in pump.components.values() for m in c.modes if m.symptoms]
    assert len(found.seen) == len(with_symptoms)
    assert found.gains == ()


def test_without_signals_nothing_is_seen_and_each_signal_says_what_it_would_add(pump: AssetModel) -> None:
    found = sight(pump, [])
    assert (found.seen, len(found.blind)) == ((), sight(pump).modes)
    for gain in found.gains:
        assert sight(pump, [gain.signal]).seen == gain.modes
    assert [len(g.modes) for g in found.gains] == sorted((len(g.modes) for g in found.gains), reverse=True)


def test_taking_a_signal_away_never_shows_more(pump: AssetModel) -> None:
    whole = set(sight(pump).seen)
    for signal in pump.signals:
        assert set(sight(pump, set(pump.signals) - {signal}).seen) <= whole


def test_modes_that_show_alike_are_named(pump: AssetModel) -> None:
    found = sight(pump, [])
    best = found.gains[0]
    alone = sight(pump, [best.signal])
    by_direction = {
        s.direction
        for c in pump.components.values() for m in c.modes for s in m.symptoms if s.signal == best.signal
    }  # fmt: skip
    assert len(alone.alike) <= len(by_direction)
    assert all(name in best.modes for names in alone.alike for name in names)


def test_signals_that_the_model_does_not_know_count_for_nothing(pump: AssetModel) -> None:
    assert sight(pump, ["no_such_signal"]).signals == ()


def test_the_sentences_hold_the_counts(pump: AssetModel) -> None:
    lines = told(pump, sight(pump, []))
    assert lines[0] == f"With 0 signals 0 of {sight(pump).modes} failure modes can be seen."
    assert any("would add" in line for line in lines)


def test_the_command_says_it_and_names_a_wrong_signal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    home = ["--data-dir", str(tmp_path)]
    assert main(["model", "sees", "centrifugal-pump", "--signals", "vibration", *home]) == 0
    assert "Not to be seen: " in capsys.readouterr().out
    assert main(["model", "sees", "centrifugal-pump", "--signals", "vibration,nope", *home]) == 2
    assert "--signals nope: centrifugal-pump has no such signal" in capsys.readouterr().err
