"""Reads topics of an MQTT broker on or near the machine. The file's fields: docs/drivers.md.

Each message makes one reading of the signals that it holds, with its own time where it has one, else with the time at
which it came. A retained message is old by an unknown time: without a time of its own it is passed over.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote

import msgspec

from contracts.names import is_name
from edge_agent.adapters import driver_file
from edge_agent.adapters.driver_file import Secret, Section
from edge_agent.adapters.live_source import LiveSource, in_words
from edge_agent.adapters.tls_section import read_tls
from edge_agent.domain.driving import Batch, Cell, Fault, Option, Options, Plan, Scaling
from edge_agent.domain.json_path import BadPath, Path, parse_path
from plumbing.mqtt import DEFAULT_PORT, DEFAULT_TLS_PORT, Incoming, MqttLink
from plumbing.tls import TlsFiles

LOOK_S = 0.2
SECONDS_BELOW = 1e11
"""A time below it is in seconds since 1970 (until the year 5138), else in milliseconds (from March 1973 on)."""
MOST_PROBLEMS = 1000
NOT_THERE = object()


@dataclass(frozen=True, slots=True)
class _Signal:
    name: str
    path: Path
    words: Mapping[str, float | bool]
    scaling: Scaling


@dataclass(frozen=True, slots=True)
class _Topic:
    """A topic filter and what its messages hold; `prefix`: which level (from 1) goes before the names; 0 = none."""

    filter: str
    time: Path | None
    prefix: int
    signals: Sequence[_Signal]

    def matches(self, topic: str) -> bool:
        """Whether a message of that topic is this filter's."""
        wanted, levels = self.filter.split("/"), topic.split("/")
        if wanted[-1] == "#":
            return len(levels) >= len(wanted) - 1 and _equal(wanted[:-1], levels)
        return len(wanted) == len(levels) and _equal(wanted, levels)


@dataclass(frozen=True, slots=True)
class _Plan:
    host: str
    port: int
    user: str
    password: Secret
    client_id: str
    topics: Sequence[_Topic]
    units: Mapping[str, str]
    tls: TlsFiles | None = None

    @property
    def url(self) -> str:
        """With the secret in it: for the connection only."""
        account = f"{quote(self.user, safe='')}:{quote(self.password.text, safe='')}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtt' if self.tls is None else 'mqtts'}://{account}{host}:{self.port}"


class MqttDriver:
    """One broker with its topics."""

    OPTIONS: ClassVar[tuple[Option, ...]] = driver_file.FILE

    def __init__(self, options: Options) -> None:
        plan = driver_file.read(options, _read)
        self._source = LiveSource(f"mqtt driver {plan.host}:{plan.port}", _Listener(plan).session)

    @classmethod
    def check(cls, options: Options, path: str) -> list[Fault]:
        """What is wrong with the file."""
        return driver_file.check(options, path, _read)

    @classmethod
    def plan(cls, options: Options) -> Plan:
        """What would be read."""
        plan = driver_file.read(options, _read)
        by = ", TLS" + (" with a certificate" if plan.tls.certificate else "") if plan.tls is not None else ""
        lines = [f"mqtt broker {plan.host}:{plan.port}" + (f" as {plan.user}" if plan.user else "") + by]
        lines += [f"topic {t.filter}: {', '.join(s.name for s in t.signals)}" for t in plan.topics]
        return Plan(lines, plan.units)

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        """What came since; a live source cannot wait for room."""
        return self._source.poll(position, now)

    def close(self) -> None:
        """End the connection."""
        self._source.close()


class _Listener:
    """Turns messages into readings."""

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._problems: dict[str, str] = {}

    def session(self, source: LiveSource) -> None:
        """One link, which connects again by itself."""
        plan = self._plan
        link = MqttLink(
            plan.url,
            plan.client_id or f"forewarn-agent-{secrets.token_hex(4)}",
            subscribe=[topic.filter for topic in plan.topics],
            on_connect=lambda: None,
            on_message=lambda message: self._take(source, message),
            clean=not plan.client_id,
            tls=plan.tls,
        )
        link.start()
        try:
            while not source.wait(LOOK_S):
                source.well(link.problem or in_words(dict(self._problems)))
        finally:
            link.stop()

    def _take(self, source: LiveSource, message: Incoming) -> None:
        """Runs on the link's thread."""
        for topic in self._plan.topics:
            if not topic.matches(message.topic):
                continue
            where = f"topic {message.topic}"
            if len(self._problems) > MOST_PROBLEMS:
                self._problems.clear()  # what is still wrong comes back
            try:
                body = _decoded(message.body)
                t = source.now() if topic.time is None else _time(topic.time.of(body, NOT_THERE))
                values = self._values(topic, message.topic, body)
            except ValueError as problem:
                self._problems[where] = str(problem)
                continue
            if message.retained and topic.time is None:
                continue
            if not values:
                self._problems[where] = "holds none of the signals"
                continue
            self._problems.pop(where, None)
            source.give(t, values)

    def _values(self, topic: _Topic, name: str, body: object) -> dict[str, Cell]:
        before = ""
        if topic.prefix:
            levels = name.split("/")
            before = f"{levels[topic.prefix - 1] if topic.prefix <= len(levels) else ''}."
            if not is_name(before):
                raise ValueError(f"{before[:-1]!r} cannot stand before a signal's name")
        values: dict[str, Cell] = {}
        for signal in topic.signals:
            raw = signal.path.of(body, NOT_THERE)
            if raw is NOT_THERE:
                continue
            full = before + signal.name
            try:
                values[full] = _cell(raw, signal)
                self._problems.pop(full, None)
            except ValueError as problem:
                values[full] = None
                self._problems[full] = str(problem)
        return values


def _cell(raw: object, signal: _Signal) -> Cell:
    """The value. Raises ValueError for what is none."""
    if isinstance(raw, str):
        word = raw.strip()
        if word in signal.words:
            return signal.words[word]
        try:
            raw = float(word)
        except ValueError:
            raise ValueError(f"{word[:40]!r} is no number") from None
    if raw is None or isinstance(raw, bool):
        return raw
    if isinstance(raw, int | float):
        try:
            return signal.scaling.of(raw)
        except OverflowError:
            raise ValueError("is beyond every number") from None
    raise ValueError("is no number")


def _decoded(body: bytes) -> object:
    """The JSON that it holds, else the text."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        pass
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is neither JSON nor text") from None


def _time(raw: object) -> str | int:
    """As a sample has it. Raises ValueError where there is none."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, int | float) and not isinstance(raw, bool) and abs(raw) < 1e15:
        return round(raw * 1000) if abs(raw) < SECONDS_BELOW else round(raw)
    raise ValueError("holds no time where one was expected")


def _equal(wanted: Sequence[str], levels: Sequence[str]) -> bool:
    return all(level in ("+", found) for level, found in zip(wanted, levels, strict=False))


def _read(root: Section) -> _Plan:
    connection = root.section("connection")
    host = connection.text("host", "name or address of the broker", "127.0.0.1")
    tls = read_tls(connection)
    port = connection.whole("port", "TCP port", 1, 65_535, DEFAULT_PORT if tls is None else DEFAULT_TLS_PORT)
    user, password = connection.text("user", "the account", ""), connection.secret()
    if password.text and not user:
        connection.fault("user", None, "is missing: the password's account")
    client_id = connection.text("client_id", "a name of its own: the broker then keeps messages while we are away", "")
    connection.done()
    units: dict[str, str] = {}
    taken: set[str] = set()
    topics = [_topic(name, section, units, taken) for name, section in root.named("topics", "topic filters")]
    return _Plan(host, port, user, password, client_id, topics, units, tls)


def _topic(name: str, section: Section, units: dict[str, str], taken: set[str]) -> _Topic:
    levels = name.split("/")
    if any(("#" in level and (level != "#" or i + 1 < len(levels))) or ("+" in level and level != "+")
           for i, level in enumerate(levels)):  # fmt: skip
        section.fault("", name, "is no topic filter: + stands for one level, # only at the end for all that follow")
    prefix = section.whole("prefix", "number of the topic's level that goes before the names", 0, 50, 0)
    time = _path(section, "time") if "time" in section else None
    signals = []
    for signal, inner in section.signals(None if prefix else taken):
        words = inner.words("words", "such as ON: 1")
        signals.append(_Signal(signal, _path(inner, "path"), words, inner.scaling()))
        unit = inner.unit()
        if unit and prefix:
            inner.fault("unit", unit, "cannot be given with a prefix: give units in agent.toml, by the full names")
        elif unit:
            units[signal] = unit
        inner.done()
    section.done()
    return _Topic(name, time, prefix, signals)


def _path(section: Section, name: str) -> Path:
    text = section.text(name, "where it stands, such as data.list[0].value; nothing = the whole message", "")
    try:
        return parse_path(text)
    except BadPath as bad:
        section.fault(name, text, str(bad))
        return Path()
