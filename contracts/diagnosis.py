"""Guided diagnosis: which checks to run for a suspected failure mode, and what each outcome does to the probabilities.

The hypotheses are the failure modes of the asset model and `nothing` (no fault, or one that the model does not know).
An outcome multiplies the odds of each by its Bayes factor, P(outcome | hypothesis) up to a common scale; what it does
not name stays at 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check can show: the value lies in low <= x < high."""

    low: float
    high: float
    factors: Mapping[str, float]
    says: str


@dataclass(frozen=True, slots=True)
class Look:
    """A look at stored telemetry: mean of `signal` (less `minus`) over the last `hours`, less the same before.

    `against_hours` is the length of the reference, which ends `skip_hours` before the newest reading; 0 = no reference.
    Only readings while the machine runs count.
    """

    signal: str
    minus: str
    hours: float
    against_hours: float
    skip_hours: float


@dataclass(frozen=True, slots=True)
class Check:
    """A `read` command, or a look at stored telemetry; `value` is the path to a number in the command's answer."""

    name: str
    title: str
    unit: str
    outcomes: tuple[Outcome, ...]
    source: str
    """Where the factors come from."""
    command: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    value: str = ""
    look: Look | None = None

    def outcome(self, value: float) -> Outcome | None:
        """What a value shows; None = the model does not say."""
        return next((o for o in self.outcomes if o.low <= value < o.high), None)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The checks of an asset model."""

    start: float = 0.02
    """P(failure within the decision's horizon) at which the checks run."""
    wait_s: float = 6.0
    """Wall seconds for which answers are waited for."""
    nothing: float = 0.1
    """Share of alarms with no fault behind them, before any check."""
    cost: float = 0.0
    """What one round of checks costs; they run where knowing more may be worth more (`worth.knowing`)."""
    again_hours: float = 72.0
    """The checks of a case run again after so long while its forecast still rises."""
    checks: Mapping[str, Check] = field(default_factory=dict)
    modes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Checks to run by suspected failure mode."""


def posterior(prior: Mapping[str, float], outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The probabilities after these outcomes; they sum to 1."""
    odds = dict(prior)
    for outcome in outcomes:
        odds = {mode: p * outcome.factors.get(mode, 1.0) for mode, p in odds.items()}
    total = sum(odds.values())
    return {mode: p / total for mode, p in odds.items()}


def value_at(data: Any, path: str) -> float | None:
    """The number at a dotted path; None where there is none."""
    for part in path.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return float(data) if isinstance(data, int | float) and not isinstance(data, bool) and data == data else None
