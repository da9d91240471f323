"""Foreign fleets: who signs in, what they may do, and what their messages mean in the product's own normal form.

A decoder's readings become a message on the device's own telemetry topic, so that acceptance, quarantine and ledger
treat them like any other of a sender without numbers. The message says in `from` on which topic it came.
"""

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from contracts import topics, wire
from contracts.names import is_name
from ingest.domain.foreign import decoders
from ingest.domain.foreign.decoder import (
    Decoder,
    Presence,
    Readings,
    Remembered,
    Reply,
    Sample,
    Scalar,
    Session,
    Station,
    Told,
    Unknown,
    Unreadable,
)
from ingest.domain.foreign.sparkplug import host_state
from ingest.domain.lifecycle import LET_IN
from ingest.service.attributes import attributes_of, keep_attributes
from ingest.service.book import mark
from ingest.service.foreign_names import read_table, token_mark
from ingest.service.registry import REGISTRY
from ingest.service.tables import devices, foreign
from plumbing.foreign_listener import GONE, HERE
from plumbing.mqtt import Incoming
from plumbing.sql import Database, to_us
from plumbing.system_clock import SystemClock

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
LOOK_UNKNOWN_S = 0.2
MAX_SESSIONS = 10_000
_NO_EPOCH = -1
"""Never that of a connection to the broker: the link acknowledges nothing of it."""
_ONLINE = b'{"v":1}'


class FromStation(Incoming, frozen=True, gc=True):
    """A message as a station published it; `done` is called when it is kept."""

    account: str
    done: Callable[[], None]


class FromNobody(Incoming, frozen=True):
    """Readings of somebody for whom the station may not speak; `account` is (tenant, device) of the station."""

    account: tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Account:
    decoder: Decoder
    station: Station


class Fleets:
    """What the foreign listener asks, and what ingest's writer makes of the messages. Thread-safe.

    Parameters
    ----------
    verify
        (user name, secret) -> whether a registered account signs in so.
    refused
        Told of each publish that is not permitted, with user name and topic ("" = a sign-in).
    """

    def __init__(
        self, database: Database, system: SystemClock, *, verify: Callable[[str, str], bool],
        refused: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self._database, self._system = database, system
        self._verify, self._refused = verify, refused
        self._decoders = {d.name: d for d in decoders()}
        self._lock, self._counting = threading.Lock(), threading.Lock()
        self._looked, self._version = -LOOK_EVERY_S, -1
        self._accounts: dict[str, _Account] = {}
        self._tokens: dict[str, str] = {}
        self._named: frozenset[tuple[str, str]] = frozenset()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._put: Callable[[FromStation], bool] | None = None
        self._send: Callable[[str, str, bytes], None] | None = None
        self._waiting = 0
        self._unkept: dict[tuple[str, str], dict[str, Scalar]] = {}

    def attach(self, put: Callable[[FromStation], bool]) -> None:
        """Where messages go: ingest's inbox, which says False when it is full."""
        self._put = put

    def answer_by(self, send: Callable[[str, str, bytes], None]) -> None:
        """How replies travel: (account, topic, body)."""
        self._send = send

    # what the listener asks

    def admit(self, user: str, secret: str | None) -> str | None:
        """The account behind a token, or behind user name and secret."""
        self._refresh(LOOK_UNKNOWN_S)
        if not secret:
            return self._tokens.get(token_mark(user))
        if user in self._accounts and self._verify(user, secret):
            return user
        self._refused(user, "")
        return None

    def claims(self, user: str, secret: str | None) -> bool:
        """Whether this is a token, or the user name of a device that speaks another protocol."""
        self._refresh(LOOK_UNKNOWN_S)
        return user in self._accounts if secret else token_mark(user) in self._tokens

    def may_publish(self, account: str, topic: str) -> bool:
        """Whether the account may publish there."""
        self._refresh(LOOK_EVERY_S)
        found = self._accounts.get(account)
        return found is not None and found.decoder.may_publish(found.station, topic)

    def may_receive(self, account: str, filter_: str) -> bool:
        """Whether the account may subscribe to that."""
        self._refresh(LOOK_EVERY_S)
        found = self._accounts.get(account)
        return found is not None and found.decoder.may_receive(found.station, filter_)

    def offer(self, account: str, topic: str, body: bytes, done: Callable[[], None]) -> bool:
        """Take a message; False while ingest takes none."""
        if self._put is None:
            return False
        self._count(1)  # before it can be taken out
        if self._put(FromStation(_NO_EPOCH, 0, topic, body, False, account, done)):
            return True
        self._count(-1)
        return False

    def retained(self) -> list[tuple[str, bytes]]:
        """That the primary host is there."""
        return [(r.topic, r.body) for r in host_state(True, self._at_ms())]

    def refused(self, account: str, topic: str) -> None:
        """A publish that was not permitted."""
        self._refused(account, topic)

    # what ingest's writer asks

    def translate(self, block: Sequence[Incoming]) -> tuple[Sequence[Incoming], list[Callable[[], None]]]:
        """The block in the product's own form, and what to call, in this order, when it is kept."""
        if not self._waiting:
            return block, []
        out: list[Incoming] = []
        done: list[Callable[[], None]] = []
        for message in block:
            if isinstance(message, FromStation):
                out += self._of(message)
                done.append(message.done)
            else:
                out.append(message)
        self._count(-len(done))
        self._keep()
        return out, done

    def _keep(self) -> None:
        """Keep what devices told of themselves; while the database does not answer, their memory has it."""
        if not self._unkept:
            return
        try:
            keep_attributes(self._database, self._unkept)
        except SQLAlchemyError as failure:
            log.warning("what foreign devices told of themselves is not kept yet: %s", failure)
        else:
            self._unkept = {}

    def _count(self, n: int) -> None:
        with self._counting:
            self._waiting += n

    def _of(self, message: FromStation) -> list[Incoming]:
        self._refresh(LOOK_EVERY_S)
        account = self._accounts.get(message.account)
        if message.topic in (HERE, GONE):
            return [] if account is None else _presence(account, here=message.topic == HERE)
        if account is None or not account.decoder.takes(message.topic):
            return [message]  # revoked while it waited: of no device of ours
        station = account.station
        if len(message.body) > wire.MAX_BODY_BYTES:
            return [_to(station, station.device, "telemetry", message.body)]
        session = self._session(message.account, account)
        told = account.decoder.decode(station, session, message.topic, message.body, self._at_ms())
        return [made for each in told if (made := self._made(message, station, each)) is not None]

    def _made(self, message: FromStation, station: Station, told: Told) -> Incoming | None:
        match told:
            case Readings(device, samples):
                return _to(station, device, "telemetry", normal(message.topic, samples))
            case Presence(device, online):
                return _to(station, device, "state", _ONLINE if online else wire.OFFLINE)
            case Unreadable(device):
                # the topic in front makes sure that it is no message of ours by chance
                body = message.topic.encode("utf-8", "backslashreplace") + b" " + message.body
                return _to(station, device, "telemetry", body)
            case Reply(topic, body):
                if self._send is not None:
                    self._send(message.account, topic, body)
                return None
            case Remembered(device, values):
                self._unkept.setdefault((station.tenant, device), {}).update(values)
                return None
            case Unknown(name, samples):
                return self._of_unknown(message, station, name, normal(message.topic, samples))

    def _of_unknown(self, message: FromStation, station: Station, name: str, body: bytes) -> Incoming:
        """Under its own name where it can be a device's and is none's yet: then registering it is all that it takes."""
        if is_name(name) and (station.tenant, name) not in self._named:
            return _to(station, name, "telemetry", body)
        topic = f"{message.topic} {name}"
        return FromNobody(_NO_EPOCH, 0, topic, body, False, (station.tenant, station.device))

    def _session(self, account: str, of: _Account) -> Session:
        found = self._sessions.get(account)
        if found is None:
            kept: dict[str, Scalar] = {}
            if of.decoder.remembers:
                try:
                    kept = attributes_of(self._database, of.station.tenant, of.station.device)
                except SQLAlchemyError as failure:
                    log.warning("what %s told of itself cannot be read yet: %s", account, failure)
                    return of.decoder.session({})
                kept |= self._unkept.get((of.station.tenant, of.station.device), {})
            found = self._sessions[account] = of.decoder.session(kept)
            if len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(account)
        return found

    def _at_ms(self) -> int:
        return to_us(self._system.now()) // 1000

    def _refresh(self, after_s: float) -> None:
        if self._system.monotonic() - self._looked < after_s:
            return
        with self._lock:
            now = self._system.monotonic()
            if now - self._looked < after_s:
                return
            self._looked = now
            try:
                with self._database.read() as connection:
                    version = mark(connection, REGISTRY)
                    if version != self._version:
                        self._load(connection)
            except SQLAlchemyError as failure:
                log.warning("the registry could not be read, what was known of foreign devices stays: %s", failure)
                return
            self._version = version

    def _load(self, connection: sa.Connection) -> None:
        rows = connection.execute(
            sa.select(foreign, devices.c.username)
            .join(devices, sa.and_(devices.c.tenant == foreign.c.tenant, devices.c.device == foreign.c.device))
            .where(devices.c.state.in_(sorted(LET_IN)))
        ).all()
        accounts: dict[str, _Account] = {}
        tokens: dict[str, str] = {}
        users: dict[tuple[str, str], str] = {}
        for r in rows:
            if r.behind or r.protocol not in self._decoders:
                continue
            table = {r.device: read_table(r.signals)}
            accounts[r.username] = _Account(self._decoders[r.protocol], Station(r.tenant, r.device, r.name, {}, table))
            users[r.tenant, r.device] = r.username
            if r.token:
                tokens[r.token] = r.username
        for r in rows:
            user = users.get((r.tenant, r.behind))
            if r.behind and user is not None:
                old = accounts[user]
                station = replace(
                    old.station,
                    behind={**old.station.behind, r.name: r.device},
                    signals={**old.station.signals, r.device: read_table(r.signals)},
                )
                accounts[user] = replace(old, station=station)
        known = connection.execute(sa.select(devices.c.tenant, devices.c.device)).all()
        self._named = frozenset((r.tenant, r.device) for r in known)
        self._accounts, self._tokens = accounts, tokens


def normal(topic: str, samples: Sequence[Sample | str]) -> bytes:
    """Readings as a telemetry message without numbers; what Python's JSON writes as NaN stays `not_finite`."""
    told = [s if isinstance(s, str) else _sample(s) for s in samples]
    return json.dumps({"v": wire.VERSION, "samples": told, "from": topic}).encode()


def _sample(sample: Sample) -> dict[str, object]:
    values = dict(sample.values)
    return {"values": values} if sample.t is None else {"t": sample.t, "values": values}


def _presence(account: _Account, *, here: bool) -> list[Incoming]:
    """What a connection tells: who breaks off takes those behind it along; who goes in good order says nothing."""
    if not account.decoder.here_by_connection:
        return []
    station = account.station
    names = [station.device, *(station.behind.values())]
    return [_to(station, name, "state", _ONLINE if here else wire.OFFLINE) for name in names]


def _to(station: Station, device: str, kind: str, body: bytes) -> Incoming:
    return Incoming(_NO_EPOCH, 0, topics.topic(station.tenant, device, kind), body, False)
