"""Proof on somebody's own past: the first part is learned from, the second is judged, nothing leaves the computer.

Two ways compete on the first part, and the cheaper one is then judged on the second: the live detector and alarm
machine (each machine against its own healthy past), and, where enough failures are on record, the hazard fitted to
them. A visit covers as many days as a notice may be early; a second visit before the same failure counts as false.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from anomaly.domain.hazard import Fleet, curve
from anomaly.domain.history import HOUR_US, Events, History, Readings, Times
from anomaly.domain.layout import Array, layout_of
from anomaly.evaluation.files import BadData
from anomaly.evaluation.intervals import Lives, best_interval, paid
from anomaly.evaluation.orders import Judged, Watched, cost, judge
from anomaly.evaluation.own_data import Happened, Machine, OwnData
from anomaly.evaluation.own_model import model_of, model_text
from anomaly.evaluation.own_watch import Course, miss_words, watch_machine
from anomaly.evaluation.report import Progress
from anomaly.training.hazard import Fitted, TooLittle, fit, lives_of
from contracts.asset_model import AssetModel
from contracts.worth import least_chance

TRAIN_SHARE = 0.5
MOST_LEARNING_DAYS, LEARNING_SHARE = 30.0, 0.4
DAY_US = 24 * HOUR_US
ENOUGH_FAILURES = 5
"""Failures in the first part, from which on a hazard is fitted to them."""
THRESHOLDS = (1.5, 2.0, 3.0, 4.5, 7.0, 10.0)
USUAL_THRESHOLD = 2.0
"""Where no failure in the first part says how sensitive the alarm must be."""
CHANCES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
DETECTOR, HAZARD = "detector", "failures on record"
MONTH_HOURS = 730.0
MINUTE_US = HOUR_US // 60
MOST_ROWS = 300_000
"""Readings beyond are averaged first."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What a failure, a planned visit and a visit for nothing cost, in `unit`."""

    failure: float = 10.0
    planned: float = 1.0
    false_visit: float = 1.0
    unit: str = "planned visits"


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
    interval_cost: float | None
    """The best fixed interval by the first part, paid on the second; None = its ages are not known."""
    interval_days: dict[str, float | None]
    work_judged: list[Happened]
    months: float
    """Machine-months that were judged."""
    notices: list[str]

    @property
    def judged(self) -> list[Judged]:
        """All machines."""
        return [v.judged for v in self.verdicts]


def prove(data: OwnData, wanted: Wanted, progress: Progress) -> Proof:
    """Learn from the first part, judge the second. Raises BadData."""
    data = coarser(data)
    begin, end = _record(data)
    split = wanted.split_us if wanted.split_us is not None else round(begin + TRAIN_SHARE * (end - begin))
    if not begin < split < end:
        raise BadData(f"the split {day(split)} must lie within the telemetry, {day(begin)} to {day(end)}")
    learning = min(MOST_LEARNING_DAYS * 24, LEARNING_SHARE * (split - begin) / HOUR_US)
    prices = (wanted.prices.failure, wanted.prices.planned, wanted.prices.false_visit)
    text = model_text(wanted.name, data, learning, THRESHOLDS[1], prices) if wanted.model is None else None
    model = wanted.model or model_of(text or "")
    lacking = [s for s in model.signals if s not in {u.name for u in data.mapping.used}]
    notices = [*data.notices]
    if lacking:
        notices.append(f"the model's signals {', '.join(lacking)} are not in the data")
    if len(lacking) == len(model.signals):
        raise BadData(f"none of the signals of model {model.name!r} is in the data; name them in a mapping file")
    begin_judging = begin + round(learning * HOUR_US)
    tried: dict[str, float] = {}
    fitted = _fitted(data, split, progress)
    if fitted is not None and fitted.stages:
        begin_judging = max(begin_judging, fitted.stages[0].from_us)
    threshold = _threshold(data, model, wanted, (begin_judging, split), tried, progress)
    chance = _chance(data, fitted, wanted, split, tried) if fitted is not None else None
    way, limit = DETECTOR, threshold
    if chance is not None and tried[f"{HAZARD} {chance:g}"] <= tried[f"{DETECTOR} {threshold:g}"]:
        way, limit = HAZARD, chance
    model = replace(model, detection=replace(model.detection, threshold=threshold))
    if text is not None:
        text = model_text(wanted.name, data, learning, threshold, prices)
    verdicts = []
    told = histories(data, begin, end)[0] if way == HAZARD else [None] * len(data.machines)
    for i, (machine, history) in enumerate(zip(data.machines, told, strict=True)):
        use = (fitted, history, limit) if history is not None and fitted is not None else None
        verdicts.append(_verdict(data, machine, model, wanted, split, use))
        progress(i + 1, len(data.machines), "machines judged")
    cost_fixed, days = _interval(data, wanted, split)
    months = sum(max(0, int(m.at_us[-1]) - max(split, int(m.at_us[0]))) for m in data.machines) / HOUR_US / MONTH_HOURS
    return Proof(
        data, wanted, model, text, split, end, way, limit, tried, verdicts,
        len(_unique([f for f in data.failures if f.at_us <= split])), cost_fixed, days,
        [w for w in data.work if split < w.at_us <= end], months, notices,
    )  # fmt: skip


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


def _record(data: OwnData) -> tuple[int, int]:
    """The first and the last reading of any machine."""
    return min(int(m.at_us[0]) for m in data.machines), max(int(m.at_us[-1]) for m in data.machines)


def _unique(failures: Sequence[Happened]) -> list[tuple[str, int]]:
    """A machine that loses two components at once has failed once."""
    return sorted({(f.asset, f.at_us) for f in failures})


def _failed(data: OwnData, asset: str) -> Times:
    return np.array([t for a, t in _unique(data.failures) if a == asset], dtype=np.int64)


def _stops(data: OwnData, asset: str) -> list[int]:
    return sorted({f.at_us for f in data.failures if f.asset == asset})


def _run(data: OwnData, machine: Machine, model: AssetModel, look: Sequence[int] = ()) -> Course:
    signals = [s.name for s in data.mapping.used]
    return watch_machine(machine, signals, model, layout_of(model), _stops(data, machine.asset), look)


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
    costs = []
    for i, threshold in enumerate(candidates):
        trial = replace(model, detection=replace(model.detection, threshold=threshold))
        judged = []
        for machine in data.machines:
            known = int(np.searchsorted(machine.at_us, span[1], side="right"))
            if known:
                early = Machine(machine.asset, machine.at_us[:known], machine.values[:known])
                course = _run(data, early, trial)
                judged.append(_judge(data, machine.asset, course.at_us, course.alarm, 0.5, span, wanted))
        costs.append(_price(judged, wanted.prices))
        tried[f"{DETECTOR} {threshold:g}"] = costs[-1]
        progress(i + 1, len(candidates), "thresholds tried on the first part")
    best = [t for t, spent in zip(candidates, costs, strict=True) if spent == min(costs)]
    if any(f.at_us <= span[1] for f in data.failures):
        return best[len(best) // 2]
    return max(best[0], min(best[-1], USUAL_THRESHOLD))


def histories(data: OwnData, begin_us: int, end_us: int) -> tuple[list[History], Fleet]:
    """The machines as histories: a failure ends with a replacement, and so does work on a component."""
    components = tuple(sorted({h.component for h in (*data.failures, *data.work)}))
    out = []
    for m in data.machines:
        failed = [(f.at_us, components.index(f.component)) for f in data.failures if f.asset == m.asset]
        worked = [(w.at_us, components.index(w.component)) for w in data.work if w.asset == m.asset]
        out.append(
            History(m.asset, begin_us, end_us, Events(), _events([*failed, *worked]), _events(failed), math.nan,
                    Readings(m.at_us, m.values))
        )  # fmt: skip
    return out, Fleet(components, (), tuple(s.name for s in data.mapping.used))


def _events(rows: Sequence[tuple[int, int]]) -> Events:
    both = np.array(sorted(set(rows)), dtype=np.int64).reshape(-1, 2)
    return Events(both[:, 0], both[:, 1])


def _fitted(data: OwnData, split: int, progress: Progress) -> Fitted | None:
    known = _unique([f for f in data.failures if f.at_us <= split])
    if len(known) < ENOUGH_FAILURES:
        return None
    machines, fleet = histories(data, *_record(data))
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
    machines, _ = histories(data, *_record(data))
    said: list[tuple[str, Times, Array]] = []
    for history in machines:
        parts = [
            _chances(Fitted(stage.hazard, ()), history.until(stage.until_us), stage.from_us, stage.until_us)
            for stage in fitted.stages
        ]
        said.append((history.asset, np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])))
    prices = wanted.prices
    candidates = sorted({*CHANCES, least_chance(prices.failure, prices.planned, prices.false_visit)})
    span = (fitted.stages[0].from_us, split)
    costs = [
        _price([_judge(data, asset, at, p, limit, span, wanted) for asset, at, p in said], prices)
        for limit in candidates
    ]
    tried |= {f"{HAZARD} {limit:g}": spent for limit, spent in zip(candidates, costs, strict=True)}
    best = [c for c, spent in zip(candidates, costs, strict=True) if spent == min(costs)]
    return best[len(best) // 2]


def _verdict(
    data: OwnData, machine: Machine, model: AssetModel, wanted: Wanted, split: int,
    use: tuple[Fitted, History, float] | None,
) -> Verdict:  # fmt: skip
    end = int(machine.at_us[-1])
    hours = 24.0 * wanted.within_days
    failed = [t for t in _failed(data, machine.asset).tolist() if split < t <= end + round(hours * HOUR_US)]
    seen = [t for t in failed if _read(machine, t - round(hours * HOUR_US), t)]
    course = _run(data, machine, model, seen)
    at, p, limit = course.at_us, course.alarm, 0.5
    if use is not None:
        fitted, history, limit = use
        at, p = _chances(fitted, history, split, end + 1)
    last = max([end, *seen])
    judged = _judge(data, machine.asset, at, p, limit, (split, last), wanted)
    missed = tuple(t for t in judged.missed if t in seen)
    judged = replace(judged, missed=missed)
    reports = {t: miss_words(course.misses.get(t, [])) for t in missed}
    return Verdict(judged, course, tuple(seen), tuple(t for t in failed if t not in seen), reports)


def _read(machine: Machine, from_us: int, until_us: int) -> bool:
    return bool(((machine.at_us >= from_us) & (machine.at_us < until_us)).any())


def _interval(data: OwnData, wanted: Wanted, split: int) -> tuple[float | None, dict[str, float | None]]:
    """What the best fixed interval of each component would have cost on the judged part, and its days."""
    whole, fleet = histories(data, *_record(data))
    whole = [_with_beginning(h, len(fleet.components)) for h in whole]
    prices, total = wanted.prices, 0.0
    days: dict[str, float | None] = {}
    failing = {f.component for f in data.failures}
    for c, name in enumerate(fleet.components):
        if name not in failing:
            continue
        hours = best_interval(Lives(*lives_of([h.until(split) for h in whole], c)), prices.failure, prices.planned)
        later = [replace(h, begin_us=split) for h in whole]
        total += paid(Lives(*lives_of(later, c)), hours, prices.failure, prices.planned)
        days[name] = None if math.isinf(hours) else round(hours / 24, 1)
    return (total if days else None), days


def _with_beginning(history: History, components: int) -> History:
    """Where nothing older is on record, lives begin with the record."""
    known = set(history.replaced.which[history.replaced.at_us <= history.begin_us].tolist())
    born = [(history.begin_us, c) for c in range(components) if c not in known]
    rows = [*born, *zip(history.replaced.at_us.tolist(), history.replaced.which.tolist(), strict=True)]
    return replace(history, replaced=_events(rows))


def day(us: int) -> str:
    """A day as people write it."""
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d")


def moment(us: int) -> str:
    """A minute as people write it."""
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
