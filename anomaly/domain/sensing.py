"""Recognises faulty sensors row by row, of many machines side by side.

Whatever the rows are cut into, the same rows come to the same. A signal is judged once it has given `LEAST` readings of
a running machine; how long it stands still, is silent, and how far it steps while all is well is learned all the time.
"""

import numpy as np

from anomaly.domain.layout import Array
from anomaly.domain.sensor_faults import Bools, Fault, Rules, runs
from anomaly.domain.sensor_marks import (
    CLOCK,
    DOUBLED,
    DOUBLED_ROWS,
    DOUBLED_US,
    EQUAL,
    FAR,
    FAULT,
    GIVEN,
    GONE,
    GONE_US,
    HIGH,
    LAST,
    LEAST,
    LONG,
    LONG_US,
    LONGER,
    LOW,
    MISS,
    MISS_US,
    OUTSIDE,
    PENDING,
    REF,
    RUN,
    RUN_US,
    RUNNING,
    SAMPLES,
    SEEN,
    SINCE_US,
    SPIKE_ROWS,
    SPIKE_WINDOW,
    SPIKES,
    STEP_1,
    STEP_2,
    STEP_3,
    TIME_US,
    TOO_MANY,
    TROUBLE,
    Ints,
    Turn,
    longest,
)
from anomaly.domain.sensor_turns import turn


def sense(marks: Array, rules: Rules, t_us: Ints, values: Array) -> tuple[Array, list[Turn]]:
    """One row each of n machines: the readings that may be believed (n, m), and what turned.

    Parameters
    ----------
    marks
        (MARKS, n, m + 1); changed in place.
    values
        (n, m), NaN = no reading; not changed.
    """
    device = marks[:, :, rules.signals]
    odd = (device[TROUBLE] > 0) | (device[DOUBLED] > 0) | (device[CLOCK] < 0) | (t_us <= device[CLOCK])
    if odd.all():
        return _singly(marks, rules, t_us, values)
    if not odd.any():
        return _quickly(marks, rules, t_us, values)
    apart = marks[:, odd]
    cleaned, turns = _singly(apart, rules, t_us[odd], values[odd])
    out, more = _quickly(marks, rules, t_us, values)
    out = out.copy() if out is values else out
    marks[:, odd], out[odd] = apart, cleaned
    rows = np.flatnonzero(odd).tolist()
    turns = [Turn(rows[q.row], q.column, q.before, q.after, q.since_us, q.detail) for q in turns]
    return out, turns + [q for q in more if not odd[q.row]]


def _quickly(marks: Array, rules: Rules, t_us: Ints, values: Array) -> tuple[Array, list[Turn]]:
    """Machines of which no signal was in doubt before: what is rare is looked at alone."""
    m = rules.signals
    device, own = marks[:, :, m], marks[:, :, :m]
    before, lasted = device[RUNNING] > 0, t_us - device[CLOCK]
    on, near = runs(rules, values, before), lasted <= rules.gap_us
    both = on & before & near
    lasted = np.where(near, lasted, 0.0)
    device[CLOCK], device[RUNNING] = t_us, on
    ok = values == values
    whole, all_on = bool(ok.all()), bool(on.all())
    step = np.abs(values - own[REF])
    larger = step > own[STEP_3]
    larger &= both[:, None]
    suspects: list[tuple[Ints, Ints]] = []
    out = np.zeros((0, 2), dtype=np.int64)
    if larger.any():
        out = _further(own, values, larger, step)
        if len(out):
            suspects.append((out[:, 0], out[:, 1]))
    moved = values == own[LAST]
    moved |= own[RUN] > 0
    rows, columns = _places(moved)
    if len(rows):
        suspects.append(_repeats(own, rules, values, rows, columns, on, lasted))
    if not whole or own[MISS].any():
        _silence(own, ok, on[:, None], lasted[:, None], np.zeros(len(t_us), dtype=bool))
        rows, columns = _places(own[MISS] >= SAMPLES)
        suspects.append((rows, columns))
    np.copyto(own[GIVEN], ok)
    kept = own[:, out[:, 0], out[:, 1]]
    if whole:
        own[LAST] = own[REF] = values
    else:
        np.copyto(own[LAST], values, where=ok)
        np.copyto(own[REF], values, where=ok)
    own[SEEN] += 1.0 if whole and all_on else ok & on[:, None]
    seen = values if all_on else np.where(on[:, None], values, np.nan)
    np.fmin(own[LOW], seen, out=own[LOW])
    np.fmax(own[HIGH], seen, out=own[HIGH])
    turns: list[Turn] = []
    hidden: list[tuple[int, int]] = []
    if len(out):
        for plane in (REF, LOW, HIGH, SEEN):
            own[plane, out[:, 0], out[:, 1]] = kept[plane]
    is_out = set(map(tuple, out.tolist()))
    looked = {(i, j) for rows, columns in suspects for i, j in zip(rows.tolist(), columns.tolist(), strict=True)}
    for i, j in sorted(looked):
        one = own[:, i, j]
        turn(one, rules, i, j, int(t_us[i]), float(values[i, j]), (i, j) in is_out, turns)
        if one[FAULT] > 0 or one[PENDING] > 0:
            hidden.append((i, j))
    return _hide(marks, rules, values, hidden), turns


def _places(which: Bools) -> tuple[Ints, Ints]:
    flat = np.flatnonzero(which)
    return flat // which.shape[1], flat % which.shape[1]


def _further(own: Array, values: Array, larger: Bools, step: Array) -> Ints:
    """Learn the larger steps; the places (x, 2) of readings that are too far off to be believed."""
    i, j = _places(larger)
    x, low, high = values[i, j], own[LOW, i, j], own[HIGH, i, j]
    width = OUTSIDE * (high - low)
    out = (step[i, j] > FAR * own[STEP_3, i, j]) & (own[SEEN, i, j] >= LEAST) & ((x > high + width) | (x < low - width))
    if not out.all():
        _steps(own, i[~out], j[~out], step[i[~out], j[~out]])
    return np.stack([i[out], j[out]], axis=1)


def _repeats(own: Array, rules: Rules, values: Array, i: Ints, j: Ints, on: Bools, lasted: Array) -> tuple[Ints, Ints]:
    """Count repetitions of the signals that repeat or did; places of those that may be stuck."""
    x, run, time, running = values[i, j], own[RUN, i, j], own[RUN_US, i, j], on[i]
    same = x == own[LAST, i, j]
    ended = (x == x) & ~same & (run > 0)
    own[LONG, i, j] = np.where(ended, np.maximum(own[LONG, i, j], run), own[LONG, i, j])
    own[LONG_US, i, j] = np.where(ended, np.maximum(own[LONG_US, i, j], time), own[LONG_US, i, j])
    more = same & running & rules.moves[j]
    run, time = np.where(ended, 0.0, run) + more, np.where(ended, 0.0, time) + more * lasted[i]
    own[RUN, i, j], own[RUN_US, i, j] = run, time
    equal = own[EQUAL, i, j] + more
    own[EQUAL, i, j] = equal
    long = running & (run >= SAMPLES) & (time >= np.maximum(TIME_US, LONGER * own[LONG_US, i, j]))
    if not long.any():
        return i[:0], j[:0]
    i, j = i[long], j[long]
    seen = own[SEEN, i, j] + (values[i, j] == values[i, j]) - run[long]
    limit = longest(own[:, i, j], seen, np.maximum(equal[long] - run[long], 0.0))
    stuck = run[long] >= limit
    return i[stuck], j[stuck]


def _hide(marks: Array, rules: Rules, values: Array, hidden: list[tuple[int, int]]) -> Array:
    if not hidden:
        return values
    out = values.copy()
    for i, j in hidden:
        marks[TROUBLE, i, rules.signals] = 1.0
        out[i, j] = np.nan
        if j >= rules.symptoms and marks[FAULT, i, j] > 0:
            out[i, : rules.symptoms] = np.nan
    return out


def _singly(marks: Array, rules: Rules, t_us: Ints, values: Array) -> tuple[Array, list[Turn]]:
    """The same of machines of which anything may be in doubt."""
    m = rules.signals
    device, own = marks[:, :, m], marks[:, :, :m]
    begun = device[CLOCK] >= 0
    lasted = np.where(begun, t_us - device[CLOCK], 0.0)
    turns: list[Turn] = []
    given = values == values
    twice = begun & (lasted <= 0) & np.any(given & (own[GIVEN] > 0), axis=1)
    goes_on = (begun & (lasted <= 0))[:, None] & (own[GIVEN] > 0)
    own[GIVEN] = given | goes_on
    if twice.any() or device[DOUBLED].any():
        _doubled(device, twice, t_us, m, turns)
    if twice.any():
        values = np.where(twice[:, None], np.nan, values)
    before = device[RUNNING] > 0
    on = runs(rules, values, before)
    near = begun & (lasted <= rules.gap_us)
    both = (on & before & near)[:, None]
    lasted = np.where(near, lasted, 0.0)[:, None]
    device[CLOCK], device[RUNNING] = t_us, on
    ok, running = values == values, on[:, None]
    _silence(own, ok, running, lasted, twice)
    step = np.abs(values - own[REF])
    width = OUTSIDE * (own[HIGH] - own[LOW])
    out = (step > FAR * own[STEP_3]) & both & (own[SEEN] >= LEAST)
    out &= (values > own[HIGH] + width) | (values < own[LOW] - width)
    _standing(own, rules, values, ok, running, lasted)
    own[LAST] = np.where(ok, values, own[LAST])
    well = own[FAULT] == 0
    special = (out | (own[PENDING] > 0) | ~well) & (ok | ~well)
    plain = ok & ~out & (own[PENDING] == 0) & well
    _learn(own, values, plain, plain & running, plain & both, step)
    if own[SPIKES].any():
        _forgive(own, plain)
    still = well & (own[RUN] >= SAMPLES) & running
    gone = well & (own[MISS] >= SAMPLES)
    told = special | still | gone
    if told.any():
        out_now = out | ((own[PENDING] > 0) & ok & _outlying(own, values, width))
        for i, j in np.argwhere(told).tolist():
            turn(own[:, i, j], rules, i, j, int(t_us[i]), float(values[i, j]), bool(out_now[i, j]), turns)
    hidden = (own[FAULT] > 0) | (own[PENDING] > 0)
    device[TROUBLE] = (hidden | (own[SPIKES] > 0)).any(1)
    blind: Bools = np.any(own[FAULT, :, rules.symptoms :] > 0, axis=1)
    if blind.any():
        hidden[blind, : rules.symptoms] = True
    if hidden.any() or twice.any():
        values = np.where(hidden, np.nan, values)
    return values, turns


def _outlying(own: Array, values: Array, width: Array) -> Bools:
    outside = (values > own[HIGH] + width) | (values < own[LOW] - width)
    out: Bools = outside & (np.abs(values - own[REF]) > FAR * own[STEP_3])
    return out


def _doubled(device: Array, twice: Bools, t_us: Ints, m: int, turns: list[Turn]) -> None:
    for i in np.flatnonzero(twice | (device[DOUBLED] > 0)).tolist():
        one = device[:, i]
        before = Fault(int(one[FAULT]))
        if twice[i]:
            one[DOUBLED_US] = one[DOUBLED_US] if one[DOUBLED] else t_us[i]
            one[DOUBLED], one[DOUBLED_ROWS] = one[DOUBLED] + 1, 0
        else:
            one[DOUBLED_ROWS] += 1
            if one[DOUBLED_ROWS] >= SPIKE_WINDOW:
                one[DOUBLED] = one[DOUBLED_ROWS] = one[FAULT] = 0
        if before is Fault.NONE and one[DOUBLED] >= TOO_MANY:
            one[FAULT], one[SINCE_US] = Fault.DOUBLED_TIMES, one[DOUBLED_US]
        if one[FAULT] != before:
            turns.append(Turn(i, m, before, Fault(int(one[FAULT])), int(one[SINCE_US]), 0))


def _silence(own: Array, ok: Bools, running: Bools, lasted: Array, twice: Bools) -> None:
    """Count rows without a reading while the device gives others and the machine runs."""
    if ok.all() and not own[MISS].any():
        return
    misses = ~ok & running & np.any(ok, axis=1, keepdims=True) & ~twice[:, None]
    ended = ok & (own[MISS] > 0) & (own[FAULT] == 0)
    own[GONE] = np.where(ended, np.maximum(own[GONE], own[MISS]), own[GONE])
    own[GONE_US] = np.where(ended, np.maximum(own[GONE_US], own[MISS_US]), own[GONE_US])
    own[MISS_US] = np.where(ok, 0.0, own[MISS_US] + misses * lasted)
    own[MISS] = np.where(ok, 0.0, own[MISS] + misses)


def _standing(own: Array, rules: Rules, values: Array, ok: Bools, running: Bools, lasted: Array) -> None:
    """Count repetitions of one value while the machine runs."""
    same = values == own[LAST]
    repeats = same & running & rules.moves
    ended = ok & ~same & (own[RUN] > 0)
    if ended.any():
        learned = ended & (own[FAULT] == 0)
        own[LONG] = np.where(learned, np.maximum(own[LONG], own[RUN]), own[LONG])
        own[LONG_US] = np.where(learned, np.maximum(own[LONG_US], own[RUN_US]), own[LONG_US])
        own[RUN] = np.where(ended, 0.0, own[RUN])
        own[RUN_US] = np.where(ended, 0.0, own[RUN_US])
    if repeats.any():
        own[RUN] += repeats
        own[RUN_US] += repeats * lasted
        own[EQUAL] += repeats & (own[FAULT] == 0)


def _learn(own: Array, values: Array, plain: Bools, running: Bools, both: Bools, step: Array) -> None:
    """Readings that are believed: how many, their range, their steps."""
    own[REF] = np.where(plain, values, own[REF])
    own[SEEN] += running
    seen = np.where(running, values, np.nan)
    own[LOW], own[HIGH] = np.fmin(own[LOW], seen), np.fmax(own[HIGH], seen)
    i, j = _places(both & (step > own[STEP_3]))
    if len(i):
        _steps(own, i, j, step[i, j])


def _forgive(own: Array, plain: Bools) -> None:
    """Spikes long ago count no more."""
    own[SPIKE_ROWS] += plain & (own[SPIKES] > 0)
    over = plain & (own[SPIKE_ROWS] >= SPIKE_WINDOW)
    own[SPIKES], own[SPIKE_ROWS] = np.where(over, 0.0, own[SPIKES]), np.where(over, 0.0, own[SPIKE_ROWS])


def _steps(own: Array, i: Ints, j: Ints, step: Array) -> None:
    """Keep the three largest steps; `step` are those of places (i, j), all larger than the third."""
    first, second = own[STEP_1, i, j], own[STEP_2, i, j]
    own[STEP_1, i, j] = np.maximum(first, step)
    rest = np.minimum(first, step)
    own[STEP_2, i, j] = np.maximum(second, rest)
    own[STEP_3, i, j] = np.minimum(second, rest)
