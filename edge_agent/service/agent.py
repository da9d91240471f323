"""Read, buffer, send, forget what is settled: one agent, one device."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from contracts import wire
from edge_agent.domain.driving import Batch, Reading
from edge_agent.domain.held import Held, NotTaken
from edge_agent.domain.pacing import Pace
from edge_agent.domain.ranges import Range, Ranges
from edge_agent.domain.settlement import PATIENCE_S, Settlement
from edge_agent.service.ports import Appended, Driver, Outbox, OutboxDamaged, OutboxUnwritable, Publish, Row
from edge_agent.service.telemetry import telemetry

DISK_AGAIN_S = 1.0
"""Pause after the outbox could not be written."""
HELD_BYTES = 2_000_000
"""Readings of one driver that wait in memory while the outbox cannot be written."""
PIECE = 200
"""Most of them that are tried at once."""
BATCH = 10
"""Default of most samples in a message."""
BACKLOG_RATE = 200.0
"""Default of samples of a backlog a second, behind new ones."""
BACKLOG_LOOK_S = 0.25
"""Pause between pieces of a backlog."""
log = logging.getLogger(__name__)


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
    held: Held = field(default_factory=lambda: Held(HELD_BYTES))


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
    backlog_rate
        Samples of a backlog a second, behind new ones; 0 = as fast as they are settled.
    live_first
        Whether new samples go out before a backlog that is larger than the window. What is read from files alone has
        nothing new in it: it goes out in order.
    """

    drivers: Mapping[str, Driver]
    outbox: Outbox
    publish: Publish
    now: Callable[[], datetime]
    window: int = wire.WINDOW
    batch: int = BATCH
    version: str = ""
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    backlog_rate: float = BACKLOG_RATE
    live_first: bool = True
    counters: Counters = field(default_factory=Counters)
    not_taken: NotTaken = field(default_factory=NotTaken)

    def __post_init__(self) -> None:
        self._sources = {name: _Source(driver) for name, driver in self.drivers.items()}
        self._settlement = self._settle_anew()
        self._pace = Pace(self.backlog_rate)
        self._asked = Ranges()
        """What the platform asked for last."""
        self._epoch = 0
        self._started: float | None = None
        self._problem = ""
        self._write_again = float("-inf")
        self._unforgotten = False
        """Whether something is settled that is still in the outbox."""
        self._ask_old_at = float("-inf")

    def _settle_anew(self) -> Settlement:
        return Settlement(*self.outbox.extent, self.window, self.outbox.known, self.live_first)

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
            for heard_on, body in heard:
                if heard_on == epoch:
                    self._meet(epoch, now)
                self._hear(body, now)
            self._meet(epoch, now)
            due = min(self._read(now), self._forget(now))
            if epoch:
                due = min(due, self._talk(now))
        except OutboxUnwritable as failure:
            self._unwritable(failure, now)
            return self._write_again
        except OutboxDamaged as damage:
            return self._begin_again(damage, now)
        return due

    def _meet(self, epoch: int, now: float) -> None:
        if epoch and epoch != self._epoch:
            self._settlement.connected(now)
            self._ask_old_at = now
        self._epoch = epoch

    def _unwritable(self, failure: OutboxUnwritable, now: float) -> None:
        if not self._problem:
            log.error("%s", failure)
        self._problem, self._write_again = str(failure), now + DISK_AGAIN_S

    def _written(self) -> None:
        if self._problem:
            log.info("the outbox is written again")
        self._problem, self._write_again = "", float("-inf")

    def _begin_again(self, damage: OutboxDamaged, now: float) -> float:
        log.error("%s", damage)
        try:
            self.outbox.salvage(str(damage))
        except OutboxUnwritable as failure:
            self._unwritable(failure, now)
            return self._write_again
        self._renew(now)
        return now

    def _renew(self, now: float) -> None:
        """The outbox is another one."""
        self._settlement = self._settle_anew()
        self._settlement.connected(now)
        self._asked, self._unforgotten, self._ask_old_at = Ranges(), False, now

    def close(self) -> None:
        """Let go of all sources."""
        for source in self._sources.values():
            source.driver.close()

    def _read(self, now: float) -> float:
        for name, source in self._sources.items():
            if now < source.due:
                continue
            writable = now >= self._write_again
            position = self.outbox.position(name)
            batch = source.driver.poll(position, self.now(), now, self.outbox.room() if writable else 0)
            if batch.problem != source.problem:
                source.problem = batch.problem
                log.log(
                    logging.WARNING if batch.problem else logging.INFO, "driver %s: %s", name, batch.problem or "ok"
                )
            source.due = batch.due
            if batch.readings or batch.position != position or (source.held and writable):
                self._keep(name, source, batch, now)
        return min((source.due for source in self._sources.values()), default=float("inf"))

    def _keep(self, name: str, source: _Source, batch: Batch, now: float) -> None:
        """Append, what could not be appended before first; a source that has a place is read again from there."""
        held = source.held
        while held and now >= self._write_again:
            piece = held.first(PIECE)
            if self._append(name, piece, "", now):
                held.drop(len(piece))
        if now >= self._write_again and self._append(name, batch.readings, batch.position, now):
            return
        if batch.position:
            source.due = max(source.due, self._write_again)
        else:
            held.put(batch.readings, self.not_taken)

    def _append(self, name: str, readings: list[Reading], position: str, now: float) -> bool:
        try:
            done = self.outbox.append(name, readings, position, self.units.get(name))
        except OutboxUnwritable as failure:
            self._unwritable(failure, now)
            return False
        self._written()
        self.counters.read += len(readings)
        self._account(done, now)
        return True

    def _account(self, done: Appended, now: float) -> None:
        self._settlement.appended(self.outbox.extent[1], now)
        if done.refused:
            self.counters.refused_too_large += done.refused
            log.error("%d samples are larger than a message may be and were not taken", done.refused)
        if done.gave_up:
            self._settlement.gave_up()
            log.warning("the outbox is beyond its limits: its oldest samples were given up")

    def _forget(self, now: float) -> float:
        """Take out of the outbox what is settled; later where the disk does not take it now."""
        if not self._unforgotten:
            return float("inf")
        if now >= self._write_again:
            try:
                self.outbox.settle(self._settlement.through, self._settlement.settled)
            except OutboxUnwritable as failure:
                self._unwritable(failure, now)
            else:
                self._unforgotten = False
                return float("inf")
        return self._write_again

    def _talk(self, now: float) -> float:
        """State when one is due, then what the window lets out."""
        old = next((old for old in self.outbox.farewells if not old.answered), None)
        if old is not None:  # nothing of it goes out under new numbers before the platform said what it has
            if now >= self._ask_old_at and self._publish_state(now, old.boot_id, old.first, old.last, []):
                self._ask_old_at = now + PATIENCE_S
            return self._ask_old_at
        due = self._settlement.state_due()
        if due is not None and now >= due:
            self._state(now)
            due = self._settlement.state_due()
        waits = self._send(now)
        return waits if due is None else min(due, waits)

    def _state(self, now: float) -> None:
        if not self._settlement.answered:
            for old in self.outbox.farewells:
                self._publish_state(now, old.boot_id, old.first, old.last, old.dropped)
        first, last = self.outbox.extent
        dropped = self.outbox.dropped
        if self._publish_state(now, self.outbox.boot_id, first, last, dropped):
            self._settlement.state_sent(now, max([first - 1, *(b for _, b, _ in dropped)]))
            self.counters.states += 1

    def _publish_state(self, now: float, boot_id: str, first: int, last: int, dropped: list[wire.Dropped]) -> bool:
        health: dict[str, object] = {
            "waiting": self.outbox.waiting,
            "backlog": self._settlement.backlog,
            "read": self.counters.read,
            "refused_too_large": self.counters.refused_too_large,
            "problem": self.problem,
            **self.outbox.health,
        }
        if self.not_taken.samples:
            lost = self.not_taken
            health["not_taken"] = {"samples": lost.samples, "first": lost.first, "last": lost.last}
        uptime = round(now - (now if self._started is None else self._started), 1)
        state = wire.State(wire.VERSION, boot_id, first, last, dropped, self.version, uptime, True, health)
        return self.publish("state", wire.encode(state), boot_id == self.outbox.boot_id)

    def _hear(self, body: bytes, now: float) -> None:
        try:
            stored = wire.decode_stored(body)
        except msgspec.MsgspecError as problem:
            log.warning("a stored message cannot be read: %s", problem)
            return
        if stored.boot_id != self.outbox.boot_id:
            self._hear_of_old(stored, now)
            return
        self._settlement.appended(self.outbox.extent[1], now)
        heard = self._settlement.heard(stored.through, stored.settled, stored.ask, now)
        if heard.restored:
            log.warning("the platform knows more samples than this outbox gave: it is an old copy and begins anew")
            self.outbox.begin_anew(stored.through, stored.settled)
            self._renew(now)
            return
        if heard.progress:
            self._unforgotten = True
        if heard.asked:
            self._asked = Ranges(heard.asked)
            passed = [part for a, b in heard.asked for part in self._settlement.behind(a, b)]
            if self.outbox.give_up_missing(passed):
                self._settlement.gave_up()
        for a, b in heard.resend:
            self._resend(a, b)

    def _hear_of_old(self, stored: wire.Stored, now: float) -> None:
        """Of an outbox that this one replaced: what moved and is settled there is not sent again."""
        old = next((old for old in self.outbox.farewells if old.boot_id == stored.boot_id), None)
        if old is None:
            return
        if not old.answered:
            if stored.ask or stored.through >= old.last:
                settled = [(old.first, stored.through), *stored.settled]
                self.outbox.answered(old, old.as_new(settled))
                self._renew(now)
        elif stored.through >= old.last:
            self.outbox.forget_farewell(old)

    def _resend(self, a: int, b: int) -> None:
        while a <= b and (rows := self.outbox.read(a, self.batch, b)):
            last = self._publish_run(rows)
            if last is None:
                return
            self.counters.resent += last - rows[0].seq + 1
            a = last + 1

    def _send(self, now: float) -> float:
        """Send new samples, then the backlog at its rate; returns when more of that may go out."""
        settlement = self._settlement
        if not settlement.answered:
            return float("inf")
        if not self.outbox.confirmed:
            self.outbox.confirm()
        while (room := settlement.live_room()) and (run := settlement.live_run()):
            if not self._send_some(run, min(self.batch, room)):
                return float("inf")
        while (room := settlement.backlog_room()) and (run := settlement.backlog_run()):
            allowed = self._pace.allowed(now)
            piece = min(self.batch, room)
            if allowed is not None and allowed < piece:
                return now + max(BACKLOG_LOOK_S, self._pace.ready_in(piece))
            sent = self._send_some(run, piece)
            if not sent:
                return float("inf")
            self._pace.took(sent)
        return float("inf")

    def _send_some(self, run: Range, most: int) -> int:
        """Send the first samples of a run of numbers; how far its cursor went, 0 when nothing went out."""
        a, b = run
        rows = self.outbox.read(a, most, b)
        first = rows[0].seq if rows else b + 1
        if first > a:
            if self.outbox.give_up_missing(self._asked.inside(a, first - 1)):
                self._settlement.gave_up()
            self._settlement.passed(a, first - 1)
            return first - a
        last = self._publish_run(rows)
        if last is None:
            return 0
        self.counters.sent += last - first + 1
        self._settlement.sent(first, last)
        return last - first + 1

    def _publish_run(self, rows: Sequence[Row]) -> int | None:
        """Publish the leading rows that fit into one message; the last number sent, None when nothing went out."""
        message, last = telemetry(self.outbox.boot_id, rows, self.now())
        return last if self.publish("telemetry", message, False) else None
