"""A signal that left its usual band alone: its sensor was replaced, moved, or drifts, and the machine is well.

Only what the asset model says can tell the two apart: every failure mode that moves this signal must move another one
that can be read, too, and none of these has moved. A mode with this signal alone keeps the alarm the machine's.
"""

import numpy as np

from anomaly.domain.layout import Array, Layout
from anomaly.domain.sensor_faults import Fault
from contracts.asset_model import AssetModel

STILL = 1.0
"""A signal whose window mean is within so many healthy spreads has not moved."""
QUIET, SMALL = 2.5, 0.2
"""No other signal at all is further out than so many healthy spreads, or than this share of the lone one."""
JUMPED, DRIFTED = 6.0, 12.0
"""So far out a signal must be, in healthy spreads of its window mean."""
WELL = 3.0
AT_ONCE = 0.2
"""A jump goes from within so many sigmas of a path step to this share of where it is now within two steps; wear has no
such steps."""


def lone_signal(
    means: Array, sigma: Array, path: Array, noise: Array, model: AssetModel, layout: Layout
) -> tuple[int, Fault] | None:
    """The column of the symptom that moved alone, and what that means; None = there is none.

    Parameters
    ----------
    means
        Window means of the residuals (k,), sigmas; NaN = no reading.
    sigma
        Healthy spread of these means (k,).
    path
        Means of the residuals step by step (n, k), oldest first.
    noise
        Healthy variance of a step (k,).
    """
    far = np.nan_to_num(means / np.maximum(sigma, 1e-9))
    top = int(np.argmax(np.abs(far)))
    others = np.delete(np.abs(far), top)
    if abs(far[top]) < JUMPED or not len(others) or others.max() > max(QUIET, SMALL * abs(far[top])):
        return None
    if not _should_show_elsewhere(top, far, means, model, layout):
        return None
    if jumped(path[:, top], float(np.sqrt(noise[top]))):
        return top, Fault.REPLACED
    return (top, Fault.DRIFTING) if abs(far[top]) >= DRIFTED else None


def _should_show_elsewhere(top: int, far: Array, means: Array, model: AssetModel, layout: Layout) -> bool:
    name, way = layout.symptoms[top], 1.0 if far[top] > 0 else -1.0
    explained = False
    for component in model.components.values():
        for mode in component.modes:
            mine = {s.signal: {"up": 1.0, "down": -1.0}.get(s.direction, 0.0) for s in mode.symptoms}
            if name not in mine or mine[name] * way < 0:
                continue
            if len(mine) == len(layout.symptoms) and not any(mine.values()):
                return False  # it names all signals and no way: nobody knows what moves together
            explained = True
            seen = [(layout.symptoms.index(s), sign) for s, sign in mine.items() if s != name and s in layout.symptoms]
            seen = [(j, sign) for j, sign in seen if np.isfinite(means[j])]
            if not seen or any(far[j] * (sign or np.sign(far[j])) > STILL for j, sign in seen):
                return False
    return explained


def jumped(path: Array, noise: float) -> bool:
    """Whether a signal's path (n,) left its healthy noise (a step's sigma) at once, for at least a good part of where
    it is now: in another regime the same deviation may be another number of sigmas."""
    size = np.abs(path[np.isfinite(path)])
    well = np.flatnonzero(size <= WELL * noise)
    if not len(well) or well[-1] + 2 >= len(size):
        return False
    return bool(size[well[-1] + 2] >= AT_ONCE * size[-1])
