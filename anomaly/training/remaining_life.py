"""Fits remaining life on past lives: deviations, fused indices, boosted trees, an interval and a hazard.

Machines that never failed count, too. A row of one tells that its life was at least as long as it was still watched:
enough where that is the cap or more, and for every interval of the hazard that it lived through.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.boosted import Trees, mean_of
from anomaly.domain.layout import Array
from anomaly.domain.learned_life import Hazard, Interval, LearnedLife
from anomaly.domain.life_features import Record, Scaling, aged
from anomaly.domain.regimes import UNKNOWN, learn_regimes
from anomaly.training.flat_trees import flattened
from anomaly.training.threads import one_thread

INDICES = 3
FOLDS = 5
FAR, FAR_SHARE = 1.15, 0.25
"""Of rows further from the end than so many times the cap, this share is learned from: they are many, and all alike."""
MOST_ROWS = 20_000
"""Neighbouring rows say nearly the same; of long records every so-manieth row is learned from."""
STILL = 1e-6
"""A signal whose spread is below this share of its level does not move."""
KNOTS = 9
BAND = 0.12
"""Width, as a share of the cap, of the neighbourhood in which quantiles of the error are taken."""
FEWEST_NEAR = 0.5
"""Rows (in weight) that a life must have in a neighbourhood to count there."""
CUTS = 64
MISSED = 0.10
"""Share of lives outside the interval, both ends together."""
EDGES = (24.0, 72.0, 168.0, 336.0, 720.0)
MOST_HAZARD_ROWS = 20_000
BOOSTED = {
    "max_iter": 300, "learning_rate": 0.035, "min_samples_leaf": 30, "l2_regularization": 5.0, "max_bins": 64,
    "early_stopping": False,
}  # fmt: skip
SHAPES = ({"max_leaf_nodes": 31, "max_features": 0.2}, {"max_leaf_nodes": 15, "max_features": 0.7})
"""Large trees that are shown few features each, small ones that are shown most: they err in different places."""
HAZARD_TREES = {
    "max_iter": 120, "learning_rate": 0.06, "max_leaf_nodes": 12, "min_samples_leaf": 40, "l2_regularization": 5.0,
    "max_features": 0.3, "max_bins": 64, "early_stopping": False,
}  # fmt: skip
FEWEST_LIVES = 5


class TooFewLives(Exception):
    """Not enough failures on record to learn from; one sentence."""


@dataclass(frozen=True)
class Lived:
    """The record of one machine, or of one life of it between two replacements."""

    name: str
    hours: Array
    """Time of each row, any clock, growing (n,)."""
    readings: Array
    """(n, signals)."""
    levels: Array
    """Regime conditions (n, c)."""
    end_hours: float
    """When it failed, or when watching ended."""
    failed: bool

    @property
    def left(self) -> Array:
        """Hours to the end at each row."""
        out: Array = self.end_hours - self.hours
        return out

    @property
    def age(self) -> Array:
        """Hours since the record began, at each row."""
        out: Array = self.hours - self.hours[0]
        return out


@dataclass(frozen=True)
class Fitted:
    """A model with what is known of its errors."""

    model: LearnedLife
    held_out: list[Array]
    """Prediction at each row of each life by trees that were not fitted on that life."""
    error: float
    """Root mean square of their error against the capped life, every life counting the same."""


Told = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Prepared:
    """What features are made by."""

    scaling: Scaling
    weights: Array
    used: NDArray[np.int64]
    """Columns of the readings that move."""
    step_hours: float

    def features(self, life: Lived, with_age: bool) -> Array:
        """Features at each row of a life."""
        z = self.scaling(life.readings[:, self.used], life.levels)
        x = Record.empty(self.weights).feed(z, self.weights)
        return aged(x, self.weights, life.age, self.step_hours) if with_age else x


def prepared(lives: Sequence[Lived], spans: tuple[float, ...], cap_hours: float, step_hours: float) -> Prepared:
    """Learn regimes, usual levels and indices. Raises TooFewLives.

    Parameters
    ----------
    spans
        Width of the declared range of each regime condition; 0 = of what was seen.
    """
    if sum(life.failed for life in lives) < FEWEST_LIVES:
        failed = sum(life.failed for life in lives)
        raise TooFewLives(f"{failed} failures on record, at least {FEWEST_LIVES} are needed to learn from")
    readings = np.concatenate([life.readings for life in lives])
    levels = np.concatenate([life.levels for life in lives])
    regimes = learn_regimes(levels, spans)
    regime = regimes.of(levels)
    centre, spread, moves = [], [], np.ones(readings.shape[1], dtype=bool)
    for r in range(regimes.count):
        mine = readings[regime == r]
        middle, away = np.nanmean(mine, axis=0), np.nanstd(mine, axis=0)
        moves &= away > STILL * np.maximum(np.abs(middle), STILL)
        centre.append(middle)
        spread.append(np.maximum(away, 1e-12))
    used = np.flatnonzero(moves)
    scaling = Scaling(regimes, np.stack(centre)[:, used], np.stack(spread)[:, used])
    z = [scaling(life.readings[:, used], life.levels) for life in lives]
    known = [target(life, cap_hours) for life in lives]
    return Prepared(scaling, _indices(np.concatenate(z), np.concatenate(known)), used, step_hours)


def target(life: Lived, cap_hours: float) -> Array:
    """Capped hours to the failure at each row; NaN where nobody knows because watching ended before."""
    left = np.minimum(life.left, cap_hours)
    return left if life.failed else np.where(life.left >= cap_hours, left, np.nan)


def fit(
    lives: Sequence[Lived],
    signals: Sequence[str],
    conditions: Sequence[str],
    *,
    spans: tuple[float, ...],
    step_hours: float,
    cap_hours: float,
    with_age: bool = True,
    with_hazard: bool = True,
    seeds: Sequence[int] = (0, 1, 2),
    told: Told | None = None,
) -> Fitted:
    """Fit on past lives. Raises TooFewLives.

    Parameters
    ----------
    signals, conditions
        Names of the columns of `Lived.readings` and `Lived.levels`.
    with_age
        Whether the age of the record is looked at.
    told
        Told of progress: steps done, steps in all, what.
    """
    with one_thread():
        return _fit(lives, signals, conditions, spans, step_hours, cap_hours, with_age, with_hazard, seeds, told)


def _fit(
    lives: Sequence[Lived],
    signals: Sequence[str],
    conditions: Sequence[str],
    spans: tuple[float, ...],
    step_hours: float,
    cap_hours: float,
    with_age: bool,
    with_hazard: bool,
    seeds: Sequence[int],
    told: Told | None,
) -> Fitted:
    ready = prepared(lives, spans, cap_hours, step_hours)
    x = [ready.features(life, with_age) for life in lives]
    y = [target(life, cap_hours) for life in lives]
    far = [life.left > FAR * cap_hours for life in lives]
    fold = folds(len(lives), seeds[0])
    steps = FOLDS + len(seeds) + (1 if with_hazard else 0)
    held_out: list[Array] = [np.zeros(0)] * len(lives)
    for k in range(FOLDS):
        inside = [life for life, at in zip(lives, fold, strict=True) if at != k]
        part = prepared(inside, spans, cap_hours, step_hours)
        trees = _trees([part.features(life, with_age) for life in inside],
                       [target(life, cap_hours) for life in inside],
                       [life.left > FAR * cap_hours for life in inside], seeds[0])  # fmt: skip
        for i in np.flatnonzero(fold == k).tolist():
            held_out[i] = np.clip(trees(part.features(lives[i], with_age)), 0.0, cap_hours)
        _tell(told, k + 1, steps, "folds by machine")
    middle = []
    for at, seed in enumerate(seeds):
        middle.append(_trees(x, y, far, seed))
        _tell(told, FOLDS + at + 1, steps, "trees on all machines")
    interval = interval_of(held_out, y, cap_hours, seeds[0])
    hazard = _hazard(lives, x, fold, seeds[0]) if with_hazard else None
    _tell(told, steps, steps, "hazard" if with_hazard else "done")
    used = [signals[j] for j in ready.used.tolist()]
    model = LearnedLife(
        tuple(used), tuple(conditions), step_hours, ready.scaling, ready.weights, with_age, cap_hours,
        mean_of(middle), interval, hazard,
    )  # fmt: skip
    return Fitted(model, held_out, _error(held_out, y))


def folds(n: int, seed: int) -> NDArray[np.int64]:
    """Fold of each life."""
    return np.asarray(np.random.default_rng(seed).permutation(n) % FOLDS, dtype=np.int64)


def interval_of(predicted: Sequence[Array], y: Sequence[Array], cap_hours: float, seed: int) -> Interval:
    """Quantiles of held-out errors along the prediction, widened until lives cut at random are covered.

    Split conformal with one random cut of each life (rows of one life are alike: all rows together claim too much), for
    each neighbourhood of the prediction (lives far from their end are easy, and would pay for those near it).
    """
    pieces = [(p[k], t[k]) for p, t in zip(predicted, y, strict=True) if (k := np.isfinite(t)).any()]
    at = np.concatenate([p for p, _ in pieces])
    error = np.concatenate([t - p for p, t in pieces])
    weight = np.concatenate([np.full(len(p), 1.0 / len(p)) for p, _ in pieces])
    knots = np.linspace(0.0, cap_hours, KNOTS)
    quantiles = np.array([[_quantile(error, weight * _near(at, knot, cap_hours), q)
                           for q in (MISSED / 2, 1 - MISSED / 2)] for knot in knots])  # fmt: skip
    low, high = np.minimum(quantiles[:, 0], -1e-6), np.maximum(quantiles[:, 1], 1e-6)
    chance = np.random.default_rng(seed)
    factors = np.array([_widening(pieces, knot, (knots, low, high), cap_hours, chance) for knot in knots])
    return Interval(knots, low * factors, high * factors)


def _near(predicted: Array, knot: float, cap_hours: float) -> Array:
    out: Array = np.exp(-0.5 * ((predicted - knot) / (BAND * cap_hours)) ** 2)
    return out


def _widening(
    pieces: Sequence[tuple[Array, Array]], knot: float, bounds: tuple[Array, Array, Array], cap_hours: float,
    chance: np.random.Generator,
) -> float:  # fmt: skip
    """The factor by which the bounds hold for lives cut once at random near the knot; the median of many cuts."""
    knots, low, high = bounds
    away = []
    for predicted, true in pieces:
        share = np.cumsum(_near(predicted, knot, cap_hours))
        if share[-1] < FEWEST_NEAR:
            continue
        cut = np.minimum(np.searchsorted(share, chance.random(CUTS) * share[-1]), len(share) - 1)
        p, error = predicted[cut], true[cut] - predicted[cut]
        away.append(np.where(error < 0, error / np.interp(p, knots, low), error / np.interp(p, knots, high)))
    n = len(away)
    level = np.ceil((1 - MISSED) * (n + 1)) / max(n, 1)
    if level > 1.0:
        return float(np.max(away, initial=1.0))
    return float(np.median(np.quantile(np.array(away), level, axis=0, method="higher")))


def _quantile(values: Array, weight: Array, q: float) -> float:
    order = np.argsort(values)
    share = np.cumsum(weight[order])
    return float(values[order][min(len(values) - 1, int(np.searchsorted(share, q * share[-1])))])


def _indices(z: Array, y: Array) -> Array:
    """Weights of the fused indices: partial least squares of the deviations on the life that is left."""
    from sklearn.cross_decomposition import PLSRegression

    known = np.isfinite(y) & np.isfinite(z).any(1)
    found = PLSRegression(min(INDICES, z.shape[1]), scale=False).fit(np.nan_to_num(z[known]), y[known])
    return np.asarray(found.x_rotations_, dtype=np.float64)


def _trees(x: Sequence[Array], y: Sequence[Array], too_far: Sequence[NDArray[np.bool_]], seed: int) -> Trees:
    """The mean of boosted trees of several shapes."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    chance = np.random.default_rng([seed, 1])
    wanted = [np.isfinite(left) & ~(far & (chance.random(len(left)) >= FAR_SHARE))
              for left, far in zip(y, too_far, strict=True)]  # fmt: skip
    stride = max(1, -(-sum(int(w.sum()) for w in wanted) // MOST_ROWS))
    picked_x, picked_y = [], []
    for features, left, keep in zip(x, y, wanted, strict=True):
        at = np.flatnonzero(keep)[int(chance.integers(stride)) :: stride]
        picked_x.append(features[at])
        picked_y.append(left[at])
    rows, told = np.concatenate(picked_x), np.concatenate(picked_y)
    return mean_of(
        [
            flattened(HistGradientBoostingRegressor(**BOOSTED, **shape, random_state=seed).fit(rows, told))
            for shape in SHAPES
        ]
    )


def _hazard(lives: Sequence[Lived], x: Sequence[Array], fold: NDArray[np.int64], seed: int) -> Hazard:
    """Fit on all folds but one, calibrate on that one."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.isotonic import IsotonicRegression

    fitted = [at_risk(x[i], lives[i]) for i in np.flatnonzero(fold != 0).tolist()]
    rows = np.concatenate([a for a, _ in fitted])
    failed = np.concatenate([b for _, b in fitted])
    keep = np.random.default_rng([seed, 2]).permutation(len(rows))[:MOST_HAZARD_ROWS]
    model: Any = HistGradientBoostingClassifier(**HAZARD_TREES, random_state=seed)
    trees = flattened(model.fit(rows[keep], failed[keep]))
    apart = [at_risk(x[i], lives[i]) for i in np.flatnonzero(fold == 0).tolist()]
    said = 1.0 / (1.0 + np.exp(-trees(np.concatenate([a for a, _ in apart]))))
    true = np.concatenate([b for _, b in apart])
    scale = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(said, true)
    return Hazard(np.array(EDGES), trees, scale.X_thresholds_.astype(float), scale.y_thresholds_.astype(float))


def at_risk(x: Array, life: Lived) -> tuple[Array, NDArray[np.bool_]]:
    """Rows and intervals that the machine was at risk in to their end, and in which of them it failed."""
    left = life.left
    rows, failed = [], []
    begin = 0.0
    for j, end in enumerate(EDGES):
        ended = (left > begin) & (left <= end) & life.failed if begin else (left <= end) & life.failed
        judged = ended | (left > end)
        rows.append(np.column_stack([x[judged], np.full(int(judged.sum()), float(j))]))
        failed.append(ended[judged])
        begin = end
    return np.concatenate(rows), np.concatenate(failed)


def _error(predicted: Sequence[Array], y: Sequence[Array]) -> float:
    each = [
        float(np.mean((p[k] - t[k]) ** 2)) for p, t in zip(predicted, y, strict=True) if (k := np.isfinite(t)).any()
    ]
    return float(np.sqrt(np.mean(each)))


def _tell(told: Told | None, done: int, total: int, what: str) -> None:
    if told is not None:
        told(done, total, what)


def regime_share(model: LearnedLife, levels: Array) -> float:
    """Share of rows in a regime that the model knows."""
    return float((model.scaling.regimes.of(levels) != UNKNOWN).mean()) if len(levels) else 1.0
