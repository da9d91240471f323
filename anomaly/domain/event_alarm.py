"""When errors alone call for attention: a component's chance of failure is worth a visit and far from its usual one."""

import math
from dataclasses import dataclass

import numpy as np

from anomaly.domain.forecast import Life
from anomaly.domain.hazard import EventHazard
from anomaly.domain.hazard_features import MEMORY_HOURS, Lifetimes, incidents, rate_of
from anomaly.domain.history import HOUR_US, History
from contracts import worth
from contracts.asset_model import AssetModel, FailureMode

LIFT = 2.0
"""An alarm rises only above so many times the chance that any day has."""
MOST_FLOOR = 0.9
CLEAR = 0.5
"""It ends below this share of where it rises."""
LEAST_FAILURES = 2
"""Failures of a component on record, below which a hazard says nothing of it."""
TOLD_HOURS = MEMORY_HOURS[1]


@dataclass(frozen=True, slots=True)
class Cause:
    """An error that carries a forecast: how long ago it came, and how often a failure followed within 3 days."""

    code: str
    hours_ago: float
    followed: float


def knows(hazard: EventHazard, component: str) -> bool:
    """Whether enough failures of a component are on record for the hazard to tell of it."""
    names = hazard.fleet.components
    return component in names and hazard.failures[names.index(component)] >= LEAST_FAILURES


def usual(life: Lifetimes, hours: float) -> float:
    """P(failure within so many hours) of a component on any day, by its mean life."""
    mean = life.scale * math.gamma(1.0 + 1.0 / life.shape)
    return -math.expm1(-hours / mean)


def floor_of(hazard: EventHazard, model: AssetModel, component: str) -> float:
    """The P(failure within the decision's horizon) above which an alarm of errors alone rises; above 1 = never."""
    modes = model.components[component].modes if component in model.components else ()
    pays = min(
        (worth.least_chance(m.failure.total, m.planned.total, m.false_visit.total) for m in modes), default=math.inf
    )
    if pays > 1:
        return math.inf
    life = hazard.tables.lives[hazard.fleet.components.index(component)]
    return max(pays, min(LIFT * usual(life, model.decision.horizon_hours), MOST_FLOOR))


def stands(before: bool, life: Life, horizon_hours: float, floor: float) -> bool:
    """Whether an alarm stands, which stood or did not stand before."""
    return life.by(horizon_hours) > (CLEAR * floor if before else floor)


def causes(hazard: EventHazard, history: History, component: str, at_us: int) -> list[Cause]:
    """Errors of the last 3 days, since the component was replaced, that its failures followed more often than others;
    the most telling first, each code once."""
    c = hazard.fleet.components.index(component)
    table, base = hazard.tables.followed[c][1], hazard.tables.usual[c][1]
    replaced = history.replaced.of(c)
    mended = replaced[replaced <= at_us]
    from_us = max(at_us - round(TOLD_HOURS * HOUR_US), int(mended[-1]) if len(mended) else 0)
    best: dict[int, Cause] = {}
    for seen in incidents(history.errors.until(at_us)):
        if seen.at_us < from_us:
            continue
        ago = (at_us - seen.at_us) / HOUR_US
        for code in seen.codes:
            rate = rate_of(frozenset({code}), table, base)
            if rate > base and (code not in best or rate >= best[code].followed):
                best[code] = Cause(hazard.fleet.codes[code], ago, rate)
    return sorted(best.values(), key=lambda cause: (-cause.followed, cause.hours_ago, cause.code))


def likeliest_mode(model: AssetModel, component: str, found: dict[str, int]) -> tuple[FailureMode, float]:
    """The failure mode that was found most often at a component, and its share; each counts half a time more."""
    modes = model.components[component].modes
    counts = np.array([found.get(mode.name, 0) + 0.5 for mode in modes])
    best = int(np.argmax(counts))
    return modes[best], float(counts[best] / counts.sum())
