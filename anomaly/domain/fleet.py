"""The pooled baseline of machines of one kind: the spread between them is part of what is normal."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.baseline import Baseline, Training, healthy_residuals
from anomaly.domain.baseline_fit import fit_core, path_noise, with_noise
from anomaly.domain.detector import WindowDetector
from anomaly.domain.layout import Array, median_of

COMMONEST = 0.9
"""A signal that shows one value in more than this share of the healthy rows tells nothing."""
PATIENCE = 2
"""A machine waits for the others' healthy rows for this many times its own learning rows."""


def healthy_rows(detector: WindowDetector) -> Training:
    """The rows of a machine that count into the pool: the first `learning_samples`."""
    rows = np.zeros(len(detector.state.record), dtype=bool)
    rows[: detector.layout.settings.learning_samples] = True
    return detector.training().take(rows)


def ready(detector: WindowDetector) -> bool:
    """Whether the machine has seen its own healthy rows."""
    s, settings = detector.state, detector.layout.settings
    return len(s.record) >= settings.learning_samples and s.learn_hours >= settings.learning_hours


def settled(detector: WindowDetector, fleet: list[WindowDetector]) -> bool:
    """Whether the pool may be closed for this machine: all others are ready too, or it has waited long enough."""
    if not ready(detector):
        return False
    if len(detector.state.record) >= PATIENCE * detector.layout.settings.learning_samples:
        return True
    return all(ready(other) or other.state.baseline is not None for other in fleet)


def pooled(detector: WindowDetector, fleet: list[WindowDetector]) -> Baseline:
    """The baseline of one machine from the healthy rows of all that are ready (itself among them)."""
    layout = detector.layout
    members = [healthy_rows(m) for m in fleet if ready(m)]
    training = Training(
        np.concatenate([m.symptoms for m in members]),
        np.concatenate([m.features for m in members]),
        np.concatenate([m.levels for m in members]),
        np.concatenate([m.segment + 1_000_000 * i for i, m in enumerate(members)]),
    )
    base = fit_core(training, layout)
    base = replace(base, usable=base.usable & _tells(training))
    own, noise, index_noise = np.zeros(len(layout.symptoms)), [], []
    for machine, member in zip([m for m in fleet if ready(m)], members, strict=True):
        z = healthy_residuals(base, member)
        mean = mean_of(z)
        per_signal, _ = path_noise(z, 1)
        _, of_index = path_noise(signed_index(z, np.sign(mean), base)[:, None], 1)
        noise.append(per_signal)
        index_noise.append(of_index)
        if machine is detector:
            own = mean
    base = with_noise(base, np.mean(noise, axis=0), float(np.mean(index_noise)))
    return replace(base, offset=layout.settings.own_share * own, members=len(members))


def mean_of(z: Array) -> Array:
    """Mean of each column over what is there; 0 where nothing is."""
    ok = np.isfinite(z)
    out: Array = np.where(ok, z, 0.0).sum(0) / np.maximum(ok.sum(0), 1)
    return out


def signed_index(z: Array, signs: Array, base: Baseline) -> Array:
    """Median over the usable signals of the residuals (n, k), each turned to the side to which it went."""
    usable = base.usable & np.isfinite(signs)
    out: Array = np.nan_to_num(median_of((z * signs)[:, usable])) if usable.any() else np.zeros(len(z))
    return out


def _tells(training: Training) -> NDArray[np.bool_]:
    """Signals that do not mostly show one and the same value."""
    out = np.zeros(training.symptoms.shape[1], dtype=bool)
    for j, column in enumerate(training.symptoms.T):
        seen = column[np.isfinite(column)]
        if len(seen):
            _, counts = np.unique(seen, return_counts=True)
            out[j] = counts.max() < COMMONEST * len(seen)
    return out
