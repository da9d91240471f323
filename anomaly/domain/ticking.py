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
        s.slow[slots[gap]] = s.fast[slots[gap]] = np.nan
    why = _state(s, at, t_us, values, layout, gap)
    s.last_us[at] = t_us
    restart = gap | (why != s.followed_why[at])
    if restart.any():
        s.sums[slots[restart]] = s.counts[slots[restart]] = 0.0
        s.followed_why[at] = why
    ok = values == values
    sums, counts = s.sums[at] + np.where(ok, values, 0.0), s.counts[at] + ok
    lasted_us = t_us - s.emitted_us[at]
    first = s.emitted_us[at] < 0
    waits = ~gap & ~first & (lasted_us < slot_us)
    if waits.any():
        s.sums[at], s.counts[at] = sums, counts
        keep = np.flatnonzero(~waits)
        slots, t_us, why, sums, counts = slots[keep], t_us[keep], why[keep], sums[keep], counts[keep]
        lasted_us, first, gap = lasted_us[keep], first[keep], gap[keep]
        at = all_of(slots)
    s.sums[at] = s.counts[at] = 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts
    lasted = np.where(first, 0.0, lasted_us / HOUR_US)
    features = _low_pass(s, at, means[:, s.k :], lasted, settings.lag_hours)
    ran = np.where((why == Why.NOT_RUNNING) | first | gap, 0.0, np.minimum(lasted, (t_us - s.since_us[at]) / HOUR_US))
    s.hours[at] += ran
    s.emitted_us[at] = t_us
    return Emitted(slots, t_us, means[:, : s.k], features, why, ran)


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
    now = np.where(conditions == conditions, conditions, s.conditions[at])
    s.conditions[at] = now
    for kept, own_lag in ((s.slow, lag), (s.fast, FAST_LAG * lag)):
        share = 1.0 - np.exp(-lasted / own_lag) if lag > 0 else np.ones(len(lasted))
        old = kept[at]
        kept[at] = np.where(old == old, old + share[:, None] * (now - old), now)
    return np.concatenate([now, s.fast[at], s.slow[at]], axis=1)


def score(s: Slots, rows: Emitted) -> Scored:
    """Score a row each of machines that have a baseline, and move their windows on."""
    settings, slots, k = s.layout.settings, rows.slots, s.k
    at, n = all_of(slots), len(slots)
    regime = _regimes(s, at, rows.features)
    _turn_to(s, slots, at, np.maximum(regime, 0))
    table, usable, unknown = s.table[at], s.usable[at], regime == UNKNOWN
    x = (rows.features - s.x_mean[at]) / s.x_scale[at]
    expected = table[:, 0] + np.einsum("nkp,np->nk", s.slope[at], np.where(x == x, x, 0.0))
    expected[unknown] = np.nan
    z = (rows.symptoms - expected) / table[:, 1] - s.offset[at]
    why = rows.why.copy()
    why[(why == Why.SCORED) & unknown] = Why.OUTSIDE_REGIMES
    good = why == Why.SCORED
    if good.all():
        _move_window(s, slots, z)
        means = _window_means(s, at)
    else:
        means = np.full((n, k), np.nan)
    if good.any() and not good.all():
        mine = slots[good]
        _move_window(s, mine, z[good])
        means[good] = _window_means(s, all_of(mine))
    known = means == means
    present, filled = known & usable, known.any(1)
    value = _median(means, present) if settings.fleet else _distance(s, slots, at, means, present)
    why[good & ~filled] = Why.FILLING
    why[good & filled & ~np.isfinite(value)] = Why.NO_SIGNAL
    return Scored(
        slots, rows.t_us, value, means, why, rows.why, z, rows.symptoms, expected, rows.features, rows.step_hours
    )  # fmt: skip


def _regimes(s: Slots, at: Ints | slice, features: Array) -> Ints:
    if not s.r:
        return np.zeros(len(features), dtype=np.int64)
    x = features[:, list(s.layout.regimes), None]
    inside = (x >= s.low[at]) & (x <= s.high[at])
    levels = np.where(inside.any(2), inside.argmax(2), UNKNOWN)
    same = (levels[:, None, :] == s.combinations[at]).all(2)
    out: Ints = np.where(same.any(1), same.argmax(1), UNKNOWN)
    return out


def _turn_to(s: Slots, slots: Ints, at: Ints | slice, regime: Ints) -> None:
    """Lay out the tables of the regime that each machine is in now; they are kept from row to row."""
    changed = np.flatnonzero(regime != s.regime[at])
    if len(changed):
        those = slots[changed]
        s.table[those], s.slope[those] = s.tables[those, regime[changed]], s.slopes[those, regime[changed]]
        s.regime[those] = regime[changed]


def _move_window(s: Slots, slots: Ints, z: Array) -> None:
    """Put residuals (n, k) into the windows.

    The windows' sums are kept from row to row. Each machine's is added up anew once a window, another few machines each
    tick, and whenever a residual leaves that was so large that it took digits of the others with it.
    """
    at, n, w = all_of(slots), len(s.place), s.window
    place, segment = s.place[at], s.segment[at]
    ring_z, ring_ok, where = s.ring_z.reshape(w * n, -1), s.ring_ok.reshape(w * n, -1), place * n + slots
    ok = z == z
    new, old = np.where(ok, z, 0.0), ring_z[where]
    s.ok_count[at] += ok.astype(np.int8) - ring_ok[where].astype(np.int8)
    ring_z[where], ring_ok[where] = new, ok
    s.z_sum[at] += new - old
    anew = slots[(place == slots % w) | (np.abs(old).max(axis=1, initial=0.0) > LARGE)]
    if len(anew):
        s.z_sum[anew] = s.ring_z[:, anew].sum(0)
    before = s.ring_segment[place - 1, slots]
    s.held[at] = np.where(before == segment, np.minimum(s.held[at] + 1, w), 1)
    s.ring_segment[place, slots] = segment
    s.place[at] = (place + 1) % w
    s.in_window[at] = np.minimum(s.in_window[at] + 1, w)


def remember(s: Slots, rows: Scored) -> None:
    """Keep what pages show of the rows that went into a window: value, expected, plain deviation."""
    slots = rows.slots
    place = s.place[all_of(slots)] - 1
    centre, scale = s.table[slots, 2], s.table[slots, 3]
    s.ring_seen[place, slots] = np.stack([rows.symptoms, rows.expected, (rows.symptoms - centre) / scale], axis=1)
    s.in_recent[all_of(slots)] = np.minimum(s.in_recent[all_of(slots)] + 1, s.window)


def _window_means(s: Slots, at: Ints | slice) -> Array:
    count = s.ok_count[at]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = s.z_sum[at] / count
    means[count < max(1, s.window // 2)] = np.nan
    means[s.held[at] < s.window] = np.nan
    out: Array = means
    return out


def _distance(s: Slots, slots: Ints, at: Ints | slice, means: Array, present: Bools) -> Array:
    """Squared Mahalanobis distance in multiples of the limit; see `baseline.distance`."""
    some = present.any(1)
    changed = some & (present != s.present[at]).any(1)
    for i in np.flatnonzero(changed).tolist():
        watch = s.watches[slots[i]]
        if watch is not None and watch.detector.baseline is not None:
            s.expect(int(slots[i]), watch.detector.baseline, present[i])
    m = np.where(present, means, 0.0)
    value: Array = (m * np.einsum("nij,nj->ni", s.inverse[at], m)).sum(1)
    value[~some] = np.nan
    return value


def _median(means: Array, present: Bools) -> Array:
    """Median over the usable signals of |window mean|; see `detector.index`."""
    return median_of(np.abs(np.where(present, means, np.nan)))


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
