"""Money and hours down on the judged part, by machine: as it was, with Forewarn, with the best fixed interval."""

from collections.abc import Iterable
from dataclasses import dataclass

from anomaly.evaluation.orders import cost
from anomaly.evaluation.prove import Proof, Verdict


@dataclass(frozen=True, slots=True)
class Losses:
    """Of one machine or of all; None = not known. Costs are in the unit of the proof's prices."""

    cost_was: float
    cost_with: float
    """With Forewarn; planned work is kept."""
    cost_alone: float
    """With Forewarn, without planned work."""
    cost_interval: float | None
    """The best fixed interval, instead of planned work."""
    down_was: float | None
    down_with: float | None
    down_interval: float | None


def losses_of(proof: Proof, verdict: Verdict) -> Losses:
    """Of one machine. A failure that was announced costs a planned visit, and its hours down where they are known."""
    j, prices = verdict.judged, proof.wanted.prices
    kept = prices.planned * len(planned_visits(proof, j.asset))
    with_us = cost([j], prices.failure, prices.planned, prices.false_visit)
    of_failure, of_planned = proof.hours
    hours = {f.at_us: f.hours for f in proof.data.failures if f.asset == j.asset and f.hours is not None}
    down_was = down_with = None
    if of_failure is not None:
        down_was = sum(hours.get(t, of_failure) for t in verdict.failed_us)
        if of_planned is not None:
            missed = sum(hours.get(t, of_failure) for t in j.missed)
            down_with = missed + of_planned * (len(verdict.failed_us) - len(j.missed))
    return Losses(
        prices.failure * j.failures + kept, with_us + kept, with_us, proof.interval.by_machine.get(j.asset)
        if proof.interval.days else None, down_was, down_with, proof.interval.hours_by_machine.get(j.asset),
    )  # fmt: skip


def losses(proof: Proof) -> Losses:
    """Of all machines."""
    of = [losses_of(proof, v) for v in proof.verdicts]
    return Losses(
        sum(x.cost_was for x in of), sum(x.cost_with for x in of), sum(x.cost_alone for x in of),
        _sum(x.cost_interval for x in of), _sum(x.down_was for x in of), _sum(x.down_with for x in of),
        _sum(x.down_interval for x in of),
    )  # fmt: skip


def planned_visits(proof: Proof, asset: str) -> list[int]:
    """Visits that were made on the judged part, without repairs of failures."""
    failed = {f.at_us for f in proof.data.failures if f.asset == asset}
    return sorted({w.at_us for w in proof.work_judged if w.asset == asset} - failed)


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if not known or None in known else sum(v for v in known if v is not None)
