"""What carries a score, and what would have to be true for no alarm: checked against the detector's own measure."""

from dataclasses import dataclass

import numpy as np

from anomaly.domain.baseline import Baseline
from anomaly.domain.beside import Told
from anomaly.domain.carried import says
from anomaly.domain.layout import Array
from anomaly.domain.watch import Watch
from contracts.detection_methods import BASELINE

TRIES = 61
BACK = 1.5
"""A signal is tried from where it is past its usual value, to half as far on the other side."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """One signal's part of a score. Values are window means in the signal's unit; None = not known."""

    signal: str
    part: float
    """The parts of all signals sum to the score; a negative one speaks against an alarm."""
    value: float | None
    expected: float | None
    enough: float | None
    """The value at which the score would be at the limit, all other signals as they are; None = no value of this
    signal alone is enough, or nothing is above the limit."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a score is what it is."""

    score: float
    threshold: float
    contributions: tuple[Contribution, ...]
    """Largest part first."""
    nearer: float | None
    """By this share all signals together would have to come back towards what is expected; None = no need."""
    by: str = BASELINE
    """The method that the score is by."""
    says: str = ""
    """Why, in words, where it is not the baseline's."""


def explain(watch: Watch) -> Explanation | None:
    """The explanation of a watch's newest score; None = it has none."""
    m, base, other = watch.memory, watch.detector.baseline, watch.told()
    if other is not None and m.score is not None:
        return _by_another(watch, other, m.score)
    if base is None or m.score is None or len(m.means) == 0 or not len(m.recent):
        return None
    means, threshold = m.means, watch.layout.settings.threshold
    score, parts = (x[0] for x in watch.detector.measure(means.reshape(1, -1), base))
    if not np.isfinite(score):
        return None
    value, expected = _mean(m.recent.rows[:, 0]), _mean(m.recent.rows[:, 1])
    above = bool(score > threshold)
    scale = base.scale.mean(0)
    out = []
    for j, name in enumerate(watch.layout.symptoms):
        if not np.isfinite(means[j]):
            continue
        enough = None
        if above:
            at = _enough(watch, base, means, j, threshold)
            if at is not None and np.isfinite(value[j]):
                enough = float(value[j] + (at - means[j]) * scale[j])
        out.append(Contribution(name, float(parts[j]), _number(value[j]), _number(expected[j]), enough))
    out.sort(key=lambda c: (-c.part, c.signal))
    return Explanation(
        float(score), threshold, tuple(out), _nearer(watch, base, means, threshold) if above else None
    )  # fmt: skip


def _by_another(watch: Watch, told: Told, score: float) -> Explanation:
    """The score of a method beside the baseline."""
    m, symptoms, threshold = watch.memory, watch.layout.symptoms, watch.layout.settings.threshold
    nothing = np.full(len(symptoms), np.nan)
    value, expected = (_mean(m.recent.rows[:, i]) if len(m.recent) else nothing for i in range(2))
    if told.rule is not None:
        value = _mean(m.beside.newest)
    out = []
    for j in np.flatnonzero(told.parts > 0).tolist():
        enough = told.rule.limit if told.rule is not None and score > threshold else None
        part = float(told.parts[j]) * threshold
        out.append(Contribution(symptoms[j], part, _number(value[j]), _number(expected[j]), enough))
    out.sort(key=lambda c: (-c.part, c.signal))
    why = says(told, watch.model, watch.layout, m.beside.newest)
    return Explanation(score, threshold, tuple(out), None, told.by, why)


def _enough(watch: Watch, base: Baseline, means: Array, j: int, threshold: float) -> float | None:
    """The window mean of signal j nearest to the present one at which the score is at most the threshold."""
    tried = means[j] * (1.0 - BACK * np.linspace(0.0, 1.0, TRIES))
    rows = np.repeat(means.reshape(1, -1), TRIES, axis=0)
    rows[:, j] = tried
    return _first_below(tried, watch.detector.measure(rows, base)[0], threshold)


def _nearer(watch: Watch, base: Baseline, means: Array, threshold: float) -> float | None:
    shares = np.linspace(0.0, 1.0, TRIES)
    rows = means.reshape(1, -1) * (1.0 - shares[:, None])
    return _first_below(shares, watch.detector.measure(rows, base)[0], threshold)


def _first_below(x: Array, scores: Array, threshold: float) -> float | None:
    below = np.flatnonzero(scores <= threshold)
    if not len(below):
        return None
    i = int(below[0])
    if i == 0:
        return float(x[0])
    a, b = float(scores[i - 1]), float(scores[i])
    share = (a - threshold) / (a - b) if a > b else 1.0
    return float(x[i - 1] + share * (x[i] - x[i - 1]))


def _mean(seen: Array) -> Array:
    ok = np.isfinite(seen)
    counts = ok.sum(0)
    out: Array = np.where(counts > 0, np.where(ok, seen, 0.0).sum(0) / np.maximum(counts, 1), np.nan)
    return out


def _number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None
