"""Points for charts of many machines at once: the same as `Watch.tell` makes where nothing but a point is due."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.health import Seen, health_of, hot_signals, spared, worst_shares
from anomaly.domain.layout import Array
from anomaly.domain.slots import Ints, Slots, all_of
from anomaly.domain.watch import Event, Point, Watch
from contracts.asset_model import AssetModel


@dataclass(frozen=True)
class Due:
    """Machines whose point is due, in rising order of their slots: when, and their score."""

    slots: Ints
    t_us: Ints
    score: Array


def chart_points(s: Slots, model: AssetModel, due: Due) -> dict[int, list[Event]]:
    """Make the points, by slot; the window means and rows of these machines are in the slots."""
    out: dict[int, list[Event]] = {}
    shapes: dict[tuple[int, int], list[int]] = {}
    most = _watch(s, int(due.slots[0])).window_steps
    for place, i in enumerate(due.slots.tolist()):
        seen, steps = int(s.in_recent[i]), min(len(_watch(s, i).memory.path.steps), most)
        if seen and s.judged[i]:
            shapes.setdefault((seen, steps), []).append(place)
    for (seen, steps), places in shapes.items():
        slots = due.slots[places]
        shares = worst_shares(model, s.layout, _seen(s, model, slots, seen, steps))
        for place, share in zip(places, shares.tolist(), strict=True):
            i, t_us = int(due.slots[place]), int(due.t_us[place])
            memory = _watch(s, i).memory
            memory.last_point_us = t_us
            out[i] = [Point(t_us, spared(health_of(share), memory.chance), float(due.score[place]))]
        s.point_us[slots] = due.t_us[places]
        if seen == s.window:
            _note_hot(s, slots)
    return out


def _seen(s: Slots, model: AssetModel, slots: Ints, rows: int, steps: int) -> Seen:
    path = [_watch(s, i).memory.path for i in slots.tolist()]
    z = np.stack([p.steps.rows[len(p.steps) - steps :, 1:] if steps else np.zeros((0, s.k)) for p in path], axis=1)
    expected = np.full((len(slots), s.k), np.nan)
    for j in _limited(s, model):
        newest = (s.taken[slots] - np.arange(rows, 0, -1)[:, None]) % s.window
        expected[:, j] = np.add.accumulate(s.ring_seen[newest, slots, 1, j])[-1] / rows
    return Seen(z, s.means[slots], expected, s.usable[slots], s.mean_scale[slots])


def _limited(s: Slots, model: AssetModel) -> list[int]:
    """Symptoms that a failure mode has a limit of."""
    limits = [mode.limit for component in model.components.values() for mode in component.modes]
    named = {limit.signal for limit in limits if limit is not None}
    return [j for j, name in enumerate(s.layout.symptoms) if name in named]


def _note_hot(s: Slots, slots: Ints) -> None:
    at: Ints | slice = all_of(slots)
    plain, hot = hot_signals(s.ring_seen[:, at, 2], s.means[at], s.usable[at], s.bands[at])
    found: NDArray[np.int64] = np.flatnonzero(hot.any(1))
    for place in found.tolist():
        _watch(s, int(slots[place])).note_hot(hot[place], plain[place])


def _watch(s: Slots, i: int) -> Watch:
    watch = s.watches[i]
    assert watch is not None
    return watch
