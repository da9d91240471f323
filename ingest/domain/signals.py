"""An asset model as acceptance needs it: limits as columns, conversions of units, found once and kept."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.asset_model import AssetModel, Signal
from contracts.units import Units, WrongDimension, conversion
from contracts.wire import Reason

MAX_PLANS = 1000
"""Most combinations of signals and units that are kept for one model: a device may send any."""
IDENTITY = (1.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How to check many samples at once that carry the same signals in the same units."""

    names: list[str]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    conversion: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    """(scale, shift); None = all are in the model's own units."""


class Signals:
    """The signals of one asset model."""

    def __init__(self, model: AssetModel | None, units: Units) -> None:
        self.model = model.name if model else ""
        self._signals: dict[str, Signal] = dict(model.signals) if model else {}
        self._units = units
        self._conversions: dict[tuple[str, str], tuple[float, float] | Reason] = {}
        self._plans: dict[tuple[object, ...], Plan | None] = {}

    def get(self, name: str) -> Signal | None:
        """The signal of that name."""
        return self._signals.get(name)

    def conversion(self, signal: Signal, code: object) -> tuple[float, float] | Reason:
        """(scale, shift) from `code` to the signal's unit, or why there is none."""
        if code is None or code == signal.unit:
            return IDENTITY
        if not isinstance(code, str):
            return "unknown_unit"
        known = self._conversions.get((signal.name, code))
        if known is None:
            known = self._find(signal, code)
            if len(self._conversions) < MAX_PLANS:
                self._conversions[signal.name, code] = known
        return known

    def _find(self, signal: Signal, code: str) -> tuple[float, float] | Reason:
        given, wanted = self._units.resolve(code), self._units.resolve(signal.unit)
        if given is None:
            return "unknown_unit"
        if wanted is None:
            return "wrong_unit"
        try:
            return conversion(given, wanted)
        except WrongDimension:
            return "wrong_unit"

    def plan(self, names: tuple[str, ...], units: dict[str, str]) -> Plan | None:
        """How to check samples with just these signals; None where a signal or a unit is not in order."""
        key: tuple[object, ...] = (names, *units.items()) if units else names
        try:
            return self._plans[key]
        except KeyError:
            plan = self._make(names, units)
            if len(self._plans) < MAX_PLANS:
                self._plans[key] = plan
            return plan

    def _make(self, names: tuple[str, ...], units: dict[str, str]) -> Plan | None:
        signals, conversions = [], []
        for name in names:
            signal = self._signals.get(name)
            if signal is None:
                return None
            found = self.conversion(signal, units.get(name))
            if isinstance(found, str):
                return None
            signals.append(signal)
            conversions.append(found)
        changed = any(c != IDENTITY for c in conversions)
        return Plan(
            names=list(names),
            low=np.array([s.low for s in signals]),
            high=np.array([s.high for s in signals]),
            conversion=(np.array([c[0] for c in conversions]), np.array([c[1] for c in conversions]))
            if changed
            else None,
        )
