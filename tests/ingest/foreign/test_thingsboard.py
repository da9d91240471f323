"""ThingsBoard's topics, message by message."""

import json
import math
from typing import Any

import pytest

from ingest.domain.foreign.decoder import Presence, Readings, Remembered, Reply, Sample, Told, Unknown, Unreadable
from ingest.domain.foreign.thingsboard import LIMITS, MAX_ATTRIBUTES, Memory, ThingsBoard
from tests.ingest.foreign.payloads import AT_MS, GATE


def send(topic: str, body: str | bytes, memory: Memory | None = None) -> list[Told]:
    """Decode one message."""
    data = body.encode() if isinstance(body, str) else body
    return ThingsBoard().decode(GATE, memory or Memory(), topic, data, AT_MS)


@pytest.mark.parametrize(
    ("body", "samples"),
    [
        ('{"a":1,"b":true}', [Sample(None, {"a": 1, "b": True})]),
        ('[{"a":1},{"b":2.5}]', [Sample(None, {"a": 1}), Sample(None, {"b": 2.5})]),
        ('{"ts":5,"values":{"a":1}}', [Sample(5, {"a": 1})]),
        ('[{"ts":5,"values":{"a":1}},{"a":2}]', [Sample(5, {"a": 1}), Sample(None, {"a": 2})]),
        ('{"ts":5,"a":1}', [Sample(None, {"ts": 5, "a": 1})]),
        ('{"values":{"a":1}}', [Sample(None, {"values": '{"a": 1}'})]),
        ('{"ts":"soon","values":{"a":null}}', [Sample("soon", {"a": None})]),
        ('{"ts":{"x":1},"values":{"a":"text"}}', [Sample('{"x": 1}', {"a": "text"})]),
        ('[7,{"ts":5,"values":[1]},{"a":1}]', ["7", '{"ts": 5, "values": [1]}', Sample(None, {"a": 1})]),
        ('{"Motor/Bearing 1/Temp":1}', [Sample(None, {"Motor.Bearing_1.Temp": 1})]),
        ("{}", [Sample(None, {})]),
    ],
)
def test_the_forms_of_telemetry(body: str, samples: list[Any]) -> None:
    assert send("v1/devices/me/telemetry", body) == [Readings("gate", tuple(samples))]


def test_what_no_double_holds_is_left_to_acceptance() -> None:
    (told,) = send("v1/devices/me/telemetry", '{"a":NaN,"b":-Infinity,"c":' + "9" * 5000 + ',"d":1e999}')
    assert isinstance(told, Readings)
    (sample,) = told.samples
    assert isinstance(sample, Sample)
    a, *rest = sample.values.values()
    assert isinstance(a, float)
    assert math.isnan(a)
    assert rest == [-math.inf, math.inf, math.inf]


def test_a_gateway_speaks_for_those_behind_it_and_for_nobody_else() -> None:
    body = {
        "Device A": [{"ts": 5, "values": {"Motor/Temp": 1}}, {"temp": 2}],
        "Device C": [{"temp": 3}],
        "fan-1": [{"temp": 4}],
        "gate": [{"temp": 5}],
    }
    assert send("v1/gateway/telemetry", json.dumps(body)) == [
        Readings("pump-1", (Sample(5, {"temp": 1}), Sample(None, {"temp": 2}))),
        Unknown("Device C", (Sample(None, {"temp": 3}),)),
        Unknown("fan-1", (Sample(None, {"temp": 4}),)),
        Unknown("gate", (Sample(None, {"temp": 5}),)),
    ]


def test_devices_behind_a_gateway_come_and_go() -> None:
    assert send("v1/gateway/connect", '{"device":"Device A"}') == [Presence("pump-1", online=True)]
    assert send("v1/gateway/disconnect", '{"device":"Device A"}') == [Presence("pump-1", online=False)]
    assert send("v1/gateway/connect", '{"device":"Device C"}') == []
    assert send("v1/gateway/connect", '{"device":["Device A"]}') == []


def test_attributes_are_given_back_to_who_told_them() -> None:
    memory = Memory()
    told = send("v1/devices/me/attributes", '{"make":"Acme","rev":3}', memory)
    assert told == [Remembered("gate", {"make": "Acme", "rev": 3})]
    (answer,) = send("v1/devices/me/attributes/request/7", '{"clientKeys":"rev,other","sharedKeys":"x"}', memory)
    assert isinstance(answer, Reply)
    assert answer.topic == "v1/devices/me/attributes/response/7"
    assert json.loads(answer.body) == {"client": {"rev": 3}, "shared": {}}
    assert ThingsBoard().session({"rev": 3}) == Memory({"rev": 3})


def test_attributes_have_names_that_can_be_kept_and_a_number_of_them() -> None:
    memory = Memory()
    assert send("v1/devices/me/attributes", json.dumps({"": 1, "x" * 201: 2, "a\x00": 3}), memory) == []
    assert send("v1/devices/me/attributes", '{"a": 1e999}', memory) == [Remembered("gate", {"a": "inf"})]
    send("v1/devices/me/attributes", json.dumps({f"k{n}": n for n in range(2 * MAX_ATTRIBUTES)}), memory)
    assert len(memory.attributes) == MAX_ATTRIBUTES


def test_who_asks_how_much_it_may_send_is_answered_and_other_calls_are_not() -> None:
    (answer,) = send("v1/devices/me/rpc/request/3", '{"method":"getSessionLimits","params":{}}')
    assert answer == Reply("v1/devices/me/rpc/response/3", json.dumps(LIMITS).encode())
    assert send("v1/devices/me/rpc/request/3", '{"method":"other"}') == []
    assert send("v1/devices/me/rpc/response/3", "{}") == []
    assert send("v1/gateway/rpc", "{}") == []


@pytest.mark.parametrize("topic", ["v1/devices/me/telemetry", "v1/gateway/telemetry", "v1/devices/me/attributes"])
@pytest.mark.parametrize("body", ["", "7", '"text"', "null", "{", "{'a':1}", b"\xff\xfe", b"\x08\x01"])
def test_what_is_no_telemetry_is_unreadable(topic: str, body: str | bytes) -> None:
    assert send(topic, body) == [Unreadable("gate")]
