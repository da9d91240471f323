"""The proof's figures: what was announced, what visits were for nothing, what it would have cost."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from anomaly.evaluation.bootstrap import bootstrap
from anomaly.evaluation.files import sha256_of
from anomaly.evaluation.orders import Judged, precision, recall
from anomaly.evaluation.proof_losses import losses, losses_of
from anomaly.evaluation.prove import DETECTOR, FORECAST, Proof, Verdict, day, moment
from anomaly.evaluation.report import Plot, Report

FEW = 5
ACTS = {
    DETECTOR: "an alarm is raised",
    FORECAST: "while an alarm stands, forecasts in a row give P(failure within the model's horizon) from the limit on",
}
SURE = 1.96
"""Normal quantile of a 95 % interval."""


def wilson(hits: int, of: int) -> tuple[float, float] | None:
    """95 % interval of a share (E. B. Wilson, 1927); None = nothing was counted."""
    if not of:
        return None
    share, z2 = hits / of, SURE**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = SURE * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def figures(proof: Proof) -> dict[str, float | None]:
    """All figures together."""
    judged, lost = proof.judged, losses(proof)
    leads = [lead for j in judged for lead in j.leads]
    announced, missed = len(leads), sum(len(j.missed) for j in judged)

    def notice(percent: float) -> float | None:
        return float(np.percentile(leads, percent)) if leads else None

    return {
        "failures_judged": announced + missed,
        "failures_announced": announced,
        "event_recall": recall(judged),
        "order_precision": precision(judged),
        "false_visits": sum(j.false for j in judged),
        "false_orders_per_asset_month": sum(j.false for j in judged) / proof.months if proof.months else None,
        "lead_hours_p10": notice(10),
        "lead_hours_p50": notice(50),
        "lead_hours_p90": notice(90),
        "cost_as_it_was": lost.cost_was,
        "cost_with_forewarn": lost.cost_with,
        "cost_best_fixed_interval": lost.cost_interval,
        "cost_with_forewarn_without_planned_work": lost.cost_alone,
        "saved_against_as_it_was": 1 - lost.cost_with / lost.cost_was if lost.cost_was else None,
        "saved_against_fixed_interval": 1 - lost.cost_alone / lost.cost_interval if lost.cost_interval else None,
        "downtime_hours_as_it_was": lost.down_was,
        "downtime_hours_with_forewarn": lost.down_with,
        "downtime_hours_best_fixed_interval": lost.down_interval,
        "sensor_faults": sum(len(v.course.faults) for v in proof.verdicts),
    }


def sentence(proof: Proof) -> str:
    """The answer for a boss, in a few sentences."""
    found = figures(proof)
    n, hit = int(found["failures_judged"] or 0), int(found["failures_announced"] or 0)
    false = int(found["false_visits"] or 0)
    visits = f"{false} visit{'' if false == 1 else 's'} for nothing in {proof.months:.1f} machine-months"
    if n == 0:
        return (
            f"No failure lies in the judged part, so nothing is proved about failures. It shows {visits}. Give a longer"
            " record, or judge from an earlier day (--split)."
        )
    leads = [lead for j in proof.judged for lead in j.leads]
    notice = f", with a notice of {float(np.median(leads)):.0f} hours in the median" if leads else ""
    shown = f"{hit} of {n} failure{'' if n == 1 else 's'} would have been announced{notice}, at the price of {visits}."
    if n < FEW:
        return (
            f"{n} failure{'' if n == 1 else 's'} prove{'s' if n == 1 else ''} nothing; here is what they show. {shown}"
        )
    bounds = wilson(hit, n)
    unsure = f" With {n} failures the true share lies between {bounds[0]:.0%} and {bounds[1]:.0%}." if bounds else ""
    return shown + unsure


def report(proof: Proof, plots: Sequence[Plot] = ()) -> Report:
    """The proof as a report of an evaluation."""
    found = figures(proof)
    months = proof.months / max(1, len(proof.judged))

    def per_month(of: Sequence[Judged]) -> float | None:
        return sum(j.false for j in of) / (months * len(of)) if months else None

    measures: dict[str, Callable[[Sequence[Judged]], float | None]] = {
        "order_precision": precision,
        "false_orders_per_asset_month": per_month,
    }
    ci95 = {name: bootstrap(proof.judged, measure, seed=0) for name, measure in measures.items()}
    ci95["event_recall"] = wilson(int(found["failures_announced"] or 0), int(found["failures_judged"] or 0))
    files = proof.data.files
    prices = proof.wanted.prices
    config: dict[str, object] = {
        "answer": sentence(proof),
        "learned_until": day(proof.split_us),
        "judged_until": day(proof.end_us),
        "machines": len(proof.verdicts),
        "machine_months_judged": round(proof.months, 2),
        "failures_in_the_first_part": proof.trained_failures,
        "way": proof.way,
        "limit": proof.limit,
        "announced_within_days": proof.wanted.within_days,
        "acts": ACTS.get(proof.way, "P(failure within 24 h) from the limit on"),
        "cost_on_the_first_part": {name: round(value, 3) for name, value in proof.tried.items()},
        "cost_failure": prices.failure,
        "cost_planned": prices.planned,
        "cost_false_visit": prices.false_visit,
        "cost_unit": prices.unit,
        "fixed_interval_days": proof.interval.days,
        "model": proof.model.name,
        "notices": proof.notices,
    }  # fmt: skip
    hashes: dict[str, str] = {}
    for path in files:
        hashes |= sha256_of([path], path.parent)
    return Report(
        "own", proof.model.name, (0,), hashes, config, found,
        {name: bounds for name, bounds in ci95.items() if bounds is not None}, [item(proof, v) for v in proof.verdicts],
        list(plots),
    )  # fmt: skip


def item(proof: Proof, verdict: Verdict) -> dict[str, object]:
    """One machine."""
    j, lost = verdict.judged, losses_of(proof, verdict)
    return {
        "machine": j.asset,
        "failures": j.failures,
        "announced": len(j.leads),
        "notice_hours": [round(lead, 1) for lead in j.leads],
        "missed": [{"at": moment(t), "report": verdict.misses.get(t, "")} for t in j.missed],
        "false_visits": j.false,
        "false_visits_per_month": round(j.false / verdict.months, 3) if verdict.months else None,
        "not_over": j.unknown,
        "cost_as_it_was": lost.cost_was,
        "cost_with_forewarn": lost.cost_with,
        "cost_best_fixed_interval": None if lost.cost_interval is None else round(lost.cost_interval, 2),
        "downtime_hours_as_it_was": lost.down_was,
        "downtime_hours_with_forewarn": lost.down_with,
        "forecasts": verdict.course.forecasts,
        "sensor_faults": [
            {
                "signal": f.signal, "is": f.says, "since": moment(f.since_us),
                "until": moment(f.until_us) if f.until_us is not None else None,
            }
            for f in verdict.course.faults
        ],
        "without_readings": [moment(t) for t in verdict.unseen_us],
        "visits": [
            {"at": moment(t), "verdict": word, "signals": list(_signals(verdict, t))} for t, word in j.orders
        ],
    }  # fmt: skip


def _signals(verdict: Verdict, at_us: int) -> tuple[str, ...]:
    """Signals that carried the newest alarm raised until then."""
    before = [t for t in verdict.course.raised_us if t <= at_us]
    return verdict.course.carried.get(before[-1], ()) if before else ()
