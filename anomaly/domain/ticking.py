"""One row each of many machines at once: the same steps as `Follower.follow` and `WindowDetector._score`, side by side.

Sums go by axis, so that many machines and one come to the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.following import EARLY, FAST_LAG, HOUR_US, Why
from anomaly.domain.layout import Array, Layout, median_of
from anomaly.domain.regimes import UNKNOWN
from anomaly.domain.slots import Bools, Ints, Slots, all_of
from contracts.asset_model import Running

WEEK_HOURS = 168.0


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
    features: Array
    step_hours: Array


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
    known = np.maximum(regime, 0)
    expected = _of_regime(s.centre, slots, at, known) + _compensation(s, slots, at, known, rows.features)
    expected[regime == UNKNOWN] = np.nan
    z = (rows.symptoms - expected) / _of_regime(s.scale, slots, at, known) - s.offset[at]
    usable = s.usable[at]
    z[~usable] = np.nan
    plain = (rows.symptoms - _of_regime(s.plain_centre, slots, at, known)) / _of_regime(s.plain_scale, slots, at, known)
    plain[regime == UNKNOWN] = np.nan
    why = rows.why.copy()
    why[(why == Why.SCORED) & (regime == UNKNOWN)] = Why.OUTSIDE_REGIMES
    good = why == Why.SCORED
    means, value = np.full((n, k), np.nan), np.full(n, np.nan)
    if good.all():
        _move_window(s, slots, z, rows.symptoms, expected, plain)
        means = _window_means(s, at)
    elif good.any():
        mine = slots[good]
        _move_window(s, mine, z[good], rows.symptoms[good], expected[good], plain[good])
        means[good] = _window_means(s, all_of(mine))
    present = (means == means) & usable
    filled = (means == means).any(1)
    value = _median(means, present) if settings.fleet else _distance(s, slots, at, means, present)
    why[good & ~filled] = Why.FILLING
    why[good & filled & ~np.isfinite(value)] = Why.NO_SIGNAL
    return Scored(
        slots, rows.t_us, value, means, why, rows.why, z, rows.symptoms, rows.features, rows.step_hours
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


def _of_regime(table: Array, slots: Ints, at: Ints | slice, regime: Ints) -> Array:
    out: Array = table[at][:, 0] if table.shape[1] == 1 else table[slots, regime]
    return out


def _compensation(s: Slots, slots: Ints, at: Ints | slice, regime: Ints, features: Array) -> Array:
    x = np.nan_to_num((features - s.x_mean[at]) / s.x_scale[at])
    slopes = s.slopes[at][:, 0] if s.slopes.shape[1] == 1 else s.slopes[slots, regime]
    out: Array = np.einsum("np,npk->nk", x, slopes)
    return out


def _move_window(s: Slots, slots: Ints, z: Array, symptoms: Array, expected: Array, plain: Array) -> None:
    at = all_of(slots)
    place, segment = s.place[at], s.segment[at]
    ok = z == z
    s.ok_count[at] += ok.astype(np.int8) - s.ring_ok[place, slots].astype(np.int8)
    s.ring_z[place, slots] = np.where(ok, z, 0.0)
    s.ring_ok[place, slots] = ok
    s.held[at] = np.where(s.ring_segment[place - 1, slots] == segment, np.minimum(s.held[at] + 1, s.window), 1)
    s.ring_segment[place, slots] = segment
    seen = s.ring_seen
    seen[place, slots, 0], seen[place, slots, 1], seen[place, slots, 2] = symptoms, expected, plain
    s.place[at] = (place + 1) % s.window
    s.in_window[at] = np.minimum(s.in_window[at] + 1, s.window)
    s.in_recent[at] = np.minimum(s.in_recent[at] + 1, s.window)


def _window_means(s: Slots, at: Ints | slice) -> Array:
    count = s.ok_count[at]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = s.ring_z[:, at].sum(0) / count
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
    value: Array = (m * np.einsum("ni,nij->nj", m, s.inverse[at])).sum(1)
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
