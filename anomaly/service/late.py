"""Rows that came after their turn: scored with those around them from the store, nobody is told."""

import numpy as np

from anomaly.domain.detector import State, detector_of
from anomaly.domain.following import HOUR_US, Follower
from anomaly.domain.machines import Arrival
from anomaly.domain.watch import Watch
from anomaly.service.port import LateRows
from contracts.points import TelemetryStore


def late_rows(key: tuple[str, str], watch: Watch, late: Arrival, store: TelemetryStore | None) -> LateRows:
    """What is written of late rows: their highest score, where there is a baseline."""
    first, last, peak = int(late.t_us[0]), int(late.t_us[-1]), None
    base = watch.detector.baseline
    if base is not None and store is not None:
        before = round(3 * watch.layout.settings.window_hours * HOUR_US)
        seen = store.read(*key, from_us=first - before, to_us=last + 1)
        probe = detector_of(watch.layout, State(Follower.of(watch.layout), base, fits=watch.memory.detector.fits))
        scores = probe.feed(seen.t_us, watch.layout.arrange(seen.signals, seen.values))
        mine = scores.score[(scores.t_us >= first) & np.isfinite(scores.score)]
        peak = float(mine.max()) if len(mine) else None
    return LateRows(*key, first, last, len(late.t_us), peak)
