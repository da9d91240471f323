"""Who lets the product do more, and on what record: watch, propose, automatic, one step at a time, by a person."""

import math
from dataclasses import dataclass
from enum import StrEnum

from work_orders.domain.decision import Autonomy
from work_orders.domain.machine import Machine, Role, rules


class AutonomyAction(StrEnum):
    """What a person does with it."""

    PROMOTE = "promote"
    STEP_BACK = "step_back"
    STOP = "stop"


_M, _A = Autonomy, AutonomyAction
_MAY = (Role.DISPATCHER, Role.ADMIN)
_STOP = (Role.DISPATCHER, Role.ENGINEER, Role.ADMIN)

AUTONOMY = Machine(
    "autonomy",
    rules(
        ((_M.WATCH,), _A.PROMOTE, _M.PROPOSE, _MAY),
        ((_M.PROPOSE,), _A.PROMOTE, _M.AUTOMATIC, _MAY),
        ((_M.AUTOMATIC,), _A.STEP_BACK, _M.PROPOSE, _STOP),
        ((_M.PROPOSE,), _A.STEP_BACK, _M.WATCH, _STOP),
        ((_M.PROPOSE, _M.AUTOMATIC), _A.STOP, _M.WATCH, _STOP),
    ),
)

Z90 = 1.6448536269514722
"""Standard normal quantile of a two-sided interval of 90 %."""


@dataclass(frozen=True, slots=True)
class Record:
    """What came of the calls for a kind of machine and customer.

    `right`: a visit found damage, or it failed as called; `wrong`: a visit found nothing; `missed`: it broke down and
    nothing had called; `faded`: called while only watched, and the readings went back by themselves; `waiting`: called,
    not known yet.
    """

    right: int = 0
    wrong: int = 0
    missed: int = 0
    faded: int = 0
    waiting: int = 0

    @property
    def precision(self) -> float | None:
        """right / (right + wrong); None = nobody has looked yet."""
        looked = self.right + self.wrong
        return self.right / looked if looked else None

    @property
    def foreseen(self) -> float | None:
        """right / (right + missed): the share of failures that were called; None = there was none."""
        failures = self.right + self.missed
        return self.right / failures if failures else None

    def interval(self) -> tuple[float, float] | None:
        """90 % interval of the precision (Wilson 1927, eq. for the score interval); None = nobody has looked yet."""
        n, p = self.right + self.wrong, self.precision
        if p is None:
            return None
        z2 = Z90 * Z90
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = Z90 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)


def breaks_even(failure: float, planned: float, false_visit: float) -> float | None:
    """The precision from which visits pay: right x (failure - planned) = wrong x false visit. None = never."""
    gain = failure - planned
    return None if gain <= 0 else false_visit / (false_visit + gain)


def advice(record: Record, mode: Autonomy, even: float | None) -> str:
    """What the record says, in one sentence for whoever decides; it decides nothing."""
    span = record.interval()
    if mode is Autonomy.AUTOMATIC:
        if span is not None and even is not None and span[1] < even:
            return "Visits cost more than they save: step back."
        return "It may do all that it can."
    if span is None:
        return "Nobody has looked at a machine yet after it called: there is nothing to judge it by."
    if even is not None and span[0] >= even:
        return f"Visits pay from {even:.0%} on; even the low end of its record is above that."
    if even is not None and span[1] < even:
        return f"Visits pay from {even:.0%} on; its record is below that."
    pays = "" if even is None else f"Visits pay from {even:.0%} on; "
    return f"{pays}{record.right + record.wrong} visits are too few to be sure."
