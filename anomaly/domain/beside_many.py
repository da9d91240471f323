"""One row each of many machines through the methods beside the baseline: the same steps as `Beside.follow`."""

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.beside import NEAR
from anomaly.domain.cusum import LIMIT, summed
from anomaly.domain.following import Why
from anomaly.domain.layout import Array
from anomaly.domain.limits import NEWEST, nearest
from anomaly.domain.slots import Ints, Slots, all_of
from contracts.detection_methods import BASELINE, CUSUM, LIMITS, METHODS, SEASONAL


def joint(
    s: Slots, slots: Ints, t_us: Ints, symptoms: Array, residual: Array | None, why: NDArray[np.int8], score: Array
) -> Array:
    """The one score of each machine (n,), of the baseline's and the others'; moves what they remember on.

    Parameters
    ----------
    residual
        (n, k); None = of machines that have no baseline yet.
    score
        The baseline's (n,); NaN where it has none.
    """
    b, at, threshold = s.beside, all_of(slots), s.layout.settings.threshold
    runs = (why != Why.NOT_RUNNING) & (why != Why.SETTLING)
    judges = BASELINE in b.methods
    near = _near(s, slots, at, symptoms, runs) if b.rules else None
    sums = _sums(s, slots, at, residual, runs) if b.sums and residual is not None else None
    odd = _surprises(s, slots, t_us, symptoms) if SEASONAL in b.methods else None
    if near is None and sums is None and odd is None and judges:
        if s.by[at].any():
            s.by[at] = np.where(score == score, np.int8(METHODS.index(BASELINE)), s.by[at])
        return score
    level = score / threshold if judges else np.full(len(slots), np.nan)
    by = np.full(len(slots), METHODS.index(BASELINE), np.int8)
    for other, name in ((near, LIMITS), (sums, CUSUM), (odd, SEASONAL)):
        if other is not None:
            _larger(level, by, other, name)
    s.by[at] = np.where(level == level, by, s.by[at])
    mine = by == METHODS.index(BASELINE)
    return np.where(mine, score if judges else np.nan, level * threshold)


def _larger(level: Array, by: NDArray[np.int8], other: Array, name: str) -> None:
    """Take another method's levels where they are larger, or where there are none yet."""
    more = (other == other) & ~(level >= other)
    level[more], by[more] = other[more], METHODS.index(name)


def _near(s: Slots, slots: Ints, at: Ints | slice, symptoms: Array, runs: NDArray[np.bool_]) -> Array | None:
    """How near each machine is to a limit (n,), NaN where it is not near; None = none is."""
    b, value = s.beside, symptoms[:, s.beside.columns]
    s.newest[:-1, at] = s.newest[1:, at].copy()
    s.newest[-1, at] = value
    count = s.newest_count[at]
    if not runs.all() or count.min(initial=NEWEST) < NEWEST:
        s.newest_count[at] = count = np.where(runs, np.minimum(count + 1, NEWEST), 0)
    past = (value <= b.low) | (value >= b.high)
    if not past.any() and not s.hot[at].any():
        return None
    s.hot[at] = hot = np.where(past.any(1) & runs, NEWEST, np.maximum(s.hot[at] - 1, 0))
    out = np.full(len(slots), np.nan)
    for place in np.flatnonzero((hot > 0) & (count == NEWEST)).tolist():
        i = int(slots[place])
        watch = s.watches[i]
        assert watch is not None
        near, _ = nearest(b.rules, s.newest_of(i), watch.apart)
        if near >= NEAR:
            out[place] = near
    return out


def _sums(s: Slots, slots: Ints, at: Ints | slice, residual: Array, runs: NDArray[np.bool_]) -> Array:
    """The largest cumulative sum of each machine (n,), in multiples of its threshold; NaN without a reading, or while
    its baseline's record grows."""
    z = np.where((runs & ~s.recording[at])[:, None], residual, np.nan)
    up, down = summed(s.up[at], s.down[at], z, s.shrink[at])
    s.up[at], s.down[at] = up, down
    sums = np.maximum(up, down)
    for place in np.flatnonzero(s.apart[at]).tolist():
        watch = s.watches[int(slots[place])]
        assert watch is not None
        sums[place, watch.apart] = 0.0
    largest = sums.max(1, initial=0.0) / LIMIT / s.layout.settings.cusum_threshold
    return np.where(np.isfinite(z).any(1), largest, np.nan)


def _surprises(s: Slots, slots: Ints, t_us: Ints, symptoms: Array) -> Array:
    """How surprising each machine's signals are (n,), in multiples of the threshold; NaN = not known yet.

    What is remembered of their courses stays with the watches: it is machine by machine, beside a baseline that is not.
    """
    out = np.full(len(slots), np.nan)
    first_us = s.first_us[slots]
    for place, i in enumerate(slots.tolist()):
        watch = s.watches[i]
        assert watch is not None
        t = int(t_us[place])
        first = int(first_us[place]) if first_us[place] >= 0 else t
        out[place] = watch.beside.surprise(watch.memory.beside, t, symptoms[place], watch.apart, first)
    return out
