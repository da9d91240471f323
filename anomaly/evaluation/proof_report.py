"""The proof's figures: what was announced, what visits were for nothing, what it would have cost."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from anomaly.evaluation.bootstrap import bootstrap
from anomaly.evaluation.files import sha256_of
from anomaly.evaluation.orders import Judged, cost, precision, recall
from anomaly.evaluation.prove import DETECTOR, Proof, Verdict, day, moment
from anomaly.evaluation.report import Plot, Report

FEW = 5
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
    judged, prices = proof.judged, proof.wanted.prices
    leads = [lead for j in judged for lead in j.leads]
    announced, missed = len(leads), sum(len(j.missed) for j in judged)
    kept = prices.planned * len(_work_events(proof))
    with_us = cost(judged, prices.failure, prices.planned, prices.false_visit)
    done = prices.failure * (announced + missed)
    down_done, down_with = downtime(proof)

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
        "cost_as_it_was": done + kept,
        "cost_with_forewarn": with_us + kept,
        "cost_best_fixed_interval": proof.interval_cost,
        "cost_with_forewarn_without_planned_work": with_us,
        "saved_against_as_it_was": 1 - (with_us + kept) / (done + kept) if done + kept else None,
        "saved_against_fixed_interval": 1 - with_us / proof.interval_cost if proof.interval_cost else None,
        "downtime_hours_as_it_was": down_done,
        "downtime_hours_with_forewarn": down_with,
    }


def _work_events(proof: Proof) -> list[tuple[str, int]]:
    """Visits that were made, without repairs of failures."""
    failed = {(f.asset, f.at_us) for f in proof.data.failures}
    return sorted({(w.asset, w.at_us) for w in proof.work_judged} - failed)


def downtime(proof: Proof) -> tuple[float | None, float | None]:
    """Hours down by failures in the judged part, as it was and with what was announced; None = hours not on record.

    An announced failure costs the hours of a usual piece of planned work, where these are on record, else none is said.
    """
    hours = {(f.asset, f.at_us): f.hours for f in proof.data.failures if f.hours is not None}
    if not hours:
        return None, None
    usual = float(np.mean(list(hours.values())))
    judged = [(v.judged.asset, t) for v in proof.verdicts for t in v.failed_us]
    done = sum(hours.get(one) or usual for one in judged)
    planned = [w.hours for w in proof.data.work if w.hours is not None]
    if not planned:
        return done, None
    missed = {(v.judged.asset, t) for v in proof.verdicts for t in v.judged.missed}
    lost = sum(hours.get(one) or usual for one in judged if one in missed)
    return done, lost + float(np.mean(planned)) * sum(one not in missed for one in judged)


def sentence(proof: Proof) -> str:
    """The answer for a boss, in a few sentences."""
    found = figures(proof)
    n, hit = int(found["failures_judged"] or 0), int(found["failures_announced"] or 0)
    false = int(found["false_visits"] or 0)
    visits = f"{false} visit{'' if false == 1 else 's'} for nothing in {proof.months:.1f} machine-months"
    if n == 0:
        return (
            f"No failure lies in the judged part, so nothing is proved about failures. It shows {visits}. Give a longer"
            " record, or an earlier --split."
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
        "acts": "an alarm is raised" if proof.way == DETECTOR
        else "P(failure within 24 h) x (C_failure - C_planned) > C_false",
        "cost_on_the_first_part": {name: round(value, 3) for name, value in proof.tried.items()},
        "cost_failure": prices.failure,
        "cost_planned": prices.planned,
        "cost_false_visit": prices.false_visit,
        "cost_unit": prices.unit,
        "fixed_interval_days": proof.interval_days,
        "model": proof.model.name,
        "notices": proof.notices,
    }  # fmt: skip
    hashes: dict[str, str] = {}
    for path in files:
        hashes |= sha256_of([path], path.parent)
    return Report(
        "own", proof.model.name, (0,), hashes, config, found,
        {name: bounds for name, bounds in ci95.items() if bounds is not None}, [item(v) for v in proof.verdicts],
        list(plots),
    )  # fmt: skip


def item(verdict: Verdict) -> dict[str, object]:
    """One machine."""
    j = verdict.judged
    return {
        "machine": j.asset,
        "failures": j.failures,
        "announced": len(j.leads),
        "notice_hours": [round(lead, 1) for lead in j.leads],
        "missed": [{"at": moment(t), "report": verdict.misses.get(t, "")} for t in j.missed],
        "false_visits": j.false,
        "not_over": j.unknown,
        "without_readings": [moment(t) for t in verdict.unseen_us],
        "visits": [
            {"at": moment(t), "verdict": word, "signals": list(_signals(verdict, t))} for t, word in j.orders
        ],
    }  # fmt: skip


def _signals(verdict: Verdict, at_us: int) -> tuple[str, ...]:
    """Signals that carried the newest alarm raised until then."""
    before = [t for t in verdict.course.raised_us if t <= at_us]
    return verdict.course.carried.get(before[-1], ()) if before else ()
