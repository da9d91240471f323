"""All machines of one kind in one tenant: feeds each its rows, and closes the pool where their baselines are pooled.

Few rows of each of many machines go through the stack, a long record of one through its watch; both come to the same.
A machine whose fit is made elsewhere is set aside: its rows are kept in order until the fit is back; others go on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomaly.domain.baseline import Fitter
from anomaly.domain.baseline_fit import fit_with_noise
from anomaly.domain.fits import Pending, Submit, at_once
from anomaly.domain.fleet import pooled, settled
from anomaly.domain.layout import Array, layout_of
from anomaly.domain.memory import Memory
from anomaly.domain.stack import Stack
from anomaly.domain.watch import Event, Watch
from contracts.asset_model import AssetModel

HELD_ROWS = 2000
"""So many rows of a machine are kept while its fit is made; then everybody waits for it."""
ROWS_A_TICK = 4
"""Rows go through the stack where the longest arrival has at most so many for each machine in it."""


@dataclass(frozen=True)
class Arrival:
    """New rows of one device, in time order; columns as `signals`."""

    device: str
    signals: Sequence[str]
    t_us: NDArray[np.int64]
    values: Array

    def after(self, rows: int) -> "Arrival":
        """Without so many first rows."""
        return Arrival(self.device, self.signals, self.t_us[rows:], self.values[rows:])


@dataclass(frozen=True)
class Held:
    """Rows that wait, with what `Machines.feed` was told about them."""

    arrival: Arrival
    hours: float
    history: bool


@dataclass
class Aside:
    """A machine that waits for its fit."""

    fit: Pending
    held: list[Held] = field(default_factory=list)

    def hold(self, rows: Held) -> None:
        """Keep rows; waits for the fit where they are too many."""
        self.held.append(rows)
        if sum(len(h.arrival.t_us) for h in self.held) > HELD_ROWS:
            self.fit.result()


@dataclass(frozen=True)
class Outcome:
    """What came of a device's rows."""

    device: str
    events: list[Event] = field(default_factory=list)
    history: bool = False


class Machines:
    """The watches over the machines of one model in one tenant."""

    def __init__(self, model: AssetModel, fitter: Fitter = fit_with_noise, submit: Submit | None = None) -> None:
        self.model, self.layout, self._fitter = model, layout_of(model), fitter
        self._submit = submit or at_once(fitter)
        self.stack = Stack(model, self.layout, self._submit)
        self._watches: dict[str, Watch] = {}
        self._aside: dict[str, Aside] = {}

    def __contains__(self, device: str) -> bool:
        return device in self._watches

    def put(self, device: str, memory: Memory, held: list[Held] | None = None) -> None:
        """Go on from a snapshot; `held`: the machine waited for a fit, and these rows with it."""
        self.stack.take_out(device)
        self._watches[device] = watch = Watch(self.model, memory, self.layout, self._fitter)
        if held is not None:
            self._aside[device] = Aside(self._submit(watch.detector.training, self.layout), list(held))

    def held(self, device: str) -> list[Held] | None:
        """Rows of a machine that waits for its fit, for snapshots; None = it does not."""
        return self._aside[device].held if device in self._aside else None

    def back(self) -> list[str]:
        """Machines whose fit is back."""
        return [device for device, aside in self._aside.items() if aside.fit.done()]

    def settle(self, device: str, wait: bool = False) -> list[Outcome]:
        """Let a machine whose fit is back (or is waited for) catch up; what came of the rows that were kept."""
        out = []
        while device in self._aside and (wait or self._aside[device].fit.done()):
            aside = self._aside.pop(device)
            self._watches[device].detector.take(aside.fit.result())
            out.append(Outcome(device))
            for rows in aside.held:
                out += self.feed([rows.arrival], rows.hours, rows.history)
        return out

    def forget(self, device: str) -> None:
        """Drop a machine as it is, be it half-changed by what failed."""
        self.stack.forget(device)
        self._watches.pop(device, None)
        aside = self._aside.pop(device, None)
        if aside is not None:
            aside.fit.cancel()

    def give_up(self) -> None:
        """Nobody waits for the fits any more."""
        for aside in self._aside.values():
            aside.fit.cancel()

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

    def baseline_number(self, device: str) -> int:
        """Which of the device's baselines is in force; -1 = none is learned yet."""
        watch = self._watches[device]
        return -1 if watch.detector.baseline is None else watch.memory.epoch

    def newest_us(self, device: str) -> int:
        """Time of the newest row that was taken; -1 = none yet."""
        slot = self.stack.slot_of.get(device)
        if slot is not None:
            return int(self.stack.slots.newest_us[slot])
        if device in self._aside and self._aside[device].held:
            return int(self._aside[device].held[-1].arrival.t_us[-1])
        return self._watches[device].memory.newest_us if device in self._watches else -1

    def feed(
        self, arrivals: Sequence[Arrival], point_hours: float | None = None, history: bool = False
    ) -> list[Outcome]:
        """Take rows of several devices (each at most once); outcomes in the order of the arrivals."""
        hours = self.model.prognosis.every_hours if point_hours is None else point_hours
        outcomes = {a.device: Outcome(a.device, history=history) for a in arrivals}
        everybody = arrivals
        if self._aside:
            arrivals = [a for a in everybody if a.device not in self._aside]
            for waits in everybody:
                if waits.device in self._aside:
                    self._aside[waits.device].hold(Held(waits, hours, history))
        if not self.layout.symptoms:
            self._note(arrivals)
            return [outcomes[a.device] for a in everybody]
        stacked = self._for_the_stack(arrivals)
        alone = [a for a in arrivals if a.device not in stacked]
        for device, events in self._tick([a for a in arrivals if a.device in stacked], hours, history):
            outcomes[device].events.extend(events)
        for arrival in alone:
            self.watch(arrival.device).point_hours = hours
        if self.model.detection.fleet:
            self._feed_fleet(alone, outcomes)
        else:
            for a in alone:
                watch = self._watches[a.device]
                outcomes[a.device].events.extend(watch.feed(a.t_us, self.layout.arrange(a.signals, a.values))[1])
        return [outcomes[a.device] for a in everybody]

    def _note(self, arrivals: Sequence[Arrival]) -> None:
        """Machines that tell of errors alone: there is nothing to watch, but it is known that they were heard."""
        for a in arrivals:
            memory = self._watch(a.device).memory
            memory.first_us = int(a.t_us[0]) if memory.first_us < 0 else memory.first_us
            memory.newest_us = max(memory.newest_us, int(a.t_us[-1]))

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

    def _tick(
        self, arrivals: Sequence[Arrival], point_hours: float, history: bool
    ) -> Iterator[tuple[str, list[Event]]]:
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
            if not has.any():
                break
            rows = (first + row)[has]
            for slot, events in stack.tick(slots[has], t_us[rows], values[rows], point_hours).items():
                yield device_of[slot], events
            while stack.fits:
                slot, fit = stack.fits.popitem()
                place = int(np.searchsorted(slots, slot))
                rest = ordered[place].after(row + 1)
                lengths[place] = 0
                stack.take_out(device_of[slot])
                self._aside[device_of[slot]] = Aside(fit, [Held(rest, point_hours, history)] if len(rest.t_us) else [])

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
