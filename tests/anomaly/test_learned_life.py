"""Remaining life learned from past lives: trees as flat arrays, features row by row, files that nobody altered."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from anomaly.domain.forecast import P_FAIL_HOURS
from anomaly.domain.learned_life import LEAST_ROWS, LearnedLife
from anomaly.domain.life_features import Record, aged, count
from anomaly.domain.prognosis import LEARNED
from anomaly.training import remaining_life
from anomaly.training.files import ARRAYS, MANIFEST, BadModel
from anomaly.training.flat_trees import flattened
from anomaly.training.life_files import read_life, write_life
from anomaly.training.remaining_life import Fitted, Lived, TooFewLives, at_risk, fit, target

SIGNALS = ("hot", "loud", "still", "other")
CAP = 100.0


def lives(n: int, seed: int, regimes: int = 1, censored: float = 0.0) -> list[Lived]:
    """Machines that wear exponentially towards their end, some of them taken out of sight before it."""
    chance = np.random.default_rng(seed)
    out = []
    for i in range(n):
        hours = np.arange(float(chance.integers(120, 260)))
        left = hours[-1] - hours
        wear = np.exp(-left / 30.0)[:, None] * np.array([4.0, -3.0, 0.0, 0.0])
        regime = chance.integers(regimes, size=len(hours))
        usual = 100.0 + 50.0 * regime[:, None] * np.array([1.0, -0.5, 0.0, 2.0])
        noise = chance.normal(size=(len(hours), 4))
        readings = usual + (wear + noise) * (1.0 + regime[:, None])
        readings[:, 2] = 7.0
        keep = len(hours)
        if chance.random() < censored:
            keep = int(chance.integers(60, len(hours) - 40))
        end = float(hours[keep - 1])
        out.append(
            Lived(
                str(i),
                hours[:keep],
                readings[:keep],
                regime[:keep, None].astype(np.float64) * 10.0,
                end,
                keep == len(hours),
            )
        )
    return out


def fitted(some: list[Lived]) -> Fitted:
    return fit(some, SIGNALS, ("speed",), spans=(40.0,), step_hours=1.0, cap_hours=CAP, seeds=(0,))


@pytest.fixture(scope="module")
def learned() -> Fitted:
    with pytest.MonkeyPatch.context() as smaller:
        smaller.setitem(remaining_life.BOOSTED, "max_iter", 50)
        smaller.setitem(remaining_life.HAZARD_TREES, "max_iter", 40)
        return fitted(lives(24, 1, regimes=3, censored=0.3))


def error(model: LearnedLife, some: list[Lived]) -> float:
    squares = []
    for life in some:
        memory = model.begin()
        columns = [SIGNALS.index(name) for name in model.signals]
        x = model.feed(memory, life.hours, life.readings[:, columns], life.levels)
        squares.append(np.mean((model.remaining(x)[0] - np.minimum(life.left, CAP)) ** 2))
    return float(np.sqrt(np.mean(squares)))


def rows_with_gaps(n: int, k: int) -> NDArray[np.float64]:
    chance = np.random.default_rng(3)
    x = chance.normal(size=(n, k))
    x[chance.random(x.shape) < 0.1] = np.nan
    return x


@pytest.mark.parametrize("kind", ["boosted", "odds"])
def test_flat_trees_say_what_the_library_says(kind: str) -> None:
    x = rows_with_gaps(600, 5)
    y = np.nan_to_num(x[:, 0]) * 3 + np.nan_to_num(x[:, 1]) ** 2
    fresh = rows_with_gaps(2000, 5)[::-1] * 1.3
    if kind == "boosted":
        boosted = HistGradientBoostingRegressor(max_iter=30, random_state=0).fit(x, y)
        flat, said = flattened(boosted)(fresh), boosted.predict(fresh)
    else:
        odds = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(x, y > 1)
        flat, said = flattened(odds)(fresh), odds.decision_function(fresh)
    assert np.abs(flat - said).max() < 1e-9


@pytest.mark.parametrize("cut", [3, 100, 10_000])
def test_features_do_not_depend_on_how_the_rows_come(cut: int) -> None:
    z, weights = rows_with_gaps(1100, 4), np.random.default_rng(1).normal(size=(4, 2))
    z[300:320] = np.nan
    whole = Record.empty(weights).feed(z, weights)
    record = Record.empty(weights)
    pieces = np.concatenate([record.feed(z[at : at + cut], weights) for at in range(0, len(z), cut)])
    assert whole.shape == (1100, count(4, 2))
    np.testing.assert_allclose(pieces, whole, rtol=0, atol=1e-9)
    assert aged(whole, weights, np.arange(1100.0), 1.0).shape == (1100, count(4, 2, with_age=True))


def test_lives_that_were_not_trained_on_are_told_in_three_regimes(learned: Fitted) -> None:
    fresh = lives(12, 99, regimes=3)
    constant = float(np.std(np.concatenate([np.minimum(life.left, CAP) for life in fresh])))
    assert error(learned.model, fresh) < 0.5 * constant
    assert learned.model.scaling.regimes.count == 3
    assert learned.model.signals == ("hot", "loud", "other")


def test_the_interval_covers_fresh_lives_at_one_random_cut_each(learned: Fitted) -> None:
    chance, model, inside = np.random.default_rng(5), learned.model, []
    for life in lives(80, 7, regimes=3):
        columns = [SIGNALS.index(name) for name in model.signals]
        x = model.feed(model.begin(), life.hours, life.readings[:, columns], life.levels)
        at = int(chance.integers(10, len(x)))
        _, low, high = model.remaining(x[at : at + 1])
        inside.append(low[0] <= min(life.left[at], CAP) <= high[0])
    assert 0.8 <= np.mean(inside) <= 0.99


def test_the_chance_of_failure_grows_with_time_and_towards_the_end(learned: Fitted) -> None:
    model, life = learned.model, lives(1, 42)[0]
    columns = [SIGNALS.index(name) for name in model.signals]
    memory = model.begin()
    early = late = None
    for at in range(len(life.hours)):
        row = slice(at, at + 1)
        model.feed(memory, life.hours[row], life.readings[row][:, columns], life.levels[row])
        if at == 30:
            early = model.prognose(memory)
        late = model.prognose(memory)
    assert early is not None
    assert late is not None
    assert early.life is not None
    assert late.life is not None
    assert late.way == LEARNED
    assert late.life.p_fail["24h"] > 0.8 > 0.2 > early.life.p_fail["24h"]
    assert late.life.p05 <= late.life.p50 <= late.life.p95
    assert late.life.p50 < early.life.p50
    for said in (early.life, late.life):
        assert all(a <= b + 1e-12 for a, b in zip(said.risk, said.risk[1:], strict=False))
        assert said.p_fail == {name: said.by(hours) for name, hours in P_FAIL_HOURS.items()}


def test_a_machine_just_seen_needs_more_hours(learned: Fitted) -> None:
    model, life = learned.model, lives(1, 43)[0]
    memory = model.begin()
    assert model.prognose(memory).answer == f"needs about {LEAST_ROWS} more hours"
    columns = [SIGNALS.index(name) for name in model.signals]
    model.feed(memory, life.hours[:9], life.readings[:9, columns], life.levels[:9])
    said = model.prognose(memory)
    assert (said.life, said.answer, said.more_hours) == (None, "needs about 1 more hour", 1.0)


def test_a_machine_that_never_failed_tells_how_long_it_lived_and_no_more() -> None:
    life = Lived("a", np.arange(150.0), np.zeros((150, 1)), np.zeros((150, 0)), 149.0, False)
    known = target(life, CAP)
    assert np.isfinite(known).sum() == 50
    assert set(known[:50]) == {CAP}
    rows, failed = at_risk(np.zeros((150, 1)), life)
    assert not failed.any()
    assert [int((rows[:, -1] == j).sum()) for j in range(5)] == [125, 77, 0, 0, 0]
    rows, failed = at_risk(np.zeros((150, 1)), Lived("b", life.hours, life.readings, life.levels, 149.0, True))
    assert [int(failed[rows[:, -1] == j].sum()) for j in range(5)] == [25, 48, 77, 0, 0]


def test_too_few_failures_are_no_ground_to_learn_from() -> None:
    with pytest.raises(TooFewLives, match="at least 5"):
        fitted(lives(4, 0))


def test_a_model_file_says_the_same_and_an_altered_one_is_refused(learned: Fitted, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    name = write_life(folder, learned.model, {"metrics": {"rmse": learned.error}})
    again = read_life(folder, name)
    x = rows_with_gaps(50, count(*learned.model.weights.shape, with_age=True))
    assert (again.middle(x) == learned.model.middle(x)).all()
    assert again.hazard is not None
    assert learned.model.hazard is not None
    hours = np.array([24.0, 168.0])
    assert (again.hazard.within(x, hours) == learned.model.hazard.within(x, hours)).all()
    with pytest.raises(FileExistsError):
        write_life(folder, learned.model, {})
    arrays, manifest = (folder / ARRAYS).read_bytes(), (folder / MANIFEST).read_bytes()
    (folder / ARRAYS).write_bytes(arrays[:-40] + bytes([arrays[-40] ^ 1]) + arrays[-39:])
    with pytest.raises(BadModel, match="altered"):
        read_life(folder)
    (folder / ARRAYS).write_bytes(arrays)
    changed = json.loads(manifest)
    changed["values"]["cap_hours"] = 1e6
    (folder / MANIFEST).write_text(json.dumps(changed))
    with pytest.raises(BadModel, match="altered"):
        read_life(folder, name)
    changed["values"] = {"features": changed["values"]["features"]}
    (folder / MANIFEST).write_text(json.dumps(changed))
    with pytest.raises(BadModel, match="lacks"):
        read_life(folder)
    with pytest.raises(BadModel, match="no model"):
        read_life(tmp_path / "elsewhere")
