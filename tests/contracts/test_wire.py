"""The messages between device and platform, as contract version 1 fixes them."""

import msgspec
import pytest

from contracts import topics, wire
from contracts.names import MAX_SEQ, is_boot_id, is_name

TELEMETRY = (
    b'{"v":1,"samples":[{"values":{"vibration":2.1},"t":"2026-11-22T10:00:00Z"}],"boot_id":"9f3c01aa","seq":4711,'
    b'"sent_at":"2026-11-22T10:00:00.123Z","units":{"vibration":"mm/s"}}'
)
STORED = b'{"v":1,"boot_id":"9f3c01aa","through":7,"settled":[[9,12]],"rejected":[[3,3,"future"]],"ask":[[8,8]]}'


def test_telemetry_is_read_and_written_as_version_1_says() -> None:
    message = wire.decode_telemetry(TELEMETRY)
    assert (message.boot_id, message.seq, message.units) == ("9f3c01aa", 4711, {"vibration": "mm/s"})
    assert message.samples[0].values == {"vibration": 2.1}
    assert wire.encode(message) == TELEMETRY


def test_a_foreign_sender_may_leave_out_all_but_the_samples() -> None:
    message = wire.decode_telemetry(b'{"v":1,"samples":[{"values":{"a":1,"b":true,"c":null}}]}')
    assert (message.boot_id, message.seq, message.samples[0].t) == (None, None, None)
    assert message.samples[0].values == {"a": 1.0, "b": True, "c": None}


def test_stored_is_read_and_written_as_version_1_says() -> None:
    message = wire.decode_stored(STORED)
    assert (message.through, message.settled, message.ask) == (7, [(9, 12)], [(8, 8)])
    assert wire.encode(message) == STORED


def test_offline_has_no_boot_id() -> None:
    state = wire.decode_state(wire.OFFLINE)
    assert (state.v, state.boot_id, state.online, state.last) == (1, None, False, 0)


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert wire.decode_stored(STORED[:-1] + b',"later":[1]}') == wire.decode_stored(STORED)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"v":1,"samples":{}}', b'{"v":1,"samples":[{"values":[1]}]}', TELEMETRY[:-1], b"\xff"]
)
def test_what_is_no_telemetry_is_an_error(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        wire.decode_telemetry(body)


def test_the_reasons_are_those_of_the_contract() -> None:
    assert wire.REASONS == (
        "malformed", "wrong_type", "not_finite", "unknown_device", "unknown_signal", "unknown_unit", "wrong_unit",
        "out_of_range", "future", "too_large", "schema_version", "store_refused",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["a", "A.b-c_9", "0", "x" * 64])
def test_names(name: str) -> None:
    assert is_name(name)
    address = topics.parse(topics.topic(name, name, "telemetry"))
    assert address == topics.Address(name, name, "telemetry")


@pytest.mark.parametrize("name", ["", "_a", "-a", ".a", "x" * 65, "a/b", "a b", "a\n", "ä", "a+", "#"])
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)
    assert topics.parse(f"forewarn/v1/{name}/d/telemetry") is None
    assert topics.parse(f"forewarn/v1/t/{name}/telemetry") is None


@pytest.mark.parametrize("topic", ["", "forewarn/v2/t/d/telemetry", "forewarn/v1/t/d", "forewarn/v1/t/d/x/y", "/" * 4])
def test_what_is_no_topic_of_the_device_link(topic: str) -> None:
    assert topics.parse(topic) is None


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("9f3c01aa", True),
        ("0" * 32, True),
        ("9F3C01AA", False),
        ("0" * 7, False),
        ("0" * 33, False),
        ("9f3c01ag", False),
    ],
)
def test_boot_ids(text: str, known: bool) -> None:
    assert is_boot_id(text) is known


def test_the_highest_number_is_exact_in_a_double() -> None:
    assert int(float(MAX_SEQ)) == MAX_SEQ == 2**53 - 1
