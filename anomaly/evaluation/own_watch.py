"""One machine of somebody's own past through the live watch: its alarms, forecasts and faulty sensors; missed failures.

`watch_machine` is the whole watch, as the service runs it. `quick_course` is its detector and alarm machine alone, on
the readings that the watch believes: enough to compare thresholds on the first part, in a tenth of the time.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.alarm import AlarmMachine, Change
from anomaly.domain.detector import Scores, detector_of, joined
from anomaly.domain.forecast import Forecast
from anomaly.domain.history import HOUR_US, Times
from anomaly.domain.layout import Array, Layout, layout_of
from anomaly.domain.missed import ALONE, SCORE, LookBack, Nearness, look_back
from anomaly.domain.sensing_records import take
from anomaly.domain.sensor_faults import SAYS, SensorChanged, rules_of
from anomaly.domain.sensor_marks import blank
from anomaly.domain.watch import AlarmChanged, Event, Watch
from anomaly.evaluation.own_data import Machine
from contracts.asset_model import AssetModel

CHUNK = 5_000
POINT_HOURS = 24.0
"""Nobody looks at the charts' points of a proof."""
LOOK_BACK_HOURS = 30 * 24.0
TOLD = 3


@dataclass
class Spell:
    """A sensor that was faulty; `until_us` None = to the end of the record."""

    signal: str
    says: str
    since_us: int
    until_us: int | None = None


@dataclass
class Course:
    """What was said of one machine: rows after averaging of fast ones."""

    at_us: Times
    score: Array
    """Multiples of the calibrated limit; NaN = not enough seen yet."""
    alarm: Array
    """1 = an alarm stood."""
    chance: Array
    """P(failure within the model's horizon) that as many forecasts in a row said as the decision asks for; 0 = none."""
    raised_us: list[int]
    carried: dict[int, tuple[str, ...]]
    """Signals that carried the score when an alarm was raised, strongest first."""
    faults: list[Spell] = field(default_factory=list)
    forecasts: int = 0
    misses: dict[int, list[Nearness]] = field(default_factory=dict)
    """Of failures that were looked back from."""


def watch_machine(
    machine: Machine, signals: Sequence[str], model: AssetModel, stops_us: Sequence[int],
    look_back_us: Sequence[int] = (),
) -> Course:  # fmt: skip
    """Feed the record to the live watch as it would have come in.

    Parameters
    ----------
    stops_us
        Times of failures and repairs: a standing alarm ends there, and none is raised until windows have filled anew.
    look_back_us
        Failures whose 30 days before are looked at.
    """
    watch = Watch(model)
    watch.point_hours = POINT_HOURS
    layout = watch.layout
    values = layout.arrange(list(signals), machine.values)
    found: list[Scores] = []
    told: list[tuple[int, Event | None]] = []
    stops = sorted(stops_us)
    edges = [0, *np.searchsorted(machine.at_us, stops).tolist(), len(machine.at_us)]
    for turn, (first, end) in enumerate(pairwise(edges)):
        for at in range(first, end, CHUNK):
            part = slice(at, min(at + CHUNK, end))
            scores, events = watch.feed(machine.at_us[part], values[part])
            found.append(scores)
            told += [(_when(event), event) for event in events]
        if turn < len(stops):
            told.append((stops[turn], None))
            told += [(stops[turn], event) for event in _visited(watch, stops[turn])]
    course = _course(joined(found, len(layout.symptoms)), told, model, layout)
    if watch.detector.baseline is not None:
        for failed in look_back_us:
            back = LookBack(model, layout, watch.detector.baseline, failed - round(LOOK_BACK_HOURS * HOUR_US), failed)
            for piece in found:
                back.add(piece)
            course.misses[failed] = look_back(back.hours, layout.settings.window_hours)
    return course


def _visited(watch: Watch, at_us: int) -> list[Event]:
    """Somebody was at the machine: its alarm ends, sensors that moved alone were looked at, windows fill anew."""
    watch.memory.alarm.restart(at_us)
    watch.shelve(at_us, at_us + round(watch.layout.settings.window_hours * HOUR_US), "repaired")
    return [event for signal in list(watch.memory.apart) for event in watch.checked(signal, at_us)]


def _when(event: Event) -> int:
    return event.measured_us if isinstance(event, Forecast) else event.at_us


def _course(scores: Scores, told: Sequence[tuple[int, Event | None]], model: AssetModel, layout: Layout) -> Course:
    """Events in order (None = somebody was there) as series over the scores' times."""
    n = len(scores)
    course = Course(scores.t_us, scores.score, np.zeros(n), np.zeros(n), [], {})
    newest: deque[float] = deque(maxlen=max(1, model.decision.consecutive))
    open_faults: dict[tuple[str, str], Spell] = {}
    for t_us, event in told:
        at = int(np.searchsorted(scores.t_us, t_us))
        match event:
            case None:
                course.alarm[at:] = course.chance[at:] = 0.0
                newest.clear()
            case AlarmChanged(change=Change.RAISED):
                course.alarm[at:] = 1.0
                course.raised_us.append(t_us)
                course.carried[t_us] = tuple(name for name, _ in event.parts[:TOLD])
            case AlarmChanged():
                course.alarm[at:] = course.chance[at:] = 0.0
                newest.clear()
            case Forecast():
                course.forecasts += 1
                newest.append(event.life.by(model.decision.horizon_hours) if event.life is not None else 0.0)
                course.chance[at:] = min(newest) if len(newest) == newest.maxlen else 0.0
            case SensorChanged():
                key = (event.signal, event.kind)
                if event.faulty:
                    spell = Spell(event.signal or "the device", SAYS[event.fault], event.since_us)
                    open_faults[key] = spell
                    course.faults.append(spell)
                elif key in open_faults:
                    open_faults.pop(key).until_us = t_us
    return course


def quick_course(
    machine: Machine, signals: Sequence[str], layout: Layout, stops_us: Sequence[int]
) -> tuple[Times, Array]:
    """When an alarm would have stood (1) with the layout's threshold: the detector and the alarm machine alone."""
    settings = layout.settings
    detector, alarm = detector_of(layout), AlarmMachine()
    changes: list[tuple[int, bool]] = []
    stops = sorted(stops_us)
    passed = 0
    calm_us = round(settings.window_hours * HOUR_US)

    def judge(t_us: int, score: float) -> bool:
        nonlocal passed
        while passed < len(stops) and stops[passed] <= t_us:
            if alarm.restart(stops[passed]) is not None:
                changes.append((stops[passed], False))
            alarm.shelve(stops[passed], stops[passed] + calm_us, "repaired")
            passed += 1
        if alarm.step(t_us, score, settings) is not None:
            changes.append((t_us, alarm.raised))
        return alarm.raised

    values = layout.arrange(list(signals), machine.values)
    at = [
        detector.feed(machine.at_us[part], values[part], judge).t_us for part in _parts(len(machine.at_us))
    ]  # fmt: skip
    t_us: Times = np.concatenate(at) if at else np.zeros(0, dtype=np.int64)
    state = np.zeros(len(t_us))
    for changed_us, stands in changes:
        state[int(np.searchsorted(t_us, changed_us)) :] = float(stands)
    return t_us, state


def believed(machine: Machine, signals: Sequence[str], model: AssetModel) -> Machine:
    """The readings without those of faulty sensors, as the watch believes them."""
    layout = layout_of(model)
    rules = rules_of(model, layout)
    marks, values = blank(rules.signals), layout.arrange(list(signals), machine.values)
    out: list[NDArray[np.float64]] = []
    at = 0
    while at < len(values):
        some, _ = take(marks, rules, machine.at_us[at:], values[at:])
        out.append(some)
        at += len(some)
    return Machine(machine.asset, machine.at_us, np.concatenate(out) if out else values)


def _parts(rows: int) -> Iterator[slice]:
    return (slice(first, first + CHUNK) for first in range(0, rows, CHUNK))


def miss_words(near: Sequence[Nearness]) -> str:
    """A missed failure in one or two sentences: which detector was nearest, since when, or that it cannot be seen."""
    if not near:
        return "Too few readings in the 30 days before to say anything."
    best = near[0]
    standing = [n for n in near if n.since is not None and n.kind != SCORE] or [n for n in near if n.since is not None]
    if not standing:
        return (
            f"Not visible in these signals: nothing stood out from the quiet days before. Nearest was {_who(best)} with"
            f" {best.nearest:.0%} of its threshold."
        )
    first = min(standing, key=lambda n: n.since or 0)
    hours = LOOK_BACK_HOURS - (first.since or 0)
    return (
        f"Nearest was {_who(best)} with {best.nearest:.0%} of its threshold. {_who(first).capitalize()} stood out from"
        f" the quiet days {hours:.0f} hours before the failure, the earliest moment it could have been seen."
    )


def _who(near: Nearness) -> str:
    if near.kind == SCORE:
        return "the score of all signals"
    return f"signal {near.name}" if near.kind == ALONE else f"the limit of {near.name}"
