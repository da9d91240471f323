"""The BACnet driver against bacpypes3 as a device."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge_agent.bacnet_server import Device
from tests.edge_agent.live import Agent, checked, made


@pytest.fixture
def device() -> Iterator[Device]:
    running = Device()
    running.analog |= {i: float(i) for i in range(3, 50)}
    running.start()
    yield running
    running.end()


def file(signals: dict[str, object], **more: object) -> dict[str, object]:
    own = {"local": "127.0.0.1/32:0", "timeout": 0.3, "retries": 0}
    return {"connection": own, "every": 0.1, "signals": signals, **more}


def analog(device: Device, instance: int, **more: object) -> dict[str, object]:
    return {"device": device.address, "object": f"analog-input,{instance}", **more}


@pytest.mark.parametrize("only_singly", [False, True])
def test_every_kind_of_object_is_one_reading_whatever_the_device_can_do(
    device: Device, tmp_path: Path, only_singly: bool
) -> None:
    device.only_singly = only_singly
    device.set(1, 21.5)
    signals: dict[str, object] = {
        "supply": {"object": "analog-input,1", "scale": 2, "offset": -1, "unit": "Cel"},
        "running": {"object": "binary-input, 1"},
        "mode": {"object": "multi-state-value,1"},
        "gone": {"object": "analog-input,99"},
    }
    agent = Agent(made("bacnet", tmp_path, file(signals, device=device.address)))
    agent.until(lambda: len(agent.readings) >= 3)
    agent.until(lambda: agent.problem == "gone: the device says object: unknown-object")
    agent.driver.close()
    assert agent.readings[-1].values == {"supply": 42.0, "running": True, "mode": 3.0, "gone": None}


def test_many_objects_are_asked_for_together(device: Device, tmp_path: Path) -> None:
    signals: dict[str, object] = {f"a{i}": {"object": f"analog-input,{i}"} for i in range(1, 49)}
    agent = Agent(made("bacnet", tmp_path, file(signals, device=device.address, every=600)))
    agent.until(lambda: bool(agent.readings))
    agent.driver.close()
    assert agent.readings[0].values == {"a1": 0.0, "a2": 1.0, **{f"a{i}": float(i) for i in range(3, 49)}}
    assert device.asked == ["ReadPropertyMultipleRequest"] * 3


@pytest.mark.parametrize(("bit", "words"), [(1, "the device reports a fault"), (3, "is out of service at the device")])
def test_a_value_that_the_device_itself_doubts_is_null(device: Device, tmp_path: Path, bit: int, words: str) -> None:
    device.spoil(1, bit)
    signals: dict[str, object] = {"x": analog(device, 1), "y": analog(device, 2)}
    agent = Agent(made("bacnet", tmp_path, file(signals)))
    agent.until(lambda: bool(agent.readings))
    agent.until(lambda: agent.problem == f"x: {words}")
    agent.driver.close()
    assert agent.readings[-1].values == {"x": None, "y": 1.0}


def test_a_silent_device_does_not_stop_the_others_and_is_heard_when_it_speaks_again(
    device: Device, tmp_path: Path
) -> None:
    other = Device()
    other.start()
    signals: dict[str, object] = {"a": analog(device, 1), "b": analog(other, 2)}
    agent = Agent(made("bacnet", tmp_path, file(signals)))
    agent.until(lambda: 1.0 in agent.values("b") and bool(agent.values("a")))
    other.deaf = True
    agent.until(lambda: agent.problem == f"{other.address}: does not answer")
    seen = len(agent.values("a"))
    agent.until(lambda: len(agent.values("a")) >= seen + 10)
    other.deaf = False
    heard = len(agent.values("b"))
    agent.until(lambda: len(agent.values("b")) > heard and agent.problem == "")
    agent.driver.close()
    other.end()


def test_changes_are_told_at_once_between_slow_readings_also_after_the_device_started_anew(
    device: Device, tmp_path: Path
) -> None:
    signals: dict[str, object] = {"x": analog(device, 1, cov=True, every=3600), "y": analog(device, 2, every=0.2)}
    agent = Agent(made("bacnet", tmp_path, file(signals)))
    agent.until(lambda: bool(agent.values("x")) and "SubscribeCOVRequest" in device.asked)

    def told(value: float) -> bool:
        device.set(1, value)
        return value in agent.values("x")

    agent.until(lambda: told(7.0))
    device.stop()
    agent.until(lambda: "does not answer" in agent.problem)
    device.start()
    agent.until(lambda: agent.problem == "")
    agent.until(lambda: told(8.0))
    agent.driver.close()


def test_a_device_without_subscriptions_is_read_all_the_same(device: Device, tmp_path: Path) -> None:
    signals: dict[str, object] = {"gone": analog(device, 77, cov=True), "x": analog(device, 1)}
    agent = Agent(made("bacnet", tmp_path, file(signals)))
    agent.until(lambda: "gone (on change): the device says object: unknown-object" in agent.problem)
    agent.until(lambda: len(agent.values("x")) >= 3)
    agent.driver.close()


def test_a_port_that_another_program_has_is_a_problem_in_words(device: Device, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        content = file({"x": analog(device, 1)}, connection={"local": f"127.0.0.1/32:{port}"})
        agent = Agent(made("bacnet", tmp_path, content))
        agent.until(lambda: f"cannot listen at 127.0.0.1/32:{port}" in agent.problem)
    agent.until(lambda: bool(agent.readings) and agent.problem == "")
    agent.driver.close()


@pytest.mark.parametrize(
    ("content", "where", "rule"),
    [
        ({"signals": {"x": {"object": "analog-input,1"}}}, "signals.x.device", "is missing"),
        ({"device": "plc.local", "signals": {"x": {"object": "analog-input,1"}}}, "device", "10.0.0.30"),
        ({"device": "10.0.0.300", "signals": {"x": {"object": "analog-input,1"}}}, "device", "10.0.0.30"),
        ({"device": "10.0.0.3", "signals": {"x": {"object": "trend-log,1"}}}, "signals.x.object", "kinds: analog"),
        ({"device": "10.0.0.3", "signals": {"x": {"object": "analog-input"}}}, "signals.x.object", "a comma and a"),
        ({"device": "5:12", "signals": {"x": {"object": "analog-input,9999999"}}}, "signals.x.object", "4194302"),
        ({"device": "5:12", "connection": {"local": "eth0"}, "signals": {"x": {"object": "analog-input,1"}}},
         "connection.local", "this machine"),
        ({"device": "5:12", "signals": {"x": {"object": "analog-input,1", "cov": "yes"}}}, "signals.x.cov",
         "true or false"),
        ({"device": "5:12", "lifetime": 1, "signals": {"x": {"object": "analog-input,1"}}}, "lifetime", "from 10"),
    ],
)  # fmt: skip
def test_the_file_is_checked_before_anything_connects(tmp_path: Path, content: object, where: str, rule: str) -> None:
    _, faults = checked("bacnet", tmp_path, content)
    assert [f.field for f in faults] == [f"bacnet: bacnet.yaml: {where}"]
    assert rule in faults[0].rule
