"""How much a forecast counts at a machine where visits were made before: one that found nothing lowers what follows.

The share of alarms that mean something is estimated from the findings at the same component, with one imagined
finding that was right (Laplace's rule of succession with a weak prior): one visit for nothing halves the chance, and
each finding of damage gives some of it back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

RIGHT = ("true", "prevented", "missed")
WRONG = "false"
IMAGINED_RIGHT = 1.0
REMEMBERED = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Past:
    """A finding at the component; `missed` ones count as right: damage was there."""

    result: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Trust:
    """Factor on P(failure), above 0 and at most 1, and why in words; empty where nothing speaks against."""

    factor: float
    sentence: str


def trust(findings: Sequence[Past], now: datetime) -> Trust:
    """What findings at a machine's component say of the next forecast for it."""
    counted = [f for f in findings if now - f.at <= REMEMBERED and f.result in (*RIGHT, WRONG)]
    wrong = [f for f in counted if f.result == WRONG]
    if not wrong:
        return Trust(1.0, "")
    right = IMAGINED_RIGHT + len(counted) - len(wrong)
    factor = right / (right + len(wrong))
    last = max(f.at for f in wrong)
    visits = "a visit" if len(wrong) == 1 else f"{len(wrong)} visits, the last one"
    return Trust(factor, f"{visits} on {last.day} {last:%b} found nothing, so the chance counts by {factor:.2g}")
