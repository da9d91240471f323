"""Every reason, with its path, provoked through the service."""

import json

import pytest

from contracts.wire import REASONS
from tests.ingest.conftest import BOOT, NOW, World, telemetry

TABLE = [
    (b"{", "", "malformed"),
    (b"[]", "", "malformed"),
    (b"\xff\xfe\x00", "", "malformed"),
    (b"[" * 100_000, "", "malformed"),
    (b'{"v":1}', "samples", "malformed"),
    (b'{"v":1,"samples":{}}', "samples", "malformed"),
    (b'{"v":1,"samples":[1]}', "samples[0]", "malformed"),
    (b'{"v":1,"samples":[{"t":1}]}', "samples[0].values", "malformed"),
    (b'{"samples":[{"values":{"temp":1}}]}', "v", "malformed"),
    (b'{"v":1,"units":[],"samples":[{"values":{"temp":1}}]}', "units", "malformed"),
    (telemetry(boot="XYZ"), "boot_id", "malformed"),
    (telemetry(boot="9f3c01a"), "boot_id", "malformed"),
    (telemetry(seq=0), "seq", "malformed"),
    (telemetry(seq=2**53), "seq", "malformed"),
    (telemetry(seq=10**20), "seq", "malformed"),
    (telemetry(v="2"), "v", "schema_version"),
    (telemetry('{"temp":"x"}'), "samples[0].values.temp", "wrong_type"),
    (telemetry('{"temp":[1]}'), "samples[0].values.temp", "wrong_type"),
    (telemetry('{"temp":NaN}'), "samples[0].values.temp", "not_finite"),
    (telemetry('{"temp":Infinity}'), "samples[0].values.temp", "not_finite"),
    (telemetry('{"temp":-Infinity}'), "samples[0].values.temp", "not_finite"),
    (telemetry('{"temp":1e999}'), "samples[0].values.temp", "not_finite"),
    (telemetry(f'{{"temp":{"9" * 400}}}'), "samples[0].values.temp", "not_finite"),
    (telemetry(f'{{"temp":-{"9" * 5000}}}'), "samples[0].values.temp", "not_finite"),
    (telemetry('{"temp":201}'), "samples[0].values.temp", "out_of_range"),
    (telemetry('{"temp":100}', units='{"temp":"m/s"}'), "samples[0].values.temp", "wrong_unit"),
    (telemetry('{"temp":100}', units='{"temp":"furlong"}'), "samples[0].values.temp", "unknown_unit"),
    (telemetry('{"temp":100}', units='{"temp":3}'), "samples[0].values.temp", "unknown_unit"),
    (telemetry('{"temp":500}', units='{"temp":"K"}'), "samples[0].values.temp", "out_of_range"),
    (telemetry('{"foo":1}'), "samples[0].values.foo", "unknown_signal"),
    (telemetry('{"a b":1}'), "samples[0].values.a b", "malformed"),
    (telemetry('{"\\u0000":1}'), "samples[0].values.\\x00", "malformed"),
    (telemetry('{"\\ud800":1}'), "samples[0].values.\\ud800", "malformed"),
    (telemetry(t='"2026-11-22T10:01:00.000001Z"'), "samples[0].t", "future"),
    (telemetry(t='"yesterday"'), "samples[0].t", "malformed"),
    (telemetry(t='"2026-11-22T10:00:00"'), "samples[0].t", "malformed"),
    (telemetry(t="1.5"), "samples[0].t", "malformed"),
    (telemetry(t="true"), "samples[0].t", "malformed"),
    (telemetry(t='"1677-12-31T23:59:59Z"'), "samples[0].t", "out_of_range"),
    (telemetry(t='"2262-01-01T00:00:00Z"'), "samples[0].t", "out_of_range"),
    (telemetry(t='"0001-01-01T00:00:00+23:59"'), "samples[0].t", "out_of_range"),
    (telemetry(t="9" * 30), "samples[0].t", "out_of_range"),
    (b" " * 1_000_001, "", "too_large"),
]


@pytest.mark.parametrize(("body", "path", "reason"), TABLE, ids=[f"{i}-{row[2]}" for i, row in enumerate(TABLE)])
def test_each_fault_is_named_with_its_path(world: World, body: bytes | str, path: str, reason: str) -> None:
    world.take(body)
    assert world.refusals() == [(path, reason)]
    assert world.store.points == {}
    assert sum(e.refused.get(reason, 0) for e in [world.entry(world.page()[0].boot_id)]) == 1


def test_a_device_that_nobody_registered_is_unknown(world: World) -> None:
    world.take(telemetry(), device="stranger")
    world.take(telemetry(), tenant="b ad")
    assert world.refusals() == [("topic", "unknown_device")] * 2
    assert world.heard() == []


def test_what_the_store_refuses_for_ever_is_named_and_settles(world: World) -> None:
    world.store.refuse = lambda rows, i: ["temp"] if rows.seq[i] == 2 else [None] if rows.seq[i] == 3 else []
    samples = [{"t": f"2026-11-22T09:59:0{i}Z", "values": {"temp": 1 + i, "rpm": 2}} for i in range(3)]
    world.take(json.dumps({"v": 1, "boot_id": BOOT, "seq": 1, "samples": samples}))
    assert world.refusals() == [
        ("samples[1].values.temp", "store_refused"),
        ("samples[2].values.temp", "store_refused"),
        ("samples[2].values.rpm", "store_refused"),
    ]
    entry = world.entry()
    assert (entry.sent, entry.stored, entry.quarantined, entry.refused) == (3, 2, 1, {"store_refused": 3})
    (told,) = world.heard()
    assert (told.through, told.rejected) == (3, [(3, 3, "store_refused")])


def test_all_reasons_of_the_contract_are_provoked() -> None:
    assert {row[2] for row in TABLE} | {"unknown_device", "store_refused"} == set(REASONS)


def test_the_good_values_of_a_message_are_stored(world: World) -> None:
    world.take(
        '{"v":1,"boot_id":"9f3c01aa","seq":7,"samples":[{"t":"2026-11-22T09:59:00Z","values":{"temp":1,"rpm":-1}},'
        '{"t":"2026-11-22T09:59:01Z","values":{"temp":300}},{"t":"2026-11-22T09:59:02Z","values":{"temp":3,"rpm":9}}]}'
    )
    assert sorted((k[3], v) for k, v in world.store.points.items()) == [("rpm", 9.0), ("temp", 1.0), ("temp", 3.0)]
    assert world.refusals() == [("samples[0].values.rpm", "out_of_range"), ("samples[1].values.temp", "out_of_range")]
    entry = world.entry()
    assert (entry.sent, entry.stored, entry.quarantined, entry.waiting) == (9, 2, 1, 6)
    (told,) = world.heard()
    assert (told.through, told.settled, told.rejected) == (0, [(7, 9)], [(8, 8, "out_of_range")])


@pytest.mark.parametrize(
    ("values", "units", "stored"),
    [
        ('{"temp":true}', "{}", {"temp": 1.0}),
        ('{"temp":null}', "{}", {}),
        ('{"temp":null,"rpm":3}', "{}", {"rpm": 3.0}),
        ('{"temp":null}', '{"temp":"furlong"}', {}),
        ("{}", "{}", {}),
        ('{"temp":373.15}', '{"temp":"K"}', {"temp": 100.0}),
        ('{"vibration":0.05,"temp":50}', '{"vibration":"m/s"}', {"vibration": 50.0, "temp": 50.0}),
        ('{"temp":1,"temp":2}', "{}", {"temp": 2.0}),
        ('{"temp":1}', '{"foo":"K"}', {"temp": 1.0}),
    ],
)
def test_what_is_in_order_is_stored_in_the_models_unit(
    world: World, values: str, units: str, stored: dict[str, float]
) -> None:
    world.take(telemetry(values, units=units))
    assert {k[3]: round(v, 9) for k, v in world.store.points.items()} == stored
    assert world.refusals() == []
    assert (world.entry().stored, world.entry().quarantined) == (1, 0)


@pytest.mark.parametrize(
    ("t", "us"),
    [
        ('"2026-11-22T10:00:00.1234569Z"', 123456),
        ('"2026-11-22T10:00:00.9999999+00:00"', 999999),
        ('"2026-11-22T11:00:00.5+01:00"', 500000),
        (str(int(NOW.timestamp()) * 1000 + 7), 7000),
        ("null", 0),
        ('"2026-11-22T10:01:00Z"', 60_000_000),
    ],
)
def test_times_are_cut_to_microseconds(world: World, t: str, us: int) -> None:
    world.take(telemetry(t=t))
    assert [k[2] for k in world.store.points] == [int(NOW.timestamp()) * 1_000_000 + us]


def test_a_scaled_clock_scales_the_tolerances(world: World) -> None:
    world.clock.rate = 3600.0
    world.take(telemetry(t='"2026-11-24T21:00:00Z"'), telemetry(t='"2026-11-25T01:00:00Z"', seq=2))
    assert world.refusals() == [("samples[0].t", "future")]
    assert world.entry().late == 0


def test_another_schema_version_settles(world: World) -> None:
    world.take('{"v":2,"boot_id":"9f3c01aa","seq":1,"samples":[{"x":1},{"x":2}],"units":7}')
    world.take('{"v":2,"boot_id":"9f3c01aa","seq":3,"samples":[{"t":1,"values":{"temp":2}}]}')
    assert world.refusals() == [("v", "schema_version")] * 2
    assert (world.entry().sent, world.entry().quarantined) == (3, 3)
    assert world.heard()[0].through == 2


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("nonsense", ""),
        ("[" * 100_000, ""),
        ('{"v":1,"boot_id":"9f3c01aa","first":0,"last":3}', "first"),
        ('{"v":1,"boot_id":"9f3c01aa","first":5,"last":3}', "last"),
        ('{"v":1,"boot_id":"9f3c01aa","first":1,"last":99999999999999999999}', "last"),
        ('{"v":1,"boot_id":"9f3c01aa","first":1,"last":3,"dropped":[[3,2,"age"]]}', "dropped[0]"),
        ('{"v":1,"boot_id":"zz","first":1,"last":3}', "boot_id"),
    ],
)
def test_a_state_that_is_not_understood_is_put_aside(world: World, body: str, path: str) -> None:
    world.take(body, kind="state")
    assert world.refusals() == [(path, "malformed")]
    world.take("nonsense", kind="result")
    assert len(world.refusals()) == 2


def test_repeats_are_neither_stored_nor_refused_again(world: World) -> None:
    bad = telemetry('{"temp":999,"rpm":1}')
    world.take(bad)
    world.take(bad)
    assert len(world.refusals()) == 1
    entry = world.entry()
    assert (entry.stored, entry.duplicate, entry.refused) == (1, 1, {"out_of_range": 1})
