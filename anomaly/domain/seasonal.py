"""Watches single signals: each against its own usual course over day and week, at several lengths of time at once.

Four things are asked of a value: how far it lies from the usual, how far its mean over some and over many samples
does, and how far it jumped. Each answer is the surprise of that much by all that was seen before; they add up (Fisher's
way to join tests), so that what is a little odd in every respect counts as much as what is very odd in one.
"""

import math
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.adapting import Judge
from anomaly.domain.following import HOUR_US
from anomaly.domain.layout import Array, Layout
from anomaly.domain.profile import Course
from anomaly.domain.tail import Tail, tail_of

LENGTHS = (1, 6, 24)
"""Samples over which the residual is averaged."""
ASKED = len(LENGTHS) + 1
SEEN = 8192
"""Answers that are remembered."""
FEWEST = 150
"""Answers that a tail is fitted to."""
REFIT, OFTEN = 25, 1000
"""Samples from one fit of the tails to the next; a quarter as often after so many."""


@dataclass
class Single:
    """What is remembered of one signal."""

    course: Course = field(default_factory=Course)
    last_us: int = -1
    last: float = math.nan
    residuals: list[float] = field(default_factory=list)
    """The newest ones, at most the longest of LENGTHS."""
    answers: NDArray[np.float32] = field(default_factory=lambda: np.full((ASKED, 512), np.nan, np.float32))
    """Rings, grown up to SEEN; seven figures are enough for a tail, and they are most of a snapshot."""
    counts: list[int] = field(default_factory=lambda: [0] * ASKED)
    tails: list[Tail | None] = field(default_factory=lambda: [None] * ASKED)
    taken: int = 0

    def __post_init__(self) -> None:
        self.answers = self.answers.astype(np.float32, copy=False)  # of an old snapshot they are twice as long

    def take(self, t_us: int, x: float, gap_us: float) -> float:
        """The surprise of a value, which is then remembered; NaN = not enough seen yet."""
        if self.last_us >= 0 and t_us - self.last_us > gap_us:
            self.last, self.residuals = math.nan, []
        self.course.add(t_us, x)
        residual = self.course.strayed(t_us, x)
        if residual == residual:
            self.residuals = [*self.residuals[1 - LENGTHS[-1] :], residual]
        asked = [abs(sum(self.residuals[-n:]) / n) if len(self.residuals) >= n else math.nan for n in LENGTHS]
        asked.append(abs(x - self.last))
        asked = np.array(asked, np.float32).tolist()  # as they are remembered: what comes again is no surprise
        self.last_us, self.last = t_us, x
        known = [(tail, a) for tail, a in zip(self.tails, asked, strict=True) if tail is not None and a == a]
        surprise = sum(tail.surprise(a) for tail, a in known) if known else math.nan
        self._remember(asked)
        return surprise

    def _remember(self, asked: list[float]) -> None:
        for i, answer in enumerate(asked):
            if answer == answer:
                if self.counts[i] == self.answers.shape[1] < SEEN:
                    more = np.full((ASKED, self.answers.shape[1]), np.nan, np.float32)
                    self.answers = np.concatenate([self.answers, more], axis=1, dtype=np.float32)
                self.answers[i, self.counts[i] % self.answers.shape[1]] = answer
                self.counts[i] += 1
        self.taken += 1
        if self.taken % (REFIT if self.taken < OFTEN else 4 * REFIT) == 0:
            for i, count in enumerate(self.counts):
                if count >= FEWEST:
                    self.tails[i] = tail_of(self.answers[i, : min(count, self.answers.shape[1])].astype(float))


@dataclass
class SeasonalState:
    """All that a seasonal detector remembers."""

    signals: list[Single]
    rows: int = 0


@dataclass(frozen=True)
class Surprises:
    """What became of n rows; k signals."""

    t_us: NDArray[np.int64]
    score: Array
    """(n,): the most surprising signal's, as -log10 of a chance, summed over what is asked; NaN = not known yet."""
    parts: Array
    """(n, k): in proportion to each signal's surprise; sum to the score."""


class SeasonalDetector:
    """Each signal by itself against its usual course; conditions and regimes do not matter to it.

    It learns as it goes and needs no healthy record; the first `learning_samples` rows are not scored.
    """

    def __init__(self, layout: Layout, state: SeasonalState | None = None) -> None:
        self.layout = layout
        self.state = state or SeasonalState([Single() for _ in layout.symptoms])
        self._gap_us = layout.settings.gap_hours * HOUR_US or math.inf

    def feed(self, t_us: NDArray[np.int64], values: Array, judge: Judge | None = None) -> Surprises:
        """Take rows in time order (columns as `layout.signals`, NaN = no reading)."""
        k, s = len(self.layout.symptoms), self.state
        score, parts = np.full(len(t_us), np.nan), np.zeros((len(t_us), k))
        for i, (t, row) in enumerate(zip(t_us.tolist(), values[:, :k].tolist(), strict=True)):
            found = [
                one.take(t, x, self._gap_us) if x == x else math.nan for one, x in zip(s.signals, row, strict=True)
            ]
            s.rows += 1
            if s.rows <= self.layout.settings.learning_samples:
                continue
            known = [x for x in found if x == x]
            if not known:
                continue
            score[i] = max(known)
            total = sum(known)
            parts[i] = [x / total * score[i] if x == x and total > 0 else 0.0 for x in found]
            if judge is not None:
                judge(t, float(score[i]))
        return Surprises(t_us, score, parts)

    def score(self, t_us: int, values: Array) -> float | None:
        """What one more row would score; changes nothing. None = not enough seen yet."""
        if self.state.rows < self.layout.settings.learning_samples:
            return None
        probe = SeasonalDetector(self.layout, deepcopy(self.state))
        found = float(probe.feed(np.array([t_us], dtype=np.int64), values.reshape(1, -1)).score[0])
        return None if math.isnan(found) else found
