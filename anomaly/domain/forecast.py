"""A forecast for one component: failure mode, health, remaining life, risk over time, and what carries it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomaly.domain.diagnosis import Diagnosis
from anomaly.domain.efficiency import wasted_by
from anomaly.domain.health import Course, course_of, health_of, level_now, passage_of, spared
from anomaly.domain.layout import Array, Layout
from anomaly.domain.passage import Passage
from contracts.asset_model import AssetModel
from contracts.detection_methods import BASELINE

if TYPE_CHECKING:
    from anomaly.domain.beside import Told
    from anomaly.domain.watch import Watch

P_FAIL_HOURS = {"24h": 24.0, "7d": 168.0, "30d": 720.0}
RISK_HOURS = (1, 2, 3, 4, 6, 8, 12, 18, 24, 30, 36, 48, 60, 72, 96, 120, 144, 168, 216, 264, 336, 432, 528, 720)
CARRIERS = 6


@dataclass(frozen=True, slots=True)
class Carried:
    """A signal that carries the score; window mean and what was expected, in its unit."""

    signal: str
    share: float
    direction: str
    value: float | None
    expected: float | None
    usual: tuple[float, float] | None
    """Range of the healthy window means under the same conditions; None = not known."""


@dataclass(frozen=True, slots=True)
class Life:
    """First passage in hours of the tenant's clock."""

    p05: float
    p50: float
    p95: float
    p_fail: dict[str, float]
    risk_hours: tuple[float, ...]
    risk: tuple[float, ...]

    def by(self, hours: float) -> float:
        """P(failure within so many hours), which must be one of `risk_hours`."""
        return self.risk[self.risk_hours.index(hours)]


@dataclass(frozen=True, slots=True)
class Forecast:
    """One forecast; `life` None = no trend yet."""

    measured_us: int
    raised_us: int
    component: str
    mode: str
    mode_probability: float
    score: float
    health: float
    life: Life | None
    evidence_from_us: int
    carriers: tuple[Carried, ...]
    quality: str
    number: int
    """1 = the first of its alarm."""
    by: str = BASELINE
    """Which method carries the score."""
    wasted_kw: float = 0.0
    """What the mode wastes, mean over the day, standing still counted; 0 = not to be told from nothing."""


def forecast_of(
    watch: "Watch", diagnosis: Diagnosis, t_us: int, score: float, means: Array, told: "Told | None" = None
) -> Forecast | None:
    """The forecast for a machine in alarm; None = the mode's signals cannot be read.

    Parameters
    ----------
    told
        What carries the score; None = the baseline's window means.
    """
    m, base, layout = watch.memory, watch.detector.baseline, watch.layout
    assert base is not None
    z = m.path.z(len(layout.symptoms))
    expected = m.recent.rows[:, 1].mean(0)
    usual = (base.offset + base.band) * base.scale.mean(0) + expected
    value = _mean(m.recent.rows[:, 0])
    course = course_of(diagnosis.mode, watch.model, layout, base, z, means, expected)
    hours, steps = m.path.hours, watch.window_steps
    passage = passage_of(course, hours, watch.model, steps) if course is not None else None
    share = course.share(level_now(course, steps)) if course is not None else 0.0
    life = life_of(passage, m.duty, watch.model) if passage is not None and diagnosis.fits else None
    chance = life.by(watch.model.decision.horizon_hours) if life is not None else 0.0
    lost = wasted_by(watch, diagnosis.mode) if diagnosis.fits else None
    parts = watch.detector.measure(means.reshape(1, -1), base)[1][0] if told is None else told.parts
    ways = means if told is None else told.strength
    carriers = tuple(
        Carried(
            name, part, "up" if ways[layout.symptoms.index(name)] > 0 else "down",
            _number(value[layout.symptoms.index(name)]), _number(expected[layout.symptoms.index(name)]),
            _range(usual[:, layout.symptoms.index(name)]),
        )
        for name, part in shares(parts, layout)[:CARRIERS]
    )  # fmt: skip
    return Forecast(
        measured_us=t_us,
        raised_us=m.alarm.raised_us if m.alarm.raised_us is not None else t_us,
        component=diagnosis.mode.component,
        mode=diagnosis.mode.name,
        mode_probability=diagnosis.probability,
        score=score,
        health=spared(health_of(share), chance),
        life=life,
        evidence_from_us=t_us - round(layout.settings.window_hours * 3.6e9),
        carriers=carriers,
        quality=_quality(watch, means, course) if diagnosis.fits else "what moved fits no known failure mode",
        number=m.forecasts + 1,
        by=BASELINE if told is None else told.by,
        wasted_kw=lost.kw * min(1.0, m.duty) if lost is not None else 0.0,
    )


def without_baseline(watch: "Watch", diagnosis: Diagnosis, t_us: int, score: float, told: "Told") -> Forecast:
    """The forecast for a machine in alarm of which nothing usual is learned yet: what it shows in, and no trend."""
    m, layout = watch.memory, watch.layout
    newest = m.beside.newest
    values = _mean(newest) if len(newest) else np.full(len(layout.symptoms), np.nan)
    carriers = tuple(
        Carried(
            name, part, "up" if told.strength[layout.symptoms.index(name)] > 0 else "down",
            _number(values[layout.symptoms.index(name)]), None, None,
        )
        for name, part in shares(told.parts, layout)[:CARRIERS]
    )  # fmt: skip
    return Forecast(
        t_us, m.alarm.raised_us if m.alarm.raised_us is not None else t_us, diagnosis.mode.component,
        diagnosis.mode.name, diagnosis.probability, score,
        health_of(min(1.0, float(told.parts.max(initial=0.0)))) if told.rule is not None else 100.0, None, t_us,
        carriers, "what is usual for it is not learned yet", m.forecasts + 1, told.by,
    )  # fmt: skip


def life_of(passage: Passage, duty: float, model: AssetModel) -> Life:
    """Running hours into clock hours by the share of the time that the machine runs."""
    runs = min(1.0, max(0.05, duty))
    horizon = model.decision.horizon_hours
    hours = tuple(sorted({*map(float, RISK_HOURS), horizon, 1.5 * horizon, 2.0 * horizon}))
    return Life(
        passage.quantile(0.05) / runs,
        passage.quantile(0.5) / runs,
        passage.quantile(0.95) / runs,
        {name: passage.within(h * runs) for name, h in P_FAIL_HOURS.items()},
        hours,
        tuple(passage.within(h * runs) for h in hours),
    )


def _quality(watch: "Watch", means: Array, course: Course | None) -> str:
    base = watch.detector.baseline
    assert base is not None
    missing = [s for j, s in enumerate(watch.layout.symptoms) if base.usable[j] and not np.isfinite(means[j])]
    words = []
    if missing:
        words.append("no readings of " + ", ".join(missing))
    if course is None:
        words.append("the limit cannot be judged")
    if base.members == 1 and watch.layout.settings.fleet:
        words.append("no other machine of this kind to compare with")
    return "; ".join(words) or "good"


def _mean(seen: Array) -> Array:
    ok = np.isfinite(seen)
    counts = ok.sum(0)
    out: Array = np.where(counts > 0, np.where(ok, seen, 0.0).sum(0) / np.maximum(counts, 1), np.nan)
    return out


def _number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def _range(bounds: Array) -> tuple[float, float] | None:
    low, high = bounds.tolist()
    return (low, high) if np.isfinite(bounds).all() and low < high else None


def shares(parts: Array, layout: Layout) -> tuple[tuple[str, float], ...]:
    """The signals that carry a score and their share (positive parts, summing to 1), strongest first."""
    positive = np.maximum(parts, 0.0)
    total = float(positive.sum())
    if total <= 0:
        return ()
    ranked = sorted(zip(layout.symptoms, (positive / total).tolist(), strict=True), key=lambda p: (-p[1], p[0]))
    return tuple((name, share) for name, share in ranked if share > 0)
