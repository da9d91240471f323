"""Read, buffer, send, forget what is settled: one agent, one device."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from contracts import wire
from edge_agent.domain.driving import Batch, Reading
from edge_agent.domain.ranges import Range
from edge_agent.domain.settlement import Settlement

DISK_AGAIN_S = 1.0
"""Pause after the outbox could not be written."""
ENVELOPE_BYTES = 500
BATCH = 10
"""Default of most samples in a message."""
log = logging.getLogger(__name__)


class Driver(Protocol):
    """A source of readings. Used by one thread."""

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        """What there is to read.

        Parameters
        ----------
        position
            Where the outbox says that the driver stands ("" = at the beginning).
        at
            Wall time, aware UTC, for sources that have no time of their own.
        now
            Monotonic seconds.
        room
            Bytes that the outbox has for a source that can wait; such a one gives nothing when it is 0.
        """
        ...

    def close(self) -> None:
        """Let go of the source."""
        ...


class Row(Protocol):
    """A numbered sample, encoded, with its units where its driver has some."""

    @property
    def seq(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def units(self) -> bytes | None: ...


class Appended(Protocol):
    """What became of an append."""

    @property
    def refused(self) -> int: ...
    @property
    def gave_up(self) -> bool: ...


class EdgeAgentError(Exception):
    """Root of what the agent raises; the text says what happened, for people."""


class OutboxUnwritable(EdgeAgentError):
    """The outbox's disk did not take a write; nothing of it is kept."""


class Outbox(Protocol):
    """Samples on disk until they are settled. Every write raises OutboxUnwritable with nothing changed."""

    boot_id: str

    @property
    def extent(self) -> Range: ...
    @property
    def waiting(self) -> int: ...
    @property
    def dropped(self) -> list[wire.Dropped]: ...
    def position(self, driver: str) -> str: ...
    def room(self) -> int: ...
    def append(
        self, driver: str, readings: Sequence[Reading], position: str, units: Mapping[str, str] | None = None
    ) -> Appended: ...
    def read(self, first: int, limit: int, until: int | None = None) -> Sequence[Row]: ...
    def settle(self, through: int, settled: Sequence[Range]) -> None: ...
    def give_up_missing(self, asked: Sequence[Range]) -> bool: ...
    def begin_anew(self) -> None: ...


class Publish(Protocol):
    """Hands a message to the connection; False when there is none."""

    def __call__(self, kind: str, body: bytes, retain: bool) -> bool: ...


class _Message(msgspec.Struct, omit_defaults=True):
    """A telemetry message whose samples are encoded already (wire.Telemetry)."""

    v: int
    boot_id: str
    seq: int
    sent_at: str
    samples: list[msgspec.Raw]
    units: msgspec.Raw = msgspec.Raw(b"")


@dataclass
class Counters:
    """What the agent did since it started, in samples."""

    read: int = 0
    refused_too_large: int = 0
    sent: int = 0
    resent: int = 0
    states: int = 0


@dataclass
class _Source:
    driver: Driver
    due: float = float("-inf")
    problem: str = ""


@dataclass
class Agent:
    """One device.

    Parameters
    ----------
    drivers
        By their names, under which the outbox keeps their places.
    outbox
        Where samples wait.
    publish
        Hands a message to the connection.
    now
        Wall time, aware UTC.
    window
        Most unsettled samples in flight.
    batch
        Most samples in a message.
    version
        What `state` says that this agent is.
    units
        By driver, the units of signals that it does not give in the asset model's unit.
    """

    drivers: Mapping[str, Driver]
    outbox: Outbox
    publish: Publish
    now: Callable[[], datetime]
    window: int = wire.WINDOW
    batch: int = BATCH
    version: str = ""
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self._sources = {name: _Source(driver) for name, driver in self.drivers.items()}
        self._settlement = Settlement(*self.outbox.extent, self.window)
        self._epoch = 0
        self._started: float | None = None
        self._problem = ""

    @property
    def problem(self) -> str:
        """What keeps the agent from reading or keeping samples, in words; empty when well."""
        if self._problem:
            return self._problem
        return "; ".join(f"{name}: {source.problem}" for name, source in self._sources.items() if source.problem)

    def step(self, epoch: int, heard: Iterable[tuple[int, bytes]], now: float) -> float:
        """Do all that is due.

        Parameters
        ----------
        epoch
            Number of the present connection; 0 while there is none.
        heard
            `stored` messages that came since the last step, each with the number of its connection.
        now
            Monotonic seconds.

        Returns
        -------
        float
            The monotonic second at which the next step is due if nothing is heard before.
        """
        self._started = now if self._started is None else self._started
        try:
            self._problem = ""
            for heard_on, body in heard:
                if heard_on == epoch:
                    self._meet(epoch, now)
                self._hear(body, now)
            self._meet(epoch, now)
            due = self._read(now)
            if epoch:
                due = min(due, self._talk(now))
        except OutboxUnwritable as failure:
            if not self._problem:
                log.error("%s", failure)
            self._problem = str(failure)
            return now + DISK_AGAIN_S
        return due

    def _meet(self, epoch: int, now: float) -> None:
        if epoch and epoch != self._epoch:
            self._settlement.connected(now)
        self._epoch = epoch

    def close(self) -> None:
        """Let go of all sources."""
        for source in self._sources.values():
            source.driver.close()

    def _read(self, now: float) -> float:
        for name, source in self._sources.items():
            if now < source.due:
                continue
            position = self.outbox.position(name)
            batch = source.driver.poll(position, self.now(), now, self.outbox.room())
            if batch.problem != source.problem:
                source.problem = batch.problem
                log.log(
                    logging.WARNING if batch.problem else logging.INFO, "driver %s: %s", name, batch.problem or "ok"
                )
            if batch.readings or batch.position != position:
                done = self.outbox.append(name, batch.readings, batch.position, self.units.get(name))
                self.counters.read += len(batch.readings)
                self._account(done, now)
            source.due = batch.due
        return min((source.due for source in self._sources.values()), default=float("inf"))

    def _account(self, done: Appended, now: float) -> None:
        self._settlement.appended(self.outbox.extent[1], now)
        if done.refused:
            self.counters.refused_too_large += done.refused
            log.error("%d samples are larger than a message may be and were not taken", done.refused)
        if done.gave_up:
            self._settlement.gave_up()
            log.warning("the outbox is beyond its limits: its oldest samples were given up")

    def _talk(self, now: float) -> float:
        """State when one is due, then what the window lets out."""
        due = self._settlement.state_due()
        if due is not None and now >= due:
            self._state(now)
            due = self._settlement.state_due()
        self._send()
        return float("inf") if due is None else due

    def _state(self, now: float) -> None:
        first, last = self.outbox.extent
        counters = self.counters
        health = {
            "waiting": self.outbox.waiting,
            "read": counters.read,
            "refused_too_large": counters.refused_too_large,
            "problem": self.problem,
        }
        state = wire.State(
            wire.VERSION, self.outbox.boot_id, first, last, self.outbox.dropped, self.version,
            round(now - (now if self._started is None else self._started), 1), True, health,
        )  # fmt: skip
        if self.publish("state", wire.encode(state), True):
            self._settlement.state_sent(now)
            counters.states += 1

    def _hear(self, body: bytes, now: float) -> None:
        try:
            stored = wire.decode_stored(body)
        except msgspec.MsgspecError as problem:
            log.warning("a stored message cannot be read: %s", problem)
            return
        if stored.boot_id != self.outbox.boot_id:
            return
        self._settlement.appended(self.outbox.extent[1], now)
        heard = self._settlement.heard(stored.through, stored.settled, stored.ask, now)
        if heard.restored:
            log.warning("the platform knows more samples than this outbox gave: it is an old copy and begins anew")
            self.outbox.begin_anew()
            self._settlement = Settlement(*self.outbox.extent, self.window)
            self._settlement.connected(now)
            return
        if heard.progress:
            self.outbox.settle(stored.through, stored.settled)
        if heard.asked and self.outbox.give_up_missing(heard.asked):
            self._settlement.gave_up()
        for a, b in heard.resend:
            self._resend(a, b)

    def _resend(self, a: int, b: int) -> None:
        while a <= b and (rows := self.outbox.read(a, self.batch, b)):
            last = self._publish_run(rows)
            if last is None:
                return
            self.counters.resent += last - rows[0].seq + 1
            a = last + 1

    def _send(self) -> None:
        settlement = self._settlement
        while room := settlement.room():
            settlement.skip()
            rows = self.outbox.read(settlement.next, min(self.batch, room), settlement.sendable_to())
            last = self._publish_run(rows) if rows else None
            if last is None:
                return
            self.counters.sent += last - rows[0].seq + 1
            settlement.sent(last)

    def _publish_run(self, rows: Sequence[Row]) -> int | None:
        """Publish the leading rows that fit into one message; the last number sent, None when nothing went out."""
        first = rows[0]
        size = ENVELOPE_BYTES + len(first.units or b"")
        run: list[msgspec.Raw] = []
        for i, row in enumerate(rows):
            size += len(row.body) + 1
            if row.seq != first.seq + i or row.units != first.units or (run and size > wire.MAX_SENT_BYTES):
                break
            run.append(msgspec.Raw(row.body))
        sent_at = self.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = _Message(wire.VERSION, self.outbox.boot_id, first.seq, sent_at, run)
        if first.units:
            message.units = msgspec.Raw(first.units)
        if not self.publish("telemetry", wire.encode(message), False):
            return None
        return first.seq + len(run) - 1
