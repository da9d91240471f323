"""All machines of one kind in one tenant: feeds each its rows, and closes the pool where their baselines are pooled.

Few rows of each of many machines go through the stack, a long record of one through its watch; both come to the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.baseline import Fitter, fit_with_noise
from anomaly.domain.fleet import pooled, settled
from anomaly.domain.layout import Array, layout_of
from anomaly.domain.stack import Stack
from anomaly.domain.watch import Event, Memory, Watch
from contracts.asset_model import AssetModel

ROWS_A_TICK = 4
"""Rows go through the stack where the longest arrival has at most so many for each machine in it."""


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
    events: list[Event] = field(default_factory=list)


class Machines:
    """The watches over the machines of one model in one tenant."""

    def __init__(self, model: AssetModel, fitter: Fitter = fit_with_noise) -> None:
        self.model, self.layout, self._fitter = model, layout_of(model), fitter
        self.stack = Stack(model, self.layout)
        self._watches: dict[str, Watch] = {}

    def __contains__(self, device: str) -> bool:
        return device in self._watches

    def put(self, device: str, memory: Memory) -> None:
        """Go on from a snapshot."""
        self.stack.take_out(device)
        self._watches[device] = Watch(self.model, memory, self.layout, self._fitter)

    def watch(self, device: str) -> Watch:
        """The watch over a device, to be changed; a new one where there is none."""
        self.stack.take_out(device)
        return self._watch(device)

    def look_at(self, device: str) -> Watch:
        """The watch over a device that is there, to be read."""
        self.stack.look_at(device)
        return self._watches[device]

    def alarm_raised(self, device: str) -> bool:
        """Whether an alarm of the device stands."""
        return self._watches[device].memory.alarm.raised

    def newest_us(self, device: str) -> int:
        """Time of the newest row that was taken; -1 = none yet."""
        slot = self.stack.slot_of.get(device)
        if slot is not None:
            return int(self.stack.slots.newest_us[slot])
        return self._watches[device].memory.newest_us if device in self._watches else -1

    def feed(self, arrivals: Sequence[Arrival], point_hours: float | None = None) -> list[Outcome]:
        """Take rows of several devices (each at most once); outcomes in the order of the arrivals."""
        hours = self.model.prognosis.every_hours if point_hours is None else point_hours
        outcomes = {a.device: Outcome(a.device) for a in arrivals}
        stacked = self._for_the_stack(arrivals)
        alone = [a for a in arrivals if a.device not in stacked]
        for device, events in self._tick([a for a in arrivals if a.device in stacked], hours):
            outcomes[device].events.extend(events)
        for arrival in alone:
            self.watch(arrival.device).point_hours = hours
        if self.model.detection.fleet:
            self._feed_fleet(alone, outcomes)
        else:
            for a in alone:
                watch = self._watches[a.device]
                outcomes[a.device].events.extend(watch.feed(a.t_us, self.layout.arrange(a.signals, a.values))[1])
        return [outcomes[a.device] for a in arrivals]

    def _watch(self, device: str) -> Watch:
        if device not in self._watches:
            self._watches[device] = Watch(self.model, layout=self.layout, fitter=self._fitter)
        return self._watches[device]

    def _for_the_stack(self, arrivals: Sequence[Arrival]) -> set[str]:
        longest = max((len(a.t_us) for a in arrivals), default=0)
        if longest > ROWS_A_TICK * len(arrivals):
            longest = 1
        here = self.stack.slot_of
        return {
            a.device
            for a in arrivals
            if len(a.t_us) <= longest and (a.device in here or self.stack.fits_in(self._watch(a.device)))
        }

    def _tick(self, arrivals: Sequence[Arrival], point_hours: float) -> Iterator[tuple[str, list[Event]]]:
        """One row of each at a time."""
        if not arrivals:
            return
        stack = self.stack
        slots = np.array([stack.put_in(a.device, self._watches[a.device]) for a in arrivals], dtype=np.int64)
        order = np.argsort(slots)
        ordered = [arrivals[j] for j in order.tolist()]
        device_of = {int(slots[j]): arrivals[j].device for j in order.tolist()}
        slots, lengths = slots[order], np.array([len(a.t_us) for a in ordered])
        t_us = np.concatenate([a.t_us for a in ordered])
        values = self._arranged(ordered)
        first = np.cumsum(lengths) - lengths
        for row in range(int(lengths.max())):
            has = lengths > row
            rows = (first + row)[has]
            for slot, events in stack.tick(slots[has], t_us[rows], values[rows], point_hours).items():
                yield device_of[slot], events

    def _arranged(self, arrivals: Sequence[Arrival]) -> Array:
        """The rows of all in the layout's columns."""
        if all(a.signals == arrivals[0].signals for a in arrivals):
            return self.layout.arrange(arrivals[0].signals, np.concatenate([a.values for a in arrivals]))
        return np.concatenate([self.layout.arrange(a.signals, a.values) for a in arrivals])

    def _feed_fleet(self, arrivals: Sequence[Arrival], outcomes: dict[str, Outcome]) -> None:
        """Machines that still learn move on together, by time, so that none closes its pool before the others came."""
        values = [self.layout.arrange(a.signals, a.values) for a in arrivals]
        order = sorted((t, i, row) for i, a in enumerate(arrivals) for row, t in enumerate(a.t_us.tolist()))
        done = [0] * len(arrivals)
        for _, i, row in order:
            if row < done[i]:
                continue
            watch = self._watches[arrivals[i].device]
            if watch.detector.baseline is None:
                fleet = [w.detector for _, w in sorted(self._watches.items())]
                if settled(watch.detector, fleet):
                    watch.begin(pooled(watch.detector, fleet))
            until = row + 1 if watch.detector.baseline is None else len(values[i])
            outcomes[arrivals[i].device].events.extend(watch.feed(arrivals[i].t_us[row:until], values[i][row:until])[1])
            done[i] = until
