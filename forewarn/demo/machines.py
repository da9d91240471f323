"""The simulated pumps: what happened to them, and their readings by the demo's clock through the broker."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from contracts.clock import Clock
from contracts.wire import Sample
from forewarn.demo.facts import Facts
from simulators.checks import vibration_waveform
from simulators.link import SimDevice, SimLink
from simulators.pump_physics import COMPONENTS, SIGNALS, SLOT, Pump, damage
from simulators.pumps import Fleet, Kind

STEP_S = 0.05
WORN = 0.05
"""Damage that a technician sees when he opens the machine, 1 = failed."""


class Machines:
    """Eight pumps on the demo's clock. `failed` is told of each pump that breaks down."""

    def __init__(
        self, facts: Facts, clock: Clock, mqtt: tuple[str, int], tenant: str, secrets: dict[str, str],
        monotonic: Callable[[], float], failed: Callable[[str, str, datetime], None],
    ) -> None:  # fmt: skip
        self._facts, self._clock, self._failed = facts, clock, failed
        self.fleet: Fleet = facts.fleet()
        self._tenant = tenant
        self.link = SimLink(*mqtt, monotonic)
        for pump in self.fleet.pumps:
            source = _Source(self, pump.name)
            boot = facts.there.boot_ids[pump.name]
            self.link.add(SimDevice(tenant, pump.name, secrets[pump.name], boot, source), self._newest(pump))
        self._going = threading.Event()
        self._thread: threading.Thread | None = None

    def _newest(self, pump: Pump) -> int:
        """Number of the newest sample that exists by the demo's clock."""
        return max(0, pump.slot(self._clock.now()) - self.fleet.history_end + 1)

    def reading(self, name: str, seq: int) -> Sample:
        """Sample number `seq` of a pump."""
        pump = self.fleet.pump(name)
        slot = self.fleet.history_end + seq - 1
        reading = pump.sample(slot, self._facts.events(name))
        return Sample({s: reading[s] for s in SIGNALS}, pump.time(slot).isoformat())

    def check(self, name: str, command: str, args: dict[str, Any]) -> dict[str, Any] | None:
        """What a pump answers to a read command now, by its physics; None = it has no such command."""
        pump = self.fleet.pump(name)
        slot = pump.slot(self._clock.now())
        events = self._facts.events(name)
        match command:
            case "self_test":
                return {"faults": 0, "problem": {}}
            case "snapshot":
                return {"values": {s: {"value": v, "age_s": 0.0} for s, v in pump.sample(slot, events).items()}}
            case "vibration_waveform":
                return vibration_waveform(pump, slot, events, float(args.get("seconds", 1.0)))
        return None

    def start(self) -> None:
        """Connect, and report from now on."""
        self.link.start()
        self._thread = threading.Thread(target=self._run, name="pumps", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        told = {fact.pump for fact in self._facts.there.facts if fact.kind == Kind.FAILED}
        while not self._going.wait(STEP_S):
            now = self._clock.now()
            for pump in self.fleet.pumps:
                self.link.advance((self._tenant, pump.name), self._newest(pump))
                broke = pump.failed_at(self._facts.events(pump.name))
                if broke is not None and broke <= now and pump.name not in told:
                    told.add(pump.name)
                    self._facts.add(pump.name, broke, Kind.FAILED)
                    part = next(w.component for w in pump.wears if pump.time(w.fails) == broke)
                    self._failed(pump.name, part, broke)

    def stop(self) -> None:
        """Stop making readings; what is on its way is settled first, as far as that is quick."""
        self._going.set()
        if self._thread:
            self._thread.join()
        self.link.drained(10.0)
        self.link.stop()

    def stopped(self, name: str, at: datetime) -> None:
        """A technician switched the pump off."""
        self._facts.add(name, self._next_slot(name, at), Kind.STOPPED)

    def mended(self, name: str, component: str, at: datetime) -> None:
        """The technician is done; the part that he replaced (empty = none) is as new."""
        slot = self._next_slot(name, at)
        if component:
            self._facts.add(name, slot, Kind.REPAIRED, component)
        self._facts.add(name, slot + SLOT, Kind.STARTED)

    def _next_slot(self, name: str, at: datetime) -> datetime:
        """The first slot that is not reported yet: nothing changes the past."""
        pump = self.fleet.pump(name)
        return pump.time(max(pump.slot(at), pump.slot(self._clock.now())) + 1)

    def worn(self, name: str, at: datetime) -> str:
        """The component that a technician finds worn when he opens the pump at `at`; empty when all are well."""
        pump = replace(self.fleet.pump(name), spells=())  # what shakes it from outside wears nothing
        day, row = divmod(pump.slot(at), timedelta(days=1) // SLOT)
        before = tuple(e for e in self._facts.events(name) if e.kind is not Kind.REPAIRED or e.at < at)
        worst = max(COMPONENTS, key=lambda component: float(damage(pump, component, day, before)[row]))
        return worst if damage(pump, worst, day, before)[row] > WORN else ""

    def wear_another(self, index: int, start: datetime) -> str:
        """Let the bearing of another pump begin to wear; returns its name."""
        self._facts.wear(index, start)
        self.fleet = self._facts.fleet()
        return self.fleet.pumps[index].name


class _Source:
    """One pump as the source of its samples."""

    def __init__(self, machines: Machines, name: str) -> None:
        self._machines, self._name = machines, name

    def sample(self, seq: int) -> Sample:
        return self._machines.reading(self._name, seq)

    def check(self, name: str, args: dict[str, Any]) -> dict[str, Any] | None:
        return self._machines.check(self._name, name, args)
