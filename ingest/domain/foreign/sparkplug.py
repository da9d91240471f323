"""Sparkplug B: births name the metrics, data refer to them by alias, deaths take devices off line.

One account is one edge node, `group/node`. After a birth that was missed (a gap in `seq`, an alias that nobody named,
data before any birth) the node is asked to tell its births again, at most every `REBIRTH_EVERY_MS`. What the node tells
until then is taken as far as it can be understood.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingest.domain.foreign.decoder import (
    Presence,
    Readings,
    Reply,
    Sample,
    Scalar,
    Session,
    Station,
    Told,
    Unknown,
    Unreadable,
)
from ingest.domain.foreign.names import signal_of
from ingest.domain.foreign.protobuf import BadWire
from ingest.domain.foreign.sparkplug_payload import BadMetric, Metric, Payload, read_payload, rebirth, value_of

ROOT = "spBv1.0"
HOST = "forewarn"
STATE_TOPICS = (f"{ROOT}/STATE/{HOST}", f"STATE/{HOST}")
"""Where the primary host says that it is there: in Sparkplug 3, and before."""
REBIRTH_EVERY_MS = 10_000
MAX_ALIASES = 50_000
NODE_UP = ("NBIRTH", "NDATA", "NDEATH")
DEVICE_UP = ("DBIRTH", "DDATA", "DDEATH")
_CONTROL = ("Node Control/", "Device Control/", "Properties/", "Node Info/", "Device Info/")
_BD_SEQ = "bdSeq"
_SEQS = 256

Named = tuple[str, int | None]


@dataclass
class Node:
    """What is remembered of an edge node: whose alias means which metric of which type."""

    born: bool = False
    bd_seq: Scalar = None
    seq: int | None = None
    asked_at_ms: int | None = None
    aliases: dict[tuple[str, int], Named] = field(default_factory=dict)
    """(device or "", alias) -> what it means."""
    types: dict[tuple[str, str], int] = field(default_factory=dict)
    """(device or "", metric) -> data type, for data that leave it out."""
    present: set[str] = field(default_factory=set)


def host_state(online: bool, at_ms: int) -> list[Reply]:
    """What a primary host keeps retained for nodes that wait for one."""
    new = f'{{"online":{"true" if online else "false"},"timestamp":{at_ms}}}'.encode()
    return [Reply(STATE_TOPICS[0], new), Reply(STATE_TOPICS[1], b"ONLINE" if online else b"OFFLINE")]


class Sparkplug:
    """The decoder."""

    name = "sparkplug"
    remembers = False
    here_by_connection = False

    def takes(self, topic: str) -> bool:
        """Everything below `spBv1.0/`."""
        return topic.startswith(f"{ROOT}/")

    def may_publish(self, station: Station, topic: str) -> bool:
        """A node on its own topics and those of the devices behind it."""
        return _parts(station, topic) is not None

    def may_receive(self, station: Station, filter_: str) -> bool:
        """Commands to the node and its devices, and whether the host is there."""
        parts = filter_.split("/")
        if parts[0] == "STATE" or parts[:2] == [ROOT, "STATE"]:
            return True
        # what nodes publish is handed to ingest and to nobody else: whatever stands for the kind, only commands come
        return (
            bool(station.address)
            and len(parts) in (4, 5)
            and parts[0] == ROOT
            and f"{parts[1]}/{parts[3]}" == station.address
        )

    def session(self, remembered: Mapping[str, Scalar]) -> Node:
        """Nothing is known of the node."""
        return Node()

    def decode(self, station: Station, session: Session, topic: str, body: bytes, at_ms: int) -> list[Told]:
        """Read one message of the node."""
        assert isinstance(session, Node)
        parts = _parts(station, topic)
        if parts is None:
            return [Unreadable(station.device)]
        kind, foreign = parts
        device = station.device if not foreign else station.behind.get(foreign)
        try:
            payload = read_payload(body)
        except BadWire:
            return [Unreadable(device or station.device)]
        told = self._take(station, session, kind, foreign, device, payload)
        if self._lost_track(session, kind, foreign, payload) and self._may_ask(session, at_ms):
            told.append(Reply(f"{ROOT}/{station.address.replace('/', '/NCMD/', 1)}", rebirth(at_ms)))
        return told

    def _take(
        self, station: Station, node: Node, kind: str, foreign: str, device: str | None, payload: Payload
    ) -> list[Told]:
        if kind == "NDEATH":
            return self._death(station, node, payload)
        told: list[Told] = []
        if kind == "DDEATH":
            node.present.discard(foreign)
            return [Presence(device, online=False)] if device else []
        if kind == "NBIRTH":
            told += [Presence(gone, online=False) for gone in self._gone(station, node)]
            self._forget(node)
            node.bd_seq = _bd_seq(payload)
            node.born = True
        if kind in ("NBIRTH", "DBIRTH"):
            self._learn(node, foreign, payload)
            node.present.add(foreign)
            if device:
                told.append(Presence(device, online=True))
        table = station.signals.get(device) if device else None
        samples = tuple(_samples(node, foreign, payload, table))
        if not samples:
            return told
        told.append(Readings(device, samples) if device else Unknown(foreign, samples))
        return told

    def _death(self, station: Station, node: Node, payload: Payload) -> list[Told]:
        told_of = _bd_seq(payload)
        if node.born and told_of is not None and node.bd_seq is not None and told_of != node.bd_seq:
            return []  # the will of an earlier connection
        told: list[Told] = [Presence(device, online=False) for device in self._gone(station, node)]
        told.append(Presence(station.device, online=False))
        self._forget(node)
        node.born = False
        return told

    def _gone(self, station: Station, node: Node) -> list[str]:
        """Devices behind the node that are on line as far as we know: they go with it."""
        return [station.behind[name] for name in sorted(node.present) if name in station.behind]

    def _forget(self, node: Node) -> None:
        node.aliases.clear()
        node.types.clear()
        node.present.clear()
        node.seq = None

    def _learn(self, node: Node, foreign: str, payload: Payload) -> None:
        for metric in payload.metrics:
            if metric.fault or metric.name is None or len(node.types) >= MAX_ALIASES:
                continue
            if metric.datatype is not None:
                node.types[foreign, metric.name] = metric.datatype
            if metric.alias is not None and len(node.aliases) < MAX_ALIASES:
                node.aliases[foreign, metric.alias] = (metric.name, metric.datatype)

    def _lost_track(self, node: Node, kind: str, foreign: str, payload: Payload) -> bool:
        """Whether something was missed; notes the sequence number."""
        if kind == "NDEATH":
            return False
        expected, node.seq = node.seq, payload.seq
        if kind == "NBIRTH":
            return False
        gap = expected is not None and payload.seq is not None and payload.seq != (expected + 1) % _SEQS
        unnamed = any(
            m.name is None and m.alias is not None and (foreign, m.alias) not in node.aliases for m in payload.metrics
        )
        return gap or unnamed or not node.born

    def _may_ask(self, node: Node, at_ms: int) -> bool:
        if node.asked_at_ms is not None and abs(at_ms - node.asked_at_ms) < REBIRTH_EVERY_MS:
            return False
        node.asked_at_ms = at_ms
        return True


def _parts(station: Station, topic: str) -> tuple[str, str] | None:
    """(kind of message, device behind the node or ""), when the topic is the station's own."""
    parts = topic.split("/")
    if not 4 <= len(parts) <= 5 or parts[0] != ROOT or not station.address:
        return None
    if f"{parts[1]}/{parts[3]}" != station.address:
        return None
    if len(parts) == 4:
        return (parts[2], "") if parts[2] in NODE_UP else None
    return (parts[2], parts[4]) if parts[2] in DEVICE_UP and parts[4] else None


def _bd_seq(payload: Payload) -> Scalar:
    for metric in payload.metrics:
        if metric.name == _BD_SEQ and not metric.fault:
            try:
                return value_of(metric, metric.datatype)
            except BadMetric:
                return None
    return None


def _samples(node: Node, foreign: str, payload: Payload, table: Mapping[str, str] | None) -> list[Sample | str]:
    """One sample a time, in the order in which the times first come; of what was sent twice the later one stays."""
    columns: dict[Scalar, list[dict[str, Scalar]]] = {}
    for i, metric in enumerate(payload.metrics):
        signal, value = _reading(node, foreign, metric, i, table)
        if not signal:
            continue
        t = metric.timestamp if metric.timestamp is not None else payload.timestamp
        rows = columns.setdefault(t, [{}])
        if signal in rows[-1]:
            rows.append({})
        rows[-1][signal] = value
    return [Sample(t, row) for t, rows in columns.items() for row in rows]


def _reading(node: Node, foreign: str, metric: Metric, i: int, table: Mapping[str, str] | None) -> tuple[str, Scalar]:
    """Signal ("" = left out) and value; what cannot be read has a name that no signal can have, and says why."""
    unreadable = f"metrics[{i}]"
    if metric.fault:
        return unreadable, metric.fault
    name, datatype = metric.name, metric.datatype
    if name is None:
        if metric.alias is None:
            return unreadable, "neither name nor alias"
        known = node.aliases.get((foreign, metric.alias))
        if known is None:
            return unreadable, f"alias {metric.alias} was not named by a birth"
        name = known[0]
        datatype = known[1] if datatype is None else datatype
    elif datatype is None:
        datatype = node.types.get((foreign, name))
    if name == _BD_SEQ or name.startswith(_CONTROL):
        return "", None
    signal = signal_of(name, table)
    if not signal:
        return "", None
    try:
        return signal, value_of(metric, datatype)
    except BadMetric as problem:
        return unreadable, f"{name}: {problem}"
