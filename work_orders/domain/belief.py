"""What the checks of a guided diagnosis say together: probabilities before and after, and one sentence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from contracts.asset_model import AssetModel, FailureMode
from contracts.diagnosis import NOTHING, Outcome, posterior
from work_orders.domain.words import percent


class Verdict(StrEnum):
    """What became of the suspicion."""

    CONFIRMED = "confirmed"
    LOWERED = "lowered"
    OTHER = "other"
    """Another failure mode explains it better."""
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one check showed; `outcome` None = it gave no answer that the model knows."""

    title: str
    unit: str
    value: float | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Belief:
    """The result: probabilities by failure mode (and `nothing`), the factor on P(failure), and a sentence.

    `factor` is how much less likely the component's failure has become, at most 1: a check that confirms does not make
    a forecast more certain than it is.
    """

    verdict: Verdict
    before: dict[str, float]
    after: dict[str, float]
    mode: str
    factor: float
    sentence: str


def prior(model: AssetModel, suspected: str, share: float) -> dict[str, float]:
    """Probabilities before any check: `share` of what is no false alarm is the suspected mode, the others share the
    rest evenly.
    """
    modes = [m.name for c in model.components.values() for m in c.modes]
    real = 1.0 - model.diagnosis.nothing
    others = [m for m in modes if m != suspected]
    share = min(max(share, 0.05), 0.98) if others else 1.0
    return {suspected: real * share, **{m: real * (1 - share) / len(others) for m in others}, NOTHING: 1 - real}


def conclude(
    model: AssetModel, suspected: FailureMode, before: Mapping[str, float], answers: Sequence[Answer]
) -> Belief:
    """What the answers say about the suspected mode."""
    outcomes = [a.outcome for a in answers if a.outcome is not None]
    after = posterior(before, outcomes)
    if not outcomes:
        return Belief(Verdict.NO_ANSWER, dict(before), after, suspected.name, 1.0, "the remote checks gave no answer")
    best = max(after, key=lambda mode: after[mode])
    own = [m.name for m in model.components[suspected.component].modes]
    factor = min(1.0, sum(after[m] for m in own) / sum(before[m] for m in own))
    verdict, mode = Verdict.LOWERED, suspected.name
    if best == suspected.name and after[best] >= before[best] * 0.999:
        verdict, factor = Verdict.CONFIRMED, 1.0
    elif best not in (suspected.name, NOTHING):
        verdict, mode = Verdict.OTHER, best
    shown = "; ".join(_shown(a) for a in answers)
    name = suspected.title.lower()
    change = f"{name} {percent(before[suspected.name])} before, {percent(after[suspected.name])} after"
    other = model.mode(mode)
    words = {
        Verdict.CONFIRMED: f"remote checks confirm {name}",
        Verdict.LOWERED: f"remote checks make {name} less likely",
        Verdict.OTHER: f"remote checks point to {other.title.lower() if other else mode}",
    }[verdict]
    return Belief(verdict, dict(before), after, mode, factor, f"{words} ({shown}; {change})")


def _shown(answer: Answer) -> str:
    if answer.outcome is None:
        return f"no answer to “{answer.title}”"
    unit = f" {answer.unit}" if answer.unit not in ("", "1") else ""
    value = f" ({answer.value:.3g}{unit})" if answer.value else ""
    return f"{answer.outcome.says}{value}"


def difference(
    signal: NDArray[np.float64], minus: NDArray[np.float64] | None, running: NDArray[np.bool_],
    hours: NDArray[np.float64],
    recent: float, against: float, skip: float,
) -> float | None:  # fmt: skip
    """Mean over the last `recent` hours less the mean of the reference; None where one of them is empty.

    Parameters
    ----------
    signal, minus
        Values in time order (n,), NaN for none.
    running
        Whether the machine ran.
    hours
        Age of each value in hours.
    """
    x = signal if minus is None else signal - minus
    good = running & np.isfinite(x)
    new = good & (hours <= recent)
    if not new.any():
        return None
    mean = float(x[new].mean())
    if against <= 0:
        return mean
    old = good & (hours > skip) & (hours <= skip + against)
    return None if not old.any() else mean - float(x[old].mean())


def finite(value: float | None) -> float | None:
    """The value, None for what is no number."""
    return value if value is not None and math.isfinite(value) else None
