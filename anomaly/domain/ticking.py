"""One row each of many machines at once: the same steps as `Follower.follow` and `WindowDetector._score`, side by side.

Sums go by axis, so that many machines and one come to the same.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.following import EARLY, FAST_LAG, HOUR_US, Why
from anomaly.domain.layout import Array, Layout, median_of
from anomaly.domain.regimes import UNKNOWN
from anomaly.domain.slots import Bools, Ints, Slots, all_of
from contracts.asset_model import Running

WEEK_HOURS = 168.0
LARGE = 1e3
"""A residual beyond this, in sigmas, leaves a rounding error behind that matters."""
ADD_UP_WINDOWS = 8
"""A window's sums are kept from row to row and added up anew after so many windows."""


@dataclass(frozen=True)
class Emitted:
    """Rows after averaging of fast ones, of machines that all have a baseline or all have none."""

    slots: Ints
    t_us: Ints
    symptoms: Array
    features: Array
    why: NDArray[np.int8]
    step_hours: Array


@dataclass(frozen=True)
class Scored:
    """What `Scores` holds, one row a machine; `followed_why` is before regimes and windows had their say."""

    slots: Ints
    t_us: Ints
    score: Array
    means: Array
    why: NDArray[np.int8]
    followed_why: NDArray[np.int8]
    residual: Array
    symptoms: Array
    expected: Array
    features: Array
    step_hours: Array

    def those(self, which: Bools) -> "Scored":
        """Some of the rows."""
        return Scored(*(getattr(self, f.name)[which] for f in fields(self)))


def follow(s: Slots, slots: Ints, t_us: Ints, values: Array) -> Emitted:
    """Move machines on by one row each (columns as `layout.signals`, NaN = no reading)."""
    settings, layout = s.layout.settings, s.layout
    at = all_of(slots)
    slot_us = EARLY * settings.window_hours * HOUR_US / max(1, settings.window_samples)
    gap_us = (settings.gap_hours or max(settings.window_hours, settings.hold_hours)) * HOUR_US or np.inf
    gap = (s.last_us[at] >= 0) & (t_us - s.last_us[at] > gap_us)
    if gap.any():
        s.segment[at] += gap
        s.features[slots[gap], s.c :] = np.nan
    why = _state(s, at, t_us, values, layout, gap)
    s.last_us[at] = t_us
    restart = gap | (why != s.followed_why[at])
    if restart.any():
        s.sums[slots[restart]], s.counts[slots[restart]], s.summing[slots[restart]] = 0.0, 0.0, False
        s.followed_why[at] = why
    lasted_us = t_us - s.emitted_us[at]
    first = s.emitted_us[at] < 0
    waits = ~gap & ~first & (lasted_us < slot_us)
    if waits.any() or s.summing[at].any():
        ok = values == values
        sums, counts = s.sums[at] + np.where(ok, values, 0.0), s.counts[at] + ok
        s.sums[at], s.counts[at], s.summing[at] = sums, counts, True
        keep = np.flatnonzero(~waits)
        slots, t_us, why, sums, counts = slots[keep], t_us[keep], why[keep], sums[keep], counts[keep]
        lasted_us, first, gap = lasted_us[keep], first[keep], gap[keep]
        at = all_of(slots)
        s.sums[at], s.counts[at], s.summing[at] = 0.0, 0.0, False
        with np.errstate(invalid="ignore", divide="ignore"):
            values = sums / counts
    lasted = np.where(first, 0.0, lasted_us / HOUR_US)
    features = _low_pass(s, at, values[:, s.k :], lasted, settings.lag_hours)
    ran = np.where((why == Why.NOT_RUNNING) | first | gap, 0.0, np.minimum(lasted, (t_us - s.since_us[at]) / HOUR_US))
    s.hours[at] += ran
    s.emitted_us[at] = t_us
    return Emitted(slots, t_us, np.ascontiguousarray(values[:, : s.k]), features, why, ran)


def _state(s: Slots, at: Ints | slice, t_us: Ints, values: Array, layout: Layout, gap: Bools) -> NDArray[np.int8]:
    if layout.running is None:
        began = ~s.running[at] | gap
        runs = np.ones(len(t_us), dtype=bool)
    else:
        x = values[:, layout.signals.index(layout.running.signal)]
        runs = np.where(x == x, _holds(layout.running, x), s.running[at])
        began = runs & (~s.running[at] | gap)
    s.running[at] = runs
    if began.any():
        s.since_us[at] = np.where(began, t_us, s.since_us[at])
    if layout.running is None:
        return np.full(len(t_us), Why.SCORED, dtype=np.int8)
    settled = t_us - s.since_us[at] >= layout.settings.settle_hours * HOUR_US
    why: NDArray[np.int8] = np.where(runs, np.where(settled, Why.SCORED, Why.SETTLING), Why.NOT_RUNNING).astype(np.int8)
    return why


def _holds(running: Running, x: Array) -> Bools:
    compare = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}[running.operator]
    out: Bools = compare(x, running.value)
    return out


def _low_pass(s: Slots, at: Ints | slice, conditions: Array, lasted: Array, lag: float) -> Array:
    """Conditions, the same quickly and slowly low-passed (n, 3c); the slots' own rows where `at` is a slice."""
    features, c = s.features[at], s.c
    now, past = features[:, :c], features[:, c:].reshape(len(features), 2, c)
    np.copyto(now, conditions, where=conditions == conditions)
    share = 1.0 - np.exp(lasted[:, None] / (-FAST_LAG * lag, -lag)) if lag > 0 else np.ones((len(lasted), 2))
    step = now[:, None] - past
    step *= share[:, :, None]
    step += past
    new = step != step
    if new.any():
        step = np.where(new, now[:, None], step)
    features[:, c:] = step.reshape(len(step), 2 * c)
    if not isinstance(at, slice):
        s.features[at] = features
    return features


def score(s: Slots, rows: Emitted) -> Scored:
    """Score a row each of machines that have a baseline, and move their windows on."""
    slots, at = rows.slots, all_of(rows.slots)
    unknown = _turn(s, slots, at, rows.features)
    x = rows.features - s.x_mean[at]
    if np.isnan(x).any():
        x = np.nan_to_num(x)
    expected = np.einsum("nkp,np->nk", s.slope[at], x)
    expected += s.centre[at]
    z = rows.symptoms - expected
    z *= s.per_sigma[at]
    z -= s.offset[at]
    why = rows.why
    if unknown.any():
        z[unknown] = expected[unknown] = np.nan
        why = np.where((why == Why.SCORED) & unknown, np.int8(Why.OUTSIDE_REGIMES), why)
    good = why == Why.SCORED
    if good.all():
        value, means, known = _judged(s, slots, z)
    else:
        value, means = np.full(len(slots), np.nan), np.full((len(slots), s.k), np.nan)
        known = np.zeros(len(slots), dtype=bool)
        if good.any():
            value[good], means[good], known[good] = _judged(s, slots[good], z[good])
    lacking = good & (value != value)
    if lacking.any():
        why = np.where(lacking, np.where(known, np.int8(Why.NO_SIGNAL), np.int8(Why.FILLING)), why)
    return Scored(
        slots, rows.t_us, value, means, why, rows.why, z, rows.symptoms, expected, rows.features, rows.step_hours
    )  # fmt: skip


def _turn(s: Slots, slots: Ints, at: Ints | slice, features: Array) -> Bools:
    """Turn to the tables of the regimes that the machines are in now; which are in no regime that is known."""
    unknown = np.zeros(len(slots), dtype=bool)
    if not s.r:
        return unknown
    x = features[:, s.layout.regimes]
    left = np.flatnonzero(~((x >= s.from_level[at]) & (x <= s.to_level[at])).all(1))
    if not len(left):
        return unknown
    those, x = slots[left], x[left, :, None]
    inside = (x >= s.low[those]) & (x <= s.high[those])
    levels = np.where(inside.any(2), inside.argmax(2), UNKNOWN)
    same = (levels[:, None, :] == s.combinations[those]).all(2)
    found, regime = same.any(1), same.argmax(1)
    unknown[left] = ~found
    s.turn_to(those, np.where(found, regime, 0))
    within, at_level = found[:, None], np.maximum(levels, 0)[:, :, None]
    s.from_level[those] = np.where(within, np.take_along_axis(s.low[those], at_level, 2)[:, :, 0], np.inf)
    s.to_level[those] = np.where(within, np.take_along_axis(s.high[those], at_level, 2)[:, :, 0], -np.inf)
    return unknown


def _judged(s: Slots, slots: Ints, z: Array) -> tuple[Array, Array, Bools]:
    """Move windows on by residuals (n, k): value (n,) and window means (n, k), NaN = not known; whose are known."""
    at = all_of(slots)
    full = _move_window(s, slots, at, z)
    means = s.z_sum[at] / s.divisor[at]
    stale = s.stale[at] & full
    if stale.any():
        _expect(s, slots[stale])
    value = _median(s, at, means) if s.layout.settings.fleet else _distance(s, at, means)
    absent = s.divisor[at] == np.inf
    known = full
    if absent.any():
        means[absent] = np.nan
        known = full & ~absent.all(1)
    if not full.all():
        means[~full] = np.nan
    if not known.all():
        value[~known] = np.nan
    return value, means, known


def _move_window(s: Slots, slots: Ints, at: Ints | slice, z: Array) -> Bools:
    """Put residuals (n, k) into the windows; which windows are full.

    Sums are added up anew every few windows, another few machines each tick, and whenever a residual leaves that was
    so large that it took digits of the others with it.
    """
    w, taken = s.window, s.taken[at]
    ring, where = s.ring_z.reshape(-1, s.k), taken % w * len(s.taken) + slots
    old = ring.take(where, axis=0)
    ring[where] = z
    change = z - old
    gaps = change != change
    if gaps.any():
        _change_counts(s, slots, z == z, old == old)
        change = np.where(z == z, z, 0.0) - np.where(old == old, old, 0.0)
    s.z_sum[at] += change
    anew = taken % (ADD_UP_WINDOWS * w) == slots % (ADD_UP_WINDOWS * w)
    if np.fmax.reduce(old, axis=None) > LARGE or np.fmin.reduce(old, axis=None) < -LARGE:
        anew |= (np.abs(old) > LARGE).any(1)
    if anew.any():
        s.add_up(slots[anew])
    segment = s.segment[at]
    other = segment != s.newest_segment[at]
    if other.any():
        s.began[slots[other]], s.newest_segment[at] = taken[other], segment
    s.ring_segment.reshape(-1)[where] = segment
    taken = taken + 1
    s.taken[at] = taken
    full: Bools = taken - s.began[at] >= w
    return full


def _change_counts(s: Slots, slots: Ints, came: Bools, left: Bools) -> None:
    """Readings come into windows and leave them, signal by signal."""
    rows = np.flatnonzero((came != left).any(1))
    if len(rows):
        s.ok_count[slots[rows]] += came[rows].astype(np.int8) - left[rows].astype(np.int8)
        s.count(slots[rows])


def remember(s: Slots, rows: Scored) -> None:
    """Keep what pages show of the rows that went into a window: value, expected, plain deviation."""
    slots, at = rows.slots, all_of(rows.slots)
    place = (s.taken[at] - 1) % s.window
    seen = np.stack([rows.symptoms, rows.expected, (rows.symptoms - s.plain_centre[at]) * s.plain_per_sigma[at]], 1)
    s.ring_seen.reshape(-1, 3, s.k)[place * len(s.taken) + slots] = seen
    s.in_recent[at] = np.minimum(s.in_recent[at] + 1, s.window)


def _expect(s: Slots, slots: Ints) -> None:
    """Set the distance's matrices of machines whose signals are others than before."""
    for i in slots.tolist():
        watch = s.watches[i]
        if watch is not None and watch.detector.baseline is not None:
            s.expect(i, watch.detector.baseline, np.isfinite(s.divisor[i]))


def _distance(s: Slots, at: Ints | slice, means: Array) -> Array:
    """Squared Mahalanobis distance in multiples of the limit, of means that are 0 where there are none; see
    `baseline.distance`."""
    whitened = np.einsum("nij,nj->ni", s.inverse[at], means)
    value: Array = np.einsum("ni,ni->n", whitened, means)
    return value


def _median(s: Slots, at: Ints | slice, means: Array) -> Array:
    """Median over the usable signals of |window mean|; see `detector.index`."""
    return median_of(np.abs(np.where(s.divisor[at] < np.inf, means, np.nan)))


def note_times(s: Slots, slots: Ints, t_us: Ints, why: NDArray[np.int8]) -> None:
    """The newest row's time, and the share of the time that each machine runs."""
    at = all_of(slots)
    lasted = (t_us - s.newest_us[at]) / HOUR_US
    first = s.first_us[at] < 0
    whole = np.maximum((t_us - s.first_us[at]) / HOUR_US, lasted)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.minimum(1.0, lasted / np.minimum(whole, WEEK_HOURS))
    runs = np.where(why == Why.NOT_RUNNING, 0.0, 1.0)
    s.duty[at] += np.where(first | (lasted <= 0), 0.0, share * (runs - s.duty[at]))
    s.first_us[at] = np.where(first, t_us, s.first_us[at])
    s.newest_us[at] = t_us
    s.why[at] = why
