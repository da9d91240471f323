"""Units by their UCUM code: a table of the usual ones, all others by ucumvert (and pint), loaded on first need.

The table saves a service with usual units 1.6 s and 38 MB; a test holds it to what ucumvert says.
"""

import math
import re
import threading
from typing import Any

from contracts.units import Unit

MAX_CODE = 40
MAX_CACHED = 10_000
"""Devices send codes; what no one knows must not fill the memory."""

# ucumvert 0.3 reads a prefixed standard gravity (`m[g]`) as a gram
_PREFIXED_GRAVITY = re.compile(r"(?<![A-Za-z\]}])(da|[YZEPTGMkhdcmunpfazy])\[g\]")
_POWER_OF_PREFIX = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "d": -1, "c": -2, "m": -3,
    "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip
_LONG_NUMBER = re.compile(r"[0-9]{7}|[*^][+-]?[0-9]{4}|[A-Za-z\]][+-]?[0-9]{3}")
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")
# scales without a zero and a step of their own: they convert to themselves alone
_OPAQUE = ("[pH]",)

_LENGTH_PER_TIME = "meter / second"
_PRESSURE = "kilogram / meter / second ** 2"
_POWER = "kilogram * meter ** 2 / second ** 3"
_FLOW = "meter ** 3 / second"
_VOLT = "kilogram * meter ** 2 / ampere / second ** 3"
_TABLE: dict[str, tuple[str, float, float]] = {
    "1": ("dimensionless", 1.0, 0.0),
    "%": ("dimensionless", 0.01, 0.0),
    "Cel": ("kelvin", 1.0, 273.15),
    "K": ("kelvin", 1.0, 0.0),
    "/min": ("1 / second", 1 / 60, 0.0),
    "/s": ("1 / second", 1.0, 0.0),
    "/h": ("1 / second", 1 / 3600, 0.0),
    "Hz": ("1 / second", 1.0, 0.0),
    "m/s": (_LENGTH_PER_TIME, 1.0, 0.0),
    "mm/s": (_LENGTH_PER_TIME, 0.001, 0.0),
    "m/s2": ("meter / second ** 2", 1.0, 0.0),
    "mm": ("meter", 0.001, 0.0),
    "um": ("meter", 1e-6, 0.0),
    "Pa": (_PRESSURE, 1.0, 0.0),
    "kPa": (_PRESSURE, 1e3, 0.0),
    "bar": (_PRESSURE, 1e5, 0.0),
    "mbar": (_PRESSURE, 100.0, 0.0),
    "W": (_POWER, 1.0, 0.0),
    "kW": (_POWER, 1e3, 0.0),
    "A": ("ampere", 1.0, 0.0),
    "mA": ("ampere", 0.001, 0.0),
    "V": (_VOLT, 1.0, 0.0),
    "mV": (_VOLT, 0.001, 0.0),
    "m3/h": (_FLOW, 1 / 3600, 0.0),
    "L/min": (_FLOW, 1 / 60_000, 0.0),
    "L/s": (_FLOW, 1e-3, 0.0),
    "mL/h": (_FLOW, 1e-6 / 3600, 0.0),
    "s": ("second", 1.0, 0.0),
    "min": ("second", 60.0, 0.0),
    "h": ("second", 3600.0, 0.0),
    "By": ("bit", 8.0, 0.0),
    "kBy": ("bit", 8e3, 0.0),
    "MBy": ("bit", 8e6, 0.0),
    "GBy": ("bit", 8e9, 0.0),
    "By/s": ("bit / second", 8.0, 0.0),
    "kBy/s": ("bit / second", 8e3, 0.0),
    "MBy/s": ("bit / second", 8e6, 0.0),
    "MHz": ("1 / second", 1e6, 0.0),
    "[degR]": ("kelvin", 5 / 9, 0.0),
    "[psi]": (_PRESSURE, 6894.757293168361, 0.0),
    "[lb_av]/s": ("kilogram / second", 0.45359237, 0.0),
    "[lb_av]/s/[psi]": ("meter * second", 0.45359237 / 6894.757293168361, 0.0),
    "10*3.[ft_i]": ("meter", 304.8, 0.0),
}


class UcumUnits:
    """Resolves UCUM codes; thread-safe. A logarithmic unit (dB, Np, pH) is a dimension of its own."""

    def __init__(self) -> None:
        self._known: dict[str, Unit | None] = {code: Unit(code, *what) for code, what in _TABLE.items()}
        self._lock = threading.Lock()
        self._registry: Any = None

    def resolve(self, code: str) -> Unit | None:
        """The unit; None for a code that is not known."""
        if code in self._known:
            return self._known[code]
        if len(code) > MAX_CODE or not code.isascii():
            return None
        with self._lock:
            unit = self.look_up(code)
            if len(self._known) < MAX_CACHED:
                self._known[code] = unit
        return unit

    def look_up(self, code: str) -> Unit | None:
        """What ucumvert says of the code, beside the table and the cache."""
        if _ANNOTATION.fullmatch(code):
            return Unit(code, "dimensionless", 1.0)
        if code in _OPAQUE:
            return Unit(code, code, 1.0)
        if not code or _LONG_NUMBER.search(code):
            return None
        from lark.exceptions import LarkError
        from pint.errors import PintError

        if self._registry is None:
            from ucumvert import PintUcumRegistry

            self._registry = PintUcumRegistry()
        plain = _PREFIXED_GRAVITY.sub(lambda m: f"(10*{_POWER_OF_PREFIX[m[1]]}.[g])", code)
        try:
            found = self._registry.from_ucum(plain)
            one = found.to_base_units()
            steps = [
                float(self._registry.Quantity(x * found.magnitude, found.units).to_base_units().magnitude)
                for x in (0.0, 1.0, 2.0, 100.0)
            ]
        except (LarkError, PintError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError):
            return None
        return _unit(code, str(one.units), *steps)


def _unit(code: str, dimension: str, zero: float, one: float, two: float, far: float) -> Unit | None:
    """The unit that has these values in its base unit at 0, 1, 2 and 100."""
    if not (math.isfinite(far) and one != zero):
        return None
    if abs(two - 2 * one + zero) > 1e-9 * max(abs(two), abs(zero)):
        return Unit(code, code, 1.0)
    return Unit(code, dimension, one if zero == 0 else (far - zero) / 100.0, zero)
