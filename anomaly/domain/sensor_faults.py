"""Faults of sensors, which are none of the machine: their kinds, the rules of one asset model, and words for people.

`anomaly.domain.sensing` recognises them row by row. A signal that is faulty has no reading for the machine's score.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import Array, Layout
from contracts.asset_model import AssetModel, Running

Bools = NDArray[np.bool_]


class Fault(IntEnum):
    """What may be wrong with a sensor."""

    NONE = 0
    STUCK = 1
    """It gives the same value again and again, which it never did for so long."""
    DROPPED_OUT = 2
    SPIKING = 3
    """Single readings far outside of all that was ever seen."""
    SWAPPED_UNIT = 4
    """Its readings are right in another unit."""
    REPLACED = 5
    """It jumped at once, and nothing that moves with it did."""
    DRIFTING = 6
    """It wanders away, and nothing that moves with it does."""
    DOUBLED_TIMES = 7
    """Several readings of one signal with one time: told of the device, not of a signal."""


SAYS = {
    Fault.STUCK: "stuck",
    Fault.DROPPED_OUT: "dropped out",
    Fault.SPIKING: "spiking",
    Fault.SWAPPED_UNIT: "in another unit",
    Fault.REPLACED: "jumped (replaced or shifted)",
    Fault.DRIFTING: "drifting",
    Fault.DOUBLED_TIMES: "sending doubled times",
}
KINDS: dict[Fault, str] = {fault: fault.name.lower() for fault in Fault if fault is not Fault.NONE}
"""How records and the API name them."""
CHECKS = {
    Fault.STUCK: "look whether the sensor still follows the machine; check its cable and converter",
    Fault.DROPPED_OUT: "check its supply, cable and battery",
    Fault.SPIKING: "check the plug, the shield and the ground of its cable",
    Fault.SWAPPED_UNIT: "check the unit that its source or gateway is set to",
    Fault.REPLACED: "ask whether it was replaced, moved or set anew, and measure by hand",
    Fault.DRIFTING: "compare it with a second instrument, and calibrate or replace it",
    Fault.DOUBLED_TIMES: "check the clock of the device, and whether two sources send under its name",
}
ALIKE = {
    "Cel": (("[degF]", 1.8, 32.0), ("K", 1.0, 273.15)),
    "K": (("Cel", 1.0, -273.15), ("[degF]", 1.8, -459.67)),
    "bar": (("[psi]", 14.503774, 0.0), ("kPa", 100.0, 0.0), ("MPa", 0.1, 0.0), ("mbar", 1000.0, 0.0)),
    "kPa": (("bar", 0.01, 0.0), ("[psi]", 0.14503774, 0.0), ("Pa", 1000.0, 0.0)),
    "mm/s": (("[in_i]/s", 0.03937008, 0.0), ("m/s", 0.001, 0.0), ("um/s", 1000.0, 0.0)),
    "m/s2": (("[g]", 0.10197162, 0.0), ("mm/s2", 1000.0, 0.0)),
    "A": (("mA", 1000.0, 0.0), ("kA", 0.001, 0.0)),
    "V": (("mV", 1000.0, 0.0), ("kV", 0.001, 0.0)),
    "kW": (("W", 1000.0, 0.0), ("[HP]", 1.3410221, 0.0), ("MW", 0.001, 0.0)),
    "W": (("kW", 0.001, 0.0),),
    "m3/h": (("L/min", 16.666667, 0.0), ("L/s", 0.27777778, 0.0), ("[gal_us]/min", 4.4028675, 0.0)),
    "mL/h": (("L/h", 0.001, 0.0),),
    "/min": (("Hz", 1.0 / 60.0, 0.0),),
    "Hz": (("/min", 60.0, 0.0),),
    "%": (("1", 0.01, 0.0),),
    "um": (("mm", 0.001, 0.0), ("[mil_i]", 0.03937008, 0.0)),
}
"""(unit, factor, offset) of units that are mistaken for one: a reading in it is `value * factor + offset` (UCUM)."""


@dataclass(frozen=True)
class Rules:
    """What the sensors of one asset model are judged by; columns as `layout.signals`."""

    symptoms: int
    """So many of the columns are symptoms; the others are conditions."""
    on: int
    """Column that says whether the machine runs; -1 = it always does."""
    running: Running | None
    gap_us: float
    """After a longer silence nothing is compared with what was before."""
    alike: tuple[tuple[tuple[str, float, float], ...], ...]
    """Per column: units that its own is mistaken for."""

    moves: Bools
    """Per column: False for set points, which may stand still: those of the regimes, and the one that says `on`."""

    @property
    def signals(self) -> int:
        """Number of columns."""
        return len(self.alike)


@dataclass(frozen=True, slots=True)
class SensorChanged:
    """A sensor became faulty, or is well again; `signal` is empty where the device as a whole is meant."""

    at_us: int
    signal: str
    fault: Fault
    since_us: int
    faulty: bool
    detail: str = ""

    @property
    def kind(self) -> str:
        """The fault's name in records."""
        return KINDS[self.fault]


def rules_of(model: AssetModel, layout: Layout) -> Rules:
    """The rules of an asset model."""
    settings = layout.settings
    on = layout.signals.index(layout.running.signal) if layout.running else -1
    set_points = {layout.conditions[i] for i in layout.regimes}
    set_points |= {layout.running.signal} if layout.running else set()
    gap_hours = settings.gap_hours or max(settings.window_hours, settings.hold_hours)
    return Rules(
        len(layout.symptoms), on, layout.running, gap_hours * 3.6e9 or np.inf,
        tuple(ALIKE.get(model.signals[name].unit, ()) for name in layout.signals),
        np.array([name not in set_points for name in layout.signals], dtype=bool),
    )  # fmt: skip


def runs(rules: Rules, values: Array, before: Bools) -> Bools:
    """Whether machines run by one row each of their readings (n, m); without a reading as `before`."""
    if rules.running is None:
        return np.ones(len(values), dtype=bool)
    x = values[:, rules.on]
    compare = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}[rules.running.operator]
    out: Bools = np.where(x == x, compare(x, rules.running.value), before)
    return out


def sentence(title: str, fault: Fault, detail: str = "") -> str:
    """What is wrong and what to do, in one sentence; `title` names the signal, or the device."""
    says = f"{SAYS[fault]} ({detail})" if detail else SAYS[fault]
    return f"{title} is {says}: {CHECKS[fault]}"
