"""Units of measurement as (dimension, factor, offset); codes are UCUM (https://ucum.org)."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Unit:
    """x in this unit is `x * factor + offset` in the base unit of its dimension."""

    code: str
    dimension: str
    factor: float
    offset: float = 0.0


SHOWN = {"Cel": "°C", "m3/h": "m³/h", "/min": "1/min", "m/s2": "m/s²", "1": ""}
"""UCUM codes that people write otherwise."""


def shown(code: str) -> str:
    """The unit as people write it."""
    return SHOWN.get(code, code)


class WrongDimension(ValueError):
    """The two units measure different things."""


class Units(Protocol):
    """Resolves UCUM codes."""

    def resolve(self, code: str) -> Unit | None:
        """The unit; None for a code that is not known."""
        ...


def conversion(given: Unit, wanted: Unit) -> tuple[float, float]:
    """(scale, shift) with wanted = given * scale + shift. Raises WrongDimension."""
    if given.dimension != wanted.dimension:
        raise WrongDimension(f"{given.code} measures {given.dimension}, {wanted.code} {wanted.dimension}")
    if given.code == wanted.code:
        return 1.0, 0.0
    return given.factor / wanted.factor, (given.offset - wanted.offset) / wanted.factor
