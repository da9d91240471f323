"""P(failure within 24 h, 7 d, 30 d) from errors, work, age and movements of readings: a discrete-time hazard.

Time ahead is cut into three spans, (0, 24 h], (24 h, 7 d] and (7 d, 30 d]. For each a booster says how likely the
failure falls into it if it has not come before; P(failure by the end of a span) is one less the product of the
chances to survive (D. R. Cox, "Regression models and life-tables", 1972, section 6, with a booster in place of the
logistic line). What is told is calibrated on a later slice of time (Zadrozny and Elkan, 2002).
"""

from dataclasses import dataclass

import numpy as np

from anomaly.domain.boosted import Trees
from anomaly.domain.forecast import P_FAIL_HOURS, Life
from anomaly.domain.hazard_features import COLUMNS, Tables, features, movements
from anomaly.domain.history import History, Times
from anomaly.domain.layout import Array
from anomaly.domain.prognosis import EVENTS, NOT_ON_RECORD, Prognosis, risk_hours

SPANS: tuple[tuple[float, float], ...] = ((0.0, 24.0), (24.0, 168.0), (168.0, 720.0))
"""Hours ahead; the model has one booster for each."""
ENDS = tuple(end for _, end in SPANS)
SUREST = 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class Fleet:
    """The lists that indices in histories and models refer to."""

    components: tuple[str, ...]
    codes: tuple[str, ...]
    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A rising line through points, from what a booster says (log odds) to how often it came true."""

    said: Array
    true: Array

    def of(self, log_odds: Array) -> Array:
        """Calibrated chances."""
        out: Array = np.interp(log_odds, self.said, self.true)
        return out


@dataclass(frozen=True, slots=True)
class EventHazard:
    """A fitted hazard for a fleet."""

    fleet: Fleet
    tables: Tables
    boosters: tuple[Trees, ...]
    calibrations: tuple[Calibration, ...]
    """One of each for every span."""
    failures: tuple[int, ...]
    """Failures on record by component when it was fitted."""

    def chances(self, x: Array, spans: int = len(SPANS)) -> Array:
        """P(failure by the end of each of the first spans) for rows of features: (spans, n), rising."""
        fitted = list(zip(self.boosters, self.calibrations, strict=True))[:spans]
        within = np.stack([calibration.of(booster(x)) for booster, calibration in fitted])
        odds_against = np.log1p(-np.minimum(within, SUREST))
        out: Array = -np.expm1(np.cumsum(odds_against, axis=0))
        return out


@dataclass(frozen=True, slots=True)
class Chance:
    """What a hazard says of one component of one asset at a time."""

    component: str
    p_fail: dict[str, float]
    """P(failure) within `24h`, `7d`, `30d`."""
    reasons: tuple[tuple[str, float], ...]
    """Columns that were changed from what is usual, with the share of the log odds that each carries, strongest
    first."""


def curve(hazard: EventHazard, history: History, at_us: Times, spans: int = len(SPANS)) -> Array:
    """P(failure) by the end of each of the first spans: (components, spans, n) at times that rise.

    Only what was on record at each time is used.
    """
    moved = movements(history.readings, at_us, len(hazard.fleet.signals))
    components = range(len(hazard.fleet.components))
    return np.stack([hazard.chances(features(history, c, at_us, hazard.tables, moved), spans) for c in components])


def chances_now(hazard: EventHazard, history: History, now_us: int) -> list[Chance]:
    """What it says now of every component, the likeliest failure first."""
    at = np.array([now_us], dtype=np.int64)
    moved = movements(history.readings, at, len(hazard.fleet.signals))
    out = []
    for c, name in enumerate(hazard.fleet.components):
        x = features(history, c, at, hazard.tables, moved)
        p = hazard.chances(x)[:, 0].tolist()
        out.append(Chance(name, dict(zip(P_FAIL_HOURS, p, strict=True)), reasons(hazard, x[0])))
    return sorted(out, key=lambda chance: -chance.p_fail["24h"])


def reasons(hazard: EventHazard, row: Array, most: int = 3) -> tuple[tuple[str, float], ...]:
    """Columns without which the log odds within the next span would be lower, by how much, strongest first.

    Each column in turn is set to "not known"; what the odds lose is its part.
    """
    varied = np.repeat(row[None, :], len(COLUMNS) + 1, axis=0)
    varied[np.arange(len(COLUMNS)), np.arange(len(COLUMNS))] = np.nan
    odds = hazard.boosters[0](varied)
    lost = odds[-1] - odds[:-1]
    ranked = np.argsort(-lost, kind="stable")[:most]
    return tuple((COLUMNS[int(j)], float(lost[j])) for j in ranked if lost[j] > 0)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the way of events looks at: one component of an asset, and the time now."""

    history: History
    component: str
    now_us: int


@dataclass(frozen=True, slots=True)
class EventsWay:
    """Remaining life by a fitted hazard: needs failures on record, but no readings."""

    hazard: EventHazard
    horizon_hours: float
    """What the decision looks at; the risk is stated there, too."""
    name: str = EVENTS

    def prognose(self, seen: Recorded) -> Prognosis:
        """The life by the hazard; nothing on record where the component was not there when it was fitted."""
        if seen.component not in self.hazard.fleet.components:
            return Prognosis(EVENTS, None, NOT_ON_RECORD)
        c = self.hazard.fleet.components.index(seen.component)
        at = np.array([seen.now_us], dtype=np.int64)
        moved = movements(seen.history.readings, at, len(self.hazard.fleet.signals))
        p = self.hazard.chances(features(seen.history, c, at, self.hazard.tables, moved))[:, 0]
        return Prognosis(EVENTS, life_by(p, self.horizon_hours))


def life_by(p: Array, horizon_hours: float) -> Life:
    """A life from P(failure) by the ends of the spans: the hazard is even within each, and beyond the last as in it."""
    ends = np.array([0.0, *ENDS, 100.0 * ENDS[-1]])
    gone = np.concatenate([[0.0], -np.log1p(-np.minimum(p, SUREST))])
    slope = max((gone[-1] - gone[-2]) / (ENDS[-1] - ENDS[-2]), 1e-9)
    gone = np.append(gone, gone[-1] + slope * (ends[-1] - ends[-2]))
    rising = gone + np.arange(len(gone)) * 1e-12

    def within(hours: float) -> float:
        return float(-np.expm1(-np.interp(hours, ends, gone)))

    def quantile(q: float) -> float:
        return float(np.interp(-np.log1p(-q), rising, ends))

    hours = risk_hours(horizon_hours)
    return Life(
        quantile(0.05), quantile(0.5), quantile(0.95), {name: within(h) for name, h in P_FAIL_HOURS.items()},
        hours, tuple(within(h) for h in hours),
    )  # fmt: skip
