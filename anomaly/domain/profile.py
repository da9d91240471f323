"""The usual course of a signal over the day or over the week, learned as it goes.

A period counts only where it predicts days that it has not seen: the last day from the days before it, or the last week
from the weeks before it, must be nearer to the profile than to one level.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.following import HOUR_US
from anomaly.domain.layout import Array

DAY_US = 24 * HOUR_US
SLOTS = 48
"""Of a day."""
DAYS, FEWEST_DAYS, FEWEST_WEEKS = 35, 3, 3
"""Days that are remembered; days or weeks that a profile needs."""
WEEK = 7
EARNED = 0.7
"""A profile is used where its error on unseen days is below this share of one level's."""


@dataclass
class Course:
    """Slot means of the newest days, and the profile in use; times are UTC."""

    table: Array = field(default_factory=lambda: np.full((DAYS, SLOTS), np.nan))
    """Ring of days, a row each at `day % DAYS`."""
    days: NDArray[np.int64] = field(default_factory=lambda: np.full(DAYS, -1, dtype=np.int64))
    """Which day each row holds; -1 = none."""
    day: int = -1
    slot: int = -1
    total: float = 0.0
    count: int = 0
    """Of the open slot."""
    usual: Array = field(default_factory=lambda: np.zeros(0))
    """(48,) or (336,) from Monday, or (1,): one level; empty = nothing known yet."""

    def strayed(self, t_us: int, x: float) -> float:
        """How far a value lies outside of what is usual around that time; NaN = not known yet.

        What is usual half an hour earlier or later is usual: edges of a course are never quite on time.
        """
        if not len(self.usual):
            return float("nan")
        day, slot = t_us // DAY_US, t_us % DAY_US * SLOTS // DAY_US
        if len(self.usual) == 1:
            return x - float(self.usual[0])
        at, n = _place(day, slot, len(self.usual)), len(self.usual)
        around = (float(self.usual[at - 1]), float(self.usual[at]), float(self.usual[(at + 1) % n]))
        return x - min(max(x, min(around)), max(around))

    def add(self, t_us: int, x: float) -> None:
        """Take a value; at the first of a new day the profile is made anew from the days before."""
        day, slot = t_us // DAY_US, t_us % DAY_US * SLOTS // DAY_US
        if (day, slot) != (self.day, self.slot):
            self._close()
            if day != self.day:
                self.usual = profile_of(*self._remembered(day))
                self.table[day % DAYS], self.days[day % DAYS] = np.nan, day
            self.day, self.slot = day, slot
        self.total += x
        self.count += 1

    def _close(self) -> None:
        if self.count:
            self.table[self.day % DAYS, self.slot] = self.total / self.count
        self.total, self.count = 0.0, 0

    def _remembered(self, today: int) -> tuple[NDArray[np.int64], Array]:
        rows = np.flatnonzero((self.days >= 0) & (self.days > today - DAYS) & (self.days < today))
        rows = rows[np.argsort(self.days[rows])]
        return self.days[rows], self.table[rows]


def _place(day: int, slot: int, length: int) -> int:
    if length == SLOTS:
        return slot
    return (day + 3) % WEEK * SLOTS + slot if length == WEEK * SLOTS else 0


def profile_of(days: NDArray[np.int64], table: Array) -> Array:
    """The profile to use after days (n,) with slot means (n, 48): a week's, a day's, one level, or empty."""
    if not len(days) or int(days[-1] - days[0]) + 1 < FEWEST_DAYS or not np.isfinite(table).any():
        return np.zeros(0)
    best, usual = EARNED, np.array([np.nanmedian(table)])
    choices = [(SLOTS, days >= days[-1])]
    if int(days[-1] - days[0]) + 1 >= FEWEST_WEEKS * WEEK:
        choices.append((WEEK * SLOTS, days > days[-1] - WEEK))
    for length, unseen in choices:
        error = _error(days, table, unseen, length)
        if error < best:
            best, usual = error, _medians(days, table, length)
    return usual


def _error(days: NDArray[np.int64], table: Array, unseen: NDArray[np.bool_], length: int) -> float:
    """Error on the unseen days as a share of that of one level; infinity = cannot be told."""
    known = table[~unseen]
    if not np.isfinite(known).any() or not np.isfinite(table[unseen]).any():
        return float("inf")
    level = float(np.nanmedian(known))
    profile = _medians(days[~unseen], known, length)
    expected = np.stack([_day_of(profile, int(day)) for day in days[unseen]])
    plain = float(np.nanmean(np.abs(table[unseen] - level)))
    return float(np.nanmean(np.abs(table[unseen] - expected))) / plain if plain > 0 else float("inf")


def _day_of(profile: Array, day: int) -> Array:
    first = _place(day, 0, len(profile))
    return profile[first : first + SLOTS]


def _medians(days: NDArray[np.int64], table: Array, length: int) -> Array:
    level, out = float(np.nanmedian(table)), np.empty(length)
    groups = [np.ones(len(days), dtype=bool)] if length == SLOTS else [(days + 3) % WEEK == d for d in range(WEEK)]
    for i, group in enumerate(groups):
        rows, part = table[group], slice(i * SLOTS, (i + 1) * SLOTS)
        seen = np.isfinite(rows).any(0) if len(rows) else np.zeros(SLOTS, dtype=bool)
        out[part] = level
        out[part][seen] = np.nanmedian(rows[:, seen], axis=0)
    return out
