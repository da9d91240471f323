"""Sparkplug B, message by message."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from ingest.domain.foreign.decoder import Presence, Readings, Reply, Sample, Told, Unknown, Unreadable
from ingest.domain.foreign.protobuf import write_bytes, write_int
from ingest.domain.foreign.sparkplug import REBIRTH_EVERY_MS, Node, Sparkplug, host_state
from ingest.domain.foreign.sparkplug_payload import BadMetric, DataType, Metric, read_payload, value_of
from tests.ingest.foreign.payloads import AT_MS, NODE, metric, payload

BIRTH = payload(
    metric("bdSeq", 4, DataType.INT64), metric("Node Control/Rebirth", False, DataType.BOOLEAN),
    metric("level", 1.5, DataType.DOUBLE, alias=1), seq=0,
)  # fmt: skip
PUMP_BIRTH = payload(
    metric("Motor/Temp", 20.0, DataType.DOUBLE, alias=2), metric("Motor/Bearing 1/RMS", -3, DataType.INT16, alias=3),
    metric("Properties/Make", "Acme", DataType.STRING), seq=1,
)  # fmt: skip


class Fleet:
    """One edge node and what was made of its messages."""

    def __init__(self) -> None:
        self.decoder, self.node = Sparkplug(), Node()

    def send(self, kind: str, body: bytes, device: str = "", at_ms: int = AT_MS) -> list[Told]:
        topic = f"spBv1.0/Plant 1/{kind}/Line 4" + (f"/{device}" if device else "")
        return self.decoder.decode(NODE, self.node, topic, body, at_ms)


@pytest.fixture
def fleet() -> Fleet:
    made = Fleet()
    assert made.send("NBIRTH", BIRTH) == [
        Presence("gate", online=True), Readings("gate", (Sample(AT_MS, {"level": 1.5}),)),
    ]  # fmt: skip
    assert made.send("DBIRTH", PUMP_BIRTH, "Pump") == [
        Presence("pump-1", online=True),
        Readings("pump-1", (Sample(AT_MS, {"temp": 20.0, "Motor.Bearing_1.RMS": -3}),)),
    ]
    return made


def asked(told: list[Told]) -> bool:
    """Whether the node was asked to tell its births again."""
    replies = [t for t in told if isinstance(t, Reply)]
    for reply in replies:
        assert reply.topic == "spBv1.0/Plant 1/NCMD/Line 4"
        (found,) = read_payload(reply.body).metrics
        assert (found.name, value_of(found, found.datatype)) == ("Node Control/Rebirth", True)
    return bool(replies)


def test_data_refer_to_births_by_alias(fleet: Fleet) -> None:
    told = fleet.send("DDATA", payload(metric(alias=2, value=21.5), metric(alias=3, value=-300), seq=2), "Pump")
    # 65236 in 16 bits, as the birth said INT16
    assert told == [Readings("pump-1", (Sample(AT_MS, {"temp": 21.5, "Motor.Bearing_1.RMS": -300}),))]


def test_each_time_is_a_sample_and_the_later_of_two_readings_of_one_time_comes_later(fleet: Fleet) -> None:
    told = fleet.send(
        "DDATA",
        payload(
            metric(alias=2, value=1.0, t=5, historical=True), metric(alias=2, value=2.0, t=6),
            metric(alias=3, value=7, t=5), metric(alias=2, value=3.0, t=6), metric(alias=3, null=True), seq=2,
        ),
        "Pump",
    )  # fmt: skip
    assert told == [
        Readings("pump-1", (
            Sample(5, {"temp": 1.0, "Motor.Bearing_1.RMS": 7}), Sample(6, {"temp": 2.0}), Sample(6, {"temp": 3.0}),
            Sample(AT_MS, {"Motor.Bearing_1.RMS": None}),
        ))
    ]  # fmt: skip


def test_a_payload_without_any_time_is_of_when_it_was_received(fleet: Fleet) -> None:
    told = fleet.send("NDATA", payload(metric("level", 2.0), seq=2, t=None))
    assert told == [Readings("gate", (Sample(None, {"level": 2.0}),))]


def test_a_gap_asks_for_births_and_keeps_what_came(fleet: Fleet) -> None:
    told = fleet.send("DDATA", payload(metric(alias=2, value=1.0), seq=4), "Pump")
    assert told[0] == Readings("pump-1", (Sample(AT_MS, {"temp": 1.0}),))
    assert asked(told)


def test_sequence_numbers_begin_again_after_255(fleet: Fleet) -> None:
    for seq in [*range(2, 256), 0, 1]:
        assert not asked(fleet.send("NDATA", payload(metric(alias=1, value=1.0), seq=seq)))


def test_births_are_asked_for_once_in_a_while(fleet: Fleet) -> None:
    body = payload(metric(alias=99, value=1.0), seq=2)
    assert asked(fleet.send("NDATA", body))
    assert not asked(fleet.send("NDATA", body, at_ms=AT_MS + REBIRTH_EVERY_MS - 1))
    assert asked(fleet.send("NDATA", body, at_ms=AT_MS + REBIRTH_EVERY_MS))
    assert asked(fleet.send("NDATA", body, at_ms=0)), "a clock that was set back silences nothing"


def test_data_before_any_birth_are_taken_as_far_as_they_name_things() -> None:
    told = Fleet().send("NDATA", payload(metric("level", 2.0), metric(alias=1, value=3.0), seq=9))
    assert told[0] == Readings(
        "gate", (Sample(AT_MS, {"level": 2.0, "metrics[1]": "alias 1 was not named by a birth"}),)
    )
    assert asked(told)


def test_an_alias_of_one_device_means_nothing_on_another(fleet: Fleet) -> None:
    (told, *_) = fleet.send("DDATA", payload(metric(alias=2, value=1.0), seq=2), "Fan")
    assert told == Readings("fan-1", (Sample(AT_MS, {"metrics[0]": "alias 2 was not named by a birth"}),))


def test_the_death_of_a_node_takes_its_devices_along(fleet: Fleet) -> None:
    assert fleet.send("NDEATH", payload(metric("bdSeq", 4, DataType.INT64))) == [
        Presence("pump-1", online=False), Presence("gate", online=False),
    ]  # fmt: skip
    assert asked(fleet.send("DDATA", payload(metric(alias=2, value=1.0), seq=2), "Pump"))


def test_the_will_of_an_earlier_connection_is_no_death(fleet: Fleet) -> None:
    assert fleet.send("NDEATH", payload(metric("bdSeq", 3, DataType.INT64))) == []
    assert not asked(fleet.send("DDATA", payload(metric(alias=2, value=1.0), seq=2), "Pump"))


def test_the_death_of_a_device_is_its_own(fleet: Fleet) -> None:
    assert fleet.send("DDEATH", payload(seq=2), "Pump") == [Presence("pump-1", online=False)]
    assert fleet.send("NDEATH", payload(metric("bdSeq", 4))) == [Presence("gate", online=False)]


def test_a_new_birth_of_the_node_is_the_death_of_devices_until_theirs(fleet: Fleet) -> None:
    assert fleet.send("NBIRTH", BIRTH)[:2] == [Presence("pump-1", online=False), Presence("gate", online=True)]
    assert asked(fleet.send("DDATA", payload(metric(alias=2, value=1.0), seq=1), "Pump"))


def test_devices_for_which_the_node_may_not_speak_are_unknown(fleet: Fleet) -> None:
    assert fleet.send("DDATA", payload(metric("x", 1.0), seq=2), "Stranger") == [
        Unknown("Stranger", (Sample(AT_MS, {"x": 1.0}),))
    ]


def test_what_is_no_payload_is_unreadable_on_the_account_of_the_device(fleet: Fleet) -> None:
    assert fleet.send("DDATA", b"{}", "Pump") == [Unreadable("pump-1")]
    assert fleet.send("NDATA", b"\x0a\x00") == [Unreadable("gate")]


@pytest.mark.parametrize(
    ("kind", "field", "wire", "value"),
    [
        (DataType.INT8, 10, 0x7F, 127), (DataType.INT8, 10, 0x80, -128), (DataType.INT8, 10, 0xFFFFFFFF, -1),
        (DataType.INT8, 10, 2**64 - 1, -1), (DataType.INT8, 10, 128 + 256, None), (DataType.INT16, 10, 0xFFFE, -2),
        (DataType.INT16, 10, 0xFFFF8000, -32768), (DataType.INT16, 10, 0xFFFF7FFF, None),
        (DataType.INT32, 10, 0x80000000, -(2**31)), (DataType.INT64, 11, 2**64 - 5, -5),
        (DataType.INT64, 11, 2**63 - 1, 2**63 - 1), (DataType.UINT8, 10, 255, 255), (DataType.UINT8, 10, 256, None),
        (DataType.UINT16, 10, 65536, None), (DataType.UINT32, 10, 2**32 - 1, 2**32 - 1),
        (DataType.UINT64, 11, 2**64 - 1, 2**64 - 1), (DataType.BOOLEAN, 14, 1, True), (DataType.BOOLEAN, 14, 0, False),
        (DataType.DATETIME, 11, AT_MS, AT_MS), (None, 10, 7, 7),
    ],
)  # fmt: skip
def test_integers_of_all_sizes(kind: DataType | None, field: int, wire: int, value: int | None) -> None:
    found = Metric(name="x", of=field, raw=wire)
    if value is None:
        with pytest.raises(BadMetric):
            value_of(found, kind)
    else:
        assert value_of(found, kind) == value
        assert type(value_of(found, kind)) is type(value)


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        (write_bytes(15, b"on"), DataType.STRING, "on"),
        (write_bytes(16, b"12"), DataType.BYTES, "2 bytes of data type 17"),
        (write_bytes(17, b""), DataType.DATASET, "DataSet"), (write_bytes(18, b""), DataType.TEMPLATE, "Template"),
    ],
)  # fmt: skip
def test_what_is_no_number_stays_text_which_acceptance_refuses(
    fleet: Fleet, raw: bytes, kind: DataType, value: Any
) -> None:
    told = fleet.send("NDATA", payload(metric("x", kind=kind, raw=raw), seq=2))
    assert told == [Readings("gate", (Sample(AT_MS, {"x": value}),))]


def test_a_metric_that_cannot_be_read_says_why_under_a_name_that_no_signal_has(fleet: Fleet) -> None:
    told = fleet.send(
        "NDATA",
        payload(
            metric("a", raw=write_bytes(10, b"")), metric("b"), metric(), metric("c", 300, DataType.UINT8),
            write_bytes(1, b"\xff"), metric("d", 1.0) + b"\x08", seq=2,
        ),
    )  # fmt: skip
    assert told == [
        Readings("gate", (
            Sample(AT_MS, {
                "metrics[0]": "a value of another kind", "metrics[1]": "b: no value",
                "metrics[2]": "neither name nor alias", "metrics[3]": "c: 300 does not fit its type",
                "metrics[4]": "not UTF-8", "metrics[5]": "a number that does not end",
            }),
        ))
    ]  # fmt: skip


def test_the_host_says_in_both_ways_that_it_is_there() -> None:
    assert [(r.topic, r.body) for r in host_state(True, 5)] == [
        ("spBv1.0/STATE/forewarn", b'{"online":true,"timestamp":5}'), ("STATE/forewarn", b"ONLINE"),
    ]  # fmt: skip
    assert host_state(False, 5)[1].body == b"OFFLINE"


def test_fields_of_later_versions_are_passed_over(fleet: Fleet) -> None:
    extra = write_bytes(4, b"uuid") + write_bytes(5, b"body") + write_int(40, 3)
    (told,) = fleet.send("NDATA", payload(metric("x", 1.0, raw=write_bytes(9, b"properties")), seq=2) + extra)
    assert told == Readings("gate", (Sample(AT_MS, {"x": 1.0}),))


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_a_compressed_payload_is_read(fleet: Fleet, pack: Callable[[bytes], bytes]) -> None:
    inner = payload(metric("x", 1.0), seq=2)
    body = write_bytes(4, b"SPBV1.0_COMPRESSED") + write_bytes(5, pack(inner))
    assert fleet.send("NDATA", body) == [Readings("gate", (Sample(AT_MS, {"x": 1.0}),))]


@pytest.mark.parametrize(
    "packed",
    [b"", b"nonsense", zlib.compress(b"x" * 100)[:-3], zlib.compress(bytes(2_000_000)),
     zlib.compress(write_bytes(4, b"SPBV1.0_COMPRESSED") + write_bytes(5, zlib.compress(b"")))],
)  # fmt: skip
def test_what_cannot_be_unpacked_is_unreadable(fleet: Fleet, packed: bytes) -> None:
    body = write_bytes(4, b"SPBV1.0_COMPRESSED") + write_bytes(5, packed)
    assert fleet.send("NDATA", body) == [Unreadable("gate")]
