"""Algebra of stretches of time. A set of them is a tuple: in order, none touching or overlapping another."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

NONE = timedelta()


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """From `start` to right before `end`."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it lasts; an interval that ends before it starts lasts no time."""
        return max(NONE, self.end - self.start)


Intervals = tuple[Interval, ...]


def union(*stretches: Iterable[Interval]) -> Intervals:
    """What lies in any of them; puts any heap of intervals in order."""
    made: list[Interval] = []
    for one in sorted(i for group in stretches for i in group if i.start < i.end):
        if made and one.start <= made[-1].end:
            made[-1] = Interval(made[-1].start, max(made[-1].end, one.end))
        else:
            made.append(one)
    return tuple(made)


def intersect(a: Intervals, b: Intervals) -> Intervals:
    """What lies in both."""
    made: list[Interval] = []
    i = j = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i].start, b[j].start), min(a[i].end, b[j].end)
        if start < end:
            made.append(Interval(start, end))
        if a[i].end <= b[j].end:
            i += 1
        else:
            j += 1
    return tuple(made)


def subtract(a: Intervals, b: Intervals) -> Intervals:
    """What lies in the first and not in the second."""
    made: list[Interval] = []
    j = 0
    for one in a:
        start = one.start
        while j < len(b) and b[j].end <= start:
            j += 1
        k = j
        while k < len(b) and b[k].start < one.end:
            if start < b[k].start:
                made.append(Interval(start, b[k].start))
            start = max(start, b[k].end)
            k += 1
        if start < one.end:
            made.append(Interval(start, one.end))
    return tuple(made)


def length(stretches: Iterable[Interval]) -> timedelta:
    """How long they last together."""
    return sum((i.length for i in stretches), NONE)
