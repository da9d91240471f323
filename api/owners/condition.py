"""How machines are, as anomaly last saw them, by device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """State of one device's machine; None = not known (yet)."""

    health: float | None = None
    score: float | None = None
    threshold: float | None = None
    learning_hours_left: float | None = None
    learned: bool = False
    alarm_since: datetime | None = None
    alarm_component: str = ""
    note: str = ""
    """Why there is no score now, in words; empty where there is one."""
    outside: bool = False
    """It runs outside the known regimes."""
    spark: Sequence[float] = ()
    """Health in equal steps, oldest first."""


NOTHING = Condition()
Conditions = Mapping[str, Condition]
