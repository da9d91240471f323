"""Azure predictive maintenance: hazards from events and, where there are any, readings; orders by expected cost.

Learned from the time before the split, judged on the time after it; machines are the same before and after, rows are
never drawn at random. The price that a visit for nothing is weighed with is fixed on later slices of the training part.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from anomaly.domain.hazard import EventHazard, curve
from anomaly.domain.history import HOUR_US, History, Times, hours_to
from anomaly.domain.layout import Array
from anomaly.evaluation.azure_files import WHERE, Part, read_part
from anomaly.evaluation.bootstrap import bootstrap
from anomaly.evaluation.drawing import bars, scatter
from anomaly.evaluation.files import BadData, sha256_of
from anomaly.evaluation.intervals import Lives, best_interval, paid
from anomaly.evaluation.orders import COVERS_HOURS, HIT_HOURS, Judged, Watched, cost, judge, precision, recall
from anomaly.evaluation.report import Options, Plot, Progress, Report
from anomaly.training.hazard import Fitted, TooLittle, fit, lives_of
from contracts.worth import least_chance

RATIOS = (5, 10, 20)
HEADLINE = 10
"""Breakdown to planned visit: the ratio at which the orders of the first figures are opened."""
PLANNED = FALSE_VISIT = 1.0
DAY_HOURS = 24.0
MONTH_HOURS = 730.0
EVALUATED_EVERY_US = HOUR_US
BINS = 10
LIMITS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Chances that are tried on the training part as the least one to act on."""
LONG_DAYS = 270
SPLIT_MONTH_DAY = (2, 25)
SOONEST, LATEST = 0.3, 0.8
EVENTS_ONLY = "events"


@dataclass(frozen=True)
class Machine:
    """One asset on the judged part."""

    asset: str
    watched: tuple[Watched, ...]
    squares: float
    rows: int
    said: Array
    came: Array
    many: Array
    """Per bin of P: sum of P, of failures, of rows."""


def evaluate(data: Path, subset: str | None, options: Options, progress: Progress) -> Report:
    """All figures of the set below a folder. Raises BadData.

    Parameters
    ----------
    subset
        A folder below `data`; or `events` to leave telemetry out; None = what is found, with telemetry if there is any.
    options
        `train` may give the day of the split as YYYY-MM-DD.
    """
    folder = data / subset if subset and subset != EVENTS_ONLY else data
    if not folder.is_dir():
        raise BadData(f"{str(folder)!r} must be a folder. {WHERE}")
    part = read_part(folder, subset == EVENTS_ONLY, None)
    split = split_of(part, options.train)
    if options.perturb is not None:
        part = read_part(folder, subset == EVENTS_ONLY, options.perturb, split)
    try:
        fitted = fit(part.histories, part.fleet, split, tell=progress)
    except TooLittle as problem:
        raise BadData(f"{folder}: {problem}") from problem
    tried = rehearsed(fitted, part, progress)
    weights = {ratio: weight_of(tried, ratio) for ratio in RATIOS}
    limits = {r: least_chance(r * PLANNED, PLANNED, weight) for r, weight in weights.items()}
    machines = []
    for i, history in enumerate(part.histories):
        machines.append(machine_of(fitted.hazard, history, split, part.end_us))
        progress(i + 1, len(part.histories), "machines judged")
    return _report(folder, part, fitted, split, weights, limits, machines)


def split_of(part: Part, given: str | None) -> int:
    """Where the judged part begins: 25 February with telemetry, the last quarter of a long record or without."""
    begin, end = part.begin_us, part.end_us
    if given is not None:
        try:
            at = _us(datetime.fromisoformat(given).replace(tzinfo=UTC))
        except ValueError as wrong:
            raise BadData(f"--train {given!r} must be the day on which the judged part begins, YYYY-MM-DD") from wrong
    elif not part.telemetry or end - begin > LONG_DAYS * DAY_HOURS * HOUR_US:
        at = _last_quarter(end)
    else:
        first = datetime.fromtimestamp(begin / 1e6, UTC)
        at = _us(datetime(first.year, *SPLIT_MONTH_DAY, tzinfo=UTC))
        if not SOONEST <= (at - begin) / (end - begin) <= LATEST:
            at = round(begin + 0.61 * (end - begin))
    if not begin < at < end:
        raise BadData(f"the judged part must begin within the record, {_day(begin)} to {_day(end)}, not {_day(at)}")
    return at


def _last_quarter(end_us: int) -> int:
    """Begin of the quarter of a year that ends with the record (give or take a day)."""
    last = datetime.fromtimestamp(end_us / 1e6 - 36 * 3600, UTC)
    return _us(datetime(last.year, 3 * ((last.month - 1) // 3) + 1, 1, tzinfo=UTC))


def watch(hazard: EventHazard, history: History, from_us: int, until_us: int, end_us: int) -> list[Watched]:
    """What the hazard says of each component of an asset, every hour of a stretch of time."""
    at: Times = np.arange(from_us, until_us, EVALUATED_EVERY_US, dtype=np.int64)
    p = curve(hazard, history, at, spans=1)[:, 0]
    return [
        Watched(history.asset, name, at, p[c], history.failed.of(c), end_us)
        for c, name in enumerate(hazard.fleet.components)
    ]


def rehearsed(fitted: Fitted, part: Part, progress: Progress) -> list[tuple[Watched, int]]:
    """What forerunners of the hazard said of later slices of the training part, and where each slice begins."""
    out = []
    for n, stage in enumerate(fitted.stages):
        for i, history in enumerate(part.histories):
            known = history.until(stage.until_us)
            said = watch(stage.hazard, known, stage.from_us, stage.until_us, stage.until_us)
            out += [(one, stage.from_us) for one in said]
            progress(i + 1, len(part.histories), f"machines rehearsed on slice {n + 1} of the training part")
    return out


def weight_of(tried: Sequence[tuple[Watched, int]], ratio: float) -> float:
    """What a visit for nothing is weighed with, in planned visits: the cheapest on what was `rehearsed`; of several
    the middle one, so that small shifts of P change little."""
    candidates = sorted({*(limit * (ratio - 1) * PLANNED for limit in LIMITS), FALSE_VISIT})
    costs = []
    for weight in candidates:
        limit = least_chance(ratio * PLANNED, PLANNED, weight)
        judged = [judge(w, limit, first + round(DAY_HOURS * HOUR_US)) for w, first in tried]
        costs.append(cost(judged, ratio * PLANNED, PLANNED, FALSE_VISIT))
    if not costs or max(costs) == min(costs) == 0:
        return FALSE_VISIT
    best = [w for w, spent in zip(candidates, costs, strict=True) if spent == min(costs)]
    return best[len(best) // 2]


def machine_of(hazard: EventHazard, history: History, from_us: int, end_us: int) -> Machine:
    """Everything about one asset that the figures need."""
    watched = watch(hazard, history, from_us, end_us + 1, end_us)
    sums = np.zeros((3, BINS))
    squares, rows = 0.0, 0
    for one in watched:
        known = one.at_us + round(DAY_HOURS * HOUR_US) <= end_us
        p, y = one.p[known], (hours_to(one.failed_us, one.at_us[known]) <= DAY_HOURS).astype(np.float64)
        place = np.minimum((p * BINS).astype(np.int64), BINS - 1)
        for i, values in enumerate((p, y, np.ones(len(p)))):
            sums[i] += np.bincount(place, weights=values, minlength=BINS)
        squares += float(((p - y) ** 2).sum())
        rows += len(p)
    return Machine(history.asset, tuple(watched), squares, rows, sums[0], sums[1], sums[2])


def ece(machines: Sequence[Machine]) -> float | None:
    """Expected calibration error: mean distance of what was said from what came, by bins of P, weighed by rows."""
    rows = sum(m.rows for m in machines)
    if not rows:
        return None
    apart = sum(m.said for m in machines) - sum(m.came for m in machines)
    return float(np.abs(apart).sum() / rows)


def brier(machines: Sequence[Machine]) -> float | None:
    """Mean squared distance of P from what came."""
    rows = sum(m.rows for m in machines)
    return sum(m.squares for m in machines) / rows if rows else None


@dataclass(frozen=True)
class Fared:
    """One asset at one ratio of costs: its orders, and what the other policies would have cost."""

    machine: Machine
    judged: tuple[Judged, ...]
    to_failure: float
    fixed: float


def fare(
    part: Part, split_us: int, machines: Sequence[Machine], limit: float, ratio: float
) -> tuple[list[Fared], dict[str, float]]:
    """Every asset at one ratio, and the best fixed interval of each component in hours by the training part."""
    first = split_us + round(DAY_HOURS * HOUR_US)
    failure = ratio * PLANNED
    known = [h.until(split_us) for h in part.histories]
    judged_part = [
        History(h.asset, first, h.end_us, h.errors, h.replaced, h.failed, h.age_years) for h in part.histories
    ]
    intervals, rates = {}, []
    for c, name in enumerate(part.fleet.components):
        intervals[name] = best_interval(Lives(*lives_of(known, c)), failure, PLANNED)
        rates.append(_rate(Lives(*lives_of(judged_part, c)), intervals[name], failure))
    out = []
    for machine, history in zip(machines, judged_part, strict=True):
        judged = tuple(judge(w, limit, first) for w in machine.watched)
        fixed = 0.0
        for c, j in enumerate(judged):
            own = Lives(*lives_of([history], c))
            fixed += failure * j.failures if rates[c] is None else (rates[c] or 0.0) * own.exposure
        out.append(Fared(machine, judged, failure * sum(j.failures for j in judged), fixed))
    return out, intervals


def _rate(lives: Lives, interval: float, failure: float) -> float | None:
    """Cost per watched hour of a fixed interval; None = to let it fail is cheaper."""
    if interval == float("inf") or not len(lives.leave):
        return None
    return paid(lives, interval, failure, PLANNED) / lives.exposure


def _saved(ratio: float, against: str, fared: Sequence[Fared]) -> float | None:
    spent = cost([j for f in fared for j in f.judged], ratio * PLANNED, PLANNED, FALSE_VISIT)
    other = sum(f.to_failure if against == "run_to_failure" else f.fixed for f in fared)
    return 1.0 - spent / other if other > 0 else None


def _lead(fared: Sequence[Fared], percent: float) -> float | None:
    leads = [lead for f in fared for j in f.judged for lead in j.leads]
    return float(np.percentile(leads, percent)) if leads else None


def _report(
    folder: Path, part: Part, fitted: Fitted, split: int, weights: dict[int, float], limits: dict[int, float],
    machines: Sequence[Machine],
) -> Report:  # fmt: skip
    fares = {ratio: fare(part, split, machines, limits[ratio], ratio) for ratio in RATIOS}
    fared = fares[HEADLINE][0]
    months = (part.end_us - split) / HOUR_US / MONTH_HOURS

    def orders(of: Sequence[Fared]) -> list[Judged]:
        return [j for f in of for j in f.judged]

    measures: dict[str, Callable[[Sequence[Fared]], float | None]] = {
        "event_recall": lambda of: recall(orders(of)),
        "order_precision": lambda of: precision(orders(of)),
        "false_orders_per_asset_month": lambda of: sum(j.false for j in orders(of)) / (months * len(of)),
        "lead_hours_p10": lambda of: _lead(of, 10),
        "lead_hours_p50": lambda of: _lead(of, 50),
        "lead_hours_p90": lambda of: _lead(of, 90),
        "brier_24h": lambda of: brier([f.machine for f in of]),
        "ece_24h": lambda of: ece([f.machine for f in of]),
    }
    figures = {name: measure(fared) for name, measure in measures.items()}
    ci95 = {name: bootstrap(fared, measure, seed=0) for name, measure in measures.items()}
    for against in ("run_to_failure", "fixed_interval"):
        for ratio in RATIOS:
            name = f"cost_saved_vs_{against}_{ratio}"
            saved = partial(_saved, ratio, against)
            figures[name], ci95[name] = saved(fares[ratio][0]), bootstrap(fares[ratio][0], saved, seed=0)
    every = orders(fared)
    config: dict[str, object] = {
        "learned_until": _day(split),
        "judged_until": _day(part.end_us),
        "machines": len(part.histories),
        "telemetry": part.telemetry,
        "failures_learned_from": dict(zip(part.fleet.components, fitted.hazard.failures, strict=True)),
        "failures_judged": sum(j.failures for j in every),
        "orders": sum(len(j.orders) for j in every),
        "orders_not_judged": sum(j.unknown for j in every),
        "why_not_judged": f"the record ends less than {HIT_HOURS:g} h after them without a failure",
        "hit": f"an alarm within {HIT_HOURS:g} h before the failure",
        "order_covers_hours": COVERS_HOURS,
        "acts": "P(failure within 24 h) x (C_failure - C_planned) > C_false",
        "cost_planned": PLANNED,
        "cost_false_visit": FALSE_VISIT,
        "false_visit_weighed_with": {str(r): round(w, 3) for r, w in weights.items()},
        "least_chance_to_act": {str(r): round(limit, 4) for r, limit in limits.items()},
        "fixed_interval_days": {
            str(r): {name: _days(hours) for name, hours in fares[r][1].items()} for r in RATIOS
        },
        "orders_of_first_figures_at_ratio": HEADLINE,
        "source": WHERE,
    }  # fmt: skip
    return Report(
        "azure", "telemetry" if part.telemetry else "events", (0,), sha256_of(part.files, folder), config, figures,
        {name: bounds for name, bounds in ci95.items() if bounds is not None}, _items(fared), _plots(fared, figures),
    )  # fmt: skip


def _items(fared: Sequence[Fared]) -> list[dict[str, object]]:
    return [
        {
            "machine": j.asset,
            "component": j.component,
            "failures": j.failures,
            "announced": len(j.leads),
            "notice_hours": [round(lead, 1) for lead in j.leads],
            "missed": [_when(t) for t in j.missed],
            "orders": [f"{_when(t)} {verdict}" for t, verdict in j.orders],
        }
        for f in fared
        for j in f.judged
        if j.failures or j.orders
    ]


def _plots(fared: Sequence[Fared], figures: dict[str, float | None]) -> list[Plot]:
    said, came, many = (
        np.sum([getattr(f.machine, name) for f in fared], axis=0) for name in ("said", "came", "many")
    )  # fmt: skip
    filled = many > 0
    savings = [figures[f"cost_saved_vs_run_to_failure_{r}"] for r in RATIOS]
    against = [figures[f"cost_saved_vs_fixed_interval_{r}"] for r in RATIOS]
    names = [*(f"{r}:1 failure" for r in RATIOS), *(f"{r}:1 interval" for r in RATIOS)]
    return [
        Plot(
            "What was said and what came: P(failure within 24 h), ten bins",
            scatter(
                (said[filled] / many[filled]).tolist(), (came[filled] / many[filled]).tolist(),
                x_label="said", y_label="came true", diagonal=True,
            ),
        ),
        Plot("Share of cost saved, against run to failure and against the best fixed interval",
             bars(names, [*savings, *against], y_label="share saved")),
    ]  # fmt: skip


def _us(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def _day(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d")


def _when(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")


def _days(hours: float) -> float | None:
    """None = to let it fail is cheaper."""
    return None if hours == float("inf") else round(hours / DAY_HOURS, 1)
