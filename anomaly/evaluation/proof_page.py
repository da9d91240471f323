"""The proof as one page for a boss: the answer first, then money, machines, plots, and how it was done."""

import html
from collections.abc import Mapping, Sequence

from anomaly.domain.history import HOUR_US
from anomaly.evaluation.drawing import bars, line
from anomaly.evaluation.html import STYLE, table
from anomaly.evaluation.own_mapping import as_yaml
from anomaly.evaluation.proof_report import figures, report, sentence
from anomaly.evaluation.prove import DETECTOR, Proof, Verdict, day, moment
from anomaly.evaluation.words import called, number

DRAWN = 12
DAY_HOURS = 24.0
WORDS = {
    "failures_judged": "Failures that were judged",
    "failures_announced": "of these announced",
    "event_recall": "Share of failures announced",
    "order_precision": "Share of visits that were right",
    "false_visits": "Visits for nothing",
    "false_orders_per_asset_month": "Visits for nothing per machine and month",
    "cost_as_it_was": "Cost as it was",
    "cost_with_forewarn": "Cost with Forewarn, planned work kept",
    "cost_best_fixed_interval": "Cost of the best fixed interval, instead of planned work",
    "cost_with_forewarn_without_planned_work": "Cost with Forewarn, without planned work",
    "saved_against_as_it_was": "Share saved against as it was",
    "saved_against_fixed_interval": "Share saved against the best fixed interval",
    "downtime_hours_as_it_was": "Hours down by failures, as it was",
    "downtime_hours_with_forewarn": "Hours down with Forewarn",
}
EXTRA = """
.answer{font-size:1.2rem;border-left:4px solid #3b82c4;padding:.5rem 1rem;background:#8881}
@media print{figure,section{break-inside:avoid}body{margin:0}}
.miss{border-left:4px solid #d0483e;padding:.1rem 1rem;margin:.75rem 0}
"""


def page(proof: Proof) -> str:
    """The whole page as HTML: no script, nothing loaded from elsewhere."""
    found = figures(proof)
    bounds = report(proof).ci95
    unit = proof.wanted.prices.unit
    title = f"What Forewarn would have done: {proof.model.title}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{_text(title)}</title><style>{STYLE}{EXTRA}</style></head><body><main><h1>{_text(title)}</h1>",
        f'<p class="answer">{_text(sentence(proof))}</p>',
        f"<p>Learned from the record until {day(proof.split_us)}, judged on what came after it, until"
        f" {day(proof.end_us)}. {_text(_way(proof))}</p>",
        "<h2>Money</h2>", _money(proof, found),
        f"<p>A failure costs {number(proof.wanted.prices.failure)}, a planned visit"
        f" {number(proof.wanted.prices.planned)}, a visit for nothing {number(proof.wanted.prices.false_visit)}"
        f" {_text(unit)}. An announced failure is counted as a planned visit.</p>",
        "<h2>Figures</h2>", _figures(found, bounds),
        "<h2>Machine by machine</h2>", _machines(proof.verdicts),
        _misses(proof.verdicts),
        *(_drawing(proof, v) for v in _first(proof.verdicts)),
        "<h2>What the columns mean</h2>",
        table([{"column": s.column, "signal": s.name, "unit": s.unit, "role": s.role}
               for s in proof.data.mapping.signals]),
        "<details><summary>The same as a file: correct it and give it again</summary><pre>"
        f"{_text(as_yaml(proof.data.mapping))}</pre></details>",
        f"<details><summary>The asset model that was made of it</summary><pre>{_text(proof.model_yaml)}</pre></details>"
        if proof.model_yaml else "",
        *(f"<p>{_text(notice[0].upper() + notice[1:])}.</p>" for notice in proof.notices),
        "<h2>How</h2>", table([{"setting": k, "value": _said(v)} for k, v in report(proof).config.items()]),
        "<p>Nothing left this computer. An alarm counts if it stood within"
        f" {number(proof.wanted.within_days)} days before the failure; a visit covers as many days; a second one before"
        " the same failure counts as one for nothing.</p></main></body></html>",
    ]  # fmt: skip
    return "".join(parts)


def _way(proof: Proof) -> str:
    tried = f"On the first part only, {len(proof.tried)} ways and limits were compared."
    if proof.way == DETECTOR:
        return (
            f"Each machine was watched against its own healthy past; the alarm's threshold is {proof.limit:g}. {tried}"
        )
    return (
        f"The chance of a failure within 24 hours was learned from {proof.trained_failures} failures on record; a visit"
        f" pays from a chance of {proof.limit:.0%} on. {tried}"
    )


def _money(proof: Proof, found: Mapping[str, float | None]) -> str:
    names = {
        "as it was": "cost_as_it_was",
        "with Forewarn": "cost_with_forewarn",
        "fixed interval": "cost_best_fixed_interval",
        "Forewarn instead": "cost_with_forewarn_without_planned_work",
    }
    drawn = bars(list(names), [found[name] for name in names.values()], y_label=proof.wanted.prices.unit)
    intervals = "; ".join(
        f"{name} never early" if days is None else f"{name} every {days:g} days"
        for name, days in proof.interval_days.items()
    )
    said = f"<p>Best fixed interval by the first part: {_text(intervals)}.</p>" if intervals else ""
    return f"<figure>{drawn}<figcaption>What failures and visits cost on the judged part</figcaption></figure>{said}"


def _figures(found: Mapping[str, float | None], bounds: Mapping[str, tuple[float, float]]) -> str:
    rows = []
    for name, value in found.items():
        ends = bounds.get(name)
        between = f"{number(ends[0])} to {number(ends[1])}" if ends else ""
        rows.append({"figure": WORDS.get(name, called(name)), "value": number(value), "95 % interval": between})
    return table(rows)


def _machines(verdicts: Sequence[Verdict]) -> str:
    return table([
        {
            "machine": v.judged.asset, "failures": v.judged.failures, "announced": len(v.judged.leads),
            "notice, hours": ", ".join(f"{lead:.0f}" for lead in v.judged.leads),
            "missed": ", ".join(moment(t) for t in v.judged.missed), "visits for nothing": v.judged.false,
            "not over yet": v.judged.unknown, "failed without readings": len(v.unseen_us),
        }
        for v in verdicts
    ])  # fmt: skip


def _misses(verdicts: Sequence[Verdict]) -> str:
    told = [
        f'<p class="miss"><b>{_text(v.judged.asset)}, {moment(t)}.</b> {_text(v.misses.get(t, ""))}</p>'
        for v in verdicts
        for t in v.judged.missed
    ]
    return "<h2>What was missed, and why</h2>" + "".join(told) if told else ""


def _first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The machines that are drawn: those with misses, then failures, then visits for nothing."""
    ranked = sorted(verdicts, key=lambda v: (-len(v.judged.missed), -v.judged.failures, -v.judged.false))
    return [v for v in ranked[:DRAWN] if v.judged.failures or v.judged.orders] or ranked[:1]


def _drawing(proof: Proof, verdict: Verdict) -> str:
    begin = proof.split_us
    course = verdict.course
    inside = course.at_us >= begin
    days = ((course.at_us[inside] - begin) / HOUR_US / DAY_HOURS).tolist()
    score = course.score[inside].tolist()
    within = proof.wanted.within_days
    svg = line(
        days, {"score": [None if s != s else s for s in score]}, x_label=f"days since {day(begin)}", y_label="score",
        limits=[proof.model.detection.threshold],
        spans=[((t - begin) / HOUR_US / DAY_HOURS - within, (t - begin) / HOUR_US / DAY_HOURS)
               for t in verdict.failed_us],
        alarms=[(t - begin) / HOUR_US / DAY_HOURS for t, _ in verdict.judged.orders],
    )  # fmt: skip
    title = (
        f"{verdict.judged.asset}: score of the detector, its threshold, visits (upright), days before failures (red)"
    )
    return f"<figure><figcaption>{_text(title)}</figcaption>{svg}</figure>"


def _said(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_said(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_said(v) for v in value)
    return number(value) if isinstance(value, float) else str(value)


def _text(value: str) -> str:
    return html.escape(value)
