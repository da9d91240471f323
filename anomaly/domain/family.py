"""The registered detectors by name; `docs/detectors.md` says what each of them is worth."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from anomaly.domain.cusum import CusumDetector
from anomaly.domain.detection import StateDetector
from anomaly.domain.detector import detector_of
from anomaly.domain.layout import Layout, layout_of
from anomaly.domain.limits import LimitDetector, rules_of
from anomaly.domain.seasonal import SeasonalDetector
from contracts.asset_model import AssetModel

QUICK_WINDOWS, SLOW_WINDOWS = 5.0, 15.0
"""Windows over which a following detector's quick and slow healthy mean follow."""


@dataclass(frozen=True)
class Member:
    """How a detector is made: for a model, from a state that it had or from nothing."""

    made: Callable[[AssetModel, Any], StateDetector]
    learns: bool = True
    """Whether it must see healthy rows before it scores."""
    compares_conditions: bool = True
    """Whether standing still, starting and unknown operating regimes are told from faults."""


def _with(model: AssetModel, **settings: Any) -> Layout:
    return layout_of(replace(model, detection=replace(model.detection, **settings)))


def _still(model: AssetModel, state: Any) -> StateDetector:
    return detector_of(_with(model, fleet=False, adapt_hours=0.0, adapt_samples=0.0, quick_samples=0.0), state)


def _following(model: AssetModel, state: Any) -> StateDetector:
    window = model.detection.window_samples
    layout = _with(
        model, fleet=False, adapt_samples=SLOW_WINDOWS * window, quick_samples=QUICK_WINDOWS * window, adapt_below=0.7
    )
    return detector_of(layout, state)


FAMILY: dict[str, Member] = {
    "mahalanobis": Member(_still),
    "following": Member(_following),
    "cusum": Member(lambda model, state: CusumDetector(_with(model), state)),
    "seasonal": Member(lambda model, state: SeasonalDetector(_with(model), state), compares_conditions=False),
    "limits": Member(lambda model, state: LimitDetector(_with(model), rules_of(model), state), learns=False),
}
