"""What an alarm is about: the signals and failure modes that carry its score, by whichever method, in words too."""

from typing import TYPE_CHECKING

import numpy as np

from anomaly.domain.beside import Told
from anomaly.domain.diagnosis import SATURATION, Diagnosis, diagnose
from anomaly.domain.forecast import Forecast, forecast_of, shares, without_baseline
from anomaly.domain.layout import Array, Layout
from contracts.asset_model import AssetModel
from contracts.detection_methods import CUSUM, LIMITS
from contracts.units import shown

if TYPE_CHECKING:
    from anomaly.domain.watch import Watch

SWITCH_AFTER = 6
"""Another component takes over an alarm after it was the more probable one in so many forecasts in a row."""


def ranked(watch: "Watch", means: Array) -> list[Diagnosis]:
    """Failure modes by what carries the score, the most probable first."""
    base, told = watch.detector.baseline, watch.told()
    if told is None:
        if base is None:
            return []
        return diagnose(means, np.sqrt(np.diag(base.covariance)), watch.model, watch.layout)
    mode = watch.model.mode(told.rule.mode) if told.rule is not None else None
    if mode is not None:
        return [Diagnosis(mode, 1.0, 1.0)]
    return diagnose(SATURATION * told.strength, np.ones(len(told.strength)), watch.model, watch.layout)


def carriers(watch: "Watch", means: Array) -> tuple[tuple[str, float], ...]:
    """Signals and their share in the score, strongest first."""
    base, told = watch.detector.baseline, watch.told()
    if told is not None:
        return shares(told.parts, watch.layout)
    if base is None or len(means) == 0:
        return ()
    return shares(watch.detector.measure(means.reshape(1, -1), base)[1][0], watch.layout)


def next_forecast(watch: "Watch", t_us: int, score: float, means: Array) -> Forecast | None:
    """A forecast for the component that the alarm is about; None = nothing of the model fits, or can be read."""
    found = ranked(watch, means)
    if not found:
        return None
    diagnosis, told = _component_of(watch, found), watch.told()
    if watch.detector.baseline is None or not len(watch.memory.recent):
        return None if told is None else without_baseline(watch, diagnosis, t_us, score, told)
    return forecast_of(watch, diagnosis, t_us, score, watch.memory.means, told)


def says(told: Told | None, model: AssetModel, layout: Layout, newest: Array) -> str:
    """Why an alarm was raised, where it was not the baseline's; empty = it was.

    Parameters
    ----------
    newest
        The newest values of the symptoms (n, k).
    """
    if told is None:
        return ""
    j = int(np.argmax(told.parts))
    title, unit = model.signals[layout.symptoms[j]].title, shown(model.signals[layout.symptoms[j]].unit)
    if told.by == LIMITS and told.rule is not None:
        mode = model.mode(told.rule.mode)
        at = f"{title} is at {np.nanmedian(newest[:, j]):.3g} {unit}".rstrip()
        return f"{at}, the limit of {mode.title.lower() if mode else 'its failure'} is {told.rule.limit:g}"
    if told.by == CUSUM:
        return f"small deviations of {title} add up"
    return f"{title} has left its usual course over the day and week"


def _component_of(watch: "Watch", found: list[Diagnosis]) -> Diagnosis:
    """The alarm keeps its component until another one has been the more probable for a while."""
    m, best = watch.memory, found[0]
    if not m.component:
        m.component = best.mode.component
    if best.mode.component == m.component:
        m.rival, m.rival_count = "", 0
        return best
    if best.mode.component == m.rival:
        m.rival_count += 1
    else:
        m.rival, m.rival_count = best.mode.component, 1
    if m.rival_count >= SWITCH_AFTER:
        m.component, m.rival, m.rival_count = best.mode.component, "", 0
        return best
    return next((d for d in found if d.mode.component == m.component), best)
