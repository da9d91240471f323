"""Which columns of a machine's rows mean what: symptoms, conditions, running, regimes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.asset_model import AssetModel, Detection, Role, Running

Array = NDArray[np.float64]


def median_of(x: Array) -> Array:
    """Median of each row (n, k) over what is there; NaN where nothing is."""
    ordered = np.sort(x, axis=1)
    count = np.isfinite(ordered).sum(1)
    at = np.arange(len(x))
    low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, max(x.shape[1] - 1, 0))
    out: Array = 0.5 * (ordered[at, low] + ordered[at, high])
    out[count == 0] = np.nan
    return out


@dataclass(frozen=True, slots=True)
class Layout:
    """Signals in a fixed order (by name), whatever order they arrive in."""

    symptoms: tuple[str, ...]
    conditions: tuple[str, ...]
    running: Running | None
    regimes: tuple[int, ...]
    """Indices into `conditions`."""
    spans: tuple[float, ...]
    """Width of the declared range of each condition; 0 where none is declared."""
    settings: Detection

    @property
    def signals(self) -> tuple[str, ...]:
        """All columns: symptoms, then conditions."""
        return self.symptoms + self.conditions

    def arrange(self, signals: Sequence[str], values: Array) -> Array:
        """Columns `signals` of `values` (n, m) in this layout's order; NaN for what is not there. Copies."""
        at = {name: j for j, name in enumerate(signals)}
        out = np.full((len(values), len(self.signals)), np.nan)
        for j, name in enumerate(self.signals):
            if name in at:
                out[:, j] = values[:, at[name]]
        out[~np.isfinite(out)] = np.nan
        return out


def layout_of(model: AssetModel) -> Layout:
    """The layout of an asset model."""
    conditions = tuple(sorted(model.by_role(Role.CONDITION)))
    signals = model.signals
    return Layout(
        symptoms=tuple(sorted(model.by_role(Role.SYMPTOM))),
        conditions=conditions,
        running=model.running_when,
        regimes=tuple(sorted(conditions.index(name) for name in model.regimes)),
        spans=tuple(signals[c].high - signals[c].low for c in conditions),
        settings=model.detection,
    )


def plain_layout(signals: Sequence[str], settings: Detection) -> Layout:
    """The layout of rows of which nothing is known but their names: all symptoms, always running, one regime."""
    return Layout(tuple(sorted(signals)), (), None, (), (), settings)
