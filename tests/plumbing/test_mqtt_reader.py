"""What ingest reads with: on Mosquitto, and on sockets for what a broker may do wrong."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from deploy.servers.launch import Mosquitto
from plumbing import mqtt_patience, mqtt_reader
from plumbing import mqtt_stream as packets
from plumbing.mqtt import Incoming, MqttLink
from plumbing.mqtt_connecting import Connecting
from plumbing.mqtt_reader import MqttReader
from tests.plumbing.test_mqtt import SECRET, TOPIC, broker
from tests.plumbing.waiting import until

__all__ = ["broker"]
C = TypeVar("C", bound=Connecting)


def reader(url: str, heard: list[Incoming]) -> MqttReader:
    return MqttReader(url, "any", subscribe=[TOPIC], on_messages=heard.extend)


@contextmanager
def running(client: C) -> Iterator[C]:
    client.start()
    try:
        yield client
    finally:
        client.stop()


@contextmanager
def device(broker: Mosquitto, *subscribe: str) -> Iterator[tuple[MqttLink, list[Incoming]]]:
    heard: list[Incoming] = []
    link = MqttLink(
        broker.url("acme/p1", SECRET), "any", subscribe=subscribe, on_connect=lambda: None, on_message=heard.append
    )
    with running(link):
        until(lambda: link.connected)
        yield link, heard


def test_what_is_not_acknowledged_comes_again_and_nothing_else(broker: Mosquitto) -> None:
    heard: list[Incoming] = []
    client = reader(broker.url("ingest", SECRET), heard)
    with device(broker) as (link, _):
        with running(client):
            until(lambda: client.connected)
            for i in range(300):
                link.publish(TOPIC, b"%d" % i)
            until(lambda: len(heard) == 300)
            assert [m.body for m in heard] == [b"%d" % i for i in range(300)]
            client.acknowledge(heard[:200])
        for i in range(300, 310):
            link.publish(TOPIC, b"%d" % i)
        late = list(heard)
        heard.clear()
        with running(client):
            until(lambda: len(heard) >= 110)
            assert sorted(int(m.body) for m in heard) == list(range(200, 310))
            assert {m.epoch for m in heard} == {2}
            client.acknowledge(late)  # of the earlier connection: now they would name other messages
        heard.clear()
        with running(client):
            until(lambda: len(heard) >= 110)


def test_a_broker_that_dies_is_found_again_and_asked_for_the_same_topics(broker: Mosquitto) -> None:
    heard: list[Incoming] = []
    with running(reader(broker.url("ingest", SECRET), heard)) as client:
        until(lambda: client.connected)
        old = Incoming(client.epoch, 7, TOPIC, b"", False)
        broker.kill()
        until(lambda: not client.connected)
        assert client.problem
        assert not client.publish("x", b"y")
        broker.start()
        until(lambda: client.connected)
        assert client.epoch == 2
        with device(broker) as (link, _):
            link.publish(TOPIC, b"after")
            until(lambda: [m.body for m in heard] == [b"after"])
            client.acknowledge([old, *heard])
    assert heard[0].epoch == 2


def test_a_wrong_secret_is_said_in_words(broker: Mosquitto) -> None:
    with running(reader(broker.url("ingest", "wrong"), [])) as client:
        until(lambda: "secret is wrong" in client.problem)
        assert not client.connected


def test_what_is_published_arrives_with_the_next_acknowledgement(broker: Mosquitto) -> None:
    here = running(reader(broker.url("ingest", SECRET), []))
    with device(broker, "forewarn/v1/acme/p1/stored") as (_, heard), here as client:
        until(lambda: client.connected)
        for i in range(500):
            assert client.publish("forewarn/v1/acme/p1/stored", b"%d" % i)
        client.acknowledge([])
        until(lambda: len(heard) == 500)
    assert [m.body for m in heard] == [b"%d" % i for i in range(500)]


def test_messages_wait_in_the_broker_while_there_is_no_room(broker: Mosquitto) -> None:
    heard: list[Incoming] = []
    room = threading.Event()
    made = MqttReader(
        broker.url("ingest", SECRET), "any", subscribe=[TOPIC], on_messages=heard.extend, room=room.wait
    )  # fmt: skip
    with running(made), device(broker) as (link, _):
        until(lambda: made.connected)
        link.publish(TOPIC, b"x" * 1000)
        assert not threading.Event().wait(0.3)
        assert heard == []
        room.set()
        until(lambda: len(heard) == 1)


class Odd:
    """A broker that says what it is told to say, to each connection anew."""

    def __init__(self, *says: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._says, self.came = says, 0
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"mqtt://ingest:secret@127.0.0.1:{self._listener.getsockname()[1]}"

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.came += 1
            connection.recv(1000)
            self._open.append(connection)
            for piece in self._says:
                connection.sendall(piece)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for connection in self._open:
            connection.close()


TAKEN = b"\x20\x02\x00\x00"


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ([b"\x20\x02\x00\x05"], "does not let this account in"),
        ([b"\x20\x02\x00\x63"], "code 99"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "silent"),
        ([TAKEN, b"\x90\x03\xff\xff\x80"], "does not let this account subscribe"),
        ([TAKEN, b"\x32\xff\xff\xff\xff\xff"], "length of a packet"),
        ([TAKEN, TAKEN], "no sense"),
        ([packets.publish(1, "a", b"")], "before the connection was taken"),
        ([], "silent"),
        ([TAKEN], "silent"),
    ],
)
def test_a_broker_that_goes_wrong_is_left_in_words_and_tried_again(
    says: list[bytes], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_patience, "RETRY_S", (0.05,))
    monkeypatch.setattr(mqtt_reader, "TICK_S", 0.05)
    monkeypatch.setattr(mqtt_reader, "SILENT_S", 0.4)
    monkeypatch.setattr(mqtt_reader, "CONNECT_TIMEOUT_S", 0.4)
    monkeypatch.setattr(mqtt_patience, "THROWN_OUT_WITHIN_S", 0.0)
    odd = Odd(*says)
    told: list[str] = []
    made = MqttReader(odd.url, "any", subscribe=["#"], on_messages=lambda found: None)
    monkeypatch.setattr(made, "_note", told.append)
    with running(made):
        until(lambda: odd.came >= 2)
    odd.close()

    assert any(re.search(words, line) for line in told), told


def test_nobody_at_the_address_is_said_in_words() -> None:
    with running(MqttReader("mqtt://a:b@127.0.0.1:1", "any", subscribe=[], on_messages=lambda found: None)) as client:
        until(lambda: "no broker answers at 127.0.0.1:1" in client.problem)
