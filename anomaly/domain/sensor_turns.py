"""How one signal's fault begins and ends, reading by reading."""

import numpy as np

from anomaly.domain.layout import Array
from anomaly.domain.sensor_faults import Fault, Rules
from anomaly.domain.sensor_marks import (
    BELIEVED,
    DETAIL,
    EQUAL,
    FAR,
    FAULT,
    GONE,
    GONE_US,
    HIGH,
    LEAST,
    LONG_US,
    LONGER,
    LOW,
    MISS,
    MISS_US,
    PENDING,
    PENDING_US,
    PENDING_X,
    REF,
    RUN,
    RUN_US,
    SAMPLES,
    SEEN,
    SINCE_US,
    SPIKE_ROWS,
    SPIKE_US,
    SPIKE_WINDOW,
    SPIKES,
    STEP_3,
    TIME_US,
    TOO_MANY,
    Turn,
    longest,
)


def turn(one: Array, rules: Rules, i: int, j: int, t_us: int, x: float, out: bool, turns: list[Turn]) -> None:
    """Move one signal's fault on; `one` are its marks."""
    before = Fault(int(one[FAULT]))
    match before:
        case Fault.STUCK:
            if x == x and one[RUN] == 0:
                _well(one, x)
        case Fault.DROPPED_OUT:
            if x == x:
                _well(one, x)
        case Fault.SWAPPED_UNIT:
            _in_other_unit(one, rules, j, x)
        case Fault.NONE | Fault.SPIKING:
            if x == x and (out or one[PENDING] > 0):
                _doubt(one, rules, j, t_us, x, out)
            elif before is Fault.SPIKING:
                _calm_down(one, x)
            if one[FAULT] == 0 and one[PENDING] == 0:
                _still_or_gone(one, t_us)
        case _:
            pass
    after = Fault(int(one[FAULT]))
    if after is not before:
        turns.append(Turn(i, j, before, after, int(one[SINCE_US]), int(one[DETAIL])))


def _well(one: Array, x: float) -> None:
    one[FAULT] = one[PENDING] = one[SPIKES] = one[SPIKE_ROWS] = 0
    one[REF] = x


def _still_or_gone(one: Array, t_us: int) -> None:
    if one[RUN] >= SAMPLES and one[RUN_US] >= max(TIME_US, LONGER * one[LONG_US]):
        limit = float(longest(one, one[SEEN] - one[RUN], np.maximum(one[EQUAL] - one[RUN], 0.0)))
        if one[RUN] >= limit:
            one[FAULT], one[SINCE_US] = Fault.STUCK, t_us - one[RUN_US]
    enough = max(TIME_US, LONGER * one[GONE_US])
    if one[SEEN] >= LEAST and one[MISS] >= max(SAMPLES, LONGER * one[GONE]) and one[MISS_US] >= enough:
        one[FAULT], one[SINCE_US] = Fault.DROPPED_OUT, t_us - one[MISS_US]


def _doubt(one: Array, rules: Rules, j: int, t_us: int, x: float, out: bool) -> None:
    """A reading far off, or the one after it: a spike, another unit, or a new level."""
    if one[PENDING] == 0:
        one[PENDING], one[PENDING_X], one[PENDING_US] = 1, x, t_us
    elif not out:
        _spike(one)
        one[PENDING], one[REF] = 0, x
    else:
        unit = _unit_of(one, rules, j, x)
        if unit >= 0:
            _, factor, offset = rules.alike[j][unit]
            one[FAULT], one[SINCE_US], one[DETAIL] = Fault.SWAPPED_UNIT, one[PENDING_US], unit
            one[PENDING], one[REF] = 0, (x - offset) / factor
        elif abs(x - one[PENDING_X]) <= FAR * one[STEP_3]:
            one[PENDING] += 1
            if one[PENDING] >= BELIEVED:
                one[PENDING], one[REF] = 0, x
                one[LOW], one[HIGH] = min(one[LOW], x), max(one[HIGH], x)
        else:
            _spike(one)
            one[PENDING], one[PENDING_X], one[PENDING_US] = 1, x, t_us
    if one[FAULT] == 0 and one[SPIKES] >= TOO_MANY:
        one[FAULT], one[SINCE_US] = Fault.SPIKING, one[SPIKE_US]


def _spike(one: Array) -> None:
    if one[SPIKES] == 0:
        one[SPIKE_US] = one[PENDING_US]
    one[SPIKES], one[SPIKE_ROWS] = one[SPIKES] + 1, 0


def _calm_down(one: Array, x: float) -> None:
    if x == x:
        one[REF], one[SPIKE_ROWS] = x, one[SPIKE_ROWS] + 1
        if one[SPIKE_ROWS] >= SPIKE_WINDOW:
            _well(one, x)


def _unit_of(one: Array, rules: Rules, j: int, x: float) -> int:
    """The unit in which this reading and the one before are near the last one believed; -1 = none."""
    near = 2.0 * float(one[STEP_3])
    for n, (_, factor, offset) in enumerate(rules.alike[j]):
        both = ((x - offset) / factor, (float(one[PENDING_X]) - offset) / factor)
        if near < 0.25 * abs(x - one[REF]) and all(abs(y - one[REF]) <= near for y in both):
            return n
    return -1


def _in_other_unit(one: Array, rules: Rules, j: int, x: float) -> None:
    if x != x:
        return
    _, factor, offset = rules.alike[j][int(one[DETAIL])]
    meant, near = (x - offset) / factor, FAR * float(one[STEP_3])
    if abs(meant - one[REF]) <= near or abs(meant - one[REF]) < abs(x - one[REF]):
        one[REF] = meant
    else:
        _well(one, x)
