"""MQTT packets as a server for foreign devices reads and writes them: versions 3.1, 3.1.1 and 5."""

import struct
from dataclasses import dataclass

from plumbing.mqtt_connect import length, text

V31, V311, V5 = 3, 4, 5
CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = range(8, 15)
NOT_AUTHORIZED = 0x87
TAKEN_OVER = 0x8E
SHUTTING_DOWN = 0x8B
_PROTOCOLS = {(b"MQIsdp", V31), (b"MQTT", V311), (b"MQTT", V5)}
RECEIVE_MAXIMUM = 1000


class BadPacket(ValueError):
    """Bytes that are no packet of a client; the text says why."""


@dataclass(frozen=True)
class Hello:
    """A CONNECT. `secret` is None where the client gives none; `will` is (topic, body)."""

    version: int
    user: str
    secret: str | None
    keep_alive_s: int
    will: tuple[str, bytes] | None


@dataclass(frozen=True)
class Told:
    """A PUBLISH."""

    topic: str
    body: bytes
    qos: int
    mid: int


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        end = self.at + n
        if end > len(self.data):
            raise BadPacket("a packet that ends early")
        out = self.data[self.at : end]
        self.at = end
        return out

    def byte(self) -> int:
        return self.take(1)[0]

    def short(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def binary(self) -> bytes:
        return self.take(self.short())

    def text(self) -> str:
        try:
            return self.binary().decode()
        except UnicodeDecodeError as problem:
            raise BadPacket("text that is no UTF-8") from problem

    def skip_properties(self, version: int) -> None:
        if version != V5:
            return
        size = shift = 0
        while True:
            byte = self.byte()
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            if shift > 21:
                raise BadPacket("properties of impossible length")
        self.take(size)


def read_connect(body: bytes) -> Hello:
    """A CONNECT without its fixed header. Raises BadPacket."""
    read = _Reader(body)
    name, version, flags = read.binary(), read.byte(), read.byte()
    if (name, version) not in _PROTOCOLS:
        raise BadPacket("something that is no MQTT 3.1, 3.1.1 or 5")
    keep_alive = read.short()
    read.skip_properties(version)
    read.binary()  # the client id: who somebody is, the account says
    will = None
    if flags & 0x04:
        read.skip_properties(version)
        topic = read.text()
        will = (topic, read.binary())
    user = read.text() if flags & 0x80 else ""
    secret = read.text() if flags & 0x40 else None
    return Hello(version, user, secret, keep_alive, will)


def read_publish(version: int, flags: int, body: bytes) -> Told:
    """A PUBLISH. Raises BadPacket."""
    read = _Reader(body)
    topic, qos = read.text(), flags >> 1 & 3
    if qos == 3:
        raise BadPacket("a PUBLISH of QoS 3")
    if not topic or "#" in topic or "+" in topic or "\0" in topic:
        raise BadPacket(f"a message to {topic[:100]!r}, which is no topic")
    mid = read.short() if qos else 0
    read.skip_properties(version)
    return Told(topic, body[read.at :], qos, mid)


def read_filters(version: int, body: bytes, with_options: bool) -> tuple[int, list[tuple[str, int]]]:
    """(packet identifier, (filter, QoS) each) of a SUBSCRIBE or an UNSUBSCRIBE. Raises BadPacket."""
    read = _Reader(body)
    mid = read.short()
    read.skip_properties(version)
    out = []
    while read.at < len(body):
        a_filter = read.text()
        out.append((a_filter, read.byte() & 3 if with_options else 0))
    if not out:
        raise BadPacket("a subscription to nothing")
    return mid, out


def packet(kind: int, body: bytes, flags: int = 0) -> bytes:
    """A whole packet."""
    return bytes([kind << 4 | flags]) + length(len(body)) + body


def connack(version: int, account: str) -> bytes:
    """The connection is taken."""
    if version != V5:
        return packet(CONNACK, b"\0\0")
    # no session is kept, receive maximum, assigned client id, no shared subscriptions
    properties = b"\x11\0\0\0\0\x21" + struct.pack("!H", RECEIVE_MAXIMUM) + b"\x12" + text(account.encode()) + b"\x2a\0"
    return packet(CONNACK, b"\0\0" + length(len(properties)) + properties)


def connack_refused(version: int) -> bytes:
    """Unknown account, or a wrong secret."""
    return packet(CONNACK, bytes([0, NOT_AUTHORIZED, 0]) if version == V5 else b"\0\x05")


def ack(kind: int, version: int, mid: int, reason: int = 0) -> bytes:
    """PUBACK, PUBREC or PUBCOMP; only version 5 can say why."""
    return packet(kind, struct.pack("!H", mid) + (bytes([reason]) if version == V5 and reason else b""))


def suback(version: int, mid: int, codes: list[int]) -> bytes:
    """What became of each filter: the QoS, or 0x80 (0x87 in version 5)."""
    said = bytes(NOT_AUTHORIZED if c == 0x80 and version == V5 else c for c in codes)
    return packet(SUBACK, struct.pack("!H", mid) + (b"\0" if version == V5 else b"") + said)


def unsuback(version: int, mid: int, n: int) -> bytes:
    """No longer subscribed."""
    return packet(UNSUBACK, struct.pack("!H", mid) + (b"\0" + bytes(n) if version == V5 else b""))


def publish(version: int, topic: str, body: bytes, retained: bool = False) -> bytes:
    """A message of QoS 0."""
    return packet(PUBLISH, text(topic.encode()) + (b"\0" if version == V5 else b"") + body, int(retained))


def disconnect(version: int, reason: int) -> bytes:
    """The server ends the connection; only version 5 is told."""
    return packet(DISCONNECT, bytes([reason])) if version == V5 else b""


def matches(a_filter: str, topic: str) -> bool:
    """Whether a topic is among those that a filter names."""
    filters, levels = a_filter.split("/"), topic.split("/")
    for i, each in enumerate(filters):
        if each == "#":
            return True
        if i >= len(levels) or each not in ("+", levels[i]):
            return False
    return len(filters) == len(levels)
