"""All machines of one kind in one tenant: feeds each its rows, and closes the pool where their baselines are pooled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.detector import Scores, joined
from anomaly.domain.fleet import pooled, settled
from anomaly.domain.layout import Array
from anomaly.domain.watch import Event, Watch
from contracts.asset_model import AssetModel


@dataclass(frozen=True)
class Arrival:
    """New rows of one device, in time order; columns as `signals`."""

    device: str
    signals: Sequence[str]
    t_us: NDArray[np.int64]
    values: Array


@dataclass(frozen=True)
class Outcome:
    """What came of a device's rows."""

    device: str
    scores: Scores
    events: list[Event]


class Machines:
    """The watches over the machines of one model in one tenant."""

    def __init__(self, model: AssetModel) -> None:
        self.model = model
        self.watches: dict[str, Watch] = {}

    def watch(self, device: str) -> Watch:
        """The watch over a device; a new one where there is none."""
        if device not in self.watches:
            self.watches[device] = Watch(self.model)
        return self.watches[device]

    def feed(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Take rows of several devices (each at most once); outcomes in the order of the arrivals."""
        if not self.model.detection.fleet:
            return [self._feed(a) for a in arrivals]
        return self._feed_fleet(arrivals)

    def _feed(self, arrival: Arrival) -> Outcome:
        watch = self.watch(arrival.device)
        values = watch.layout.arrange(arrival.signals, arrival.values)
        return Outcome(arrival.device, *watch.feed(arrival.t_us, values))

    def _feed_fleet(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Machines that still learn move on together, by time, so that none closes its pool before the others came."""
        values = [self.watch(a.device).layout.arrange(a.signals, a.values) for a in arrivals]
        pieces: list[list[Scores]] = [[] for _ in arrivals]
        events: list[list[Event]] = [[] for _ in arrivals]
        order = sorted((t, i, row) for i, a in enumerate(arrivals) for row, t in enumerate(a.t_us.tolist()))
        done = [0] * len(arrivals)
        for _, i, row in order:
            if row < done[i]:
                continue
            watch = self.watch(arrivals[i].device)
            if watch.detector.baseline is None:
                fleet = [w.detector for _, w in sorted(self.watches.items())]
                if settled(watch.detector, fleet):
                    watch.begin(pooled(watch.detector, fleet))
            until = row + 1 if watch.detector.baseline is None else len(values[i])
            scores, happened = watch.feed(arrivals[i].t_us[row:until], values[i][row:until])
            pieces[i].append(scores)
            events[i] += happened
            done[i] = until
        return [
            Outcome(a.device, joined(pieces[i], len(self.watch(a.device).layout.symptoms)), events[i])
            for i, a in enumerate(arrivals)
        ]
