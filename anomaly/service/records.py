"""From what a watch says to the records that others read, with a sentence for people."""

from anomaly.domain.forecast import Forecast
from anomaly.domain.watch import AlarmChanged
from anomaly.service.times import at
from contracts.asset_model import AssetModel
from contracts.records import Alarm, Carrier, Prediction, Remaining

LEAST_SHARE = 0.1
"""A signal with less of the score is no reason to name it."""


def alarm_id(device: str, raised_us: int) -> str:
    """An alarm is known by its device and the time at which it was raised."""
    return f"{device}@{at(raised_us):%Y%m%dT%H%M%S}"


def alarm_record(tenant: str, device: str, event: AlarmChanged) -> Alarm:
    """The record of an alarm's change."""
    return Alarm(
        1, alarm_id(device, event.raised_us), tenant, device, event.change.value, at(event.at_us),
        at(event.raised_us), event.reason, event.component, event.score,
        [Carrier(name, share, "") for name, share in event.parts[:6]],
    )  # fmt: skip


def prediction_record(
    tenant: str, device: str, model: AssetModel, made: Forecast, now_us: int, pageable: bool, learned: str = ""
) -> Prediction:
    """The record of a forecast; `learned` names the learned model that told the life."""
    life, alarm = made.life, alarm_id(device, made.raised_us)
    return Prediction(
        v=1,
        id=f"{alarm}/{made.component}/{at(made.measured_us):%Y%m%dT%H%M%S}",
        tenant=tenant,
        device=device,
        model=model.name,
        model_version=f"{model.version}" + (f"/{learned}" if learned else ""),
        component=made.component,
        failure_mode=made.mode,
        mode_probability=made.mode_probability,
        issued_at=at(now_us),
        measured_at=at(made.measured_us),
        alarm_id=alarm,
        alarm_since=at(made.raised_us),
        score=made.score,
        threshold=model.detection.threshold,
        health=made.health,
        p_fail=dict(life.p_fail) if life else None,
        risk_hours=list(life.risk_hours) if life else [],
        risk=list(life.risk) if life else [],
        remaining=Remaining(life.p05, life.p50, life.p95) if life else None,
        evidence_from=at(made.evidence_from_us),
        carriers=[Carrier(c.signal, c.share, c.direction, c.value, c.expected, c.usual) for c in made.carriers],
        quality=made.quality,
        pageable=pageable,
        method=made.by,
        wasted_kw=made.wasted_kw,
    )


def telling(alarm: Alarm, model: AssetModel) -> list[Carrier]:
    """What an alarm shows in, strongest first: of a named component its symptoms alone; next to nothing is left out."""
    component = model.components.get(alarm.component)
    named = {s.signal for mode in component.modes for s in mode.symptoms} if component else set()
    return [
        c for c in alarm.carriers
        if c.signal in model.signals and c.share >= LEAST_SHARE and (not named or c.signal in named)
    ]  # fmt: skip


def alarm_text(model: AssetModel, alarm: Alarm) -> str:
    """One sentence about an alarm's change."""
    what = model.components[alarm.component].title if alarm.component in model.components else alarm.device
    if alarm.change == "raised":
        if alarm.reason:
            return f"{alarm.device}: {what} is not as usual: {alarm.reason}."
        names = ", ".join(model.signals[c.signal].title for c in telling(alarm, model)[:2])
        return f"{alarm.device}: {what} is not as usual; it shows in {names or 'several signals'}."
    if alarm.change == "cleared":
        return f"{alarm.device}: the alarm has ended{f': {alarm.reason}' if alarm.reason else ''}."
    if alarm.change == "shelved":
        return f"{alarm.device}: alarms wait while somebody works on the machine ({alarm.reason})."
    return f"{alarm.device}: alarms count again."


def prediction_text(model: AssetModel, made: Prediction) -> str:
    """One sentence about a forecast."""
    mode = model.mode(made.failure_mode)
    title = mode.title if mode else made.failure_mode
    if made.remaining is None:
        return f"{made.device}: {title} is likely, no trend yet."
    unit = model.lifetime_unit
    low, middle, high = (round(x) for x in (made.remaining.p05, made.remaining.p50, made.remaining.p95))
    return f"{made.device}: {title}, failure expected in about {middle} {unit} ({low} to {high})."
