"""A slow, obvious platform and a bad link, to hold the agent against."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from contracts import wire
from edge_agent.adapters.outbox import Limits, SqliteOutbox
from edge_agent.domain.driving import Batch, Reading
from edge_agent.service import Agent

START = datetime(2026, 11, 22, tzinfo=UTC)
TICK_S = 0.25
SHARED_MEMORY = Path("/dev/shm")


def ranges_of(numbers: set[int]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for n in sorted(numbers):
        if out and out[-1][1] == n - 1:
            out[-1] = (out[-1][0], n)
        else:
            out.append((n, n))
    return out


@dataclass
class Account:
    """What the platform knows of one outbox: plain sets of numbers."""

    settled: dict[int, float] = field(default_factory=dict)
    given_up: set[int] = field(default_factory=set)
    repeats: int = 0

    def through(self) -> int:
        n = 0
        while n + 1 in self.settled or n + 1 in self.given_up:
            n += 1
        return n


class Platform:
    """Ingest by the letter of the contract, without any speed."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.mute = False

    def take(self, kind: str, body: bytes) -> bytes | None:
        """The `stored` message that a message leads to."""
        if kind == "telemetry":
            message = wire.decode_telemetry(body)
            assert message.boot_id is not None
            assert message.seq is not None
            assert len(body) <= wire.MAX_SENT_BYTES
            account = self.accounts.setdefault(message.boot_id, Account())
            for seq, sample in enumerate(message.samples, message.seq):
                if seq in account.settled:
                    account.repeats += 1
                value = sample.values["x"]
                assert isinstance(value, float)
                assert account.settled.setdefault(seq, value) == value
                account.given_up.discard(seq)
            return self.stored(message.boot_id, set())
        state = wire.decode_state(body)
        if state.boot_id is None:
            return None
        account = self.accounts.setdefault(state.boot_id, Account())
        for a, b, _ in state.dropped:
            account.given_up |= {n for n in range(a, b + 1) if n not in account.settled}
        account.given_up |= {n for n in range(1, state.first) if n not in account.settled}
        known = account.settled.keys() | account.given_up
        return self.stored(state.boot_id, {n for n in range(state.first, state.last + 1) if n not in known})

    def stored(self, boot_id: str, ask: set[int]) -> bytes | None:
        if self.mute:
            return None
        account = self.accounts[boot_id]
        through = account.through()
        above = ranges_of({n for n in account.settled if n > through})
        return wire.encode(
            wire.Stored(wire.VERSION, boot_id, through, above[: wire.LISTED], [], ranges_of(ask)[: wire.LISTED])
        )


class Counting:
    """A driver whose reading number i is i; gives `rate` a second until `total`."""

    def __init__(self, total: int, rate: float, waits: bool = True) -> None:
        self.total, self.rate, self.waits = total, rate, waits
        self._since: float | None = None

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        here = int(position or 0)
        self._since = now - here / self.rate if self._since is None else self._since
        until = min(self.total, int((now - self._since) * self.rate))
        if self.waits and not room:
            until = here
        return Batch([Reading(i, {"x": float(i)}) for i in range(here, until)], str(max(until, here)), now)

    def close(self) -> None: ...


@dataclass
class Fate:
    """How bad the link is: shares of messages lost, doubled and held up; chances a tick of breaks and restarts."""

    lost: float = 0.0
    doubled: float = 0.0
    held: float = 0.0
    broken: float = 0.0
    restarted: float = 0.0


class World:
    """One agent, one platform, a link between them, simulated time."""

    def __init__(
        self,
        total: int,
        rate: float,
        window: int,
        seed: int,
        limits: Limits | None = None,
        waits: bool = True,
        live_first: bool = False,
        backlog_rate: float = 0.0,
        path: Path | None = None,
    ) -> None:
        self.now, self.dice, self.fate = 0.0, random.Random(seed), Fate()
        self.window, self.total, self.rate, self.waits = window, total, rate, waits
        self.live_first, self.backlog_rate = live_first, backlog_rate
        self.platform, self.platform_up = Platform(), True
        if path is None:
            self.folder = TemporaryDirectory(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None)
            path = Path(self.folder.name) / "outbox.sqlite"
        self.path, self.limits = path, limits or Limits()
        self.outbox = self.open()
        self.up: list[tuple[float, str, bytes]] = []
        self.down: list[tuple[float, int, bytes]] = []
        self.epoch, self.connections, self.answered = 0, 0, False
        self.sent: Counter[tuple[str, int]] = Counter()
        self.in_flight: set[tuple[str, int]] = set()
        """What the present process sent."""
        self.states = 0
        self.restart()

    def open(self) -> SqliteOutbox:
        return SqliteOutbox(self.path, self.limits, lambda: self.now)

    def restart(self) -> None:
        """A new process on the same outbox."""
        self.outbox.close()
        self.outbox = self.open()
        self.agent = Agent(
            {"d": Counting(self.total, self.rate, self.waits)}, self.outbox, self._publish,
            lambda: START + timedelta(seconds=self.now), self.window, batch=10,
            live_first=self.live_first, backlog_rate=self.backlog_rate,
        )  # fmt: skip
        self.epoch = 0
        self.in_flight.clear()

    def _publish(self, kind: str, body: bytes, retain: bool) -> bool:
        assert self.epoch
        if kind == "telemetry":
            assert self.answered, "telemetry before the answer to the state of this connection"
            message = wire.decode_telemetry(body)
            assert message.seq is not None
            numbers = [(str(message.boot_id), message.seq + i) for i in range(len(message.samples))]
            self.sent.update(numbers)
            self.in_flight.update(numbers)
        else:
            self.states += 1
        self.up += [(when, kind, body) for when in self._fates()]
        return True

    def _fates(self) -> list[float]:
        """When the copies of a message arrive."""
        if self.dice.random() < self.fate.lost:
            return []
        copies = 2 if self.dice.random() < self.fate.doubled else 1
        return [self.now + self.dice.uniform(1, 40) * (self.dice.random() < self.fate.held) for _ in range(copies)]

    def tick(self) -> None:
        self.now += TICK_S
        if self.dice.random() < self.fate.restarted:
            self.restart()
        if self.epoch and self.dice.random() < self.fate.broken:
            self.epoch = 0
            self.down.clear()
        elif not self.epoch:
            self.connections += 1
            self.epoch, self.answered = self.connections, False
        if self.platform_up:
            due = [m for m in self.up if m[0] <= self.now]
            self.up = [m for m in self.up if m[0] > self.now]
            for _, kind, body in due:
                answer = self.platform.take(kind, body)
                if answer is not None and self.epoch:
                    self.down += [(when, self.epoch, answer) for when in self._fates()]
        heard = [(epoch, body) for when, epoch, body in self.down if when <= self.now and epoch == self.epoch]
        self.down = [m for m in self.down if m[0] > self.now]
        self.answered = self.answered or bool(heard)
        self.agent.step(self.epoch, heard, self.now)
        account = self.platform.accounts.get(self.outbox.boot_id, Account())
        here = {seq for boot_id, seq in self.in_flight if boot_id == self.outbox.boot_id}
        assert len(here - account.settled.keys() - account.given_up) <= self.window

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.tick()

    @property
    def drained(self) -> bool:
        account = self.platform.accounts.get(self.outbox.boot_id)
        return (
            account is not None
            and self.outbox.position("d") == str(self.total)
            and self.outbox.waiting == 0
            and account.through() == self.outbox.extent[1]
        )

    def drain(self, within: float) -> None:
        """Everything is settled within so many simulated seconds."""
        until = self.now + within
        while not self.drained:
            assert self.now < until, f"stuck at {self.outbox.extent}, {self.outbox.waiting} wait"
            self.tick()
