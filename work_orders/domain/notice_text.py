"""What a notice says: fixed when it is queued, so that it stays what the customer was told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contracts.asset_model import AssetModel, FailureMode, ModeWords
from contracts.evidence import evidence as telling
from contracts.evidence import in_words
from contracts.records import Carrier, Prediction
from contracts.units import shown
from work_orders.domain.money import Costs, money
from work_orders.domain.risk import Curve, interpolate
from work_orders.domain.words import chance, duration, listed, span

WEEK, MONTH = 168.0, 720.0
TOGETHER = "its signals together are not as usual, though none of them alone"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A signal that carries the forecast, in words and numbers (None = not known)."""

    signal: str
    title: str
    unit: str
    direction: str
    value: float | None
    expected: float | None
    words: str


@dataclass(frozen=True, slots=True)
class NoticeText:
    """A notice's content. `curve` lets a page work out what waiting costs at any half day."""

    title: str
    reason: str
    chance: str
    remaining: str
    cost: str
    covered: bool
    if_waiting: str
    consequence: str
    remedy: str
    evidence: tuple[Evidence, ...]
    device: str
    evidence_from: str
    measured_at: str
    p_horizon: float
    horizon_hours: float
    curve: Curve
    costs: Costs
    life: tuple[float, float, float] | None = None
    """What remains, in the model's unit: 5 %, 50 %, 95 %; None = no trend, or written before this was kept."""
    life_unit: str = "h"
    words: Mapping[str, ModeWords] = field(default_factory=dict)
    """What the asset model calls it in other languages."""


def write(
    prediction: Prediction, model: AssetModel, mode: FailureMode, costs: Costs, asset_name: str, horizon_hours: float,
    belief: float = 1.0,
) -> NoticeText:  # fmt: skip
    """The notice for a forecast; `belief` is what remote checks made of its P(failure), a factor of at most 1."""
    unit = model.lifetime_unit
    risk = tuple(p * belief for p in prediction.risk)
    p = interpolate(prediction.risk_hours, risk, horizon_hours) or 0.0
    later = interpolate(prediction.risk_hours, risk, MONTH) or 0.0
    evidence = tuple(_evidence(c, model) for c in telling(prediction.carriers, mode))
    component = model.components[mode.component].title.lower()
    remaining = prediction.remaining
    c = costs.currency
    expected = later * costs.failure.customer
    return NoticeText(
        title=f"{asset_name}: {mode.title.lower()} is growing",
        reason=_reason(component, mode, [e.words for e in evidence]),
        chance=f"{_capital(chance(p))} machines like this fail within {duration(horizon_hours, unit)}.",
        remaining=(
            "How long it will last cannot be said yet."
            if remaining is None
            else f"It will most likely last {span(remaining.p05, remaining.p95, unit)} more,"
            f" {duration(remaining.p50, unit)} in the middle."
        ),
        cost=_cost(costs),
        covered=costs.covered,
        if_waiting=(
            f"If nobody comes, the chance of a failure within {duration(MONTH, unit)} is {chance(later)}; a failure"
            f" costs you {money(costs.failure.customer, c)}, so waiting costs you {money(expected, c)} on average."
        ),
        consequence=mode.consequence,
        remedy=mode.remedy,
        evidence=evidence,
        device=prediction.device,
        evidence_from=prediction.evidence_from.isoformat(),
        measured_at=prediction.measured_at.isoformat(),
        p_horizon=p,
        horizon_hours=horizon_hours,
        curve=Curve(prediction.issued_at, tuple(prediction.risk_hours), risk),
        costs=costs,
        life=(remaining.p05, remaining.p50, remaining.p95) if remaining else None,
        life_unit=unit,
        words=mode.words,
    )


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _cost(costs: Costs) -> str:
    price = money(costs.planned.customer, costs.currency)
    if costs.covered and costs.planned.customer == 0:
        return "The visit costs you nothing: your maintenance contract covers it."
    if costs.covered:
        return f"Your maintenance contract covers the visit; your share is {price}."
    return f"The visit costs you {price}; your maintenance contract does not cover it."


def _reason(component: str, mode: FailureMode, words: Sequence[str]) -> str:
    seen = listed(list(words))
    return f"The {component} shows signs of {mode.title.lower()}: {seen or TOGETHER}."


def _evidence(carrier: Carrier, model: AssetModel) -> Evidence:
    signal = model.signals.get(carrier.signal)
    title, unit = (signal.title, shown(signal.unit)) if signal else (carrier.signal, "")
    words = in_words(carrier, model)
    return Evidence(carrier.signal, title, unit, carrier.direction, carrier.value, carrier.expected, words)
