"""The first packet of an MQTT 3.1.1 connection, made over for the embedded broker: client id = user name, clean."""

import struct
from dataclasses import dataclass, field

MQTT_3_1_1 = 4
REFUSED_VERSION, REFUSED_ACCOUNT = 1, 5


class Refused(Exception):
    """A connection that is not taken: the CONNACK code, and why in words."""

    def __init__(self, code: int | None, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


@dataclass(frozen=True)
class Connect:
    """A CONNECT whose client id is the user name and whose session is clean.

    `secret` is None where a certificate said who it is.
    """

    user: str
    secret: str | None = field(repr=False)
    packet: bytes


def take_text(body: bytes, at: int) -> tuple[bytes, int]:
    if at + 2 > len(body):
        raise Refused(None, "a CONNECT that ends early")
    end = at + 2 + int(struct.unpack_from("!H", body, at)[0])
    if end > len(body):
        raise Refused(None, "a CONNECT that ends early")
    return body[at + 2 : end], end


def text(content: bytes) -> bytes:
    return struct.pack("!H", len(content)) + content


def length(n: int) -> bytes:
    out = bytearray()
    while True:
        n, low = divmod(n, 128)
        out.append(low | (128 if n else 0))
        if not n:
            return bytes(out)


def rewritten(body: bytes, identity: str | None = None) -> Connect:
    """The CONNECT as amqtt shall see it; `identity`, the name in a verified certificate, wins. Raises Refused."""
    protocol, at = take_text(body, 0)
    if len(body) < at + 4 or protocol not in (b"MQTT", b"MQIsdp"):
        raise Refused(None, "something that is no MQTT")
    level, flags = body[at], body[at + 1]
    if protocol != b"MQTT" or level != MQTT_3_1_1:
        version = {5: "5", 3: "3.1"}.get(level, f"level {level}")
        words = f"a client that speaks MQTT {version}: this broker speaks MQTT 3.1.1 only, set the client to that"
        raise Refused(REFUSED_VERSION, words)
    head, at = body[: at + 1] + bytes([flags | 0x02]) + body[at + 2 : at + 4], at + 4
    _, at = take_text(body, at)
    rest = body[at:]
    if flags & 0x04:
        for _ in range(2):
            _, at = take_text(body, at)
    if identity is not None:
        made = head + text(identity.encode()) + rest
        return Connect(identity, None, b"\x10" + length(len(made)) + made)
    if not flags & 0x80 or not flags & 0x40:
        raise Refused(REFUSED_ACCOUNT, "a client without user name and secret: anonymous clients are not let in")
    user, at = take_text(body, at)
    secret, at = take_text(body, at)
    try:
        texts = user.decode(), secret.decode()
    except UnicodeDecodeError as problem:
        raise Refused(REFUSED_ACCOUNT, "a user name or secret that is no UTF-8") from problem
    if not user:
        raise Refused(REFUSED_ACCOUNT, "a client with an empty user name")
    made = head + text(user) + rest
    return Connect(*texts, b"\x10" + length(len(made)) + made)
