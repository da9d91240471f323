"""The rules of the asset model: how near a signal is to the value at which a failure mode ends the machine.

The limit scores 1. For what rises to its limit the low end of the declared range scores 0; what falls to half of its
value doubles its score. It needs no learning, and says little before a fault is far; what it then finds is certain.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.adapting import Judge
from anomaly.domain.following import Follower, Why
from anomaly.domain.layout import Array, Layout, layout_of, median_of
from contracts.asset_model import AssetModel
from contracts.detection_methods import limited_modes

NEWEST = 3
"""Samples whose median is judged: one spike is no failure."""


MOST = 10.0
"""A score grows no further."""


@dataclass(frozen=True)
class Rule:
    """A symptom (by its place in the layout) that ends the machine at `limit`; `rest` is the far end of its range."""

    symptom: int
    rest: float
    limit: float
    mode: str = ""

    def near(self, value: float) -> float:
        """1 at the limit, more beyond it, at most `MOST`; NaN without a value."""
        if value != value:
            return value
        if self.rest > self.limit > 0:
            return min(self.limit / value, MOST) if value > 0 else MOST
        return min((value - self.rest) / (self.limit - self.rest), MOST)


@dataclass
class LimitState:
    """All that is remembered: the newest values (n, k)."""

    follower: Follower
    newest: Array = field(default_factory=lambda: np.zeros((0, 0)))


@dataclass(frozen=True)
class Nearness:
    """What became of n rows (after averaging of fast ones); k symptoms."""

    t_us: NDArray[np.int64]
    score: Array
    """(n,): 1 = a limit is reached; NaN where no signal with a limit has a value, or the machine does not run."""
    parts: Array
    """(n, k): all of the score at the signal that is nearest to its limit."""


def rules_of(model: AssetModel, layout: Layout | None = None) -> tuple[Rule, ...]:
    """Rules of the failure modes that end at a value of a symptom and move it in a known direction."""
    names = (layout or layout_of(model)).symptoms
    found: list[Rule] = []
    for mode, name, way in limited_modes(model):
        signal, limit = model.signals[name], mode.limit
        if limit is not None and name in names:
            found.append(Rule(names.index(name), signal.low if way == "up" else signal.high, limit.value, mode.name))
    return tuple(found)


def newest_with(newest: Array, row: Array) -> Array:
    """The newest rows (at most NEWEST) with one more."""
    return np.concatenate([newest.reshape(-1, len(row)), row.reshape(1, -1)])[-NEWEST:]


def nearest(rules: Sequence[Rule], newest: Array, apart: Collection[int] = ()) -> tuple[float, Rule | None]:
    """How near the medians of the newest rows (n, k) are to a limit, and to which; NaN where nothing is judged.

    Symptoms `apart` are left out.
    """
    score, found = np.nan, None
    if len(newest) < NEWEST:
        return score, found
    middle = median_of(newest.T)
    for rule in rules:
        near = rule.near(float(middle[rule.symptom]))
        if rule.symptom not in apart and near == near and not score >= near:
            score, found = near, rule
    return score, found


class LimitDetector:
    """Rules of an asset model as a detector."""

    def __init__(self, layout: Layout, rules: tuple[Rule, ...], state: LimitState | None = None) -> None:
        self.layout, self.rules = layout, rules
        self.state = state or LimitState(Follower.of(layout))

    def feed(self, t_us: NDArray[np.int64], values: Array, judge: Judge | None = None) -> Nearness:
        """Take rows in time order (columns as `layout.signals`, NaN = no reading)."""
        s, k = self.state, len(self.layout.symptoms)
        rows = s.follower.follow(t_us, values, self.layout)
        score, parts = np.full(len(rows.t_us), np.nan), np.zeros((len(rows.t_us), k))
        for i in range(len(rows.t_us)):
            if rows.why[i] != Why.SCORED:
                s.newest = np.zeros((0, k))
                continue
            s.newest = newest_with(s.newest, rows.symptoms[i])
            score[i], rule = nearest(self.rules, s.newest)
            if rule is not None:
                parts[i, rule.symptom] = score[i]
            if judge is not None and score[i] == score[i]:
                judge(int(rows.t_us[i]), float(score[i]))
        return Nearness(rows.t_us, score, parts)

    def score(self, t_us: int, values: Array) -> float | None:
        """What one more row would score; changes nothing. None = nothing to judge."""
        probe = LimitDetector(self.layout, self.rules, LimitState(self.state.follower.copy(), self.state.newest))
        found = probe.feed(np.array([t_us], dtype=np.int64), values.reshape(1, -1)).score
        return None if len(found) == 0 or found[-1] != found[-1] else float(found[-1])
