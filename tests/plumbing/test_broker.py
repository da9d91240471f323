"""The embedded broker, by the product's own MQTT link and byte by byte."""

import logging
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import pytest

from plumbing.broker import BrokerNotStarted, EmbeddedBroker
from plumbing.mqtt import Incoming, MqttLink
from plumbing.mqtt_reader import MqttReader
from tests.plumbing.waiting import until

SECRET = "s3cret"


@dataclass
class House:
    """A broker with the rules of the device link, and everybody who is connected."""

    broker: EmbeddedBroker
    refused: list[tuple[str, str]]
    links: list[MqttLink] = field(default_factory=list)

    def link(
        self, user: str, *subscribe: str, secret: str = SECRET, will: tuple[str, bytes] | None = None
    ) -> tuple[MqttLink, list[Incoming], list[str]]:
        """A started link, what it hears, and why it was refused."""
        heard: list[Incoming] = []
        why: list[str] = []
        made = MqttLink(
            f"mqtt://{user.replace('/', '%2F')}:{secret}@127.0.0.1:{self.broker.port}", "any id",
            subscribe=subscribe, on_connect=lambda: None, on_message=heard.append, will=will, on_refused=why.append,
        )  # fmt: skip
        made.start()
        self.links.append(made)
        until(lambda: made.connected or why)
        return made, heard, why


@pytest.fixture
def house() -> Iterator[House]:
    """A running broker: devices `acme/*` and the account `ingest`."""
    refused: list[tuple[str, str]] = []

    def own(user: str, topic: str) -> bool:
        return user == "ingest" or topic.startswith(f"forewarn/v1/{user}/")

    broker = EmbeddedBroker(
        "127.0.0.1", 0,
        authenticate=lambda user, secret: secret == SECRET and (user == "ingest" or user.startswith("acme/")),
        may_publish=own, may_receive=own, on_refused=lambda user, topic: refused.append((user, topic)),
    )  # fmt: skip
    broker.start()
    made = House(broker, refused)
    yield made
    for link in made.links:
        link.stop()
    broker.stop()


def bodies(heard: list[Incoming]) -> list[bytes]:
    """What was heard."""
    return [m.body for m in heard]


def test_messages_arrive_in_order(house: House) -> None:
    _, heard, _ = house.link("ingest", "forewarn/v1/+/+/telemetry")
    device, _, _ = house.link("acme/p1")
    for i in range(500):
        assert device.publish("forewarn/v1/acme/p1/telemetry", b"%d" % i)
    until(lambda: len(heard) == 500)
    assert bodies(heard) == [b"%d" % i for i in range(500)]


def test_what_a_subscriber_never_acknowledges_stops_nothing(house: House) -> None:
    heard: list[Incoming] = []
    url, topic = f"mqtt://ingest:{SECRET}@127.0.0.1:{house.broker.port}", "forewarn/v1/+/+/telemetry"
    reader = MqttReader(url, "any id", subscribe=[topic], on_messages=heard.extend)
    reader.start()
    until(lambda: reader.connected)
    device, _, _ = house.link("acme/p1")
    for _ in range(300):
        device.publish("forewarn/v1/acme/p1/telemetry", b"x")
    until(lambda: len(heard) == 300)
    reader.stop()


def test_a_forbidden_publish_is_acknowledged_dropped_and_counted(house: House) -> None:
    _, heard, _ = house.link("ingest", "forewarn/#")
    device, _, _ = house.link("acme/p1")
    device.publish("forewarn/v1/acme/p2/telemetry", b"not mine")
    device.publish("forewarn/v1/acme/p1/telemetry", b"mine")
    until(lambda: heard)
    assert bodies(heard) == [b"mine"]
    assert house.refused == [("acme/p1", "forewarn/v1/acme/p2/telemetry")]
    raw = Raw(house.broker.port)
    raw.connect("acme/p3")
    raw.publish("forewarn/v1/acme/p9/telemetry", 7, b"x")
    assert raw.read() == b"\x40\x02\x00\x07"


def test_a_forbidden_subscription_is_answered_with_0x80(house: House) -> None:
    raw = Raw(house.broker.port)
    assert raw.connect("acme/p1") == b"\x20\x02\x00\x00"
    assert raw.subscribe("forewarn/v1/acme/p1/stored", "forewarn/v1/#", "bad#filter") == [1, 0x80, 0x80]


def test_a_device_hears_its_own_topics_alone(house: House) -> None:
    ingest, _, _ = house.link("ingest")
    _, one, _ = house.link("acme/p1", "forewarn/v1/acme/p1/stored", "forewarn/v1/acme/p2/stored")
    _, two, _ = house.link("acme/p2", "forewarn/v1/acme/p2/stored")
    until(lambda: ingest.publish("forewarn/v1/acme/p2/stored", b"for two"))
    ingest.publish("forewarn/v1/acme/p1/stored", b"for one")
    until(lambda: one and two)
    assert (bodies(one), bodies(two)) == ([b"for one"], [b"for two"])


@pytest.mark.parametrize(("user", "secret"), [("acme/p1", "wrong"), ("other/p1", SECRET), ("nobody", SECRET)])
def test_a_wrong_account_is_told_so(house: House, user: str, secret: str) -> None:
    link, _, why = house.link(user, secret=secret)
    assert "secret is wrong" in why[0]
    assert link.problem == why[0]


def test_a_wrong_secret_does_not_disturb_the_owner_of_the_account(house: House) -> None:
    device, heard, _ = house.link("acme/p1", "forewarn/v1/acme/p1/stored")
    house.link("acme/p1", secret="wrong")
    ingest, _, _ = house.link("ingest")
    ingest.publish("forewarn/v1/acme/p1/stored", b"still here")
    until(lambda: heard)
    assert device.epoch == 1


def test_anonymous_clients_are_refused(house: House) -> None:
    assert Raw(house.broker.port).connect(None) == b"\x20\x02\x00\x05"


@pytest.mark.parametrize(("level", "name"), [(5, b"MQTT"), (3, b"MQIsdp")])
def test_another_protocol_version_is_refused_in_words(
    house: House, level: int, name: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert Raw(house.broker.port).connect("acme/p1", level=level, name=name) == b"\x20\x02\x00\x01"
    assert "MQTT 3.1.1 only" in caplog.text


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\xff\xff",
        b"\x10\x02\x00",
        b"\x10\x05\x00\x04MQT",
        b"\x10\x0c\x00\x04MQTT\x04\xc2\x00\x00\x00\xff",
        b"\x30\x03\x00\x01a",
    ],
)
def test_junk_ends_its_connection_and_nothing_else(house: House, junk: bytes) -> None:
    raw = Raw(house.broker.port)
    raw.send(junk)
    raw.socket.shutdown(socket.SHUT_WR)
    assert raw.read() == b""
    device, _, _ = house.link("acme/p1")
    assert device.connected


def test_the_user_name_is_the_client_id(house: House) -> None:
    """Two accounts with the same client id live side by side; two connections of one account do not."""
    first, _, _ = house.link("acme/p1")
    second, _, _ = house.link("acme/p2")
    assert first.connected
    assert second.connected
    raw = Raw(house.broker.port)
    raw.connect("acme/p1", client_id=b"quite another")
    until(lambda: not first.connected)
    assert second.epoch == 1


def test_the_earlier_connection_of_an_account_is_ended(house: House) -> None:
    one, two = Raw(house.broker.port), Raw(house.broker.port)
    one.connect("acme/p1")
    assert two.connect("acme/p1") == b"\x20\x02\x00\x00"
    assert one.read() == b""
    two.send(b"\xc0\x00")
    assert two.read() == b"\xd0\x00"


def test_a_will_is_published_when_a_connection_breaks(house: House) -> None:
    _, heard, _ = house.link("ingest", "forewarn/v1/+/+/state")
    raw = Raw(house.broker.port)
    raw.connect("acme/p1", will=("forewarn/v1/acme/p1/state", b"offline"))
    raw.socket.close()
    until(lambda: heard)
    assert bodies(heard) == [b"offline"]
    _, later, _ = house.link("acme/p1", "forewarn/v1/acme/p1/state")
    until(lambda: later)
    assert [(m.body, m.retained) for m in later] == [(b"offline", True)]


def test_a_clean_end_publishes_no_will(house: House) -> None:
    _, heard, _ = house.link("ingest", "forewarn/v1/+/+/state")
    device, _, _ = house.link("acme/p1", will=("forewarn/v1/acme/p1/state", b"offline"))
    device.publish("forewarn/v1/acme/p1/state", b"goodbye")
    device.stop()
    until(lambda: heard)
    other, _, _ = house.link("acme/p2")
    other.publish("forewarn/v1/acme/p2/state", b"later")
    until(lambda: len(heard) == 2)
    assert bodies(heard) == [b"goodbye", b"later"]


def test_a_will_to_a_forbidden_topic_is_never_published(house: House) -> None:
    _, heard, _ = house.link("ingest", "forewarn/#")
    raw = Raw(house.broker.port)
    raw.connect("acme/p1", will=("forewarn/v1/acme/p2/state", b"forged"))
    raw.socket.close()
    other, _, _ = house.link("acme/p2")
    other.publish("forewarn/v1/acme/p2/state", b"true")
    until(lambda: heard)
    assert bodies(heard) == [b"true"]
    assert house.refused == [("acme/p1", "forewarn/v1/acme/p2/state")]


def test_the_newest_retained_message_greets_a_subscriber(house: House) -> None:
    device, _, _ = house.link("acme/p1")
    for body in (b"old", b"new"):
        device.publish("forewarn/v1/acme/p1/state", body, retain=True)
    gone, _, _ = house.link("acme/p2")
    gone.publish("forewarn/v1/acme/p2/state", b"here", retain=True)
    gone.publish("forewarn/v1/acme/p2/state", b"", retain=True)
    gone.publish("forewarn/v1/acme/p2/config", b"kept", retain=True)
    _, heard, _ = house.link("ingest", "forewarn/#")
    until(lambda: {(m.body, m.retained) for m in heard} == {(b"new", True), (b"kept", True)})


def test_nobody_gets_retained_messages_that_it_did_not_subscribe_to(house: House) -> None:
    house.link("ingest", "forewarn/#")
    device, _, _ = house.link("acme/p1")
    device.publish("forewarn/v1/acme/p1/state", b"mine", retain=True)
    _, heard, _ = house.link("ingest", "forewarn/v1/+/+/state")
    until(lambda: heard)
    raw = Raw(house.broker.port)
    raw.connect("acme/p2")
    raw.send(b"\xc0\x00")
    assert raw.read() == b"\xd0\x00"


@pytest.mark.parametrize("size", [300_000, 15 * 1024 * 1024])
def test_large_messages_pass(house: House, size: int) -> None:
    _, heard, _ = house.link("ingest", "forewarn/v1/+/+/telemetry")
    device, _, _ = house.link("acme/p1")
    device.publish("forewarn/v1/acme/p1/telemetry", b"x" * size)
    until(lambda: heard, 20)
    assert len(heard[0].body) == size


def test_a_message_above_16_mb_ends_its_connection(house: House) -> None:
    raw = Raw(house.broker.port)
    raw.connect("acme/p1")
    size = 17 * 1024 * 1024
    raw.send(b"\x32" + bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21]) + b"x" * 99)
    assert raw.read() == b""
    device, _, _ = house.link("acme/p2")
    assert device.connected


@pytest.mark.parametrize("topic", ["a/#", "+/b", "$SYS/x", ""])
def test_what_is_no_topic_ends_its_connection(house: House, topic: str) -> None:
    raw = Raw(house.broker.port)
    raw.connect("acme/p1")
    raw.publish(topic, 1, b"x")
    assert raw.read() == b""


def test_a_silent_connection_ends(house: House) -> None:
    raw = Raw(house.broker.port)
    raw.connect("acme/p1", keepalive=1)
    assert raw.read() == b""


def test_a_revoked_account_can_be_disconnected(house: House) -> None:
    device, _, _ = house.link("acme/p1")
    house.broker.disconnect("acme/p1")
    until(lambda: not device.connected)
    house.broker.disconnect("acme/nobody")


def test_a_taken_port_is_named(house: House) -> None:
    def never(*_: str) -> NoReturn:
        raise AssertionError

    second = EmbeddedBroker(
        "127.0.0.1", house.broker.port, authenticate=never, may_publish=never, may_receive=never, on_refused=never
    )
    with pytest.raises(BrokerNotStarted, match=str(house.broker.port)):
        second.start()
    second.stop()


def test_a_stopped_broker_leaves_its_port(house: House) -> None:
    port = house.broker.port
    house.broker.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


class Raw:
    """MQTT byte by byte."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> bytes:
        """What comes next; empty at the end of the connection."""
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""

    def connect(
        self, user: str | None, *, level: int = 4, name: bytes = b"MQTT", client_id: bytes = b"id", keepalive: int = 30,
        will: tuple[str, bytes] | None = None,
    ) -> bytes:  # fmt: skip
        """Send CONNECT; returns the answer."""
        flags = (0xC0 if user else 0) | (0x2C if will else 0)
        texts = [client_id]
        if will:
            texts += [will[0].encode(), will[1]]
        if user:
            texts += [user.encode(), SECRET.encode()]
        head = struct.pack("!H", len(name)) + name + bytes([level, flags]) + struct.pack("!H", keepalive)
        properties = b"\x00" if level == 5 else b""
        body = head + properties + b"".join(struct.pack("!H", len(t)) + t for t in texts)
        self.send(bytes([0x10, len(body)]) + body)
        return self.read()

    def publish(self, topic: str, mid: int, body: bytes) -> None:
        """Send PUBLISH, QoS 1."""
        content = struct.pack("!H", len(topic)) + topic.encode() + struct.pack("!H", mid) + body
        self.send(bytes([0x32, len(content)]) + content)

    def subscribe(self, *filters: str) -> list[int]:
        """Send SUBSCRIBE; returns the codes."""
        content = b"\x00\x01" + b"".join(struct.pack("!H", len(f)) + f.encode() + b"\x01" for f in filters)
        self.send(bytes([0x82, len(content)]) + content)
        return list(self.read()[4:])
