"""What may raise an alarm of a watched machine: the words of an asset model, and what runs where it names none."""

from collections.abc import Iterator
from typing import Any, Protocol

from contracts.asset_model import AssetModel, FailureMode, Role

BASELINE, CUSUM, SEASONAL, LIMITS = "baseline", "cusum", "seasonal", "limits"
METHODS = (BASELINE, CUSUM, SEASONAL, LIMITS)
ALONE: dict[str, Any] = {
    "window_samples": 24, "window_hours": 2.0, "clear": 0.4, "hold_hours": 0.0, "hold_samples": 1,
    "refractory_hours": 16.0,
}  # fmt: skip
"""Settings of a machine that its usual course alone is watched of, where the file gives none: each sample counts by
itself. They are what `forewarn evaluate nab` fixed: rows of five minutes, 200 of them without a second alarm."""


class Faults(Protocol):
    """What collects the faults of a file."""

    def fault(self, path: str, rule: str) -> None: ...


def limited_modes(model: AssetModel) -> Iterator[tuple[FailureMode, str, str]]:
    """Failure modes that end at a value of a symptom which they move one way: the mode, the signal, `up` or `down`."""
    symptoms = model.by_role(Role.SYMPTOM)
    for component in model.components.values():
        for mode in component.modes:
            limit = mode.limit
            if limit is None or limit.signal not in symptoms:
                continue
            ways = {s.direction for s in mode.symptoms if s.signal == limit.signal}
            signal = model.signals[limit.signal]
            for way, rest in (("up", signal.low), ("down", signal.high)):
                if ways == {way} and rest != limit.value:
                    yield mode, limit.signal, way


def methods_of(model: AssetModel) -> tuple[str, ...]:
    """The methods that may raise an alarm: those that the model names, else by what it has.

    A single signal without operating conditions is watched against its own usual course, everything else against the
    baseline; limits are watched where failure modes name them. Cumulative sums run only where a model asks for them.
    """
    named = model.detection.methods
    if named:
        return named
    alone = len(model.by_role(Role.SYMPTOM)) == 1 and not model.by_role(Role.CONDITION)
    usual = SEASONAL if alone and not model.detection.fleet else BASELINE
    return (usual, LIMITS) if any(limited_modes(model)) else (usual,)


def check(read: Faults, model: AssetModel) -> None:
    """What methods need of the rest of the model."""
    settings, path = model.detection, "detection.methods"
    if LIMITS in settings.methods and not any(limited_modes(model)):
        read.fault(path, "limits needs a failure mode with a limit of a symptom that it moves up or down")
    follows = settings.adapt_hours > 0 or settings.adapt_samples > 0 or settings.quick_samples > 0
    if CUSUM in settings.methods and (follows or settings.fleet):
        rule = "cusum adds up against a healthy mean that stands still: leave out adapt_hours, adapt_samples,"
        read.fault(path, f"{rule} quick_samples and fleet")
    if SEASONAL in settings.methods and settings.fleet:
        read.fault(path, "seasonal is for single machines: leave out fleet")
