"""The methods that may raise a watched machine's alarm, and how their scores become one.

The baseline is learned for every machine; which methods are judged is the asset model's choice
(`contracts.detection_methods`). Each has a threshold of its own; their scores are put on the scale of the baseline's,
so that the alarm machine hears one score, the largest, and knows which method it is by. All of them read what the
window detector has followed (rows after averaging, running and settled or not, residuals), by the same steps as the
detectors of `domain.family`. `domain.beside_many` does the same for many machines at once.
"""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from anomaly.domain.baseline import Baseline
from anomaly.domain.cusum import LIMIT, shrink_of, summed
from anomaly.domain.following import HOUR_US, Why
from anomaly.domain.layout import Array, Layout
from anomaly.domain.limits import Rule, nearest, newest_with, rules_of
from anomaly.domain.seasonal import SeasonalDetector, SeasonalState
from contracts.asset_model import AssetModel
from contracts.detection_methods import BASELINE, CUSUM, LIMITS, SEASONAL, methods_of

if TYPE_CHECKING:
    from anomaly.domain.detector import Scores

NEAR = 0.9
"""Nearer than this share of its way to a limit a signal counts; before that, limits have nothing to say."""
SLACK = 0.999
"""Many machines are looked at closely from this share of NEAR, so that rounding hides none."""


@dataclass
class BesideState:
    """What the methods beside the baseline remember; empty where one does not run."""

    newest: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """The newest symptoms (at most 3, k) since it last began to run."""
    up: Array = field(default_factory=lambda: np.zeros(0))
    down: Array = field(default_factory=lambda: np.zeros(0))
    """Cumulative sums (k,)."""
    seasonal: SeasonalState | None = None
    surprise: Array = field(default_factory=lambda: np.zeros(0))
    """Newest surprises of the seasonal detector (k,), signed by where the signal went."""
    by: str = BASELINE
    """Which method the newest score is by."""


@dataclass(frozen=True)
class Told:
    """What carries a score that is not the baseline's."""

    by: str
    parts: Array
    """(k,): sum to the score in multiples of the method's threshold."""
    strength: Array
    """(k,), signed: how far each signal is, for the diagnosis; 1 = at the method's threshold."""
    rule: Rule | None = None
    """The rule of the asset model that was reached."""


class Beside:
    """The methods of one model; `state` is one machine's."""

    def __init__(self, model: AssetModel, layout: Layout) -> None:
        self.layout, self.settings = layout, model.detection
        self.methods = methods_of(model)
        self.rules = rules_of(model, layout) if LIMITS in self.methods else ()
        self.columns = np.array(sorted({rule.symptom for rule in self.rules}), dtype=np.int64)
        """Symptoms that a rule is about."""
        ends = [(rule.symptom, rule.limit > rule.rest, _counts_from(rule)) for rule in self.rules]
        self.low = np.array([max((x for k, up, x in ends if k == j and not up), default=-np.inf) for j in self.columns])
        self.high = np.array([min((x for k, up, x in ends if k == j and up), default=np.inf) for j in self.columns])
        """Of each of them: from where it begins to count at the earliest, downwards and upwards."""

    @property
    def any(self) -> bool:
        """Whether anything but the baseline is judged, or the baseline is not."""
        return self.methods != (BASELINE,)

    @property
    def sums(self) -> bool:
        """Whether cumulative sums run."""
        return CUSUM in self.methods

    def follow(
        self, s: BesideState, scores: "Scores", i: int, whole: Baseline | None, apart: list[int], first_us: int,
        judged: float | None,
    ) -> float | None:  # fmt: skip
        """The one score of row i; moves the state on. None = no method has a score.

        Parameters
        ----------
        whole : Baseline | None
            The baseline, once its record grows no more: how far a machine wanders by itself a short record does not
            show, so nothing is summed up before.
        apart : list[int]
            Symptoms that are not judged: their sensor moved alone.
        first_us : int
            Time of the machine's first row.
        judged : float | None
            The baseline's score.
        """
        threshold = self.settings.threshold
        levels: dict[str, float] = {}
        if judged is not None and BASELINE in self.methods:
            levels[BASELINE] = judged / threshold
        runs = scores.why[i] not in (Why.NOT_RUNNING, Why.SETTLING)
        if self.rules:
            value = np.full(len(self.layout.symptoms), np.nan)
            value[self.columns] = scores.value[i][self.columns]
            s.newest = newest_with(s.newest, value) if runs else s.newest[:0]
            near, _ = nearest(self.rules, s.newest, apart)
            if near >= NEAR:
                levels[LIMITS] = near
        if self.sums and whole is not None:
            self.begin(s)
        if self.sums and whole is not None and runs:
            s.up, s.down = summed(s.up, s.down, scores.residual[i], shrink_of(whole))
            if np.isfinite(scores.residual[i]).any():
                levels[CUSUM] = self.sum_of(s, apart)
        if SEASONAL in self.methods:
            level = self.surprise(s, int(scores.t_us[i]), scores.value[i], apart, first_us)
            if level == level:
                levels[SEASONAL] = level
        if not levels:
            return None
        s.by = max(levels, key=lambda name: (levels[name], name == BASELINE))
        return judged if s.by == BASELINE else levels[s.by] * threshold

    def begin(self, s: BesideState) -> None:
        """Room for the sums."""
        if not len(s.up):
            s.up, s.down = np.zeros(len(self.layout.symptoms)), np.zeros(len(self.layout.symptoms))

    def sum_of(self, s: BesideState, apart: list[int]) -> float:
        """The largest sum, in multiples of its threshold."""
        sums = np.maximum(s.up, s.down)
        sums[apart] = 0.0
        return float(sums.max(initial=0.0)) / LIMIT / self.settings.cusum_threshold

    def replaced(self, s: BesideState, symptoms: list[int]) -> None:
        """A part was replaced: its symptoms begin anew."""
        s.newest = s.newest[:0]
        if len(s.up):
            s.up, s.down = s.up.copy(), s.down.copy()
            s.up[symptoms] = s.down[symptoms] = 0.0
        if s.seasonal is not None:
            fresh = SeasonalDetector(self.layout).state
            for j in symptoms:
                s.seasonal.signals[j] = fresh.signals[j]

    def told(self, s: BesideState, apart: list[int]) -> Told | None:
        """What carries the newest score; None = the baseline."""
        k = len(self.layout.symptoms)
        parts, strength = np.zeros(k), np.zeros(k)
        if s.by == LIMITS:
            near, rule = nearest(self.rules, s.newest, apart)
            if rule is not None:
                parts[rule.symptom] = near
                strength[rule.symptom] = math.copysign(near, rule.limit - rule.rest)
            return Told(LIMITS, parts, strength, rule)
        if s.by == CUSUM and len(s.up):
            strength = np.where(s.up >= s.down, s.up, -s.down) / LIMIT / self.settings.cusum_threshold
        elif s.by == SEASONAL and len(s.surprise):
            strength = s.surprise / self.settings.seasonal_threshold
        else:
            return None
        strength[apart] = 0.0
        size = np.abs(strength)
        return Told(s.by, size / max(float(size.sum()), 1e-12) * float(size.max(initial=0.0)), strength)

    def surprise(self, s: BesideState, t_us: int, values: Array, apart: list[int], first_us: int) -> float:
        """How surprising a row is, in multiples of the threshold, which is then remembered; NaN = not known yet."""
        detector = SeasonalDetector(self.layout, s.seasonal)
        s.seasonal = detector.state
        found = detector.feed(np.array([t_us], dtype=np.int64), values.reshape(1, -1))
        ways = [1.0 if not one.residuals or one.residuals[-1] >= 0 else -1.0 for one in s.seasonal.signals]
        most = float(found.parts[0].max(initial=0.0))
        s.surprise = found.parts[0] * ways / most * float(found.score[0]) if most > 0 else np.zeros(len(ways))
        if first_us < 0 or t_us - first_us < self.settings.learning_hours * HOUR_US:
            return math.nan
        if not apart:
            return float(found.score[0]) / self.settings.seasonal_threshold
        left = np.delete(np.abs(s.surprise), apart)
        return float(left.max(initial=0.0)) / self.settings.seasonal_threshold


def _counts_from(rule: Rule) -> float:
    share = SLACK * NEAR
    if rule.rest > rule.limit > 0:
        return rule.limit / share
    return rule.rest + share * (rule.limit - rule.rest)
