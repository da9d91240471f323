"""A long record of one machine through `anomaly.domain.sensing`; stretches in which nothing is odd go at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.domain import sensor_marks as s
from anomaly.domain.layout import Array
from anomaly.domain.sensing import sense
from anomaly.domain.sensor_faults import Bools, Rules, runs
from anomaly.domain.sensor_marks import Ints, Turn, longest

CHUNK = 512
FEW = 8


def take(marks: Array, rules: Rules, t_us: Ints, values: Array) -> tuple[Array, list[Turn]]:
    """Rows in time order, up to and with the first at which something turns: those that were taken, cleaned; turns."""
    out, at = np.array(values, dtype=float), 0
    while at < len(t_us):
        end = min(at + CHUNK, len(t_us))
        if end - at >= FEW and _uneventful(marks):
            at += _calm(marks, rules, t_us[at:end], values[at:end])
        if at == end:
            continue
        out[at : at + 1], turns = sense(marks[:, None, :], rules, t_us[at : at + 1], values[at : at + 1])
        at += 1
        if turns:
            return out[:at], turns
    return out, []


def _uneventful(marks: Array) -> bool:
    device, own = marks[:, -1], marks[:, :-1]
    begun = device[s.CLOCK] >= 0 and not device[s.DOUBLED] and not device[s.TROUBLE]
    learning = ((own[s.SEEN] > 0) & (own[s.SEEN] < s.LEAST)).any()
    return bool(begun and not learning)


@dataclass(frozen=True)
class _Count:
    """Rows in a row and their time, after each row; `began` where they were interrupted."""

    rows: Array
    time: Array
    ended: Bools

    @classmethod
    def of(cls, more: Bools, ended: Bools, lasted: Array, rows: Array, time: Array) -> "_Count":
        return cls(_in_a_row(more.astype(np.float64), ended, rows), _in_a_row(more * lasted, ended, time), ended)

    def most(self, n: int, rows: Array, time: Array, before: tuple[Array, Array]) -> tuple[Array, Array]:
        """The longest that ended within the first n rows, not below `before`."""
        out = []
        for series, first, most in ((self.rows, rows, before[0]), (self.time, time, before[1])):
            old = np.concatenate([first[None], series[: n - 1]])
            out.append(np.maximum(most, np.where(self.ended[:n], old, 0.0).max(0)))
        return out[0], out[1]


def _in_a_row(more: Array, ended: Bools, start: Array) -> Array:
    total = np.cumsum(more, axis=0)
    base: Array = np.maximum.accumulate(np.where(ended, total, -start), axis=0)
    return total - base


def _calm(marks: Array, rules: Rules, t_us: Ints, values: Array) -> int:
    """Take rows as long as nothing is odd; how many."""
    device, own = marks[:, -1], marks[:, :-1]
    n = len(t_us)
    lasted = np.diff(t_us, prepend=int(device[s.CLOCK])).astype(float)
    near = lasted <= rules.gap_us
    on = _running(rules, values, bool(device[s.RUNNING]))
    both = (on & np.concatenate([[device[s.RUNNING] > 0], on[:-1]]) & near)[:, None]
    elapsed = np.where(near, lasted, 0.0)[:, None]
    ok, running = values == values, on[:, None]
    last = _filled(values, ok, own[s.LAST])
    before = np.concatenate([own[s.LAST][None], last[:-1]])
    step = np.abs(values - before)
    same = ok & (values == before)
    repeats = same & running & rules.moves
    counted = ok & running
    width = s.OUTSIDE * (own[s.HIGH] - own[s.LOW])
    odd = (step > s.FAR * own[s.STEP_3]) & both & (own[s.SEEN] >= s.LEAST)
    odd &= (values > own[s.HIGH] + width) | (values < own[s.LOW] - width)
    odd |= counted & (own[s.SEEN] == 0)
    still = _Count.of(repeats, ok & ~same, elapsed, own[s.RUN], own[s.RUN_US])
    gone = _Count.of(~ok & running & np.any(ok, axis=1, keepdims=True), ok, elapsed, own[s.MISS], own[s.MISS_US])
    long = (still.rows >= s.SAMPLES) & (still.time >= np.maximum(s.TIME_US, s.LONGER * own[s.LONG_US]))
    if long.any():
        seen = own[s.SEEN] + np.cumsum(counted, axis=0) - still.rows
        equal = np.maximum(own[s.EQUAL] + np.cumsum(repeats, axis=0) - still.rows, 0.0)
        odd |= long & running & (still.rows >= longest(own, seen, equal))
    enough = np.maximum(s.TIME_US, s.LONGER * own[s.GONE_US])
    odd |= (gone.rows >= np.maximum(s.SAMPLES, s.LONGER * own[s.GONE])) & (gone.time >= enough)
    odd[:, own[s.SEEN] == 0] &= counted[:, own[s.SEEN] == 0]
    stop = odd.any(1) | (lasted <= 0)
    n = int(stop.argmax()) if stop.any() else n
    if n == 0:
        return 0
    own[s.LONG], own[s.LONG_US] = still.most(n, own[s.RUN], own[s.RUN_US], (own[s.LONG], own[s.LONG_US]))
    own[s.GONE], own[s.GONE_US] = gone.most(n, own[s.MISS], own[s.MISS_US], (own[s.GONE], own[s.GONE_US]))
    own[s.RUN], own[s.RUN_US] = still.rows[n - 1], still.time[n - 1]
    own[s.MISS], own[s.MISS_US] = gone.rows[n - 1], gone.time[n - 1]
    own[s.LAST] = own[s.REF] = last[n - 1]
    own[s.GIVEN] = ok[n - 1]
    own[s.SEEN] += counted[:n].sum(0)
    own[s.EQUAL] += repeats[:n].sum(0)
    seen_values = np.where(counted[:n], values[:n], np.nan)
    own[s.LOW] = np.fmin(own[s.LOW], np.fmin.reduce(seen_values, axis=0))
    own[s.HIGH] = np.fmax(own[s.HIGH], np.fmax.reduce(seen_values, axis=0))
    steps = np.concatenate([np.where((both & ok)[:n], step[:n], 0.0), own[[s.STEP_1, s.STEP_2, s.STEP_3]]])
    top = np.sort(np.partition(np.nan_to_num(steps), len(steps) - 3, axis=0)[-3:], axis=0)
    own[s.STEP_1], own[s.STEP_2], own[s.STEP_3] = top[2], top[1], top[0]
    device[s.CLOCK], device[s.RUNNING] = t_us[n - 1], on[n - 1]
    return n


def _running(rules: Rules, values: Array, before: bool) -> NDArray[np.bool_]:
    """Whether it runs at each row; without a reading as before."""
    if rules.running is None:
        return np.ones(len(values), dtype=bool)
    known = np.isfinite(values[:, rules.on])
    at = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    found = runs(rules, values, np.full(len(values), before))
    return np.where(at >= 0, found[np.maximum(at, 0)], before)


def _filled(values: Array, ok: Bools, first: Array) -> Array:
    """Each row with the newest reading of every signal."""
    at = np.maximum.accumulate(np.where(ok, np.arange(len(values))[:, None], -1), axis=0)
    return np.where(at >= 0, np.take_along_axis(values, np.maximum(at, 0), axis=0), first)
