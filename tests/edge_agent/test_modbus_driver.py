"""The Modbus driver against pymodbus's own server, over TCP and over a serial line."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge_agent.live import Agent, checked, made
from tests.edge_agent.modbus_server import ModbusServer, PtyPair


@pytest.fixture
def server() -> Iterator[ModbusServer]:
    running = ModbusServer()
    running.start()
    yield running
    running.end()


def file(server: ModbusServer, signals: dict[str, object], **connection: object) -> dict[str, object]:
    return {
        "connection": {"host": "127.0.0.1", "port": server.port, "timeout": 0.2, "retries": 0, **connection},
        "every": 0.1,
        "signals": signals,
    }


def words(code: str, value: float, word_order: str = "big", byte_order: str = "big") -> list[int]:
    body = struct.pack(f">{code}", value)
    registers = [
        int.from_bytes(body[i : i + 2], "big" if byte_order == "big" else "little") for i in range(0, len(body), 2)
    ]
    return registers if word_order == "big" else registers[::-1]


TYPES = {
    "int16": ("h", -12345), "uint16": ("H", 54321), "int32": ("i", -1_234_567_890), "uint32": ("I", 4_000_000_000),
    "int64": ("q", -(2**50) - 3), "uint64": ("Q", 2**52 + 1), "float32": ("f", 1.5e-3), "float64": ("d", -2.5e200),
}  # fmt: skip


def test_every_type_in_every_order_is_read_as_it_was_written(server: ModbusServer, tmp_path: Path) -> None:
    signals: dict[str, object] = {}
    expected: dict[str, float] = {}
    address = 0
    for kind, (code, value) in TYPES.items():
        for word_order in ("big", "little"):
            for byte_order in ("big", "little"):
                name = f"{kind}.{word_order}.{byte_order}"
                for i, word in enumerate(words(code, value, word_order, byte_order)):
                    server.holding[1, address + i] = word
                signals[name] = {
                    "address": address, "type": kind, "word_order": word_order, "byte_order": byte_order
                }  # fmt: skip
                expected[name] = struct.unpack(code, struct.pack(code, value))[0]
                address += len(words(code, value))
    agent = Agent(made("modbus", tmp_path, file(server, signals)))
    agent.until(lambda: len(agent.readings) >= 1)
    agent.driver.close()
    assert agent.readings[0].values == expected


def test_all_tables_scaling_bits_and_missing_values(server: ModbusServer, tmp_path: Path) -> None:
    server.holding |= {(1, 10): 215, (1, 11): 0b1000_0000_0000_0100, (1, 12): 0x8000, (2, 10): 400}
    server.input[1, 10] = 65_535
    signals: dict[str, object] = {
        "supply": {"address": 10, "scale": 0.1, "offset": -1.5, "unit": "Cel"},
        "alarm": {"address": 11, "type": "uint16", "bit": 2},
        "high": {"address": 11, "type": "uint16", "bit": 15},
        "clear": {"address": 11, "type": "uint16", "bit": 3},
        "broken": {"address": 12, "missing": [-32768]},
        "counter": {"table": "input", "address": 10, "type": "uint16"},
        "running": {"table": "coil", "address": 3},
        "standing": {"table": "discrete", "address": 4},
        "other": {"slave": 2, "address": 10},
    }
    agent = Agent(made("modbus", tmp_path, file(server, signals)))
    agent.until(lambda: len(agent.readings) >= 1)
    agent.until(lambda: agent.problem == "")
    agent.driver.close()
    values = dict(agent.readings[0].values)
    assert values.pop("supply") == pytest.approx(20.0)
    assert values == {
        "alarm": True, "high": True, "clear": False, "broken": None, "counter": 65_535.0, "running": True,
        "standing": False, "other": 400.0,
    }  # fmt: skip


def test_reads_are_joined_and_never_beyond_the_limits_of_the_protocol(server: ModbusServer, tmp_path: Path) -> None:
    signals: dict[str, object] = {f"r{i}": {"address": i} for i in range(300)}
    signals |= {f"c{i}": {"table": "coil", "address": i} for i in range(0, 2000, 5)}
    agent = Agent(made("modbus", tmp_path, file(server, signals)))
    agent.until(lambda: len(agent.readings) >= 1)
    agent.driver.close()
    first = server.asked[:4]
    # pymodbus tells of 1,996 coils as the 125 registers that they fill
    assert sorted(first) == [(1, 1, 0, 125), (1, 3, 0, 125), (1, 3, 125, 125), (1, 3, 250, 50)]
    assert len(agent.readings[0].values) == 700


def test_a_silent_slave_is_null_and_named_and_does_not_stop_the_others(server: ModbusServer, tmp_path: Path) -> None:
    server.holding |= {(1, 0): 11, (2, 0): 22}
    signals: dict[str, object] = {"a": {"slave": 1, "address": 0}, "b": {"slave": 2, "address": 0}}
    agent = Agent(made("modbus", tmp_path, file(server, signals)))
    agent.until(lambda: agent.values("b")[-1:] == [22.0])
    server.silent.add(2)
    agent.until(lambda: agent.problem == "slave 2: does not answer")
    seen = len(agent.readings)
    agent.until(lambda: len(agent.readings) >= seen + 10, 5.0)  # faster than the silent one times out
    assert {(r.values["a"], r.values["b"]) for r in agent.readings[seen:]} == {(11.0, None)}
    server.silent.clear()
    agent.until(lambda: agent.values("b")[-1:] == [22.0] and agent.problem == "")
    agent.driver.close()


def test_a_hole_between_two_signals_and_one_that_does_not_exist(server: ModbusServer, tmp_path: Path) -> None:
    server.holding |= {(1, 0): 1, (1, 4): 4}
    server.holes |= {2, 7}
    signals: dict[str, object] = {name: {"address": place} for name, place in (("a", 0), ("b", 4), ("gone", 7))}
    agent = Agent(made("modbus", tmp_path, file(server, signals)))
    agent.until(lambda: len(agent.readings) >= 3)
    agent.until(lambda: agent.problem == "gone: the device has no such address")
    agent.driver.close()
    assert agent.readings[-1].values == {"a": 1.0, "b": 4.0, "gone": None}


def test_a_busy_device_and_a_value_that_is_no_number_are_null(server: ModbusServer, tmp_path: Path) -> None:
    for i, word in enumerate(words("f", float("nan"))):
        server.holding[1, i] = word
    signals: dict[str, object] = {
        "x": {"address": 0, "type": "float32"},
        "y": {"address": 2},
        "z": {"slave": 2, "address": 0},
    }
    agent = Agent(made("modbus", tmp_path, file(server, signals)))
    agent.until(lambda: len(agent.readings) >= 1)
    assert agent.readings[-1].values == {"x": None, "y": 0.0, "z": 0.0}
    agent.until(lambda: agent.problem == "x: nan is no finite number")
    server.busy.add(2)
    agent.until(lambda: agent.values("z")[-1:] == [None])
    agent.until(lambda: "z: the device is busy" in agent.problem)
    server.busy.clear()
    agent.until(lambda: agent.values("z")[-1:] == [0.0])
    agent.driver.close()


def test_a_signal_that_is_read_once_an_hour_is_read_at_once_and_then_rests(
    server: ModbusServer, tmp_path: Path
) -> None:
    signals: dict[str, object] = {"slow": {"address": 0, "every": 3600}, "fast": {"address": 500}}
    agent = Agent(made("modbus", tmp_path, file(server, signals)))
    agent.until(lambda: len(agent.values("fast")) >= 5)
    agent.driver.close()
    assert len(agent.values("slow")) == 1


def test_rtu_on_a_serial_line(tmp_path: Path) -> None:
    line = PtyPair()
    server = ModbusServer(serial=line.far)
    server.holding |= {(1, 0): 7, (2, 0): 8}
    server.start()
    signals: dict[str, object] = {"a": {"address": 0}, "b": {"slave": 2, "address": 0}}
    content = {
        "connection": {"serial": line.near, "timeout": 0.3, "retries": 1, "parity": "none"}, "every": 0.1,
        "signals": signals,
    }  # fmt: skip
    agent = Agent(made("modbus", tmp_path, content))
    agent.until(lambda: len(agent.readings) >= 3)
    assert agent.readings[-1].values == {"a": 7.0, "b": 8.0}
    server.silent |= {1, 2}
    agent.until(lambda: agent.problem == f"no device answers at {line.near}")
    server.silent.clear()
    seen = len(agent.readings)
    agent.until(lambda: len(agent.readings) > seen)
    agent.driver.close()
    server.end()
    line.end()


def test_a_serial_port_that_is_not_there_is_a_problem_in_words(tmp_path: Path) -> None:
    content = {"connection": {"serial": str(tmp_path / "ttyUSB9")}, "signals": {"a": {"address": 0}}}
    agent = Agent(made("modbus", tmp_path, content))
    agent.until(lambda: agent.problem == f"nothing answers at {tmp_path / 'ttyUSB9'}")
    agent.driver.close()


@pytest.mark.parametrize(
    ("content", "where", "rule"),
    [
        ({"signals": {"a": {"address": 1}}}, "modbus.yaml: connection", "is missing"),
        ({"connection": {}, "signals": {"a": {"address": 1}}}, "modbus.yaml: connection.host", "either host"),
        ({"connection": {"host": "h", "serial": "s"}, "signals": {"a": {"address": 1}}}, "modbus.yaml: connection.host",
         "either host"),
        ({"connection": {"serial": "s", "framing": "socket"}, "signals": {"a": {"address": 1}}},
         "modbus.yaml: connection.framing", "rtu or ascii"),
        ({"connection": {"host": "h"}}, "modbus.yaml: signals", "is missing"),
        ({"connection": {"host": "h"}, "signals": {"a": {}}}, "modbus.yaml: signals.a.address", "is missing"),
        ({"connection": {"host": "h"}, "signals": {"a b": {"address": 1}}}, "modbus.yaml: signals.a b", "letters"),
        ({"connection": {"host": "h"}, "signals": {"a": {"address": 65535, "type": "int32"}}},
         "modbus.yaml: signals.a.address", "does not end before"),
        ({"connection": {"host": "h"}, "signals": {"a": {"address": 1, "type": "word"}}}, "modbus.yaml: signals.a.type",
         "int16, uint16"),
        ({"connection": {"host": "h"}, "signals": {"a": {"address": 1, "bit": 16}}}, "modbus.yaml: signals.a.bit",
         "no such bit"),
        ({"connection": {"host": "h"}, "signals": {"a": {"address": 1, "every": 0}}}, "modbus.yaml: signals.a.every",
         "from 0.05 to 86400"),
        ({"connection": {"host": "h"}, "signals": {"a": {"address": 1, "slave": 256}}}, "modbus.yaml: signals.a.slave",
         "from 0 to 255"),
        ({"connection": {"serial": "s"}, "signals": {"a": {"address": 1, "slave": 0}}}, "modbus.yaml: signals.a.slave",
         "from 1 to 247"),
        ({"connection": {"host": "h"}, "signals": {"a": {"address": 1, "table": "coil", "scale": 2}}},
         "modbus.yaml: signals.a.scale", "table of bits"),
    ],
)  # fmt: skip
def test_the_file_is_checked_before_anything_connects(tmp_path: Path, content: object, where: str, rule: str) -> None:
    _, faults = checked("modbus", tmp_path, content)
    assert [f.field for f in faults] == [f"modbus: {where}"]
    assert rule in faults[0].rule
