"""What is remembered of a machine's sensors: `MARKS` planes of one column a signal and a last one for the device."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.layout import Array
from anomaly.domain.sensor_faults import Bools, Fault

Ints = NDArray[np.int64]
(
    LAST, REF, LOW, HIGH, STEP_1, STEP_2, STEP_3, SEEN, EQUAL, RUN, RUN_US, LONG, LONG_US, MISS, MISS_US, GONE, GONE_US,
    PENDING, PENDING_X, PENDING_US, SPIKES, SPIKE_ROWS, SPIKE_US, FAULT, SINCE_US, DETAIL,
    GIVEN,
) = range(27)  # fmt: skip
MARKS = 27
"""Figures of a signal. `LAST` reading and `REF`, the last one believed; range seen; the three largest steps; readings
and repetitions; repetitions in a row now and at most, and their time; the same of rows without a reading; a reading
that waits to be believed; spikes; the fault and since when; whether the newest row gave it. The device's column holds
time, running, doubled times, and whether any signal is in doubt or has a fault."""
CLOCK, RUNNING, DOUBLED, DOUBLED_ROWS, DOUBLED_US, TROUBLE = LAST, REF, SPIKES, SPIKE_ROWS, SPIKE_US, PENDING
LEAST = 60
"""Readings before a signal is judged."""
SAMPLES = 12
TIME_US = 2 * 3_600_000_000
"""So many readings and so long a signal stands still or is silent, at least, before that is a fault."""
LONGER = 4.0
"""And so many times as long as it ever did while all was well."""
OFTEN = 0.9
"""A signal that repeats itself more often than this is a set point or a counter, and never stuck."""
CHANCE = -27.6
"""Logarithm of the probability, 1e-12, that a healthy signal repeats itself so often."""
FAR = 4.0
"""A spike is so many of the third-largest step away from the reading before,"""
OUTSIDE = 0.5
"""and outside of all that was seen by this share of its width."""
BELIEVED = 3
"""Readings in a row at a new level that make it the signal's level."""
TOO_MANY = 5
SPIKE_WINDOW = 72
"""So many spikes (or doubled times), with fewer rows than this between two, are a fault."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Signal `column` of machine `row` went from one fault to another; the last column stands for the device."""

    row: int
    column: int
    before: Fault
    after: Fault
    since_us: int
    detail: int


def blank(signals: int) -> Array:
    """The marks (MARKS, signals + 1) of a machine that has shown nothing."""
    marks = np.zeros((MARKS, signals + 1))
    for plane in (LAST, REF, LOW, HIGH, PENDING_X):
        marks[plane, :signals] = np.nan
    marks[CLOCK, signals] = -1.0
    return marks


def faulty(marks: Array) -> Bools:
    """Which signals have a fault; marks (MARKS, ..., signals + 1)."""
    out: Bools = marks[FAULT] > 0
    return out


def longest(own: Array, seen: Array, equal: Array) -> Array:
    """Repetitions in a row beyond which a signal is stuck, by what it did so far."""
    share = equal / np.maximum(seen, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rare = CHANCE / np.log(np.clip(share, 1e-6, 1.0 - 1e-9))
    out: Array = np.maximum(np.maximum(SAMPLES, LONGER * own[LONG]), rare)
    return np.where((share > OFTEN) | (seen < LEAST), np.inf, out)


def declare(marks: Array, column: int, fault: Fault, since_us: int) -> None:
    """Give a signal of one machine (MARKS, m + 1) a fault that was seen elsewhere; NONE = it was checked."""
    one = marks[:, column]
    marks[TROUBLE, -1] = 1.0
    one[FAULT], one[SINCE_US], one[DETAIL] = fault, since_us, 0
    if fault is Fault.NONE:
        one[PENDING] = one[SPIKES] = one[SPIKE_ROWS] = one[RUN] = one[RUN_US] = 0
        one[REF] = one[LAST]
        if one[LAST] == one[LAST]:
            one[LOW], one[HIGH] = np.fmin(one[LOW], one[LAST]), np.fmax(one[HIGH], one[LAST])
