"""Fits the hazard of a fleet from what is on record: tables, Weibull lives, boosters, calibration.

Assets that never failed count as well: a life that ended with a planned replacement or with the record is censored,
and a span ahead that was seen only in part weighs as much as was seen of it (the actuary's exposure).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from anomaly.domain.boosted import Trees
from anomaly.domain.hazard import SPANS, Calibration, EventHazard, Fleet
from anomaly.domain.hazard_features import (
    COLUMNS,
    MEMORY_HOURS,
    WINDOW_HOURS,
    Lifetimes,
    Tables,
    features,
    incidents,
    movements,
)
from anomaly.domain.history import HOUR_US, History, Times, hours_to
from anomaly.domain.layout import Array
from anomaly.training.flat_trees import flattened

GRID_HOURS = 3.0
"""Times from which the boosters learn, besides those at which an error was raised."""
NEAR_HOURS = 72.0
"""Rows so close to a failure or after an error are all kept; of the others one in `SPARSE`, with its weight."""
SPARSE = 8
FOLDS = 5
"""Tables that a row is described by were learned from the assets of other folds."""
FOLLOWED_PRIOR = 2.0
"""Incidents that a rate is shrunk by, toward that of its parts."""
LEAST_SHAPE, MOST_SHAPE = 0.5, 8.0
TREES, LEAVES, DEPTH, RATE, LEAST_IN_LEAF = 100, 10, 5, 0.08, 8
MOST_VALUES = 200
FAR_LOG_ODDS = 12.0
RHYTHM_SHARE = 0.3
"""Share of the gaps between visits that must be alike (to half a day) to speak of a rhythm."""
DIRECTION_FEWEST = 2

Tell = Callable[[int, int, str], None]


def quiet(done: int, total: int, what: str) -> None:
    """Nobody is told."""


class TooLittle(Exception):
    """Nothing can be learned: there is no failure on record."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a booster learns from: features, and per span whether the failure fell into it and how much was seen."""

    x: Array
    hit: Array
    """(spans, n), 0 or 1."""
    weight: Array
    """(spans, n), 0 = not at risk or nothing seen of the span."""
    at_us: Times


def learn_tables(histories: Sequence[History], fleet: Fleet, until_us: int) -> Tables:
    """Rates, lives, directions and rhythm from what was known until a time."""
    known = [h.until(until_us) for h in histories]
    followed, usual = [], []
    for c in range(len(fleet.components)):
        tables, bases = zip(*(_followed(known, c, memory) for memory in MEMORY_HOURS), strict=True)
        followed.append(tables)
        usual.append(bases)
    lives = tuple(life_of(known, c) for c in range(len(fleet.components)))
    return Tables(tuple(followed), tuple(usual), lives, _directions(known, fleet), _rhythm(known))


def _followed(histories: Sequence[History], component: int, memory: float) -> tuple[dict[frozenset[int], float], float]:
    counts: dict[frozenset[int], list[float]] = {}
    for h in histories:
        failed, replaced = h.failed.of(component), h.replaced.of(component)
        seen = incidents(h.errors)
        if not seen:
            continue
        at = np.array([one.at_us for one in seen], dtype=np.int64)
        ahead, mended, left = hours_to(failed, at), hours_to(replaced, at), (h.end_us - at) / HOUR_US
        for one, hours, until_mended, until_end in zip(seen, ahead, mended, left, strict=True):
            hit = hours <= memory and hours <= until_mended
            if hit or until_end >= memory:
                count = counts.setdefault(one.codes, [0.0, 0.0])
                count[0] += hit
                count[1] += 1.0
    hits, all_ = (sum(c[i] for c in counts.values()) for i in (0, 1))
    usual = hits / max(1.0, all_)
    rates: dict[frozenset[int], float] = {}
    for codes in sorted(counts, key=lambda s: (len(s), sorted(s))):
        toward = max((rate for part, rate in rates.items() if part < codes), default=usual)
        n_hit, n = counts[codes]
        rates[codes] = (n_hit + FOLLOWED_PRIOR * toward) / (n + FOLLOWED_PRIOR)
    return rates, usual


def lives_of(histories: Sequence[History], component: int) -> tuple[Array, Array, Array]:
    """Lives of a component in hours: age at which it came under watch, age at its end, whether it failed."""
    enter, leave, failed = [], [], []
    for h in histories:
        starts = h.replaced.of(component)
        ends = h.failed.of(component)
        for i, start in enumerate(starts.tolist()):
            following = int(starts[i + 1]) if i + 1 < len(starts) else h.end_us
            first = max(start, h.begin_us)
            broken = ends[(ends > first) & (ends <= following)]
            stop = int(broken[0]) if len(broken) else following
            if stop > first:
                enter.append((first - start) / HOUR_US)
                leave.append((stop - start) / HOUR_US)
                failed.append(bool(len(broken)))
    return np.array(enter), np.array(leave), np.array(failed, dtype=bool)


def life_of(histories: Sequence[History], component: int) -> Lifetimes:
    """The Weibull life by maximum likelihood, with lives that began before the record and that have not ended."""
    from scipy.optimize import minimize

    enter, leave, failed = lives_of(histories, component)
    exposure = float((leave - enter).sum()) if len(leave) else 0.0
    n = int(failed.sum())
    mean = (exposure + 1.0) / (n + 0.5)
    if n < 3:
        return Lifetimes(1.0, mean)

    def cost(at: Array) -> float:
        shape, scale = math.exp(at[0]), math.exp(at[1])
        ended = np.log(shape / scale) + (shape - 1.0) * np.log(np.maximum(leave[failed], 1.0) / scale)
        survived = (enter / scale) ** shape - (leave / scale) ** shape
        return float(-ended.sum() - survived.sum() + (at[0] / 1.0) ** 2)

    bounds = [(math.log(LEAST_SHAPE), math.log(MOST_SHAPE)), (math.log(mean / 50), math.log(mean * 50))]
    best = minimize(cost, np.array([0.3, math.log(mean)]), bounds=bounds, method="L-BFGS-B")
    return Lifetimes(math.exp(float(best.x[0])), math.exp(float(best.x[1])))


def _directions(histories: Sequence[History], fleet: Fleet) -> Array:
    """Per component and window the mean movement in the 24 hours before its failures."""
    k, s = len(fleet.components), len(fleet.signals)
    out = np.zeros((k, len(WINDOW_HOURS), s))
    if not s:
        return out
    for c in range(k):
        seen = []
        for h in histories:
            for failed_us in h.failed.of(c).tolist():
                at = failed_us - HOUR_US * np.arange(12, 0, -2, dtype=np.int64)
                seen.append(movements(h.readings, at, s).mean(1))
        usable = [m for m in seen if np.isfinite(m).all()]
        if len(usable) >= DIRECTION_FEWEST:
            mean = np.mean(usable, axis=0)
            spread = np.std(usable, axis=0) / math.sqrt(len(usable)) + 0.5
            clear = np.where(np.abs(mean) > 2 * spread, mean, 0.0)
            length = np.sqrt((clear**2).sum(1, keepdims=True))
            out[c] = np.where(length > 0, clear / np.maximum(length, 1e-12), 0.0)
    return out


def _rhythm(histories: Sequence[History]) -> float:
    between: list[Array] = [np.diff(np.unique(h.replaced.at_us).astype(np.float64)) / HOUR_US for h in histories]
    gaps = np.round(np.concatenate([np.zeros(0), *between]) / 12.0) * 12.0
    gaps = gaps[gaps > 0]
    if len(gaps) < 10:
        return math.nan
    values, counts = np.unique(gaps, return_counts=True)
    best = int(np.argmax(counts))
    return float(values[best]) if counts[best] >= RHYTHM_SHARE * len(gaps) else math.nan


def outcomes(history: History, component: int, at_us: Times, until_us: int) -> tuple[Array, Array]:
    """(spans, n): whether the failure fell into the span, and how much of the span was seen while at risk."""
    ahead = hours_to(history.failed.of(component), at_us)
    mended = hours_to(history.replaced.of(component), at_us)
    watched = np.minimum(mended, (min(until_us, history.end_us) - at_us) / HOUR_US)
    hit = np.zeros((len(SPANS), len(at_us)))
    weight = np.zeros_like(hit)
    for i, (begin, end) in enumerate(SPANS):
        fell = (ahead > begin) & (ahead <= end) & (ahead <= watched)
        at_risk = np.minimum(ahead, watched) > begin
        hit[i] = fell
        weight[i] = np.where(fell, 1.0, np.where(at_risk, np.clip((watched - begin) / (end - begin), 0.0, 1.0), 0.0))
    return hit, weight


def rows_of(histories: Sequence[History], fleet: Fleet, from_us: int, until_us: int, tables: Tables | None) -> Rows:
    """Rows from a stretch of time; outcomes are those known at its end.

    Parameters
    ----------
    tables
        None = learned within the stretch up to its end, from the assets of other folds.
    """
    by_fold = [
        tables or learn_tables([h for i, h in enumerate(histories) if i % FOLDS != fold], fleet, until_us)
        for fold in range(FOLDS if len(histories) >= FOLDS else 1)
    ]
    if len(histories) < FOLDS and tables is None:
        by_fold = [learn_tables(histories, fleet, until_us)]
    xs, hits, weights, times = [], [], [], []
    for i, full in enumerate(histories):
        history = full.until(until_us)
        at = grid(history, max(from_us, history.begin_us), min(until_us, history.end_us))
        if len(at):
            moved = movements(history.readings, at, len(fleet.signals))
            for c in range(len(fleet.components)):
                hit, weight = outcomes(history, c, at, until_us)
                keep, by = _kept(history, c, at, i + c)
                xs.append(features(history, c, at, by_fold[i % len(by_fold)], moved)[keep])
                hits.append(hit[:, keep])
                weights.append(weight[:, keep] * by[keep])
                times.append(at[keep])
    if not xs:
        return Rows(np.zeros((0, len(COLUMNS))), np.zeros((3, 0)), np.zeros((3, 0)), np.zeros(0, dtype=np.int64))
    return Rows(np.concatenate(xs), np.concatenate(hits, 1), np.concatenate(weights, 1), np.concatenate(times))


def grid(history: History, from_us: int, until_us: int, hours: float = GRID_HOURS) -> Times:
    """Times every so many hours, and every time at which an error was raised."""
    if until_us <= from_us:
        return np.zeros(0, dtype=np.int64)
    regular = np.arange(from_us, until_us, round(hours * HOUR_US), dtype=np.int64)
    raised = history.errors.at_us
    raised = raised[(raised >= from_us) & (raised < until_us)]
    return np.unique(np.concatenate([regular, raised]))


def _kept(history: History, component: int, at_us: Times, phase: int) -> tuple[Array, Array]:
    near = hours_to(history.failed.of(component), at_us) <= NEAR_HOURS
    after = np.searchsorted(history.errors.at_us, at_us, side="right")
    before = np.searchsorted(history.errors.at_us, at_us - round(24 * HOUR_US), side="right")
    dense = near | (after > before)
    sparse = (np.arange(len(at_us)) + phase) % SPARSE == 0
    weight = np.where(dense, 1.0, float(SPARSE))
    return dense | sparse, weight


def fit_boosters(rows: Rows, seed: int) -> tuple[Trees, ...]:
    """One booster a span. Raises TooLittle where no failure fell into the first."""
    if not (rows.hit[0] * rows.weight[0] > 0).any():
        raise TooLittle("no failure lies within the part of the record that is learned from")
    return tuple(_booster(rows.x, rows.hit[i], rows.weight[i], seed) for i in range(len(SPANS)))


def _booster(x: Array, hit: Array, weight: Array, seed: int) -> Trees:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    used = weight > 0
    x, hit, weight = x[used], hit[used], weight[used]
    positive = float((hit * weight).sum())
    if not len(x) or positive == 0 or positive == float(weight.sum()):
        return _constant(positive, float(weight.sum()))
    model = HistGradientBoostingClassifier(
        max_iter=TREES, learning_rate=RATE, max_leaf_nodes=LEAVES, max_depth=DEPTH, min_samples_leaf=LEAST_IN_LEAF,
        l2_regularization=1.0, early_stopping=False, random_state=seed,
    )  # fmt: skip
    with threadpool_limits(limits=1, user_api="openmp"):
        return flattened(model.fit(snapped(x), hit.astype(np.int64), sample_weight=weight))


def snapped(x: Array) -> Array:
    """Each column at no more than `MOST_VALUES` values, evenly filled: the booster then need not weigh quantiles."""
    out = x.copy()
    for j in range(x.shape[1]):
        known = np.isfinite(x[:, j])
        values = np.unique(x[known, j])
        if not len(values):
            out[:, j] = 0.0
        if len(values) > MOST_VALUES:
            levels = np.unique(np.quantile(x[known, j], np.linspace(0, 1, MOST_VALUES), method="nearest"))
            out[known, j] = levels[np.searchsorted(levels, x[known, j]).clip(0, len(levels) - 1)]
    return out


def _constant(positive: float, total: float) -> Trees:
    p = (positive + 0.5) / (total + 1.0)
    none, empty = np.zeros(0, dtype=np.int32), np.zeros(0)
    return Trees(none, empty, none, none, np.zeros(0, dtype=bool), empty, none, 0, math.log(p / (1 - p)))


def calibrate(said: Array, hit: Array, weight: Array) -> Calibration:
    """Isotonic: how often what was said came true, on rows that the booster had not seen."""
    from sklearn.isotonic import IsotonicRegression

    used = weight > 0
    if not (hit[used] > 0).any():
        line = np.linspace(-FAR_LOG_ODDS, FAR_LOG_ODDS, 97)
        return Calibration(line, 1 / (1 + np.exp(-line)))
    iso = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    iso.fit(said[used], hit[used], sample_weight=weight[used])
    return Calibration(np.asarray(iso.X_thresholds_, dtype=np.float64), np.asarray(iso.y_thresholds_, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Stage:
    """A hazard that knows the first part of the time only, and the time after it on which it was tried."""

    hazard: EventHazard
    from_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """A hazard, and its forerunners with its calibration: choices that need unseen time are made on their stages."""

    hazard: EventHazard
    stages: tuple[Stage, ...]


LATER = (0.55, 0.775, 1.0)
"""What was learned from the first share of the training time is tried on the time up to the next share, and so on."""


def fit(histories: Sequence[History], fleet: Fleet, until_us: int, *, seed: int = 0, tell: Tell = quiet) -> Fitted:
    """Learn from everything known until a time; calibration comes from later slices of that time.

    Raises TooLittle.
    """
    from_us = min(h.begin_us for h in histories)
    said, hit, weight, early = [], [], [], []
    for n, (share, following) in enumerate(pairwise(LATER)):
        tell(n, len(LATER), "learning from the first part, to be tried on the next")
        cut, end = (round(from_us + s * (until_us - from_us)) for s in (share, following))
        tables = learn_tables(histories, fleet, cut)
        try:
            boosters = fit_boosters(rows_of(histories, fleet, from_us, cut, None), seed)
        except TooLittle:
            continue
        later = rows_of(histories, fleet, cut, end, tables)
        said.append(np.stack([booster(later.x) for booster in boosters]))
        hit.append(later.hit)
        weight.append(later.weight)
        early.append((tables, boosters, cut, end))
    tell(len(LATER) - 1, len(LATER), "learning from the whole training part")
    boosters = fit_boosters(rows_of(histories, fleet, from_us, until_us, None), seed)
    calibrations = tuple(
        calibrate(*(np.concatenate([part[i] for part in of]) if of else np.zeros(0) for of in (said, hit, weight)))
        for i in range(len(SPANS))
    )

    def made(tables: Tables, trees: tuple[Trees, ...], cut: int) -> EventHazard:
        known = [h.until(cut) for h in histories]
        counts = tuple(sum(len(h.failed.of(c)) for h in known) for c in range(len(fleet.components)))
        return EventHazard(fleet, tables, trees, calibrations, counts)

    stages = tuple(Stage(made(tables, trees, cut), cut, end) for tables, trees, cut, end in early)
    tell(len(LATER), len(LATER), "learned")
    return Fitted(made(learn_tables(histories, fleet, until_us), boosters, until_us), stages)
