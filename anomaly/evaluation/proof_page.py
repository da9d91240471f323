"""The proof as one page for a boss: the answer first, then money, machines, plots, and how it was done."""

import html
from collections.abc import Mapping, Sequence

from anomaly.domain.history import HOUR_US
from anomaly.evaluation.drawing import bars, line
from anomaly.evaluation.html import STYLE, table
from anomaly.evaluation.own_mapping import as_yaml
from anomaly.evaluation.proof_losses import losses_of
from anomaly.evaluation.proof_report import figures, report, sentence
from anomaly.evaluation.prove import DETECTOR, FORECAST, Proof, Verdict, day, moment
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
    "downtime_hours_best_fixed_interval": "Hours down with the best fixed interval",
    "sensor_faults": "Sensor faults, which are none of the machines",
}
SHOWN, MOST_SENSORS = 10, 100
EXTRA = """
main svg{max-width:100%;height:auto}
.answer{font-size:1.15rem;border-left:4px solid #3b82c4;padding:.5rem 1rem;background:#8881}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.5rem;margin:1rem 0}
.cards div{border:1px solid var(--line);border-radius:.4rem;padding:.5rem .75rem}
.cards b{display:block;font-size:1.4rem;white-space:nowrap}.cards span,.small{font-size:.85rem}
.miss{border-left:4px solid #d0483e;padding:.1rem 1rem;margin:.75rem 0}
details{margin:.75rem 0}pre{overflow-x:auto;font-size:.8rem}
@page{size:A4;margin:12mm}
@media print{
body{margin:0;max-width:none;font-size:10pt}h1{font-size:1.25rem;margin:.25rem 0}h2{margin:.75rem 0 .25rem}
figure{margin:.5rem 0}figure,.miss,.cards{break-inside:avoid}
.money svg{max-height:30mm;width:auto}p{margin:.4rem 0}.cards{margin:.5rem 0}.interval{display:none}
.small{font-size:8pt}table{font-size:8pt}th,td{padding:.1rem .4rem;white-space:normal}
.more{break-before:page}details{display:none}
}
"""


def page(proof: Proof) -> str:
    """The whole page as HTML: no script, nothing loaded from elsewhere. What a boss needs is on the first sheet."""
    found = figures(proof)
    title = f"What Forewarn would have done: {proof.model.title}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{_text(title)}</title><style>{STYLE}{EXTRA}</style></head><body><main><h1>{_text(title)}</h1>",
        f'<p class="answer">{_text(sentence(proof))}</p>', _cards(found), _money(proof, found),
        "<h2>Machine by machine</h2>", _machines(proof, _eventful(proof.verdicts)),
        f'<p class="small">Learned from the record until {day(proof.split_us)}, judged on what came after it, until'
        f" {day(proof.end_us)}. {_text(_way(proof))} A failure costs {number(proof.wanted.prices.failure)}, a planned"
        f" visit {number(proof.wanted.prices.planned)}, a visit for nothing"
        f" {number(proof.wanted.prices.false_visit)} ({_text(proof.wanted.prices.unit)}); an announced failure counts"
        " as a planned visit. Nothing left this computer.</p>",
        '<section class="more">', _details(proof, found), "</section></main></body></html>",
    ]  # fmt: skip
    return "".join(parts)


def _details(proof: Proof, found: Mapping[str, float | None]) -> str:
    mapping = proof.data.mapping
    return "".join([
        _misses(proof.verdicts), _sensors(proof.verdicts),
        *(_drawing(proof, v) for v in _first(proof.verdicts)),
        "<h2>All figures</h2>", _figures(found, report(proof).ci95),
        "<h2>All machines</h2>" + _machines(proof, proof.verdicts)
        if len(_eventful(proof.verdicts)) < len(proof.verdicts) else "",
        "<h2>What the columns mean</h2>",
        table([{"column": s.column, "signal": s.name, "unit": s.unit, "role": s.role} for s in mapping.signals]),
        f"<details><summary>The same as a file: correct it and give it again</summary><pre>{_text(as_yaml(mapping))}"
        "</pre></details>",
        f"<details><summary>The asset model that was made of it</summary><pre>{_text(proof.model_yaml)}</pre></details>"
        if proof.model_yaml else "",
        *(f"<p>{_text(notice[0].upper() + notice[1:])}.</p>" for notice in proof.notices),
        "<h2>How</h2>", table([{"setting": k, "value": _said(v)} for k, v in report(proof).config.items()]),
        "<p>The live watch was run: sensor faults, detector, alarms, forecasts. A failure counts as announced if there"
        f" was a call for a visit within {number(proof.wanted.within_days)} days before it; a visit covers as many"
        " days; a second one before the same failure counts as one for nothing.</p>",
    ])  # fmt: skip


def _cards(found: Mapping[str, float | None]) -> str:
    """The few figures that a boss asks for."""

    def money(name: str) -> str:
        return number(found[name])

    saved, against = found["saved_against_as_it_was"], found["saved_against_fixed_interval"]
    cards = [
        (f"{number(found['failures_announced'])} of {number(found['failures_judged'])}", "failures announced"),
        ("–" if found["lead_hours_p50"] is None else f"{found['lead_hours_p50']:.0f} h", "notice, median"),
        (number(found["false_orders_per_asset_month"]), "visits for nothing per machine and month"),
        (money("cost_with_forewarn"), f"cost with Forewarn, {money('cost_as_it_was')} as it was"
         + (f" ({-saved:+.0%})" if saved is not None else "")),
    ]  # fmt: skip
    if found["cost_best_fixed_interval"] is not None:
        cards.append((money("cost_with_forewarn_without_planned_work"),
                      f"cost without planned work, {money('cost_best_fixed_interval')} by the best fixed interval"
                      + (f" ({-against:+.0%})" if against is not None else "")))  # fmt: skip
    if found["downtime_hours_as_it_was"] is not None:
        down = found["downtime_hours_with_forewarn"]
        cards.append(("–" if down is None else f"{down:.0f} h",
                      f"down with Forewarn, {found['downtime_hours_as_it_was']:.0f} h as it was"
                      + (" (hours of planned work are not in the data)" if down is None else "")))  # fmt: skip
    return (
        '<div class="cards">' + "".join(f"<div><b>{_text(a)}</b><span>{_text(b)}</span></div>" for a, b in cards)
        + "</div>"
    )  # fmt: skip


def _way(proof: Proof) -> str:
    tried = f"On the first part only, {len(proof.tried)} ways and limits were compared."
    if proof.way == DETECTOR:
        return (
            f"Each machine was watched against its own healthy past; the alarm's threshold is {proof.limit:g}. {tried}"
        )
    if proof.way == FORECAST:
        return (
            "Each machine was watched against its own healthy past; while an alarm stood, a visit was called for where"
            f" forecasts in a row gave a chance of a failure of {proof.limit:.0%} and more. {tried}"
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
        for name, days in proof.interval.days.items()
    )
    said = f"<p class='interval'>Best fixed interval by the first part: {_text(intervals)}.</p>" if intervals else ""
    caption = "What failures and visits cost on the judged part"
    return f'<figure class="money">{drawn}<figcaption>{caption}</figcaption></figure>{said}'


def _figures(found: Mapping[str, float | None], bounds: Mapping[str, tuple[float, float]]) -> str:
    rows = []
    for name, value in found.items():
        ends = bounds.get(name)
        between = f"{number(ends[0])} to {number(ends[1])}" if ends else ""
        rows.append({"figure": WORDS.get(name, called(name)), "value": number(value), "95 % interval": between})
    return table(rows)


def _eventful(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The machines that a boss asks about, those with most failures first."""
    some = [v for v in verdicts if v.judged.failures or v.judged.false]
    return sorted(some, key=lambda v: (-v.judged.failures, -v.judged.false))[:SHOWN] or list(verdicts[:SHOWN])


def _machines(proof: Proof, verdicts: Sequence[Verdict]) -> str:
    rows = []
    for v in verdicts:
        j, lost = v.judged, losses_of(proof, v)
        row: dict[str, object] = {
            "machine": j.asset, "failures": j.failures,
            "announced, hours before": ", ".join(f"{lead:.0f}" for lead in j.leads),
            "missed": len(j.missed), "visits for nothing": j.false,
            "a month": number(j.false / v.months if v.months else None),
            "cost as it was": number(lost.cost_was), "with Forewarn": number(lost.cost_with),
            "fixed interval": number(lost.cost_interval),
        }  # fmt: skip
        if lost.down_was is not None:
            row |= {"hours down": number(lost.down_was), "with": number(lost.down_with)}
        if any(x.judged.unknown for x in verdicts):
            row["not over yet"] = j.unknown
        if any(x.unseen_us for x in verdicts):
            row["failed without readings"] = len(v.unseen_us)
        rows.append(row)
    return table(rows)


def _sensors(verdicts: Sequence[Verdict]) -> str:
    rows: list[dict[str, object]] = [
        {
            "machine": v.judged.asset, "sensor": f.signal, "is": f.says, "since": moment(f.since_us),
            "until": "the end" if f.until_us is None else moment(f.until_us),
        }
        for v in verdicts
        for f in v.course.faults
    ]  # fmt: skip
    if not rows:
        return ""
    more = f"<p>{len(rows) - MOST_SENSORS} more.</p>" if len(rows) > MOST_SENSORS else ""
    return (
        "<h2>Sensors to check</h2><p>Not faults of the machines: these readings were left out of their scores while"
        f" they lasted.</p>{table(rows[:MOST_SENSORS])}{more}"
    )


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
