"""Proof on somebody's own past: the first part is learned from, the second is judged, nothing leaves the computer.

Three ways compete on the first part, and the cheapest one is then judged on the second: the alarms of the live watch
(each machine against its own healthy past), the forecasts that it makes while an alarm stands, and, where enough
failures are on record, the hazard fitted to them and to the log of events. A visit covers as many days as a notice may
be early; a second visit before the same failure counts as false.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from anomaly.domain.hazard import curve
from anomaly.domain.history import HOUR_US, History, Times
from anomaly.domain.layout import Array, layout_of
from anomaly.evaluation.files import BadData
from anomaly.evaluation.orders import Judged, Watched, cost, judge
from anomaly.evaluation.own_data import Happened, Machine, OwnData
from anomaly.evaluation.own_lives import Interval, histories, interval_of, record, usual_hours
from anomaly.evaluation.own_model import model_of, model_text
from anomaly.evaluation.own_watch import TOLD, Course, believed, miss_words, quick_course, watch_machine
from anomaly.evaluation.report import Progress
from anomaly.training.hazard import Fitted, TooLittle, fit
from contracts.asset_model import AssetModel
from contracts.worth import least_chance

TRAIN_SHARE = 0.5
MOST_LEARNING_DAYS, LEARNING_SHARE = 30.0, 0.4
DAY_US = 24 * HOUR_US
ENOUGH_FAILURES = 5
"""Failures in the first part, from which on a hazard is fitted to them."""
THRESHOLDS = (1.5, 2.0, 3.0, 4.5, 7.0, 10.0)
USUAL_THRESHOLD = 3.0
"""Where no failure in the first part says how sensitive the alarm must be."""
CHANCES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
DETECTOR, FORECAST, HAZARD = "detector", "forecasts", "failures on record"
WEEK_DAYS = 7
MONTH_HOURS = 730.0
MINUTE_US = HOUR_US // 60
MOST_ROWS = 120_000
"""Readings beyond are averaged first."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What a failure, a planned visit and a visit for nothing cost, in `unit`."""

    failure: float = 10.0
    planned: float = 1.0
    false_visit: float = 1.0
    unit: str = "in planned visits"


@dataclass(frozen=True)
class Wanted:
    """What was asked for."""

    name: str
    model: AssetModel | None = None
    """None = one is made of the mapping."""
    prices: Prices = field(default_factory=Prices)
    split_us: int | None = None
    within_days: float = 14.0
    """A failure counts as announced by an alarm within so many days before it."""


@dataclass(frozen=True)
class Verdict:
    """One machine on the judged part."""

    judged: Judged
    course: Course
    failed_us: tuple[int, ...]
    """Failures that are judged."""
    unseen_us: tuple[int, ...]
    """Failures in the judged part without readings before them."""
    misses: dict[int, str]
    """Report of each missed failure."""
    months: float
    """How long it was judged."""


@dataclass(frozen=True)
class Proof:
    """All that was found."""

    data: OwnData
    wanted: Wanted
    model: AssetModel
    model_yaml: str | None
    """The model that was made of the mapping; None = one was given."""
    split_us: int
    end_us: int
    way: str
    limit: float
    """Threshold of the detector, or least chance to act on."""
    tried: dict[str, float]
    """Cost on the first part by way and limit."""
    verdicts: list[Verdict]
    trained_failures: int
    interval: Interval
    work_judged: list[Happened]
    months: float
    """Machine-months that were judged."""
    notices: list[str]

    @property
    def hours(self) -> tuple[float | None, float | None]:
        """Usual hours down of a failure and of a piece of work."""
        return usual_hours(self.data)

    @property
    def judged(self) -> list[Judged]:
        """All machines."""
        return [v.judged for v in self.verdicts]


def prove(data: OwnData, wanted: Wanted, progress: Progress) -> Proof:
    """Learn from the first part, judge the second. Raises BadData."""
    data = coarser(data)
    begin, end = record(data)
    split = wanted.split_us if wanted.split_us is not None else round(begin + TRAIN_SHARE * (end - begin))
    if not begin < split < end:
        raise BadData(f"the split {day(split)} must lie within the telemetry, {day(begin)} to {day(end)}")
    learning = min(MOST_LEARNING_DAYS * 24, LEARNING_SHARE * (split - begin) / HOUR_US)
    prices = (wanted.prices.failure, wanted.prices.planned, wanted.prices.false_visit)
    text = model_text(wanted.name, data, learning, THRESHOLDS[1], prices) if wanted.model is None else None
    model = wanted.model or model_of(text or "")
    notices = [*data.notices, *_lacking(data, model)]
    begin_judging = begin + round(learning * HOUR_US)
    tried: dict[str, float] = {}
    fitted = _fitted(data, split, progress)
    if fitted is not None and fitted.stages:
        begin_judging = max(begin_judging, fitted.stages[0].from_us)
    elif data.errors:
        notices.append(
            f"the log of {len(data.errors)} events was not used: something is learned from it only where"
            f" {ENOUGH_FAILURES} failures lie in the first part"
        )
    span = (begin_judging, split)
    threshold = _threshold(data, model, wanted, span, tried, progress)
    model = replace(model, detection=replace(model.detection, threshold=threshold))
    if text is not None:
        text = model_text(wanted.name, data, learning, threshold, prices)
    courses = []
    for i, machine in enumerate(data.machines):
        look = _judged_failures(data, machine, wanted, split)[0]
        courses.append(_run(data, machine, model, look))
        progress(i + 1, len(data.machines), "machines watched")
    way, limit = _way(data, wanted, courses, fitted, (threshold, span), tried)
    told = histories(data, begin, end)[0] if way == HAZARD else []
    verdicts = []
    for i, (machine, course) in enumerate(zip(data.machines, courses, strict=True)):
        at, p = course.at_us, course.alarm if way == DETECTOR else course.chance
        if way == HAZARD and fitted is not None:
            at, p = _chances(fitted, told[i], split, int(machine.at_us[-1]) + 1)
        verdicts.append(_verdict(data, machine, wanted, split, course, (at, p, limit if way != DETECTOR else 0.5)))
    interval = interval_of(data, (wanted.prices.failure, wanted.prices.planned), split)
    months = sum(v.months for v in verdicts)
    return Proof(
        data, wanted, model, text, split, end, way, limit, tried, verdicts,
        len(_unique([f for f in data.failures if f.at_us <= split])), interval,
        [w for w in data.work if split < w.at_us <= end], months, notices,
    )  # fmt: skip


def _lacking(data: OwnData, model: AssetModel) -> list[str]:
    """Signals of the model that the data do not have. Raises BadData where there are no others."""
    lacking = [s for s in model.signals if s not in {u.name for u in data.mapping.used}]
    if len(lacking) == len(model.signals):
        raise BadData(f"none of the signals of model {model.name!r} is in the data; name them in a mapping file")
    return [f"the model's signals {', '.join(lacking)} are not in the data"] if lacking else []


def _way(
    data: OwnData, wanted: Wanted, courses: Sequence[Course], fitted: Fitted | None,
    alarm: tuple[float, tuple[int, int]], tried: dict[str, float],
) -> tuple[str, float]:  # fmt: skip
    """The way that was cheapest on the first part, and its limit: alarms, the forecasts of alarms, the hazard."""
    threshold, span = alarm
    assets = [m.asset for m in data.machines]
    rows = list(zip(assets, courses, strict=True))
    alarms = [_judge(data, a, c.at_us, c.alarm, 0.5, span, wanted) for a, c in rows]
    tried[f"{DETECTOR} {threshold:g}"] = spent = _price(alarms, wanted.prices)
    found = [(spent, 1, DETECTOR, threshold)]
    if any(f.at_us <= span[1] for f in data.failures) and any(c.forecasts for c in courses):
        costs = [
            _price([_judge(data, a, c.at_us, c.chance, limit, span, wanted) for a, c in rows], wanted.prices)
            for limit in _limits(wanted.prices)
        ]
        best = _cheapest(wanted.prices, costs, FORECAST, tried)
        found.append((min(costs), 2, FORECAST, best))
    chance = _chance(data, fitted, wanted, span[1], tried) if fitted is not None else None
    if chance is not None:
        found.append((tried[f"{HAZARD} {chance:g}"], 0, HAZARD, chance))
    _, _, way, limit = min(found)
    return way, limit


def _limits(prices: Prices) -> list[float]:
    return sorted({*CHANCES, least_chance(prices.failure, prices.planned, prices.false_visit)})


def _cheapest(prices: Prices, costs: Sequence[float], way: str, tried: dict[str, float]) -> float:
    """The chance to act on that cost least; of several the middle one."""
    limits = _limits(prices)
    tried |= {f"{way} {limit:g}": spent for limit, spent in zip(limits, costs, strict=True)}
    best = [c for c, spent in zip(limits, costs, strict=True) if spent == min(costs)]
    return best[len(best) // 2]


def coarser(data: OwnData) -> OwnData:
    """Readings averaged over equal steps of time where there are so many that a proof would take hours."""
    rows = sum(len(m.at_us) for m in data.machines)
    if rows <= MOST_ROWS:
        return data
    watched = sum(int(m.at_us[-1] - m.at_us[0]) for m in data.machines)
    step = math.ceil(watched / MOST_ROWS / MINUTE_US) * MINUTE_US
    machines = []
    for m in data.machines:
        bins, first = np.unique(m.at_us // step, return_index=True)
        known = np.isfinite(m.values)
        sums = np.add.reduceat(np.where(known, m.values, 0.0), first, axis=0)
        counts = np.add.reduceat(known.astype(np.float64), first, axis=0)
        means = np.where(counts > 0, sums / np.maximum(counts, 1.0), np.nan)
        machines.append(Machine(m.asset, (bins + 1) * step - 1, means))
    notice = f"{rows:,} rows were averaged over {step // MINUTE_US} minutes"
    return replace(data, machines=machines, notices=[*data.notices, notice])


def _unique(failures: Sequence[Happened]) -> list[tuple[str, int]]:
    """A machine that loses two components at once has failed once."""
    return sorted({(f.asset, f.at_us) for f in failures})


def _failed(data: OwnData, asset: str) -> Times:
    return np.array([t for a, t in _unique(data.failures) if a == asset], dtype=np.int64)


def _stops(data: OwnData, asset: str) -> list[int]:
    return sorted({f.at_us for f in data.failures if f.asset == asset})


def _run(data: OwnData, machine: Machine, model: AssetModel, look: Sequence[int]) -> Course:
    signals = [s.name for s in data.mapping.used]
    return watch_machine(machine, signals, model, _stops(data, machine.asset), look)


def _judge(
    data: OwnData, asset: str, at: Times, p: Array, limit: float, span: tuple[int, int], wanted: Wanted
) -> Judged:
    inside = (at >= span[0]) & (at <= span[1])
    watched = Watched(asset, "", at[inside], p[inside], _failed(data, asset), span[1])
    hours = 24.0 * wanted.within_days
    return judge(watched, limit, span[0], hours, hours)


def _price(judged: Sequence[Judged], prices: Prices) -> float:
    return cost(judged, prices.failure, prices.planned, prices.false_visit)


def _threshold(
    data: OwnData, model: AssetModel, wanted: Wanted, span: tuple[int, int], tried: dict[str, float],
    progress: Progress,
) -> float:  # fmt: skip
    """The threshold that was cheapest on the first part; of several the middle one. A given model keeps its own."""
    candidates = THRESHOLDS if wanted.model is None else (model.detection.threshold,)
    if len(candidates) == 1:
        return candidates[0]
    signals = [s.name for s in data.mapping.used]
    early = []
    for machine in data.machines:
        known = int(np.searchsorted(machine.at_us, span[1], side="right"))
        if known:
            early.append(
                believed(Machine(machine.asset, machine.at_us[:known], machine.values[:known]), signals, model)
            )
    costs = []
    for i, threshold in enumerate(candidates):
        layout = layout_of(replace(model, detection=replace(model.detection, threshold=threshold)))
        judged = []
        for machine in early:
            at, alarm = quick_course(machine, layout.signals, layout, _stops(data, machine.asset))
            judged.append(_judge(data, machine.asset, at, alarm, 0.5, span, wanted))
        costs.append(_price(judged, wanted.prices))
        tried[f"{DETECTOR} {threshold:g}"] = costs[-1]
        progress(i + 1, len(candidates), "thresholds tried on the first part")
    best = [t for t, spent in zip(candidates, costs, strict=True) if spent == min(costs)]
    if any(f.at_us <= span[1] for f in data.failures):
        return best[len(best) // 2]
    return max(best[0], min(best[-1], USUAL_THRESHOLD))


def _fitted(data: OwnData, split: int, progress: Progress) -> Fitted | None:
    known = _unique([f for f in data.failures if f.at_us <= split])
    if len(known) < ENOUGH_FAILURES:
        return None
    machines, fleet = histories(data, *record(data))
    try:
        return fit(machines, fleet, split, tell=progress)
    except TooLittle:
        return None


def _chances(fitted: Fitted, history: History, from_us: int, until_us: int) -> tuple[Times, Array]:
    """P(failure of any component within 24 h), by the hour."""
    at = np.arange(from_us, until_us, HOUR_US, dtype=np.int64)
    return at, 1.0 - np.prod(1.0 - curve(fitted.hazard, history, at, spans=1)[:, 0], axis=0)


def _chance(data: OwnData, fitted: Fitted, wanted: Wanted, split: int, tried: dict[str, float]) -> float | None:
    """The least chance to act on that was cheapest on the later slices of the first part; None = there are none."""
    if not fitted.stages:
        return None
    machines, _ = histories(data, *record(data))
    said: list[tuple[str, Times, Array]] = []
    for history in machines:
        parts = [
            _chances(Fitted(stage.hazard, ()), history.until(stage.until_us), stage.from_us, stage.until_us)
            for stage in fitted.stages
        ]
        said.append((history.asset, np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])))
    span = (fitted.stages[0].from_us, split)
    costs = [
        _price([_judge(data, asset, at, p, limit, span, wanted) for asset, at, p in said], wanted.prices)
        for limit in _limits(wanted.prices)
    ]
    return _cheapest(wanted.prices, costs, HAZARD, tried)


def _judged_failures(data: OwnData, machine: Machine, wanted: Wanted, split: int) -> tuple[list[int], list[int]]:
    """Failures of the judged part, with readings before them and without."""
    within = round(24.0 * wanted.within_days * HOUR_US)
    failed = [t for t in _failed(data, machine.asset).tolist() if split < t <= int(machine.at_us[-1]) + within]
    seen = [t for t in failed if _read(machine, t - within, t)]
    return seen, [t for t in failed if t not in seen]


def _verdict(
    data: OwnData, machine: Machine, wanted: Wanted, split: int, course: Course, said: tuple[Times, Array, float]
) -> Verdict:
    seen, unseen = _judged_failures(data, machine, wanted, split)
    at, p, limit = said
    end = int(machine.at_us[-1])
    judged = _judge(data, machine.asset, at, p, limit, (split, max([end, *seen])), wanted)
    missed = tuple(t for t in judged.missed if t in seen)
    reports = {t: f"{miss_words(course.misses.get(t, []))} {_logged(data, machine.asset, t)}".strip() for t in missed}
    months = max(0, end - max(split, int(machine.at_us[0]))) / HOUR_US / MONTH_HOURS
    return Verdict(replace(judged, missed=missed), course, tuple(seen), tuple(unseen), reports, months)


def _logged(data: OwnData, asset: str, failed_us: int) -> str:
    """Events in the week before a failure, the commonest first."""
    begin = failed_us - WEEK_DAYS * DAY_US
    codes = Counter(e.component for e in data.errors if e.asset == asset and begin <= e.at_us < failed_us)
    said = ", ".join(code if n == 1 else f"{code} ({n} times)" for code, n in codes.most_common(TOLD))
    return f"Logged in the {WEEK_DAYS} days before: {said}." if said else ""


def _read(machine: Machine, from_us: int, until_us: int) -> bool:
    return bool(((machine.at_us >= from_us) & (machine.at_us < until_us)).any())


def day(us: int) -> str:
    """A day as people write it."""
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d")


def moment(us: int) -> str:
    """A minute as people write it."""
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
