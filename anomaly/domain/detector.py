"""The detector of one machine: learns while it is healthy, then scores every row; the family's promise.

Rows faster than window / window_samples are averaged first, so that windows count in time and in samples. Whatever
the rows are cut into, the same rows in the same order give the same scores.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.adapting import Judge, Measure, Pace, adapt
from anomaly.domain.baseline import Baseline, Fitter, Training, distance, healthy_residuals, window_means
from anomaly.domain.baseline_fit import fit_with_noise
from anomaly.domain.following import Followed, Follower, Why
from anomaly.domain.layout import Array, Layout, median_of
from anomaly.domain.regimes import UNKNOWN
from anomaly.domain.trail import Record

CHUNK = 2048
GROWTH = 4.0
"""A baseline is fitted anew each time its healthy record has grown by this factor."""
ROUNDING_HOURS = 1e-6
"""Sums of running hours differ by less, however they are added up."""


@dataclass(frozen=True)
class Scores:
    """What became of n rows (after averaging of fast ones); k symptoms."""

    t_us: NDArray[np.int64]
    score: Array
    """(n,), multiples of the calibrated limit; NaN = not enough seen yet, see `why`."""
    parts: Array
    """(n, k); sum to the score."""
    means: Array
    """(n, k): window means of the residuals, in healthy sigmas."""
    residual: Array
    """(n, k): this row's residual, sigmas."""
    value: Array
    expected: Array
    """(n, k), in the signal's unit."""
    plain: Array
    """(n, k): deviation from the regime's usual value without compensation, sigmas."""
    why: NDArray[np.int8]
    running_hours: Array
    """(n,): running time so far."""
    fitted: bool = False
    """Whether a baseline was fitted within these rows."""

    def __len__(self) -> int:
        return len(self.t_us)


class Detector(Protocol):
    """What every detector promises."""

    layout: Layout

    def feed(self, t_us: NDArray[np.int64], values: Array, judge: Judge | None = None) -> Scores:
        """Take rows in time order (columns as `layout.signals`, NaN = no reading); learns and moves on.

        `judge` hears every score as it is made and says whether an alarm stands, in which the mean does not adapt.
        """
        ...

    def score(self, t_us: int, values: Array) -> float | None:
        """What one more row would score; changes nothing. None = not enough seen yet."""
        ...


def index(means: Array, base: Baseline) -> tuple[Array, Array]:
    """Median over the usable signals of |window mean|, sigmas; parts in proportion to |window mean|."""
    present = np.isfinite(means) & base.usable
    size = np.abs(np.where(present, means, np.nan))
    score = median_of(size)
    known = np.where(present, size, 0.0)
    total = known.sum(1)
    parts = known * (np.nan_to_num(score) / np.where(total > 0, total, 1.0))[:, None]
    return score, parts


@dataclass
class State:
    """All that a detector remembers of its machine."""

    follower: Follower
    baseline: Baseline | None = None
    fits: int = 0
    frozen: bool = False
    """True inside an alarm: the mean does not adapt."""
    record: Record = field(default_factory=Record)
    """Healthy rows: symptoms, features, regime levels, segment, side by side."""
    learn_hours: float = 0.0
    """Running hours of the healthy record."""
    window_z: Array = field(default_factory=lambda: np.zeros((0, 0)))
    window_segment: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    relearn: list[int] = field(default_factory=list)
    """Symptoms of a replaced component: not scored until their new level is known."""
    relearn_rows: list[Array] = field(default_factory=list)
    relearn_hours: float = 0.0


class WindowDetector:
    """Trailing means of residuals against a healthy baseline, judged by a measure."""

    def __init__(
        self, layout: Layout, measure: Measure, state: State | None = None, fitter: Fitter = fit_with_noise
    ) -> None:
        self.layout, self.measure, self._fitter = layout, measure, fitter
        self.state = state or State(Follower.of(layout))

    @property
    def baseline(self) -> Baseline | None:
        """What it compares with; None while learning."""
        return self.state.baseline

    def feed(self, t_us: NDArray[np.int64], values: Array, judge: Judge | None = None) -> Scores:
        fits = self.state.fits
        found = joined(list(self.pieces(t_us, values, judge)), len(self.layout.symptoms))
        return replace(found, fitted=self.state.fits > fits)

    def pieces(self, t_us: NDArray[np.int64], values: Array, judge: Judge | None = None) -> Iterator[Scores]:
        """Like `feed`, piece by piece: while a piece is looked at, the baseline is the one that it was scored by.

        Without a judge a mean that adapts is fed row by row, so that `State.frozen` may be set in between.
        """
        s = self.state
        rows = s.follower.follow(t_us, values, self.layout)
        at = 0
        while at < len(rows.t_us):
            done = False
            if s.baseline is None and not self.layout.settings.fleet:
                to, done = self._learn(rows, at)
                yield self._unscored(rows, at, to)
            elif s.baseline is None:
                to = min(at + CHUNK, len(rows.t_us))
                self._remember(rows, slice(at, to), np.ones(to - at, dtype=bool))
                yield self._unscored(rows, at, to)
            else:
                singly = s.relearn or (self.adapts and judge is None)
                to = at + 1 if singly else min(at + CHUNK, self._until_refit(rows, at))
                yield self._score(rows, at, to, judge)
                done = self._grown()
            if done:
                self.fit()
            at = to

    def score(self, t_us: int, values: Array) -> float | None:
        s = self.state
        if s.baseline is None:
            return None
        probe = WindowDetector(
            self.layout,
            self.measure,
            State(s.follower.copy(), s.baseline, window_z=s.window_z, window_segment=s.window_segment,
                  relearn=list(s.relearn), frozen=True),
        )  # fmt: skip
        probe.state.fits = s.fits
        out = probe.feed(np.array([t_us], dtype=np.int64), values.reshape(1, -1))
        return None if len(out) == 0 or np.isnan(out.score[-1]) else float(out.score[-1])

    def replaced(self, symptoms: list[int]) -> None:
        """A component was replaced: its symptoms learn their level anew, windows restart."""
        s = self.state
        s.window_z, s.window_segment = s.window_z[:0], s.window_segment[:0]
        s.frozen = False
        if s.baseline is not None:
            s.relearn = sorted({*s.relearn, *symptoms})
            s.relearn_rows, s.relearn_hours = [], 0.0
            self._forget_record()
        else:
            s.record, s.learn_hours = Record(), 0.0

    def hours_left(self) -> float:
        """Running hours of learning that are still needed; 0 = none."""
        s, settings = self.state, self.layout.settings
        if s.baseline is None:
            return max(0.0, settings.learning_hours - s.learn_hours, 0.01)
        if s.relearn:
            return max(0.01, settings.learning_hours - s.relearn_hours)
        return 0.0

    def training(self) -> Training:
        """The healthy record so far."""
        return training_of(self.layout, self.state.record)

    def take(self, baseline: Baseline) -> None:
        """Use a baseline; the end of the healthy record fills the window."""
        s, training = self.state, self.training()
        z = healthy_residuals(baseline, training)
        keep = max(0, self.layout.settings.window_samples - 1)
        s.baseline, s.fits = baseline, s.fits + 1
        if s.fits == 1:
            known = np.isfinite(z).any(1)
            s.window_z, s.window_segment = z[known][-keep:], training.segment[known][-keep:]
        if not self.layout.settings.fleet and self.layout.settings.baseline_hours <= s.learn_hours:
            self._forget_record()

    def _forget_record(self) -> None:
        self.state.record = Record()

    def _learn(self, rows: Followed, at: int) -> tuple[int, bool]:
        """Take rows into the record until it is long enough; (where it stopped, whether it is)."""
        settings, s = self.layout.settings, self.state
        for i in range(at, len(rows.t_us)):
            if rows.why[i] == Why.SCORED:
                self._remember(rows, slice(i, i + 1), np.ones(1, dtype=bool))
                if len(s.record) >= settings.learning_samples and s.learn_hours >= settings.learning_hours:
                    return i + 1, True
        return len(rows.t_us), False

    def _remember(self, rows: Followed, which: slice, healthy: NDArray[np.bool_]) -> None:
        s, table = self.state, record_rows(rows, which)
        for i in np.flatnonzero((rows.why[which] == Why.SCORED) & healthy).tolist():
            s.record.append(table[i])
            s.learn_hours += float(rows.step_hours[which.start + i])

    @property
    def growing(self) -> bool:
        """Whether healthy rows go into the record for a better baseline."""
        s = self.state
        return len(s.record) > 0 and not self.layout.settings.fleet

    def _until_refit(self, rows: Followed, at: int) -> int:
        """The record must be looked at exactly where it has grown enough, however the rows are cut."""
        if not self.growing:
            return len(rows.t_us)
        have = self.state.learn_hours
        ahead = have + np.cumsum(np.where(rows.why[at:] == Why.SCORED, rows.step_hours[at:], 0.0))
        reached = np.flatnonzero(ahead >= self.goal_hours - ROUNDING_HOURS)
        return at + int(reached[0]) + 1 if len(reached) else len(rows.t_us)

    @property
    def goal_hours(self) -> float:
        """Running hours of the record at which the baseline is fitted next."""
        settings = self.layout.settings
        return min(settings.baseline_hours, max(settings.learning_hours, 1e-3) * GROWTH**self.state.fits)

    def _grown(self) -> bool:
        return self.growing and self.state.learn_hours >= self.goal_hours

    @property
    def adapts(self) -> bool:
        """Whether its mean follows the machine, row by row."""
        settings = self.layout.settings
        return settings.adapt_hours > 0 or settings.adapt_samples > 0 or settings.quick_samples > 0

    def fit(self) -> None:
        """Fit the baseline to the healthy record."""
        self.take(self._fitter(self.training(), self.layout))

    def _unscored(self, rows: Followed, at: int, to: int) -> Scores:
        n, k = to - at, len(self.layout.symptoms)
        why = np.where(rows.why[at:to] == Why.SCORED, np.int8(Why.LEARNING), rows.why[at:to]).astype(np.int8)
        nothing = np.full((n, k), np.nan)
        return Scores(
            rows.t_us[at:to], np.full(n, np.nan), np.zeros((n, k)), nothing, nothing, rows.symptoms[at:to], nothing,
            nothing, why, rows.running_hours[at:to],
        )  # fmt: skip

    def _score(self, rows: Followed, at: int, to: int, judge: Judge | None) -> Scores:
        s, settings = self.state, self.layout.settings
        assert s.baseline is not None
        base, n, k = s.baseline, to - at, len(self.layout.symptoms)
        symptoms, why = rows.symptoms[at:to], rows.why[at:to].copy()
        regime = base.regimes.of(rows.levels[at:to])
        expected = base.expected(rows.features[at:to], regime)
        z = base.residual(symptoms, expected, regime)
        why[(why == Why.SCORED) & (regime == UNKNOWN)] = Why.OUTSIDE_REGIMES
        if s.relearn:
            unknown = list(s.relearn)
            self._relearn(z, why, rows.step_hours[at:to])
            z[:, unknown] = np.nan
        good = why == Why.SCORED
        held = len(s.window_z)
        window = np.concatenate([s.window_z.reshape(-1, k), z[good]])
        segment = np.concatenate([s.window_segment, rows.segment[at:to][good]])
        means = np.full((n, k), np.nan)
        means[good] = window_means(window, segment, settings.window_samples)[held:]
        moves = np.zeros((n, k))
        if self.adapts:
            share, quiet = self._share(rows.step_hours[at:to]), settings.adapt_below * settings.threshold
            pace = Pace(share, 1.0 / max(settings.quick_samples, 1.0), quiet, settings.slow_share)
            done = adapt(means, base, self.measure, rows.t_us[at:to], pace, s.frozen, judge)
            score, parts, moves = done.score, done.parts, done.before
            means, z, window = means - moves, z - moves, window - done.after
            s.baseline = moved(base, done.after, done.quick_at)
        else:
            score, parts = self.measure(means, base)
            for t, one in zip(rows.t_us[at:to].tolist(), score.tolist(), strict=True) if judge else ():
                if one == one and judge:
                    judge(t, one)
        filled = np.isfinite(means).any(1)
        why[good & ~filled] = Why.FILLING
        why[good & filled & ~np.isfinite(score)] = Why.NO_SIGNAL
        keep = settings.window_samples - 1
        s.window_z, s.window_segment = (
            window[len(window) - min(keep, len(window)) :],
            segment[-keep:] if keep else segment[:0],
        )
        if self.growing:
            self._remember(rows, slice(at, to), ~(score > settings.threshold))
        return Scores(
            rows.t_us[at:to], score, parts, means, z, symptoms, expected, base.plain(symptoms, regime), why,
            rows.running_hours[at:to],
        )  # fmt: skip

    def _share(self, step_hours: Array) -> Array:
        """Share of its deviation by which each row moves the healthy mean."""
        settings = self.layout.settings
        with np.errstate(divide="ignore", invalid="ignore"):
            samples = np.maximum(settings.adapt_samples, settings.adapt_hours / step_hours)
        return np.where((step_hours > 0) & np.isfinite(samples) & (samples > 0), 1.0 / np.maximum(samples, 1.0), 0.0)

    def _relearn(self, z: Array, why: NDArray[np.int8], step_hours: Array) -> None:
        s, settings = self.state, self.layout.settings
        assert s.baseline is not None
        for row, reason, hours in zip(z, why, step_hours, strict=True):
            if reason != Why.SCORED:
                continue
            s.relearn_rows.append(row)
            s.relearn_hours += float(hours)
        enough = len(s.relearn_rows) >= settings.learning_samples and s.relearn_hours >= settings.learning_hours
        if not enough:
            return
        seen = np.array(s.relearn_rows)
        with np.errstate(invalid="ignore"):
            middle = np.nan_to_num(np.nanmedian(seen, axis=0))
            spread = np.nan_to_num(1.4826 * np.nanmedian(np.abs(seen - middle), axis=0), nan=1.0)
        s.baseline = s.baseline.shifted(s.relearn, middle, spread)
        s.relearn, s.relearn_rows, s.relearn_hours = [], [], 0.0


def record_rows(rows: Followed, which: slice) -> Array:
    """Rows as a record holds them."""
    return np.column_stack([rows.symptoms[which], rows.features[which], rows.levels[which], rows.segment[which]])


def training_of(layout: Layout, record: Record) -> Training:
    """The parts of a healthy record."""
    k, p, c = len(layout.symptoms), 3 * len(layout.conditions), len(layout.regimes)
    rows = record.rows.reshape(len(record), k + p + c + 1)
    return Training(
        rows[:, :k].copy(), rows[:, k : k + p].copy(), rows[:, k + p : k + p + c].copy(), rows[:, -1].astype(np.int64)
    )


def moved(base: Baseline, by: Array, quick_at: Array | None) -> Baseline:
    """The baseline with its centre moved by so many sigmas, and its quick mean moved to a place."""
    quick = base.quick if base.quick is None or quick_at is None else base.quick.moved(quick_at)
    return replace(base, offset=base.offset + by, quick=quick)


def joined(pieces: list[Scores], k: int, fitted: bool = False) -> Scores:
    """Scores of rows that came in pieces."""
    if len(pieces) == 1:
        return replace(pieces[0], fitted=fitted or pieces[0].fitted)
    empty, none = np.zeros((0, k)), np.zeros(0)
    if not pieces:
        times, whys = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int8)
        return Scores(times, none, empty, empty, empty, empty, empty, empty, whys, none)
    return Scores(
        np.concatenate([p.t_us for p in pieces]),
        np.concatenate([p.score for p in pieces]),
        np.concatenate([p.parts for p in pieces]),
        np.concatenate([p.means for p in pieces]),
        np.concatenate([p.residual for p in pieces]),
        np.concatenate([p.value for p in pieces]),
        np.concatenate([p.expected for p in pieces]),
        np.concatenate([p.plain for p in pieces]),
        np.concatenate([p.why for p in pieces]),
        np.concatenate([p.running_hours for p in pieces]),
        fitted or any(p.fitted for p in pieces),
    )


DETECTORS: dict[str, Measure] = {"mahalanobis": distance, "fleet-index": index}


def detector_of(layout: Layout, state: State | None = None, fitter: Fitter = fit_with_noise) -> WindowDetector:
    """The detector that the layout's settings ask for."""
    return WindowDetector(layout, DETECTORS["fleet-index" if layout.settings.fleet else "mahalanobis"], state, fitter)
