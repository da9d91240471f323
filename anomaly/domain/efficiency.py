"""What a machine wastes against its healthy model: kW, money a day, and the cheapest day to act.

Where the daily cost of a loss grows by g a day from nothing, a repair at cost C every T days costs C/T + g T/2 a day at
best T = sqrt(2 C / g), when the daily cost has come to sqrt(2 C g): the square-root law of ordering (Harris, 1913).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomaly.domain.diagnosis import diagnose
from anomaly.domain.layout import Array
from contracts.asset_model import FailureMode
from contracts.efficiency import Loss

if TYPE_CHECKING:
    from anomaly.domain.watch import Watch

CLEAR = 2.0
"""A loss, or its growth, counts from so many standard errors on. The least error is the usual band of healthy window
means, for it holds what the healthy model has wrong: it is linear, and a machine is not."""
DAY_HOURS = 24.0
"""A loss is told as the mean of so many hours: what the healthy model has wrong by the hour of the day cancels."""
LEAST_STEPS = 24
LONGEST_DAYS = 3650.0


@dataclass(frozen=True, slots=True)
class Wasted:
    """The loss by one failure mode; None = not to be told from nothing."""

    component: str
    mode: str
    kw: float
    """Mean over the newest day of running; 0 or more."""
    cost_a_day: float
    grows_a_day: float | None
    """Money a day, each day."""
    planned: float
    """What the planned repair costs, all together."""
    days: float | None
    """Until acting is cheapest; 0 = now; None = the loss does not grow, see `pays_back_days`."""
    pays_back_days: float
    """Days in which today's loss costs as much as the repair."""
    error_kw: float = 0.0
    """The true loss lies so near to `kw`, 19 times of 20, unless conditions are far from all that it learned from."""


def wasted(watch: "Watch") -> tuple[Wasted, ...]:
    """Losses by the failure modes that say how to tell them, where the pattern of deviations fits the mode and the loss
    stands out of the healthy noise."""
    base, out = watch.detector.baseline, []
    if base is None or len(watch.memory.means) == 0:
        return ()
    found = diagnose(watch.memory.means, np.sqrt(np.diag(base.covariance)), watch.model, watch.layout)
    fits = {d.mode.name for d in found if d.fits}
    for component in watch.model.components.values():
        for mode in component.modes:
            loss = wasted_by(watch, mode) if mode.name in fits else None
            if loss is not None:
                out.append(loss)
    return tuple(out)


def wasted_by(watch: "Watch", mode: FailureMode) -> Wasted | None:
    """The loss by one failure mode that the pattern of deviations fits; None = none that stands out."""
    return None if mode.loss is None else _of(watch, mode, mode.loss)


def _of(watch: "Watch", mode: FailureMode, loss: Loss) -> Wasted | None:
    m, base, layout = watch.memory, watch.detector.baseline, watch.layout
    steps = m.path.z(len(layout.symptoms))
    if base is None or loss.power not in layout.symptoms or len(steps) < LEAST_STEPS or not len(m.recent):
        return None
    expected = _mean(m.recent.rows[:, 1])
    scale = base.scale.mean(0)
    kw, noise = _series(loss, steps, expected, scale, base.noise, layout.symptoms)
    usual = ((base.band[1] - base.band[0]) / (2 * CLEAR)) ** 2
    _, window_noise = _series(loss, steps, expected, scale, usual, layout.symptoms)
    known = np.isfinite(kw)
    if known.sum() < LEAST_STEPS:
        return None
    day = round(DAY_HOURS / watch.model.prognosis.every_hours)
    newest = kw[known][-max(1, watch.window_steps, day) :]
    now, error = float(newest.mean()), CLEAR * max(noise / np.sqrt(len(newest)), window_noise)
    if now < error:
        return None
    daily = 24.0 * m.duty * loss.price
    slope, slope_error = _line(m.path.hours[known] / max(24.0 * m.duty, 1e-6), kw[known])
    cost = now * daily
    grows = slope * daily if slope > CLEAR * slope_error else None
    days = None
    if grows is not None and grows > 0:
        days = min(LONGEST_DAYS, max(0.0, (np.sqrt(2.0 * mode.planned.total * grows) - cost) / grows))
    return Wasted(
        mode.component, mode.name, now, cost, grows, mode.planned.total, None if days is None else float(days),
        mode.planned.total / cost if cost > 0 else LONGEST_DAYS, float(error),
    )  # fmt: skip


def _series(
    loss: Loss, z: Array, expected: Array, scale: Array, noise: Array, symptoms: tuple[str, ...]
) -> tuple[Array, float]:
    """Loss in kW along the path, and its healthy standard deviation; `noise` = healthy variance of each signal."""
    p = symptoms.index(loss.power)
    kw, sd = z[:, p] * scale[p], np.sqrt(noise[p]) * scale[p]
    if loss.output is not None and loss.output in symptoms:
        j = symptoms.index(loss.output)
        usual = expected[j] if abs(expected[j]) > 1e-9 else np.nan
        kw = kw - expected[p] * z[:, j] * scale[j] / usual
        sd = np.hypot(sd, abs(expected[p] / usual) * np.sqrt(noise[j]) * scale[j])
    return kw * loss.kw_per_unit, float(sd) * loss.kw_per_unit


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Slope of the least-squares line, and its standard error."""
    centred = x - x.mean()
    size = float((centred * centred).sum())
    if size <= 0:
        return 0.0, np.inf
    slope = float((centred * y).sum()) / size
    left = y - y.mean() - slope * centred
    return slope, float(np.sqrt((left * left).sum() / max(1, len(y) - 2) / size))


def _mean(seen: Array) -> Array:
    ok = np.isfinite(seen)
    counts = ok.sum(0)
    out: Array = np.where(counts > 0, np.where(ok, seen, 0.0).sum(0) / np.maximum(counts, 1), np.nan)
    return out
