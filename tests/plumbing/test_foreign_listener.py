"""The foreign listener, by paho in its versions and by raw bytes."""

import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import paho.mqtt.client as paho
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from plumbing import foreign_packets as packets
from plumbing.foreign_listener import GONE, HERE, ForeignListener, NotListening
from plumbing.mqtt_connect import text

VERSIONS = [paho.MQTTv31, paho.MQTTv311, paho.MQTTv5]


def until(what: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@dataclass
class Door:
    """Knows `gate` by the token `token-of-gate` and `plant` by its secret; each may use what begins with its name."""

    heard: list[tuple[str, str, bytes]] = field(default_factory=list)
    done: list[Callable[[], None]] = field(default_factory=list)
    turned_away: list[tuple[str, str]] = field(default_factory=list)
    came: list[tuple[str, str]] = field(default_factory=list)
    closed: bool = False
    held: bool = False

    def admit(self, user: str, secret: str | None) -> str | None:
        if secret is None:
            return "gate" if user == "token-of-gate" else None
        return user if (user, secret) == ("plant", "secret") else None

    def claims(self, user: str, secret: str | None) -> bool:
        return user.startswith("token")

    def may_publish(self, account: str, topic: str) -> bool:
        return topic.startswith(f"{account}/")

    def may_receive(self, account: str, filter_: str) -> bool:
        return filter_.startswith((f"{account}/", "all/"))

    def offer(self, account: str, topic: str, body: bytes, done: Callable[[], None]) -> bool:
        if topic in (HERE, GONE):
            self.came.append((account, topic))
            return True
        if self.closed:
            return False
        self.heard.append((account, topic, body))
        if self.held:
            self.done.append(done)
        else:
            done()
        return True

    def retained(self) -> list[tuple[str, bytes]]:
        return [("all/state", b"ONLINE")]

    def refused(self, account: str, topic: str) -> None:
        self.turned_away.append((account, topic))


@dataclass
class World:
    """A door, its listener, and clients."""

    door: Door
    listener: ForeignListener
    clients: list[paho.Client] = field(default_factory=list)

    def client(self, version: Any = paho.MQTTv311, user: str = "token-of-gate", secret: str | None = None) -> "Client":
        made = Client(self.listener.port, version, user, secret)
        self.clients.append(made.paho)
        return made


class Client:
    """A paho client that notes what happens."""

    def __init__(self, port: int, version: Any, user: str, secret: str | None) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self.acknowledged: list[tuple[int, int]] = []
        self.answers: list[str] = []
        self.ended: list[str] = []
        self.granted: list[int] = []
        self.port = port
        self.paho = paho.Client(CallbackAPIVersion.VERSION2, client_id="whatever", protocol=version)
        self.paho.username_pw_set(user, secret)
        self.paho.on_connect = lambda c, d, f, reason, p: self.answers.append(str(reason))
        self.paho.on_disconnect = lambda c, d, f, reason, p: self.ended.append(str(reason))
        self.paho.on_message = lambda c, d, m: self.heard.append((m.topic, bytes(m.payload), m.retain))
        self.paho.on_publish = lambda c, d, mid, reason, p: self.acknowledged.append((mid, reason.value))
        self.paho.on_subscribe = lambda c, d, mid, reasons, p: self.granted.extend(r.value for r in reasons)

    def connect(self) -> "Client":
        self.paho.connect("127.0.0.1", self.port, keepalive=30)
        self.paho.loop_start()
        until(lambda: bool(self.answers))
        return self


@pytest.fixture
def world() -> Iterator[World]:
    door = Door()
    listener = ForeignListener("127.0.0.1", 0, door)
    listener.start()
    made = World(door, listener)
    yield made
    door.closed = False
    for client in made.clients:
        client.disconnect()
        client.loop_stop()
    listener.stop()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_is_published_reaches_the_door_with_its_account(world: World, version: Any, qos: int) -> None:
    client = world.client(version).connect()
    assert client.answers == ["Success"]
    for i in range(20):
        client.paho.publish("gate/x", str(i), qos=qos)
    until(lambda: len(client.acknowledged) == 20)
    until(lambda: len(world.door.heard) == 20)
    assert world.door.heard == [("gate", "gate/x", str(i).encode()) for i in range(20)]


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_acknowledged_before_it_is_kept(world: World, version: Any) -> None:
    world.door.held = True
    client = world.client(version).connect()
    client.paho.publish("gate/x", "1", qos=1)
    until(lambda: len(world.door.done) == 1)
    time.sleep(0.1)
    assert client.acknowledged == []
    threading.Thread(target=world.door.done[0]).start()
    until(lambda: len(client.acknowledged) == 1)


def test_while_the_door_takes_nothing_nothing_more_is_read(world: World) -> None:
    world.door.closed = True
    client = world.client().connect()
    for _ in range(50):
        client.paho.publish("gate/x", b"x" * 1000, qos=1)
    time.sleep(0.2)
    assert world.door.heard == []
    world.door.closed = False
    until(lambda: len(client.acknowledged) == 50)
    assert len(world.door.heard) == 50


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("user", "secret"), [("token-of-gatf", None), ("", None), ("plant", "wrong"), ("plant", None)])
def test_strangers_are_refused(world: World, version: Any, user: str, secret: str | None) -> None:
    client = world.client(version, user, secret).connect()
    assert client.answers[0] in ("Not authorized", "Bad user name or password")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_forbidden_publish_is_reported_and_dropped(world: World, version: Any) -> None:
    client = world.client(version, "plant", "secret").connect()
    client.paho.publish("gate/x", "1", qos=1)
    client.paho.publish("plant/x", "2", qos=1)
    until(lambda: len(client.acknowledged) == 2)
    assert world.door.heard == [("plant", "plant/x", b"2")]
    assert world.door.turned_away == [("plant", "gate/x")]
    codes = [code for _, code in client.acknowledged]
    assert codes == ([0x87, 0] if version == paho.MQTTv5 else [0, 0])


@pytest.mark.parametrize("version", VERSIONS)
def test_replies_reach_their_connection_alone(world: World, version: Any) -> None:
    gate, plant = world.client(version).connect(), world.client(version, "plant", "secret").connect()
    for client in (gate, plant):
        client.paho.subscribe([("gate/+/answer", 1), ("all/#", 1)])
    until(lambda: len(gate.granted) == 2 and len(plant.granted) == 2)
    assert gate.granted == [1, 1]
    assert plant.granted[0] >= 0x80
    until(lambda: len(gate.heard) == 1 and len(plant.heard) == 1)
    assert gate.heard == [("all/state", b"ONLINE", True)]
    world.listener.send("gate", "gate/7/answer", b"for you")
    world.listener.send("gate", "gate/7/other", b"not wanted")
    world.listener.send("plant", "gate/7/answer", b"not permitted")
    world.listener.send("nobody", "gate/7/answer", b"not here")
    until(lambda: len(gate.heard) == 2)
    gate.paho.unsubscribe("gate/+/answer")
    time.sleep(0.1)
    world.listener.send("gate", "gate/7/answer", b"too late")
    time.sleep(0.1)
    assert gate.heard[1:] == [("gate/7/answer", b"for you", False)]
    assert len(plant.heard) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_will_is_told_when_the_connection_breaks_and_not_when_it_ends(world: World, version: Any) -> None:
    for wills in (1, 1):
        client = world.client(version)
        client.paho.will_set("gate/gone", b"gone", qos=1)
        client.connect()
        if not world.door.heard:
            client.paho.loop_stop()
            broken = client.paho.socket()
            assert broken is not None
            broken.close()
            until(lambda: len(world.door.heard) == 1)
        else:
            client.paho.disconnect()
            until(partial(getattr, client, "ended"))
            time.sleep(0.1)
        assert world.door.heard == [("gate", "gate/gone", b"gone")] * wills
    until(lambda: world.door.came == [("gate", HERE), ("gate", GONE), ("gate", HERE)])


def test_a_will_for_somebody_else_is_dropped(world: World) -> None:
    client = world.client()
    client.paho.will_set("plant/gone", b"gone")
    client.connect()
    assert world.door.turned_away == [("gate", "plant/gone")]


def test_a_second_connection_ends_the_first_whose_will_comes_before(world: World) -> None:
    first = world.client()
    first.paho.will_set("gate/gone", b"first")
    first.connect()
    second = world.client().connect()
    until(lambda: bool(first.ended))
    first.paho.loop_stop()
    second.paho.publish("gate/x", b"second", qos=1)
    until(lambda: len(second.acknowledged) == 1)
    assert [body for _, _, body in world.door.heard] == [b"first", b"second"]


def test_the_revoked_are_disconnected(world: World) -> None:
    client = world.client(paho.MQTTv5).connect()
    world.listener.disconnect("gate")
    until(lambda: bool(client.ended))
    assert client.ended == ["Not authorized"]


def test_it_stops_while_the_door_takes_nothing(world: World) -> None:
    world.door.closed = True
    clients = [world.client().connect(), world.client(paho.MQTTv5, "plant", "secret").connect()]
    for client, topic in zip(clients, ("gate/x", "plant/x"), strict=True):
        client.paho.publish(topic, b"x", qos=1)
    time.sleep(0.2)
    began = time.monotonic()
    world.listener.stop()
    assert time.monotonic() - began < 10.0
    assert [client.acknowledged for client in clients] == [[], []]


def test_version_5_properties_are_passed_over(world: World) -> None:
    # message expiry 5, user property a = b
    body = text(b"gate/x") + b"\0\7" + b"\x0c\x02\0\0\0\5\x26\0\1a\0\1b" + b"body"
    with socket.create_connection(("127.0.0.1", world.listener.port)) as sock:
        sock.sendall(_connect(level=5) + packets.packet(3, body, 2))
        until(lambda: bool(world.door.heard))
    assert world.door.heard == [("gate", "gate/x", b"body")]


def test_a_port_that_is_taken_is_named(world: World) -> None:
    with pytest.raises(NotListening, match=str(world.listener.port)):
        ForeignListener("127.0.0.1", world.listener.port, world.door).start()


def _connect(user: bytes = b"token-of-gate", level: int = 4) -> bytes:
    body = b"\0\x04MQTT" + bytes([level, 0x82]) + b"\0\x3c" + (b"\0" if level == 5 else b"") + b"\0\0"
    return packets.packet(1, body + struct.pack("!H", len(user)) + user)


def test_nonsense_ends_its_own_connection_alone(world: World) -> None:
    good = world.client().connect()
    chance = random.Random(5)
    attacks = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\xff\xff",
        b"\x10\x00",
        b"\x10\x0c\0\x04MQTT\x09\x02\0\0\0\0",
    ]
    for level in (4, 5):
        hello = _connect(level=level)
        attacks += [
            hello[:7], hello + hello, hello + b"\x30\x00", hello + b"\x36\x02\0\0", hello + b"\x82\x02\0\0",
            hello + b"\x32\x09\0\x03a/#\0\1xx", hello + b"\x30\x04\0\x02\xff\xfe", hello + b"\xf0\x00",
            hello + b"\x62\x00",
            hello + packets.packet(3, b"\0\x06gate/x" + b"\xff" * 9), hello + b"\x30\xff\xff\xff\xff",
            *(hello + bytes(chance.choices(range(256), k=40)) for _ in range(20)),
        ]  # fmt: skip
    for attack in attacks:
        with socket.create_connection(("127.0.0.1", world.listener.port)) as sock:
            sock.sendall(attack)
    world.client(paho.MQTTv311, "plant", "secret").connect().paho.publish("plant/x", "1", qos=1)
    until(lambda: ("plant", "plant/x", b"1") in world.door.heard)
    assert good.answers[0] == "Success"


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([3, 4, 5]), st.integers(0, 15), st.binary(max_size=40))
def test_no_bytes_break_the_reader(version: int, flags: int, body: bytes) -> None:
    for read in (
        lambda: packets.read_connect(body), lambda: packets.read_publish(version, flags, body),
        lambda: packets.read_filters(version, body, True), lambda: packets.read_connect(b"\0\x04MQTT" + body),
    ):  # fmt: skip
        try:
            read()
        except packets.BadPacket:
            continue


@pytest.mark.parametrize(
    ("filter_", "topic", "yes"),
    [
        ("a/b", "a/b", True), ("a/+", "a/b", True), ("a/#", "a/b/c", True), ("a/#", "a", True), ("+/b", "a/b", True),
        ("a/+", "a", False), ("a/+", "a/b/c", False), ("a", "a/b", False), ("a/b", "a", False), ("#", "a", True),
    ],
)  # fmt: skip
def test_filters(filter_: str, topic: str, yes: bool) -> None:
    assert packets.matches(filter_, topic) is yes
