"""The MQTT link: on Mosquitto what needs sessions and a broker that dies, on sockets what needs no broker."""

import base64
import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.servers.launch import Mosquitto
from plumbing import mqtt
from plumbing.mqtt import BrokerAddress, Incoming, MqttLink
from tests.conftest import MosquittoFactory
from tests.plumbing.waiting import until

SECRET = "s3cret"
TOPIC = "forewarn/v1/acme/p1/telemetry"


@pytest.fixture
def broker(mosquitto_factory: MosquittoFactory, tmp_path: Path) -> Mosquitto:
    """A Mosquitto with the accounts `ingest` and `acme/p1`, which may do everything."""
    lines = []
    for user in ("ingest", "acme/p1"):
        salt = user.encode().ljust(12, b"x")
        digest = hashlib.pbkdf2_hmac("sha512", SECRET.encode(), salt, 101)
        lines.append(f"{user}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n")
    passwd, acl = tmp_path / "passwd", tmp_path / "acl"
    passwd.write_text("".join(lines))
    acl.write_text("pattern readwrite #\n")
    for path in (passwd, acl):
        path.chmod(0o644)
    return mosquitto_factory(passwd, acl)


class Party:
    """A link and all that it was told."""

    def __init__(self, url: str, *subscribe: str, clean: bool = True, will: tuple[str, bytes] | None = None) -> None:
        self.heard: list[Incoming] = []
        self.connects: list[int] = []
        self.why: list[str] = []
        self.link = MqttLink(
            url, "any", subscribe=subscribe, on_connect=lambda: self.connects.append(self.link.epoch),
            on_message=self.heard.append, will=will, clean=clean, on_refused=self.why.append,
        )  # fmt: skip
        self.link.start()

    @property
    def bodies(self) -> list[bytes]:
        """What was heard."""
        return [m.body for m in self.heard]


def say_until_heard(device: Party, body: bytes, ingest: Party) -> None:
    """A connection is taken before its subscriptions are: what is said in between is heard by nobody."""
    until(lambda: device.link.publish(TOPIC, body) and body in ingest.bodies)


@pytest.fixture
def parties() -> Iterator[list[Party]]:
    """Everybody who is to be stopped in the end."""
    made: list[Party] = []
    yield made
    for party in made:
        party.link.stop()


def test_a_killed_broker_is_found_again_and_subscribed_to_anew(broker: Mosquitto, parties: list[Party]) -> None:
    ingest = Party(broker.url("ingest", SECRET), TOPIC)
    device = Party(broker.url("acme/p1", SECRET))
    parties += [ingest, device]
    until(lambda: ingest.link.connected and device.link.connected)
    say_until_heard(device, b"before", ingest)
    broker.kill()
    until(lambda: not ingest.link.connected and not device.link.connected)
    assert not device.link.publish(TOPIC, b"into the void")
    assert device.link.problem
    broker.start()
    until(lambda: ingest.link.connected and device.link.connected)
    say_until_heard(device, b"after", ingest)
    assert list(dict.fromkeys(ingest.bodies)) == [b"before", b"after"]
    assert ingest.connects == [1, 2]
    assert ingest.why == []


def test_a_new_connection_repeats_nothing_by_itself(broker: Mosquitto, parties: list[Party]) -> None:
    """paho would publish again what was not acknowledged; resending is the agent's."""
    ingest = Party(broker.url("ingest", SECRET), TOPIC)
    device = Party(broker.url("acme/p1", SECRET))
    parties += [ingest, device]
    until(lambda: ingest.link.connected and device.link.connected)
    broker.kill()
    for i in range(50):
        device.link.publish(TOPIC, b"lost %d" % i)
    broker.start()
    until(lambda: ingest.link.epoch == 2 and device.link.epoch == 2)
    say_until_heard(device, b"new", ingest)
    assert set(ingest.bodies) == {b"new"}


def test_a_wrong_secret_is_told_in_words(broker: Mosquitto, parties: list[Party]) -> None:
    device = Party(broker.url("acme/p1", "wrong"))
    parties.append(device)
    until(lambda: device.why)
    assert "secret is wrong" in device.why[0]
    assert not device.link.connected


def test_who_is_thrown_out_three_times_waits_and_says_so(broker: Mosquitto, parties: list[Party]) -> None:
    twins = [Party(broker.url("acme/p1", SECRET)) for _ in range(2)]
    parties += twins
    until(lambda: any(twin.why for twin in twins), 20)
    [waiting] = [twin for twin in twins if twin.why]
    assert "another program runs with the account 'acme/p1', or the line is bad" in waiting.why[0]
    assert "the next attempt is in 15 s" in waiting.why[0]
    [other] = [twin for twin in twins if twin is not waiting]
    until(lambda: other.link.connected)
    epoch = waiting.link.epoch
    threading.Event().wait(3)
    assert other.link.connected
    assert waiting.link.epoch == epoch


def test_a_will_is_retained_and_a_clean_stop_sends_what_was_published(broker: Mosquitto, parties: list[Party]) -> None:
    state = "forewarn/v1/acme/p1/state"
    device = Party(broker.url("acme/p1", SECRET), will=(state, b"will"))
    until(lambda: device.link.connected)
    for i in range(200):
        device.link.publish(state, b"%d" % i, retain=True)
    device.link.stop()
    ingest = Party(broker.url("ingest", SECRET), state)
    parties.append(ingest)
    until(lambda: ingest.heard)
    assert [(m.body, m.retained) for m in ingest.heard] == [(b"199", True)]


def test_large_messages_arrive_whole_among_small_ones(broker: Mosquitto, parties: list[Party]) -> None:
    ingest = Party(broker.url("ingest", SECRET), TOPIC)
    device = Party(broker.url("acme/p1", SECRET))
    parties += [ingest, device]
    until(lambda: ingest.link.connected and device.link.connected)
    sizes = [1, 3_000_000, 2, 262_144, 262_143, 0, 5, 1_000_000] * 3
    for i, size in enumerate(sizes):
        device.link.publish(TOPIC, bytes([i]) * size)
    until(lambda: len(ingest.heard) == len(sizes), 20)
    assert ingest.bodies == [bytes([i]) * size for i, size in enumerate(sizes)]


def test_a_message_that_cannot_be_taken_stops_nothing(broker: Mosquitto, parties: list[Party]) -> None:
    heard: list[bytes] = []

    def take(message: Incoming) -> None:
        if message.body == b"bad":
            raise ValueError(message.body)
        heard.append(message.body)

    link = MqttLink(broker.url("ingest", SECRET), "any", subscribe=[TOPIC], on_connect=lambda: None, on_message=take)
    link.start()
    device = Party(broker.url("acme/p1", SECRET))
    parties.append(device)
    until(lambda: link.connected and device.link.connected)
    for body in (b"good", b"bad", b"better"):
        device.link.publish(TOPIC, body)
    until(lambda: len(heard) == 2)
    link.stop()
    assert heard == [b"good", b"better"]


def test_a_link_without_a_broker_says_so_and_stops_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    party = Party(f"mqtt://a:b@127.0.0.1:{port}")
    until(lambda: "no broker answers" in party.link.problem)
    assert party.why == []
    assert not party.link.publish("a", b"b")
    party.link.stop()
    assert party.link.problem == "stopped"


def test_a_server_that_never_answers_does_not_hold_up_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "STOP_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        party = Party(f"mqtt://a:b@127.0.0.1:{silent.getsockname()[1]}")
        connection, _ = silent.accept()
        assert connection.recv(1) == b"\x10"
        party.link.stop()
        connection.close()
    assert not any(t.name == "mqtt any" for t in threading.enumerate())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://acme%2Fp1:s%40c@host:1884", BrokerAddress("host", 1884, "acme/p1", "s@c")),
        ("mqtt://host", BrokerAddress("host", 1883, "", "")),
        ("mqtt://u:p@[::1]:99", BrokerAddress("::1", 99, "u", "p")),
    ],
)
def test_addresses_are_read_from_a_url(url: str, expected: BrokerAddress) -> None:
    assert BrokerAddress.of(url) == expected


@pytest.mark.parametrize("url", ["http://u:secret@host", "mqtt://", "u:secret@host", "mqtt://u:secret@host:99999", ""])
def test_what_is_no_mqtt_url_is_refused_without_naming_the_secret(url: str) -> None:
    with pytest.raises(ValueError, match="MQTT URL") as caught:
        BrokerAddress.of(url)
    assert "secret" not in str(caught.value).replace("device:secret@", "")
