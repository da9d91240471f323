"""MQTT 3.1.1 packets as bytes: those that a client sends, and a stream of those that it receives. No I/O."""

import struct
from collections.abc import Iterable, Sequence

import msgspec

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGRESP = 1, 2, 3, 4, 8, 9, 13
PING = b"\xc0\x00"
GOODBYE = b"\xe0\x00"
REFUSED = 0x80
"""What a SUBACK says of a filter that the broker does not grant."""
KEPT_BYTES = 2_000_000
"""Of a larger packet the rest is passed over: no message of the product is so large, and none shall fill the memory."""
_LONGEST = 3 * 7
_MAX_TOPICS = 100_000


class Malformed(ValueError):
    """What arrived is no MQTT: nothing that follows can be understood."""


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A message that arrived on connection number `epoch`; `mid` is its packet identifier there, 0 for QoS 0."""

    epoch: int
    mid: int
    topic: str
    body: bytes
    retained: bool


def _text(text: str) -> bytes:
    content = text.encode()
    return struct.pack("!H", len(content)) + content


def _packet(first: int, body: bytes) -> bytes:
    out = bytearray([first])
    n = len(body)
    while True:
        n, low = divmod(n, 128)
        out.append(low | (128 if n else 0))
        if not n:
            return bytes(out) + body


def connect(client_id: str, user: str, secret: str, *, clean: bool, keepalive_s: int) -> bytes:
    """The first packet. Without a user name the client is anonymous."""
    flags = (0x02 if clean else 0) | (0xC0 if user else 0)
    body = _text("MQTT") + struct.pack("!BBH", 4, flags, keepalive_s) + _text(client_id)
    return _packet(CONNECT << 4, body + (_text(user) + _text(secret) if user else b""))


def subscribe(mid: int, filters: Sequence[str]) -> bytes:
    """Ask for these topics, QoS 1."""
    return _packet(SUBSCRIBE << 4 | 2, struct.pack("!H", mid) + b"".join(_text(f) + b"\x01" for f in filters))


def publish(mid: int, topic: str, body: bytes, *, retain: bool = False) -> bytes:
    """A message, QoS 1."""
    return _packet(PUBLISH << 4 | 2 | retain, _text(topic) + struct.pack("!H", mid) + body)


def acknowledgements(mids: Iterable[int]) -> bytes:
    """The PUBACKs of all these messages."""
    words = [word for mid in mids if mid for word in (PUBACK << 12 | 2, mid)]
    return struct.pack(f"!{len(words)}H", *words)


class Stream:
    """Cuts what arrives into packets, wherever it was cut on the way.

    Attributes
    ----------
    control : list of (int, bytes)
        Packets that are no messages, as type and content, for the caller to take out.
    """

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 2
        self._skip = 0
        self._topics: dict[bytes, str] = {}
        self.control: list[tuple[int, bytes]] = []

    def feed(self, data: bytes) -> list[Incoming]:
        """The messages that are complete now. Raises Malformed."""
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._parts)
            self._parts = []
        out: list[Incoming] = []
        at, size, self._need = 0, len(data), 0
        while size - at >= 2:
            first, length, start = data[at], data[at + 1], at + 2
            if length > 127:
                length &= 127
                shift = 7
                while start < size:
                    byte = data[start]
                    start += 1
                    length |= (byte & 127) << shift
                    if byte < 128:
                        break
                    shift += 7
                    if shift > _LONGEST:
                        raise Malformed("the length of a packet has no end")
                else:
                    break
            end = start + length
            if end > size:
                if end - at > KEPT_BYTES and size - at >= KEPT_BYTES:
                    out.append(self._message(data, first, start, size, end))
                    self._skip = end - size
                    at = size
                else:
                    self._need = min(end - at, KEPT_BYTES)
                break
            if first >> 4 == PUBLISH:
                out.append(self._message(data, first, start, end, end))
            else:
                self.control.append((first >> 4, data[start:end]))
            at = end
        if at < size:
            self._parts = [data[at:]]
            self._have = size - at
        return out

    def _message(self, data: bytes, first: int, start: int, until: int, end: int) -> Incoming:
        """The PUBLISH whose content is at start..end, of which start..until is here."""
        if first >> 4 != PUBLISH:
            raise Malformed("a packet that is no message is too large")
        if end - start < 2:
            raise Malformed("a message without a topic")
        named = start + 2
        at = named + (data[start] << 8 | data[start + 1])
        quality = first >> 1 & 3
        mid = 0
        body = at
        if quality:
            body = at + 2
            if body > until:
                raise Malformed("a message that ends within its head")
            mid = data[at] << 8 | data[at + 1]
            if quality != 1 or not mid:
                raise Malformed("a message of a quality that was not asked for, or without a number")
        elif at > until:
            raise Malformed("a message that ends within its topic")
        name = data[named:at]
        topic = self._topics.get(name)
        if topic is None:
            if len(self._topics) >= _MAX_TOPICS:
                self._topics.clear()
            # a topic that is no text comes again after a new connection, for ever: better it is put aside as it is
            topic = self._topics[name] = name.decode("utf-8", "replace")
        return Incoming(self._epoch, mid, topic, data[body:until], bool(first & 1))
