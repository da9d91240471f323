"""The driver of an MQTT broker on the machine: what messages mean, and a real Mosquitto."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.adapters.mqtt_driver import _cell, _decoded, _Signal, _time, _Topic
from edge_agent.domain.driving import Scaling
from edge_agent.domain.json_path import BadPath, parse_path
from edge_agent.domain.json_path import Path as JsonPath
from plumbing.mqtt import MqttLink
from tests.conftest import MosquittoFactory
from tests.edge_agent.live import Agent, checked, made
from tests.edge_agent.live_worlds import MqttWorld


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", {"a": {"b": [1, {"c d": 2}]}}), ("a.b[0]", 1), ("$.a.b[0]", 1), ("a.b[1]['c d']", 2), ("a.b[1].c d", 2),
        ('a["b"][0]', 1), ("a.b[2]", None), ("a.x", None), ("a.b.c", None), ("a[0]", None),
    ],
)  # fmt: skip
def test_a_path_leads_to_a_value_or_to_nothing(path: str, value: object) -> None:
    assert parse_path(path).of({"a": {"b": [1, {"c d": 2}]}}, None) == value


@pytest.mark.parametrize("path", ["a[", "a]", "a[x]", "a..b", "a[-1]", "."])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        parse_path(path)


SIGNAL = _Signal("x", JsonPath(), {"ON": 1, "open": True}, Scaling(2.0, 1.0))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"21.5", 44.0), (b" 3 ", 7.0), (b'"3"', 7.0), (b"true", True), (b"null", None), (b"ON", 1), (b'"open"', True),
        (b"1e3", 2001.0),
    ],
)  # fmt: skip
def test_a_payload_is_a_number_a_truth_or_a_word(body: bytes, value: object) -> None:
    assert _cell(_decoded(body), SIGNAL) == value


@pytest.mark.parametrize("body", [b"off", b"", b"[1]", b"{}", b"1e999", b"NaN", b"\xff\xfe", b"1" * 400, b"[" * 5000])
def test_any_other_payload_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"is (no|neither|beyond)|no finite number"):
        _cell(_decoded(body), SIGNAL)


@pytest.mark.parametrize(
    ("raw", "t"),
    [
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"), (1_700_000_000, 1_700_000_000_000),
        (1_700_000_000.25, 1_700_000_000_250), (1_700_000_000_250, 1_700_000_000_250),
    ],
)  # fmt: skip
def test_a_message_may_have_its_own_time(raw: object, t: object) -> None:
    assert _time(raw) == t


@pytest.mark.parametrize("raw", [None, True, [1], 1e300, float("nan")])
def test_what_is_no_time_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match="no time"):
        _time(raw)


@pytest.mark.parametrize(
    ("wanted", "topic", "fits"),
    [
        ("a/b", "a/b", True), ("a/b", "a/c", False), ("a/+", "a/c", True), ("a/+", "a/c/d", False), ("a/#", "a", True),
        ("a/#", "a/b/c", True), ("#", "a/b", True), ("+/b", "a/b", True), ("a/#", "b/c", False), ("a", "a/b", False),
    ],
)  # fmt: skip
def test_a_filter_takes_the_topics_that_the_broker_sends_for_it(wanted: str, topic: str, fits: bool) -> None:
    assert _Topic(wanted, None, 0, []).matches(topic) is fits


def publisher(port: int, user: str = "sensor", secret: str = "x") -> MqttLink:
    link = MqttLink(
        f"mqtt://{user}:{secret}@127.0.0.1:{port}", user, subscribe=[], on_connect=lambda: None,
        on_message=lambda _m: None,
    )  # fmt: skip
    link.start()
    return link


def within(agent: Agent, holds: Callable[[], bool]) -> None:
    agent.until(holds, 30.0)


def test_one_message_is_one_reading_with_its_time_and_names_may_come_from_the_topic(tmp_path: Path) -> None:
    world = MqttWorld(tmp_path)
    world.start()
    content = world.content()
    content["topics"] = {
        "zigbee/+/state": {
            "prefix": 2,
            "time": "at",
            "signals": {
                "temperature": {"path": "t", "scale": 0.1}, "battery": {"path": "b"},
                "door": {"path": "d", "words": {"OPEN": True, "SHUT": False}},
            },
        }
    }  # fmt: skip
    agent = Agent(made("mqtt", tmp_path, content))
    port = content["connection"]["port"]
    link = publisher(port)
    body = json.dumps({"at": 1_700_000_000, "t": 215, "b": 80, "d": "SHUT", "more": {}}).encode()

    def heard() -> bool:
        link.publish("zigbee/cellar/state", body)
        link.publish("zigbee/-/state", body)
        time.sleep(0.05)
        return bool(agent.readings) and agent.problem != ""

    within(agent, heard)
    assert agent.readings[0].t == 1_700_000_000_000
    assert agent.readings[0].values == {"cellar.temperature": 21.5, "cellar.battery": 80.0, "cellar.door": False}
    assert agent.problem == "topic zigbee/-/state: '-' cannot stand before a signal's name"
    agent.driver.close()
    link.stop()
    world.end()


@pytest.mark.mosquitto
def test_a_mosquitto_keeps_what_comes_while_the_agent_is_away_and_old_retained_values_are_passed_over(
    tmp_path: Path, mosquitto_factory: MosquittoFactory
) -> None:
    passwd, acl = tmp_path / "passwd", tmp_path / "acl"
    passwd.write_text("agent:hunter2\nsensor:x\n")
    passwd.chmod(0o600)
    tool = shutil.which("mosquitto_passwd")
    assert tool, "mosquitto_passwd comes with the broker"
    subprocess.run([tool, "-U", str(passwd)], check=True)
    acl.write_text("user agent\ntopic read hall/#\nuser sensor\ntopic write hall/#\n")
    acl.chmod(0o600)
    broker = mosquitto_factory(passwd, acl)
    link = publisher(broker.port)
    while not link.connected:
        time.sleep(0.05)
    link.publish("hall/x", b"1", True)
    content: dict[str, dict[str, object]] = {
        "connection": {"port": broker.port, "user": "agent", "password": "hunter2", "client_id": "agent"},
        "topics": {"hall/x": {"signals": {"x": {}}}},
    }
    agent = Agent(made("mqtt", tmp_path, content))

    def heard() -> bool:
        link.publish("hall/x", b"2")
        return 2.0 in agent.values("x")

    within(agent, heard)
    assert 1.0 not in agent.values("x")
    agent.driver.close()
    link.publish("hall/x", b"3")
    within(agent, lambda: 3.0 in agent.values("x"))
    agent.driver.close()
    content["connection"]["password"] = "wrong"
    stranger = Agent(made("mqtt", tmp_path, content))
    within(
        stranger, lambda: "does not let this account in" in stranger.problem or "secret is wrong" in stranger.problem
    )
    stranger.driver.close()
    link.stop()


@pytest.mark.parametrize(
    ("topics", "where", "rule"),
    [
        (None, "topics", "is missing"),
        ({"a/#/b": {"signals": {"x": {}}}}, "topics.a/#/b", "no topic filter"),
        ({"a/b+": {"signals": {"x": {}}}}, "topics.a/b+", "no topic filter"),
        ({"a": {"signals": {"x": {}}}, "b": {"signals": {"x": {}}}}, "topics.b.signals.x", "stands twice"),
        ({"a": {"signals": {"x": {"path": "a["}}}}, "topics.a.signals.x.path", "no path"),
        ({"a": {"signals": {"x": {"words": {"ON": "yes"}}}}}, "topics.a.signals.x.words", "number or a truth"),
        ({"+": {"prefix": 1, "signals": {"x": {"unit": "Cel"}}}}, "topics.+.signals.x.unit", "full names"),
        ({"a": {"signals": {}}}, "topics.a.signals", "must be a section"),
    ],
)
def test_the_file_is_checked_before_anything_connects(tmp_path: Path, topics: object, where: str, rule: str) -> None:
    _, faults = checked("mqtt", tmp_path, {"topics": topics})
    assert [f.field for f in faults] == [f"mqtt: mqtt.yaml: {where}"]
    assert rule in faults[0].rule


def test_a_password_without_an_account_is_refused(tmp_path: Path) -> None:
    content = {"connection": {"password": "hunter2"}, "topics": {"a": {"signals": {"x": {}}}}}
    _, faults = checked("mqtt", tmp_path, content)
    assert [f.field for f in faults] == ["mqtt: mqtt.yaml: connection.user"]
