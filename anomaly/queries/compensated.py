"""A signal's deviation from usual over time: plain, and compensated for the operating conditions."""

from dataclasses import dataclass

import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from anomaly.domain.baseline import Baseline
from anomaly.domain.detector import Scores, State, detector_of
from anomaly.domain.following import HOUR_US, Follower, Why
from anomaly.domain.layout import Array, layout_of
from anomaly.domain.packing import unpack
from anomaly.service import tables as t
from plumbing.runtime import Shared

USUAL = 3.0
"""The usual band of a healthy machine reaches so many deviations to either side."""
MOST_ROWS = 20_000
"""A chart of the usual value looks at so many rows at most: it is drawn anew while a page is open."""


@dataclass(frozen=True)
class Deviations:
    """Window means in multiples of a third of the usual band (beyond +-3 is outside it); NaN = none."""

    t_us: NDArray[np.int64]
    plain: Array
    compensated: Array


def deviations(
    shared: Shared, tenant: str, device: str, signal: str, from_us: int, to_us: int, buckets: int
) -> Deviations | None:
    """The two deviations of a symptom between two times, at most `buckets` of them.

    None where the machine, its baseline or the signal is not known.
    """
    found = _scored(shared, tenant, device, signal, from_us, to_us, None)
    if found is None:
        return None
    scores, base, j, window = found
    good = np.isin(scores.why, (Why.SCORED, Why.FILLING))
    plain = _trailing(np.where(good, scores.plain[:, j], np.nan), window)
    keep = _thinned(good & (scores.t_us >= from_us), buckets)
    return Deviations(
        scores.t_us[keep],
        _in_usual(plain[keep], base.plain_band[:, j]),
        _in_usual(scores.means[keep, j], base.band[:, j]),
    )


@dataclass(frozen=True)
class Usual:
    """What a symptom should have been in the operating conditions of the time, in its unit."""

    t_us: NDArray[np.int64]
    value: Array


def usual(
    shared: Shared, tenant: str, device: str, signal: str, from_us: int, to_us: int, buckets: int
) -> Usual | None:
    """The usual value between two times by the present baseline, at most `buckets` values.

    Of the newest `MOST_ROWS` rows at most. None where the machine, its baseline or the signal is not known.
    """
    found = _scored(shared, tenant, device, signal, from_us, to_us, MOST_ROWS)
    if found is None:
        return None
    scores, _, j, _ = found
    value = scores.expected[:, j]
    good = np.isin(scores.why, (Why.SCORED, Why.FILLING)) & np.isfinite(value) & (scores.t_us >= from_us)
    keep = _thinned(good, buckets)
    return Usual(scores.t_us[keep], value[keep])


def _scored(
    shared: Shared, tenant: str, device: str, signal: str, from_us: int, to_us: int, limit: int | None
) -> tuple[Scores, Baseline, int, int] | None:
    """Readings seen by the present baseline, from before the stretch: scores, baseline, the signal's column, window."""
    with shared.database.read() as connection:
        row = connection.execute(
            sa.select(t.states.c.model, t.states.c.memory).where(
                t.states.c.tenant == tenant, t.states.c.device == device
            )
        ).first()
    model = shared.models(row.model) if row else None
    if row is None or model is None:
        return None
    memory = unpack(msgspec.msgpack.decode(row.memory))[0]
    base, layout = memory.detector.baseline, layout_of(model)
    if base is None or signal not in layout.symptoms or not base.usable[layout.symptoms.index(signal)]:
        return None
    settings = layout.settings
    before = round(3 * settings.window_hours * HOUR_US + 5 * settings.lag_hours * HOUR_US)
    seen = shared.store.read(
        tenant, device, from_us=from_us - before, to_us=to_us, limit=limit, newest_first=limit is not None
    )
    probe = detector_of(layout, State(Follower.of(layout), base, fits=memory.detector.fits))
    scores = probe.feed(seen.t_us, layout.arrange(seen.signals, seen.values))
    return scores, base, layout.symptoms.index(signal), settings.window_samples


def _thinned(wanted: NDArray[np.bool_], buckets: int) -> NDArray[np.int64]:
    """Places of the wanted rows, at most so many, evenly."""
    keep: NDArray[np.int64] = np.flatnonzero(wanted)[:: max(1, -(-int(wanted.sum()) // max(1, buckets)))]
    return keep


def _in_usual(x: Array, band: Array) -> Array:
    centre, half = float(band.mean()), max(float(band[1] - band[0]) / 2, 1e-9)
    return (x - centre) * (USUAL / half)


def _trailing(x: Array, window: int) -> Array:
    """Means over the newest `window` values that there are; NaN until half a window is there."""
    out = np.full(len(x), np.nan)
    known = np.flatnonzero(np.isfinite(x))
    sums = np.concatenate([[0.0], np.cumsum(x[known])])
    for place, i in enumerate(known.tolist()):
        first = max(0, place + 1 - window)
        if place + 1 - first >= max(1, window // 2):
            out[i] = (sums[place + 1] - sums[first]) / (place + 1 - first)
    return out
