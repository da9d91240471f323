"""Reads the messages of a block: whose they are, what they say, what is wrong with them.

Nearly all are as their device's last one was and go the quick way (`ingest.domain.plain`), the others the exact way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec
import sqlalchemy as sa

from contracts import topics, wire
from contracts.asset_model import AssetModel
from contracts.clock import Clocks
from contracts.commands import NotUnderstood, read_result
from contracts.units import Units
from ingest.domain.acceptance import Refusal
from ingest.domain.account import Account
from ingest.domain.batch import Batch, Delta, Times
from ingest.domain.message import Message
from ingest.domain.message import read as read_message
from ingest.domain.plain import Decoders, Habit, learn
from ingest.domain.settlement import BadState, check_state
from ingest.service.book import Book
from ingest.service.foreign import FromNobody
from ingest.service.known import Known, KnownDevice
from plumbing.sql import Database, to_us
from plumbing.system_clock import SystemClock

_MAX_ADDRESSES = 100_000


class Delivery(Protocol):
    """A message from the broker."""

    @property
    def topic(self) -> str: ...
    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Tolerances of the clock, of a tenant whose clock runs at factor 1."""

    future_s: float = 60.0
    late_s: float = 300.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    times: Times


@dataclass(slots=True)
class Work:
    """One block on its way: what it holds, and what it will change."""

    block: Sequence[Delivery]
    batch: Batch = field(default_factory=Batch)
    moments: dict[str, Moment] = field(default_factory=dict)
    heard: dict[tuple[str, str], Moment] = field(default_factory=dict)
    online: dict[tuple[str, str], bool] = field(default_factory=dict)
    states: list[tuple[Account, wire.State]] = field(default_factory=list)
    results: list[tuple[str, str, bytes, datetime]] = field(default_factory=list)
    """Answers to commands: tenant, device, body, received_at."""
    seen: dict[tuple[str, str], tuple[bytes, Delta]] = field(default_factory=dict)
    """A message of each device, for its clock and its backlog."""
    touched: dict[tuple[str, str, str], Account] = field(default_factory=dict)
    plain: dict[str, Delta] = field(default_factory=dict)
    """By topic, where messages go that are as the device's habit is."""
    strangers: dict[int, tuple[str, str, datetime, Refusal]] = field(default_factory=dict)
    """Messages of nobody whom we keep an account of: number -> tenant, device, received_at, refusal."""


class Reading:
    """Reads one message after the other. `book` holds the accounts."""

    def __init__(
        self,
        *,
        database: Database,
        clocks: Clocks,
        system: SystemClock,
        models: Callable[[str], AssetModel | None],
        units: Units,
        limits: Limits,
        book: Book,
    ) -> None:
        self._clocks, self._limits, self._book = clocks, limits, book
        self._known = Known(database, system, models, units)
        self._addresses: dict[str, topics.Address | None] = {}
        self._habits: dict[str, Habit] = {}
        self._decoders = Decoders()

    def prepare(self, connection: sa.Connection, work: Work) -> None:
        """Have the accounts of all senders of a block at hand."""
        senders = {self.address(topic) for topic in {message.topic for message in work.block}}
        self._book.fetch(connection, [
            (at.tenant, at.device) for at in senders if at and self._known.device(at.tenant, at.device)
        ])  # fmt: skip

    def address(self, topic: str) -> topics.Address | None:
        try:
            return self._addresses[topic]
        except KeyError:
            if len(self._addresses) >= _MAX_ADDRESSES:
                self._addresses.clear()
            found = self._addresses[topic] = topics.parse(topic)
            return found

    def _moment(self, work: Work, tenant: str) -> Moment:
        found = work.moments.get(tenant)
        if found is None:
            clock = self._clocks.of(tenant)
            now, factor = clock.now(), max(clock.factor, 1.0)
            us = to_us(now)
            times = Times(
                us,
                us + int(self._limits.future_s * factor * 1_000_000),
                us - int(self._limits.late_s * factor * 1_000_000),
            )
            found = work.moments[tenant] = Moment(now, times)
        return found

    def _read_plain(self, connection: sa.Connection, work: Work, number: int, message: Delivery) -> bool:
        """Read a message that is as its sender's last one; False = it is not, look closer."""
        habit = self._habits.get(message.topic)
        told = habit.read(message.body) if habit else None
        if habit is None or told is None:
            return False
        delta = work.plain.get(message.topic)
        if delta is None:
            address = self.address(message.topic)
            device = self._known.device(address.tenant, address.device) if address else None
            if device is None or device.signals is not habit.signals:
                del self._habits[message.topic]
                return False
            moment = work.heard[device.tenant, device.name] = self._moment(work, device.tenant)
            account = self._find(connection, work, device, told.boot_id)
            delta = work.plain[message.topic] = work.batch.delta(account, device.signals, moment.times)
            work.seen[device.tenant, device.name] = (message.body, delta)
        return work.batch.add_plain(number, told, habit.plan, delta)

    def _learn(self, work: Work, topic: str, told: Message, device: KnownDevice) -> None:
        habit = self._habits.get(topic)
        if habit is not None and not habit.missed:
            return
        learned = learn(told, device.signals, self._decoders)
        if learned is None:
            return
        if habit is not None:
            learned.follow(habit)
        if len(self._habits) >= _MAX_ADDRESSES:
            self._habits.clear()
        self._habits[topic] = learned
        work.plain.pop(topic, None)

    def read(self, connection: sa.Connection, work: Work, number: int, message: Delivery) -> None:
        if self._read_plain(connection, work, number, message):
            return
        address = self.address(message.topic)
        tenant, name = (address.tenant, address.device) if address else ("", "")
        if isinstance(message, FromNobody):
            tenant, name = message.account
        moment = self._moment(work, tenant)
        device = self._known.device(tenant, name) if address else None
        if address is None or device is None:
            work.strangers[number] = (tenant, name, moment.at, Refusal("topic", "unknown_device"))
            return
        work.heard[tenant, name] = moment
        if address.kind == "telemetry":
            told = read_message(message.body)
            mended = device.mapping.apply(told) if device.mapping else told
            account = self._find(connection, work, device, told.boot_id)
            delta = work.batch.delta(account, device.signals, moment.times)
            work.seen[tenant, name] = (message.body, delta)
            work.batch.add(number, mended, delta)
            if not device.mapping:
                self._learn(work, message.topic, told, device)
        elif address.kind == "state":
            self._read_state(connection, work, number, message.body, device, moment)
        elif _is_result(message.body):
            work.results.append((device.tenant, device.name, message.body, moment.at))
        else:
            self._refuse_whole(connection, work, number, device, moment, Refusal("", "malformed"))

    def _find(self, connection: sa.Connection, work: Work, device: KnownDevice, boot_id: str) -> Account:
        key = (device.tenant, device.name, boot_id)
        account = work.touched.get(key)
        if account is None:
            account = work.touched[key] = self._book.find(connection, *key)
        return account

    def _refuse_whole(
        self, connection: sa.Connection, work: Work, number: int, device: KnownDevice, moment: Moment, why: Refusal
    ) -> None:
        account = self._find(connection, work, device, "")
        delta = work.batch.delta(account, device.signals, moment.times)
        work.batch.add(number, Message(fault=(why.path, why.reason)), delta)

    def _read_state(
        self, connection: sa.Connection, work: Work, number: int, body: bytes, device: KnownDevice, moment: Moment
    ) -> None:
        try:
            if len(body) > wire.MAX_BODY_BYTES:
                raise BadState("")
            state = wire.decode_state(body)
            if state.v != wire.VERSION:
                self._refuse_whole(connection, work, number, device, moment, Refusal("v", "schema_version"))
                return
            if state.boot_id is not None:
                check_state(state)
        except (msgspec.MsgspecError, RecursionError, ValueError) as problem:
            path = problem.path if isinstance(problem, BadState) else ""
            reason: wire.Reason = "too_large" if len(body) > wire.MAX_BODY_BYTES else "malformed"
            self._refuse_whole(connection, work, number, device, moment, Refusal(path, reason))
            return
        work.online[device.tenant, device.name] = state.online
        if state.boot_id is not None:
            work.states.append((self._find(connection, work, device, state.boot_id), state))


def _is_result(body: bytes) -> bool:
    try:
        read_result(body)
    except NotUnderstood:
        return False
    return True
