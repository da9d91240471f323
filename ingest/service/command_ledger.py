"""The road of a command: offered, granted once the device gave its nonce, heard of, ended. contracts.commands says why.

`hear` runs in the transaction of the block that brought the answer; `Ledger.sweep` finds what is due and gives it out
after its commit, so that what was sent is on record before it is sent.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts import topics
from contracts.clock import Clocks
from contracts.commands import (
    ENDS,
    REFUSALS,
    VERSION,
    Approval,
    Command,
    NotUnderstood,
    Result,
    Risk,
    Sign,
    read_result,
    sealed,
)  # fmt: skip
from ingest.domain.commanding import (
    ANSWER_S,
    BEFORE_GRANT,
    LIVE,
    MAY_STILL_END,
    ON_THE_WAY,
    Since,
    State,
    again_s,
    age,
    valid_s,
)  # fmt: skip
from ingest.service.command_tables import commands
from ingest.service.commands import StoodAgainst, change, check_guarded, end, held_by, record
from ingest.service.registry import SHUT_OUT
from ingest.service.tables import devices
from plumbing.boot_clock import BootClock
from plumbing.sql import Database, lock
from plumbing.system_clock import SystemClock

NOT_PROVEN = "its age cannot be proven: a computer was restarted meanwhile"
TOO_LATE = "its time was over before the device could begin"
NO_ANSWER = "the device was let begin, and has not answered"
QUEUED_AGAIN_S = 1.0
"""Pause before a command that a device sent back (its nonce was too old) is offered anew."""
_NONCE = re.compile(r"[A-Za-z0-9_.-]{8,80}")
_C = commands.c
Key = tuple[str, str]


def hear(connection: sa.Connection, tenant: str, device: str, body: bytes, now: datetime, wall: datetime) -> bool:
    """Take a message of the topic `result`; False when it is not understood. A repetition changes nothing."""
    try:
        result = read_result(body)
    except NotUnderstood:
        return False
    lock(connection, f"ingest:commands:{tenant}")
    row = connection.execute(
        sa.select(commands).where(_C.tenant == tenant, _C.id == result.id, _C.device == device)
    ).first()
    if row is None or row.state not in MAY_STILL_END:
        return True  # of another device, or over
    if result.state in ENDS:
        _end_heard(connection, row, result, now, wall)
    elif result.state == "ready":
        if _NONCE.fullmatch(result.nonce) and result.nonce != row.nonce and row.state != State.NO_ANSWER:
            change(connection, row, state=State.OFFERED, nonce=result.nonce)
    elif row.state != State.NO_ANSWER:
        _hear_running(connection, row, result, now)
    return True


def _end_heard(connection: sa.Connection, row: sa.Row[Any], result: Result, now: datetime, wall: datetime) -> None:
    if result.state == "refused":
        reason = result.reason if result.reason in REFUSALS else "refused"
        if reason in ("expired", "busy") and row.state in ON_THE_WAY and row.started_at is None:
            change(connection, row, state=State.QUEUED, nonce="")  # of an older nonce; its lifetime decides
            return
        over = State.EXPIRED if reason == "expired" else State.REFUSED
        end(connection, row, over, now, wall, reason=reason, text=result.text, by=_device(row))
        return
    state = State.DONE if result.state == "done" else State.FAILED
    end(connection, row, state, now, wall, text=result.text, data=result.data, by=_device(row))


def _hear_running(connection: sa.Connection, row: sa.Row[Any], result: Result, now: datetime) -> None:
    if row.started_at is None:
        change(connection, row, state=State.STARTED, started_at=now)
        text = f"{row.device} began {row.name}."
        record(connection, row.tenant, row.device, row.id, "command_started", text, _device(row), now)
    if result.state == "progress":
        change(connection, row, state=State.STARTED, progress=result.text[:500])


def _device(row: sa.Row[Any]) -> str:
    return f"device:{row.device}"


@dataclass(frozen=True, slots=True)
class Sending:
    """A message to a device."""

    topic: str
    body: bytes


@dataclass(slots=True)
class _Pace:
    """When a command is offered again."""

    due: float = 0.0
    sent: float = 0.0
    attempts: int = 0


class Ledger:
    """What is due of all commands. One thread calls it; one process a database."""

    def __init__(
        self, database: Database, clocks: Clocks, system: SystemClock, sign: Sign, boot: BootClock | None = None
    ) -> None:
        self._database, self._clocks, self._system, self._sign = database, clocks, system, sign
        self._boot = boot or BootClock()
        self._pace: dict[Key, _Pace] = {}
        self._known: set[Key] = set()
        self._looked: float | None = None

    def sweep(self) -> list[Sending]:
        """Do what is due; what is to be sent now that it is on record."""
        live = sa.select(commands).where(_C.ended_at.is_(None), _C.state.in_(LIVE))
        at = self._boot.seconds()
        with self._database.read() as connection:
            rows = connection.execute(live).all()
            awake = _awake(connection, rows)
        keys = {(row.tenant, row.id) for row in rows}
        out: list[Sending] = []
        for row in rows:
            if self._is_due(row, awake):
                with self._database.write() as connection:
                    lock(connection, f"ingest:commands:{row.tenant}")
                    fresh = connection.execute(
                        sa.select(commands).where(_C.tenant == row.tenant, _C.id == row.id, _C.ended_at.is_(None))
                    ).first()
                    if fresh is not None:
                        out += self._do(connection, fresh, (row.tenant, row.device) in awake)
        self._pace = {key: pace for key, pace in self._pace.items() if key in keys}
        self._known, self._looked = keys, at
        return out

    def _is_due(self, row: sa.Row[Any], awake: set[Key]) -> bool:
        """Whether a look with a pen is worth while."""
        if row.issued_boot != self._boot.boot or self._over(row, 0.0):
            return True
        if row.state == State.WAITING or (row.tenant, row.device) not in awake:
            self._pace.pop((row.tenant, row.id), None)
            return False
        if row.state == State.OFFERED and row.nonce:
            return True
        pace = self._pace.get((row.tenant, row.id))
        if pace is None:
            return True
        soon = pace.sent + QUEUED_AGAIN_S if row.state == State.QUEUED else pace.due
        return self._boot.seconds() >= min(soon, pace.due)

    def _age(self, row: sa.Row[Any]) -> float | None:
        wall = (self._system.now() - row.issued_wall).total_seconds()
        return age(Since(row.issued_boot, row.issued_s), wall, Since(self._boot.boot, self._boot.seconds()))

    def _over(self, row: sa.Row[Any], patience: float) -> bool:
        """Whether its lifetime is over, by so much."""
        lived = self._age(row)
        return lived is None or lived >= row.lifetime_s + patience

    def _do(self, connection: sa.Connection, row: sa.Row[Any], awake: bool) -> list[Sending]:
        now, wall = self._clocks.of(row.tenant).now(), self._system.now()
        if row.issued_boot != self._boot.boot:
            seen = self._witnessed(connection, row)
            if seen is None:
                self._give_up(connection, row, now, wall, NOT_PROVEN)
                return []
            row = seen
        if row.state in BEFORE_GRANT and self._over(row, 0.0):
            self._give_up(connection, row, now, wall, TOO_LATE)
        elif row.state not in BEFORE_GRANT and self._over(row, ANSWER_S):
            end(connection, row, State.NO_ANSWER, now, wall, text=NO_ANSWER)
        elif awake and row.state in ON_THE_WAY:
            return self._send(connection, row, now, wall)
        return []

    def _give_up(self, connection: sa.Connection, row: sa.Row[Any], now: datetime, wall: datetime, why: str) -> None:
        if row.state in BEFORE_GRANT:
            end(connection, row, State.EXPIRED, now, wall, text=why)
        else:
            end(connection, row, State.NO_ANSWER, now, wall, text=NO_ANSWER)

    def _witnessed(self, connection: sa.Connection, row: sa.Row[Any]) -> sa.Row[Any] | None:
        """A row of another computer's clock that was not there a moment ago is as old as that moment, at most."""
        if self._looked is None or (row.tenant, row.id) in self._known:
            return None
        change(connection, row, issued_boot=self._boot.boot, issued_s=self._looked)
        return connection.execute(sa.select(commands).where(_C.tenant == row.tenant, _C.id == row.id)).one()

    def _send(self, connection: sa.Connection, row: sa.Row[Any], now: datetime, wall: datetime) -> list[Sending]:
        pace = self._pace.setdefault((row.tenant, row.id), _Pace())
        nonce, rest = "", 0.0
        if row.state == State.OFFERED and row.nonce:
            if row.risk == Risk.GUARDED:
                try:
                    check_guarded(connection, row.tenant, row.device, now)
                except StoodAgainst as no:
                    end(connection, row, State.REFUSED, now, wall, reason=no.reason, text=no.rule)
                    return []
            lived = self._age(row)
            nonce, rest = row.nonce, 0.0 if lived is None else valid_s(row.lifetime_s, lived)
            if rest <= 0:
                self._give_up(connection, row, now, wall, TOO_LATE)
                return []
            change(connection, row, state=State.GRANTED, sent_at=now)
            pace.attempts = 0
            text = f"{row.name} was sent to {row.device}; it may begin within {rest:.0f} s."
            record(connection, row.tenant, row.device, row.id, "command_sent", text, "forewarn", now)
        elif row.state == State.QUEUED:
            change(connection, row, state=State.OFFERED)
        elif row.state == State.GRANTED:
            change(connection, row, nonce="")  # whatever nonce it answers with is granted anew: it begins once
        pace.attempts += 1
        pace.sent = self._boot.seconds()
        pace.due = pace.sent + again_s(pace.attempts)
        command = Command(
            VERSION, row.id, f"{row.tenant}/{row.device}", row.name, Risk(row.risk), row.issued_by,
            row.issued_at.isoformat(), _expires(row), msgspec.json.decode(row.args),
            [Approval(row.approved_by, row.approved_role)] if row.approved_by else [],
            held_by(connection, row.tenant, row.device, now) if row.risk == Risk.GUARDED else [], nonce, rest,
        )  # fmt: skip
        return [Sending(topics.topic(row.tenant, row.device, "command"), sealed(command, self._sign))]


def _expires(row: sa.Row[Any]) -> str:
    moment: datetime = row.issued_wall + timedelta(seconds=row.lifetime_s)
    return moment.isoformat()


def _awake(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> set[Key]:
    """Devices of these commands that have said that they are there."""
    names = {(row.tenant, row.device) for row in rows}
    if not names:
        return set()
    found = connection.execute(
        sa.select(devices.c.tenant, devices.c.device).where(
            devices.c.tenant.in_({t for t, _ in names}), devices.c.device.in_({d for _, d in names}),
            devices.c.online.is_(True), devices.c.state.not_in(SHUT_OUT),
        )
    ).all()  # fmt: skip
    return {(tenant, device) for tenant, device in found}
