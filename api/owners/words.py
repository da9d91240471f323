"""Forecasts, actions and refusals in words that people can follow."""

from collections.abc import Iterable, Sequence

from api.views import Action, Forecast
from contracts.asset_model import AssetModel
from contracts.evidence import evidence, in_words
from contracts.records import Prediction
from work_orders.domain.order_states import HOLD_REASONS
from work_orders.domain.words import chance, duration, span

NEEDS_REASON = frozenset({"hold", "reject", "fail", "cancel"})
TITLES = {
    "submit": "Send for approval",
    "approve": "Approve",
    "plan": "Plan",
    "mark_ready": "Everything is ready",
    "schedule": "Schedule",
    "dispatch": "Send to the technician",
    "start": "Begin the work",
    "hold": "Put on hold",
    "resume": "Go on",
    "finish": "Work is done",
    "reject": "Send back",
    "close": "Close",
    "fail": "Cannot be completed",
    "cancel": "Cancel",
}
HORIZONS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}


UNCONFIRMED = "nobody has confirmed yet that the machine was healthy while its usual values were learned"


def forecast_of(prediction: Prediction, asset: str, model: AssetModel | None) -> Forecast:
    """A prediction for people."""
    unit = model.lifetime_unit if model else "h"
    mode = model.mode(prediction.failure_mode) if model else None
    component = model.components.get(prediction.component) if model else None
    p, remaining = prediction.p_fail, prediction.remaining
    horizon = next((h for h in ("7d", "30d", "24h") if p and h in p), None)
    said = "No trend yet, so no chance can be given."
    if p and horizon:
        said = f"{chance(p[horizon])} within {HORIZONS[horizon]}".capitalize()
    life = "No trend yet."
    if remaining is not None:
        middle = duration(remaining.p50, unit)
        life = f"{span(remaining.p05, remaining.p95, unit)}, {middle} in the middle".capitalize()
    return Forecast(
        prediction.id, asset, component.title if component else prediction.component,
        mode.title if mode else prediction.failure_mode, prediction.issued_at, prediction.health, p,
        (remaining.p05, remaining.p50, remaining.p95) if remaining else None, said, life,
        [(c.signal, c.direction, c.share, c.value, c.expected) for c in prediction.carriers], _quality(prediction),
        prediction.measured_at, [in_words(c, model) for c in evidence(prediction.carriers, mode)] if model else (),
    )  # fmt: skip


def _quality(prediction: Prediction) -> str:
    """What limits a forecast, in words."""
    if prediction.baseline_confirmed:
        return prediction.quality
    rest = f"; {prediction.quality}" if prediction.quality != "good" else ""
    return f"{UNCONFIRMED}{rest}"


def actions_of(names: Iterable[str]) -> Sequence[Action]:
    """Actions as buttons."""
    return [
        Action(
            n, TITLES.get(n, n.replace("_", " ").capitalize()), n in NEEDS_REASON, HOLD_REASONS if n == "hold" else ()
        )
        for n in names
    ]


def mode_title(model: AssetModel | None, name: str) -> str:
    """A failure mode's title."""
    mode = model.mode(name) if model else None
    return mode.title if mode else name
