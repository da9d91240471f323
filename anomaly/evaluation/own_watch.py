"""One machine of somebody's own past through the live detector and alarm machine, and what a miss looked like."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from anomaly.domain.alarm import AlarmMachine
from anomaly.domain.detector import Scores, detector_of, joined
from anomaly.domain.history import HOUR_US, Times
from anomaly.domain.layout import Array, Layout
from anomaly.domain.missed import ALONE, SCORE, LookBack, Nearness, look_back
from anomaly.evaluation.own_data import Machine
from contracts.asset_model import AssetModel

CHUNK = 5_000
LOOK_BACK_HOURS = 30 * 24.0
TOLD = 3
VISIBLE = 1.0


@dataclass
class Course:
    """What the detector said of one machine: rows after averaging of fast ones."""

    at_us: Times
    score: Array
    """Multiples of the calibrated limit; NaN = not enough seen yet."""
    alarm: Array
    """1 = an alarm stood."""
    raised_us: list[int]
    carried: dict[int, tuple[str, ...]]
    """Signals that carried the score when an alarm was raised, strongest first."""
    misses: dict[int, list[Nearness]] = field(default_factory=dict)
    """Of failures that were looked back from."""


def watch_machine(
    machine: Machine, signals: Sequence[str], model: AssetModel, layout: Layout, stops_us: Sequence[int],
    look_back_us: Sequence[int] = (),
) -> Course:  # fmt: skip
    """Feed the record as it would have come in.

    Parameters
    ----------
    stops_us
        Times of failures and repairs: a standing alarm ends there, and none is raised until windows have filled anew.
    look_back_us
        Failures whose 30 days before are looked at.
    """
    settings = layout.settings
    detector = detector_of(layout)
    alarm, raised = AlarmMachine(), []
    values = layout.arrange(list(signals), machine.values)
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
            if alarm.raised:
                raised.append(t_us)
        return alarm.raised

    found: list[Scores] = []
    for first in range(0, len(machine.at_us), CHUNK):
        part = slice(first, first + CHUNK)
        found.append(detector.feed(machine.at_us[part], values[part], judge))
    scores = joined(found, len(layout.symptoms))
    state = np.zeros(len(scores))
    for t_us, stands in changes:
        state[int(np.searchsorted(scores.t_us, t_us)) :] = float(stands)
    carried = {t: _carriers(scores, t, layout) for t in raised}
    course = Course(scores.t_us, scores.score, state, raised, carried)
    if detector.baseline is not None:
        for failed in look_back_us:
            back = LookBack(model, layout, detector.baseline, failed - round(LOOK_BACK_HOURS * HOUR_US), failed)
            for piece in found:
                back.add(piece)
            course.misses[failed] = look_back(back.hours, settings.window_hours)
    return course


def _carriers(scores: Scores, t_us: int, layout: Layout) -> tuple[str, ...]:
    row = min(int(np.searchsorted(scores.t_us, t_us)), len(scores) - 1)
    parts = np.nan_to_num(scores.parts[row])
    return tuple(layout.symptoms[int(j)] for j in np.argsort(-parts, kind="stable")[:TOLD] if parts[j] > 0)


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
