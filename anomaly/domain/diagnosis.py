"""Which failure mode fits the pattern of deviations: the cosine between what moved and what the mode would move."""

from dataclasses import dataclass

import numpy as np

from anomaly.domain.layout import Array, Layout
from contracts.asset_model import AssetModel, FailureMode

SATURATION = 4.0
"""Deviations of this many sigmas of the window mean count almost fully."""
SHARPNESS = 8.0
LEAST_FIT = 0.45
"""Below this cosine most of what moved is nothing that the mode would move."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A failure mode and how probable it is among those of the model."""

    mode: FailureMode
    probability: float
    fit: float
    """Cosine, -1 to 1, between what moved and what the mode would move."""

    @property
    def fits(self) -> bool:
        """Whether it explains what moved at all; where none does, the alarm has no known cause."""
        return self.fit >= LEAST_FIT


def diagnose(means: Array, sigma: Array, model: AssetModel, layout: Layout) -> list[Diagnosis]:
    """All failure modes of the model, the most probable first.

    Parameters
    ----------
    means
        Window means of the residuals (k,), sigmas; NaN = no reading.
    sigma
        Healthy spread of these means (k,).
    """
    modes = [mode for component in model.components.values() for mode in component.modes]
    if not modes:
        return []
    moved = np.tanh(np.nan_to_num(means) / np.maximum(sigma, 1e-9) / SATURATION)
    fit = np.array([_cosine(moved, pattern(mode, moved, layout)) for mode in modes])
    weight = np.exp(SHARPNESS * (fit - fit.max()))
    weight /= weight.sum()
    order = sorted(range(len(modes)), key=lambda i: (-weight[i], modes[i].name))
    return [Diagnosis(modes[i], float(weight[i]), float(fit[i])) for i in order]


def pattern(mode: FailureMode, moved: Array, layout: Layout) -> Array:
    """Signs that the mode gives to the symptoms (..., k); `any` goes with what moved."""
    out = np.zeros(moved.shape)
    for symptom in mode.symptoms:
        if symptom.signal in layout.symptoms:
            j = layout.symptoms.index(symptom.signal)
            out[..., j] = {"up": 1.0, "down": -1.0}.get(symptom.direction, np.sign(moved[..., j]))
    return out


def _cosine(a: Array, b: Array) -> float:
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 0 else 0.0
