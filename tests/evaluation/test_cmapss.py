"""`forewarn evaluate cmapss` on engines made here: six regimes, and files as NASA lays them out or packed."""

import json
import lzma
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from anomaly.evaluation import cmapss
from anomaly.evaluation.turbofans import columns, engines
from anomaly.training import remaining_life
from anomaly.training.remaining_life import prepared
from forewarn.__main__ import main

FLIGHTS = np.array(
    [
        [0.0, 0.0, 100.0],
        [10.0, 0.25, 100.0],
        [20.0, 0.7, 100.0],
        [25.0, 0.62, 60.0],
        [35.0, 0.84, 100.0],
        [42.0, 0.84, 100.0],
    ]
)
NAMES = [
    f"{what}_{label}{suffix}"
    for what in ("rmse", "score")
    for label in ("capped", "raw")
    for suffix in ("", "_no_uptime")
]
NAMES += ["coverage_90", "half_width_mean", "warn30_precision", "warn30_recall", "cv_rmse"]
Table = NDArray[np.float64]


def in_regimes(rows: Table, seed: int) -> Table:
    """The same engine (n, 26), each cycle flown in a regime of its own, with gains and offsets of that regime."""
    chance = np.random.default_rng(seed)
    regime, fixed = chance.integers(6, size=len(rows)), np.random.default_rng(0)
    gain, offset = fixed.uniform(0.5, 2.0, (6, 21)), fixed.uniform(-50, 50, (6, 21))
    out = rows.copy()
    out[:, 2:5] = FLIGHTS[regime] + chance.normal(0.0, [0.002, 0.0003, 0.0], (len(rows), 3))
    out[:, 5:] = rows[:, 5:] * gain[regime] + offset[regime]
    return out


def engine(unit: int, chance: np.random.Generator) -> Table:
    cycles = int(chance.integers(130, 260))
    left = np.arange(cycles)[::-1]
    wear = np.exp(-left / 35.0)[:, None] * np.concatenate([np.linspace(-4, 4, 14), np.zeros(7)])
    noise = chance.normal(size=(cycles, 21)) * np.concatenate([np.ones(14), np.zeros(7)])
    return np.column_stack([np.full(cycles, unit), np.arange(1, cycles + 1), np.zeros((cycles, 3)), 500 + wear + noise])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chance = np.random.default_rng(4)
    train = [in_regimes(engine(unit, chance), unit) for unit in range(1, 11)]
    test, left = [], []
    for unit in range(1, 9):
        rows = in_regimes(engine(unit, chance), 100 + unit)
        keep = int(chance.integers(40, len(rows) - 5))
        test.append(rows[:keep])
        left.append(float(len(rows) - keep))
    inner = tmp_path / "CMAPSSData"
    inner.mkdir()
    np.savetxt(inner / "train_FD002.txt", np.concatenate(train), fmt="%.4f")
    np.savetxt(inner / "test_FD002.txt", np.concatenate(test), fmt="%.4f")
    np.savetxt(inner / "RUL_FD002.txt", left, fmt="%d")
    return tmp_path


@pytest.fixture
def small_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(remaining_life.BOOSTED, "max_iter", 25)
    monkeypatch.setattr(remaining_life, "FOLDS", 2)
    monkeypatch.setattr(cmapss, "_LAST", {})


@pytest.mark.usefixtures("small_trees")
def test_six_regimes_are_learned_and_all_figures_stand_together(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, drawn = folder / "out.json", folder / "out.html"
    words = ["evaluate", "cmapss", "--data", str(folder), "--subset", "FD002", "--seeds", "1"]
    assert main([*words, "--json", str(out), "--html", str(drawn)]) == 0
    said = json.loads(out.read_text())
    assert (said["version"], said["dataset"], said["subset"], said["seeds"]) == (1, "cmapss", "FD002", [0])
    assert set(NAMES) <= set(said["figures"])
    assert said["config"]["regimes"] == 6
    assert len(said["per_item"]) == 8
    assert set(said["data_sha256"]) == {f"CMAPSSData/{n}_FD002.txt" for n in ("train", "test", "RUL")}
    assert said["figures"]["rmse_capped"] < 30.0
    assert said["figures"]["cv_rmse"] < 30.0
    low, high = said["ci95"]["rmse_capped"]
    assert low < said["figures"]["rmse_capped"] < high
    assert drawn.read_text().count("<svg") >= 3
    captured = capsys.readouterr()
    assert "Error of remaining life" in captured.out
    assert "folds by machine" in captured.err
    for path in (folder / "CMAPSSData").iterdir():
        path.with_name(path.name + ".xz").write_bytes(lzma.compress(path.read_bytes()))
        path.unlink()
    assert main([*words, "--json", str(out)]) == 0
    assert json.loads(out.read_text()) == said


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("RUL_FD002.txt", "1\n2\n", "for each of 8 engines"),
        ("train_FD002.txt", "1 2 3\n", "3 columns, must have 26"),
        ("test_FD002.txt", "1 one\n", "no table of numbers"),
        ("test_FD002.txt", "", "no row"),
    ],
)
def test_files_that_are_not_the_set_end_in_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, said: str
) -> None:
    (folder / "CMAPSSData" / name).write_text(content)
    assert main(["evaluate", "cmapss", "--data", str(folder)]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_a_folder_without_the_set_says_where_to_get_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "cmapss", "--data", str(tmp_path)]) == 1
    assert "Turbofan Engine Degradation Simulation" in capsys.readouterr().err
    assert main(["evaluate", "cmapss", "--data", str(tmp_path / "nowhere")]) == 2


def test_the_nasa_score_punishes_a_life_told_too_long_more() -> None:
    assert cmapss.penalty(0.0) == 0.0
    assert cmapss.penalty(10.0) == pytest.approx(np.e - 1)
    assert cmapss.penalty(-13.0) == pytest.approx(np.e - 1)
    assert cmapss.penalty(20.0) > cmapss.penalty(-20.0)


@pytest.mark.parametrize(("bias", "level"), [(0.0, 30.75), (-3.0, 27.75), (100.0, 30.0)])
def test_warnings_are_given_where_held_out_engines_make_them_right(bias: float, level: float) -> None:
    hours = np.arange(200.0)
    life = remaining_life.Lived("1", hours, np.zeros((200, 1)), np.zeros((200, 0)), 200.0, True)
    assert cmapss.warning_level([life.left + bias] * 3, [life] * 3) == level


@pytest.mark.shared_data
def test_deviations_of_real_engines_survive_six_regimes(shared_data: Path) -> None:
    named = columns()
    lives = engines(shared_data / "cmapss", "FD001").train[:25]
    plain = prepared(lives, named.spans, 125.0, 1.0)
    mixed = []
    for life in lives:
        rows = np.column_stack([np.zeros((len(life.hours), 2)), life.levels, life.readings])
        moved = in_regimes(rows, int(life.name))
        mixed.append(remaining_life.Lived(life.name, life.hours, moved[:, 5:], moved[:, 2:5], life.end_hours, True))
    six = prepared(mixed, named.spans, 125.0, 1.0)
    assert six.scaling.regimes.count == 6
    assert set(six.used) <= set(plain.used)
    both = [list(plain.used).index(j) for j in six.used]
    before = np.concatenate([plain.scaling(one.readings[:, plain.used], one.levels)[:, both] for one in lives])
    after = np.concatenate([six.scaling(one.readings[:, six.used], one.levels) for one in mixed])
    assert np.isfinite(after).mean() > 0.999
    for j in range(len(both)):
        assert np.corrcoef(before[:, j], after[:, j])[0, 1] > 0.95
