"""What machines of one layout remember from row to row, side by side: machine i is slot i of every array.

`load` puts a watch into a slot, `store` writes the slot back into the watch; between the two the slot is the truth.
Machines with fewer regimes than others leave the rest of theirs empty.
"""

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.alarm import Phase
from anomaly.domain.baseline import Baseline
from anomaly.domain.beside import Beside
from anomaly.domain.cusum import shrink_of
from anomaly.domain.health import bands_of
from anomaly.domain.layout import Array, Layout
from anomaly.domain.limits import NEWEST
from anomaly.domain.quiet import STATES
from anomaly.domain.sensor_marks import MARKS
from anomaly.domain.watch import Watch
from contracts.detection_methods import METHODS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
NO_LEVEL = -9
"""A combination of regime levels that no machine has."""
TABLES = ("centre", "scale", "plain_centre", "plain_scale")
"""Rows of a regime's table; of the scales it holds the inverse."""
FIRST_SLOTS = 8


class Slots:
    """Arrays of N slots. k symptoms, c conditions, m = k + c signals, p = 3c features, r regime conditions, R regimes,
    L levels, W rows of a window."""

    def __init__(self, layout: Layout, beside: Beside) -> None:
        self.layout, self.beside = layout, beside
        self.k, self.c, self.r = len(layout.symptoms), len(layout.conditions), len(layout.regimes)
        self.window = layout.settings.window_samples
        self.watches: list[Watch | None] = []
        self._free: list[int] = []
        self._most = (1, 1)
        self._allocate(0)

    def _allocate(self, n: int) -> None:
        k, c, r, w = self.k, self.c, self.r, self.window
        regimes, levels = self._most
        m, p = k + c, 3 * c
        ints = np.int64
        # the follower
        self.last_us, self.emitted_us = np.full(n, -1, ints), np.full(n, -1, ints)
        self.running, self.since_us = np.zeros(n, bool), np.zeros(n, ints)
        self.hours, self.segment = np.zeros(n), np.zeros(n, ints)
        self.features = np.full((n, p), np.nan)
        self.sums, self.counts, self.summing = np.zeros((n, m)), np.zeros((n, m)), np.zeros(n, bool)
        self.followed_why = np.zeros(n, np.int8)
        # the baseline
        self.learned = np.zeros(n, bool)
        self.x_mean, self.usable, self.offset = np.zeros((n, p)), np.zeros((n, k), bool), np.zeros((n, k))
        self.tables, self.slopes = np.zeros((n, regimes, len(TABLES), k)), np.zeros((n, regimes, k, p))
        self.low, self.high = np.full((n, r, levels), np.inf), np.full((n, r, levels), -np.inf)
        self.combinations = np.full((n, regimes, r), NO_LEVEL, ints)
        self.mean_scale, self.bands = np.zeros((n, k)), np.zeros((n, 2, 2, k))
        # the same of the regime that the machine is in
        self.centre, self.per_sigma, self.slope = np.zeros((n, k)), np.zeros((n, k)), np.zeros((n, k, p))
        self.plain_centre, self.plain_per_sigma = np.zeros((n, k)), np.zeros((n, k))
        self.from_level, self.to_level = np.full((n, r), np.inf), np.full((n, r), -np.inf)
        # the distance: `inverse` is for the signals that are `present`, unless `stale`
        self.present, self.inverse, self.stale = np.zeros((n, k), bool), np.zeros((n, k, k)), np.zeros(n, bool)
        # the healthy record
        self.recording, self.learn_hours, self.goal_hours = np.zeros(n, bool), np.zeros(n), np.full(n, np.inf)
        # the window: rings, written at `taken % w`; the newest segment's first row was number `began`; means are
        # `z_sum / divisor`, of signals with too few rows sum / inf
        self.taken, self.began, self.newest_segment = np.zeros(n, ints), np.zeros(n, ints), np.full(n, -1, ints)
        self.ring_z, self.ring_segment = np.full((w, n, k), np.nan), np.zeros((w, n), ints)
        self.z_sum, self.ok_count, self.divisor = np.zeros((n, k)), np.zeros((n, k), ints), np.full((n, k), np.inf)
        self.ring_seen, self.in_recent = np.zeros((w, n, 3, k)), np.zeros(n, ints)
        # the sensors, and whether a signal that moved alone is not judged
        self.sensors, self.apart = np.zeros((MARKS, n, m + 1)), np.zeros(n, bool)
        # the methods beside the baseline: newest values of symptoms with a limit, rows since one of them was near it,
        # cumulative sums, and whose the newest score is
        self.newest = np.full((NEWEST, n, len(self.beside.columns)), np.nan)
        self.newest_count, self.hot = np.zeros(n, ints), np.zeros(n, ints)
        summed = k if self.beside.sums else 0
        self.up, self.down, self.shrink = np.zeros((n, summed)), np.zeros((n, summed)), np.zeros((n, summed))
        self.by = np.zeros(n, np.int8)
        # the quiet log: which day it is, and the hours spent in each state
        self.day, self.spent = np.full(n, -1, ints), np.zeros((n, STATES))
        # the rest of a watch's memory
        self.first_us, self.newest_us, self.duty = np.full(n, -1, ints), np.full(n, -1, ints), np.ones(n)
        self.score, self.why, self.means = np.full(n, np.nan), np.zeros(n, np.int8), np.full((n, k), np.nan)
        self.judged, self.attention = np.zeros(n, bool), np.zeros(n, bool)
        self.point_us, self.path_hours = np.full(n, -1, ints), np.full(n, -np.inf)
        self.open_sum, self.open_count = np.zeros((n, k)), np.zeros((n, k))

    def _resize(self, n: int, most: tuple[int, int]) -> None:
        """Room for n slots with so many regimes and levels; what is there stays."""
        before = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        self._most = most
        self._allocate(n)
        for name, old in before.items():
            new = getattr(self, name)
            new[tuple(slice(0, size) for size in old.shape)] = old

    def load(self, watch: Watch) -> int:
        """Take a watch in; its slot."""
        base = watch.detector.baseline
        regimes, levels = self._most
        if base is not None:
            regimes = max(regimes, base.regimes.count)
            levels = max([levels, *(len(low) for low in base.regimes.low)])
        if not self._free:
            have = len(self.watches)
            self._free = list(range(have, max(FIRST_SLOTS, 2 * have)))[::-1]
            self.watches += [None] * len(self._free)
        if len(self.last_us) < len(self.watches) or (regimes, levels) != self._most:
            self._resize(len(self.watches), (regimes, levels))
        i = self._free.pop()
        self.watches[i] = watch
        try:
            self._load_follower(i, watch)
            self.load_baseline(i, watch)
            self.load_window(i, watch)
            self._load_memory(i, watch)
        except BaseException:
            self.clear(i)
            raise
        return i

    def drop(self, i: int) -> Watch:
        """Write a slot back into its watch and give it up."""
        watch = self.store(i)
        self.clear(i)
        return watch

    def clear(self, i: int) -> None:
        """Give a slot up as it is."""
        self.watches[i] = None
        self._free.append(i)

    def load_baseline(self, i: int, watch: Watch) -> None:
        """What the slot is compared with, and how far its healthy record is."""
        state, base = watch.memory.detector, watch.detector.baseline
        self.learned[i] = base is not None
        self.recording[i] = base is None or watch.detector.growing
        self.learn_hours[i] = state.learn_hours
        self.goal_hours[i] = watch.detector.goal_hours
        if base is None:
            return
        if base.regimes.count > self._most[0] or any(len(low) > self._most[1] for low in base.regimes.low):
            levels = max(self._most[1], *(len(low) for low in base.regimes.low))
            self._resize(len(self.watches), (max(self._most[0], base.regimes.count), levels))
        count = base.regimes.count
        self.x_mean[i], self.usable[i] = base.x_mean, base.usable
        tables = (base.centre, 1.0 / base.scale, base.plain_centre, 1.0 / base.plain_scale)
        self.tables[i, :count] = np.stack(tables, axis=1)
        self.slopes[i, :count] = base.slopes.transpose(0, 2, 1) / base.x_scale
        self.offset[i] = np.where(base.usable, base.offset, np.nan)
        self.mean_scale[i], self.bands[i] = base.scale.mean(0), bands_of(base)
        self.low[i], self.high[i], self.combinations[i] = np.inf, -np.inf, NO_LEVEL
        for j, (low, high) in enumerate(zip(base.regimes.low, base.regimes.high, strict=True)):
            self.low[i, j, : len(low)], self.high[i, j, : len(high)] = low, high
            touches = 1 + np.flatnonzero(low[1:] == high[:-1])
            self.low[i, j, touches] = np.nextafter(low[touches], np.inf)
        self.combinations[i, : len(base.regimes.combinations)] = base.regimes.combinations
        self.turn_to(np.array([i]), np.array([0]))
        self.from_level[i], self.to_level[i] = np.inf, -np.inf
        self.expect(i, base, base.usable)
        if self.beside.sums:
            self.shrink[i] = shrink_of(base)

    def turn_to(self, slots: Ints, regime: Ints) -> None:
        """Lay out the tables of the regimes that machines are in now; they are kept from row to row."""
        table = self.tables[slots, regime]
        self.centre[slots], self.per_sigma[slots] = table[:, 0], table[:, 1]
        self.plain_centre[slots], self.plain_per_sigma[slots] = table[:, 2], table[:, 3]
        self.slope[slots] = self.slopes[slots, regime]

    def expect(self, i: int, base: Baseline, present: Bools) -> None:
        """Set the distance's matrix for the signals that are there: the inverse of their covariance over the limit."""
        self.present[i], self.stale[i] = present, False
        self.inverse[i] = 0.0
        if present.any():
            factor = base.usable.sum() / present.sum() / base.limit
            self.inverse[i][np.ix_(present, present)] = (
                np.linalg.inv(base.covariance[np.ix_(present, present)]) * factor
            )

    def _load_follower(self, i: int, watch: Watch) -> None:
        f = watch.memory.detector.follower
        self.last_us[i], self.emitted_us[i] = f.last_us, f.emitted_us
        self.running[i], self.since_us[i] = f.running, f.running_since_us
        self.hours[i], self.segment[i], self.followed_why[i] = f.running_hours, f.segment, f.why
        self.features[i] = f.conditions + f.fast + f.slow
        self.sums[i], self.counts[i], self.summing[i] = f.sums, f.counts, any(f.counts)

    def load_window(self, i: int, watch: Watch) -> None:
        """The newest residuals and rows."""
        state, recent = watch.memory.detector, watch.memory.recent.rows
        z, segment = state.window_z, state.window_segment
        n, seen = len(z), len(recent)
        self.ring_z[:, i], self.ring_segment[:, i], self.ring_seen[:, i] = np.nan, 0, 0.0
        self.ring_z[:n, i], self.ring_segment[:n, i] = z.reshape(n, self.k), segment
        self.ring_seen[np.arange(n - seen, n) % self.window, i] = recent.reshape(seen, 3, self.k)
        others = np.flatnonzero(segment != segment[-1]) if n else np.zeros(0, dtype=np.int64)
        self.taken[i], self.in_recent[i] = n, seen
        self.began[i] = int(others[-1]) + 1 if len(others) else 0
        self.newest_segment[i] = segment[-1] if n else -1
        ok = np.isfinite(self.ring_z[:, i])
        self.ok_count[i] = ok.sum(0)
        self.add_up(np.array([i]))
        self.count(np.array([i]))

    def add_up(self, slots: Ints) -> None:
        """The sums of windows anew."""
        z = self.ring_z[:, slots]
        self.z_sum[slots] = np.where(z == z, z, 0.0).sum(0)

    def count(self, slots: Ints) -> None:
        """What follows from the number of rows in windows; a signal needs half of them."""
        count = self.ok_count[slots]
        enough = count >= max(1, self.window // 2)
        self.divisor[slots] = np.where(enough, count, np.inf)
        self.stale[slots] = (enough != self.present[slots]).any(1)

    def _load_memory(self, i: int, watch: Watch) -> None:
        m = watch.memory
        self.first_us[i], self.newest_us[i], self.duty[i] = m.first_us, m.newest_us, m.duty
        self.score[i], self.why[i] = np.nan if m.score is None else m.score, m.why
        self.judged[i] = len(m.means) > 0
        if len(m.means):
            self.means[i] = m.means
        self.path_hours[i] = m.path.last_hours
        none = len(m.path.open_sum) == 0
        self.open_sum[i], self.open_count[i] = (0.0, 0.0) if none else (m.path.open_sum, m.path.open_count)
        self.sensors[:, i] = m.sensors
        self.day[i], self.spent[i] = m.quiet.day, m.quiet.hours
        self._load_beside(i, watch)
        self.heed(i, watch)

    def _load_beside(self, i: int, watch: Watch) -> None:
        side, columns = watch.memory.beside, self.beside.columns
        self.by[i] = METHODS.index(side.by)
        count = len(side.newest)
        self.newest[:, i], self.newest_count[i], self.hot[i] = np.nan, count, NEWEST
        if count:
            self.newest[NEWEST - count :, i] = side.newest[:, columns]
        if self.beside.sums:
            self.up[i], self.down[i] = (side.up, side.down) if len(side.up) else (0.0, 0.0)

    def newest_of(self, i: int) -> Array:
        """The newest values (rows, k) of a slot's symptoms with a limit."""
        count = int(self.newest_count[i])
        out = np.full((count, self.k), np.nan)
        out[:, self.beside.columns] = self.newest[NEWEST - count :, i]
        return out

    def heed(self, i: int, watch: Watch) -> None:
        """Whether the alarm machine must hear every score of the slot, and when its newest point was."""
        alarm = watch.memory.alarm
        self.attention[i] = alarm.phase is not Phase.QUIET or alarm.shelved_until_us is not None
        self.point_us[i] = watch.memory.last_point_us
        self.apart[i] = bool(watch.memory.apart)

    def store(self, i: int) -> Watch:
        """Write a slot back into its watch, which stays in it."""
        watch = self.brief(i)
        m, state = watch.memory, watch.memory.detector
        f = state.follower
        f.last_us, f.emitted_us = int(self.last_us[i]), int(self.emitted_us[i])
        f.running, f.running_since_us = bool(self.running[i]), int(self.since_us[i])
        f.running_hours, f.segment, f.why = float(self.hours[i]), int(self.segment[i]), int(self.followed_why[i])
        f.conditions, f.fast, f.slow = self.features[i].reshape(3, self.c).tolist()
        f.sums, f.counts = self.sums[i].tolist(), self.counts[i].astype(int).tolist()
        newest = self._newest(i, min(int(self.taken[i]), self.window - 1))
        state.window_z, state.window_segment = self.ring_z[newest, i], self.ring_segment[newest, i]
        state.learn_hours, state.frozen = float(self.learn_hours[i]), m.alarm.raised
        m.path.open_sum, m.path.open_count = self.open_sum[i].copy(), self.open_count[i].copy()
        m.sensors = self.sensors[:, i].copy()
        m.quiet.hours = self.spent[i].tolist()
        return watch

    def brief(self, i: int) -> Watch:
        """Write what forecasts, points and alarms are told from into a slot's watch."""
        watch = self.watches[i]
        assert watch is not None
        m, seen = watch.memory, int(self.in_recent[i])
        if seen:
            m.recent.replace(self.ring_seen[self._newest(i, seen), i])
        m.first_us, m.newest_us, m.duty = int(self.first_us[i]), int(self.newest_us[i]), float(self.duty[i])
        score = float(self.score[i])
        m.score, m.why = None if score != score else score, int(self.why[i])
        if self.judged[i]:
            m.means = self.means[i].copy()
        m.last_point_us = int(self.point_us[i])
        if self.beside.any:
            self._store_beside(i, watch)
        return watch

    def _store_beside(self, i: int, watch: Watch) -> None:
        side = watch.memory.beside
        side.by = METHODS[self.by[i]]
        if self.beside.rules:
            side.newest = self.newest_of(i)
        if self.beside.sums and not self.recording[i]:
            side.up, side.down = self.up[i].copy(), self.down[i].copy()

    def _newest(self, i: int, rows: int) -> Ints:
        """Where the newest rows of a slot are in its rings, oldest first."""
        taken = int(self.taken[i])
        return np.arange(taken - rows, taken) % self.window


def all_of(slots: Ints) -> Ints | slice:
    """Slots in rising order, as a slice where none is left out in between, which needs no copies."""
    if len(slots) and slots[-1] - slots[0] == len(slots) - 1:
        return slice(int(slots[0]), int(slots[-1]) + 1)
    return slots
