"""Alarms and predictions that rest on errors, work and age alone, with sentences for people."""

from collections.abc import Sequence
from dataclasses import dataclass

from anomaly.domain.event_alarm import Cause
from anomaly.domain.forecast import Life
from anomaly.domain.health import spared
from anomaly.service.times import at
from contracts.asset_model import AssetModel, FailureMode
from contracts.evidence import CAME, OLD
from contracts.records import Alarm, Carrier, Prediction, Remaining

MARK = "~"
"""Stands in the names of these alarms, before the component: a device may have several."""
QUALITY = "it rests on errors, work and age, not on readings"
MOST_CAUSES = 4
EVIDENCE_HOURS = 72.0


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a hazard says of a component whose alarm stands."""

    device: str
    component: str
    raised_us: int
    at_us: int
    life: Life
    floor: float
    """P(failure within the decision's horizon) at which its alarms rise."""
    causes: Sequence[Cause]
    age_hours: float
    """Since its replacement, or the machine's first reading."""
    mode: FailureMode
    mode_probability: float
    health: float
    """By readings; 100 where they tell nothing."""
    learned: str


def event_alarm_id(device: str, raised_us: int, component: str) -> str:
    """An alarm is known by its device, the time at which it was raised, and its component."""
    return f"{device}@{at(raised_us):%Y%m%dT%H%M%S}{MARK}{component}"


def event_alarm(
    tenant: str, device: str, component: str, raised_us: int, at_us: int, change: str, reason: str, score: float = 0.0,
    carriers: Sequence[Carrier] = (),
) -> Alarm:  # fmt: skip
    """The record of an alarm's change."""
    return Alarm(
        1, event_alarm_id(device, raised_us, component), tenant, device, change, at(at_us), at(raised_us), reason,
        component, score, list(carriers),
    )  # fmt: skip


def carriers_of(made: Foretold) -> list[Carrier]:
    """The errors that carry it, strongest first; without one the age of the part."""
    named = list(made.causes)[:MOST_CAUSES]
    total = sum(cause.followed for cause in named)
    if total <= 0:
        return [Carrier("age", 1.0, OLD, made.age_hours)]
    return [Carrier(cause.code, cause.followed / total, CAME, cause.hours_ago) for cause in named]


def why(made: Foretold, model: AssetModel) -> str:
    """Why its alarm rose, for people."""
    if not made.causes:
        return f"the part has run {made.age_hours:,.0f} h, and its failures come at such an age"
    first = made.causes[0]
    title = model.signals[first.code].title if first.code in model.signals else first.code
    return (
        f"{title} came {first.hours_ago:.0f} h ago, and after {first.followed:.0%} of such errors it failed within"
        f" {EVIDENCE_HOURS:.0f} h"
    )


def event_prediction(tenant: str, model: AssetModel, made: Foretold, now_us: int, pageable: bool) -> Prediction:
    """The record of a forecast without an alarm of readings."""
    life, alarm = made.life, event_alarm_id(made.device, made.raised_us, made.component)
    chance = life.by(model.decision.horizon_hours)
    oldest = max((cause.hours_ago for cause in made.causes), default=EVIDENCE_HOURS)
    return Prediction(
        v=1,
        id=f"{alarm}/{made.component}/{at(made.at_us):%Y%m%dT%H%M%S}",
        tenant=tenant,
        device=made.device,
        model=model.name,
        model_version=f"{model.version}/{made.learned}",
        component=made.component,
        failure_mode=made.mode.name,
        mode_probability=made.mode_probability,
        issued_at=at(now_us),
        measured_at=at(made.at_us),
        alarm_id=alarm,
        alarm_since=at(made.raised_us),
        score=chance / made.floor,
        threshold=1.0,
        health=spared(made.health, chance),
        p_fail=dict(life.p_fail),
        risk_hours=list(life.risk_hours),
        risk=list(life.risk),
        remaining=Remaining(life.p05, life.p50, life.p95),
        evidence_from=at(made.at_us - round(oldest * 3.6e9)),
        carriers=carriers_of(made),
        quality=QUALITY,
        pageable=pageable,
    )
