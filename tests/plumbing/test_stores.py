"""One suite for every telemetry store: the fake, DuckDB, InfluxDB."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.points import Counting, DeviceRows, Readings, TelemetryStore
from deploy.servers.launch import InfluxAccess
from plumbing.stores.duckdb import DuckStore
from plumbing.stores.influx import InfluxStore
from tests.plumbing.memory_store import MemoryStore

SECOND = 1_000_000
NOON = 1_795_000_000 * SECOND
YEAR_1678 = -9_214_560_000 * SECOND
YEAR_2261 = 9_214_646_399 * SECOND

Value = float | None


@pytest.fixture(params=["memory", "duckdb", pytest.param("influxdb", marks=pytest.mark.influxdb)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TelemetryStore]:
    """Each store, empty."""
    made: TelemetryStore
    match request.param:
        case "memory":
            made = MemoryStore()
        case "duckdb":
            made = DuckStore(str(tmp_path / "telemetry.duckdb"))
        case _:
            made = influx_store(request.getfixturevalue("influxdb"))
    yield made
    made.close()


def influx_store(access: InfluxAccess) -> InfluxStore:
    """The adapter on a server."""
    return InfluxStore(access.url, access.token, access.org, access.bucket)


def rows(
    t_us: list[int], values: list[list[Value]], signals: list[str] | None = None, device: str = "pump-1", **more: Any
) -> DeviceRows:
    """Rows of one device of tenant `acme`."""
    width = len(values[0]) if values else 1
    return DeviceRows(
        more.get("tenant", "acme"), device, "pump", "9f3c01aa", signals or ["a", "b", "c"][:width],
        list(range(1, len(t_us) + 1)), t_us, values, NOON,
    )  # fmt: skip


def table(found: Readings) -> list[tuple[int, dict[str, float]]]:
    """Readings as rows without the gaps."""
    return [
        (int(t), {name: float(x) for name, x in zip(found.signals, row, strict=True) if not math.isnan(x)})
        for t, row in zip(found.t_us, found.values, strict=True)
    ]


def test_what_was_written_is_read_in_time_order(store: TelemetryStore) -> None:
    assert store.write([rows([NOON + SECOND, NOON], [[2.0, 20.0], [1.0, 10.0]])]) == []
    found = store.read("acme", "pump-1")
    assert found.signals == ("a", "b")
    assert found.t_us.dtype == np.int64
    assert found.values.dtype == np.float64
    assert table(found) == [(NOON, {"a": 1.0, "b": 10.0}), (NOON + SECOND, {"a": 2.0, "b": 20.0})]


def test_a_repeated_block_changes_nothing(store: TelemetryStore) -> None:
    block = [rows([NOON, NOON + 1], [[1.0, None], [None, 2.0]]), rows([NOON], [[3.0]], device="pump-2")]
    store.write(block)
    once = table(store.read("acme", "pump-1"))
    store.write(block)
    assert table(store.read("acme", "pump-1")) == once == [(NOON, {"a": 1.0}), (NOON + 1, {"b": 2.0})]


def test_the_newest_value_wins(store: TelemetryStore) -> None:
    store.write([rows([NOON], [[1.0, 5.0]])])
    store.write([rows([NOON], [[2.0, None]])])
    assert table(store.read("acme", "pump-1")) == [(NOON, {"a": 2.0, "b": 5.0})]


def test_the_last_of_one_time_wins_within_a_block(store: TelemetryStore) -> None:
    store.write([rows([NOON, NOON + 9, NOON], [[1.0, 5.0], [7.0, 7.0], [2.0, None]]), rows([NOON + 9], [[8.0]])])
    assert table(store.read("acme", "pump-1")) == [(NOON, {"a": 2.0, "b": 5.0}), (NOON + 9, {"a": 8.0, "b": 7.0})]


def test_the_last_of_one_time_wins_in_a_long_block(store: TelemetryStore) -> None:
    n = 6_000
    store.write([rows([NOON + i % 3_000 for i in range(n)], [[float(i)] for i in range(n)])])
    found = store.read("acme", "pump-1")
    assert found.values[:, 0].tolist() == [float(i) for i in range(3_000, n)]


def test_gaps_are_read_as_nan(store: TelemetryStore) -> None:
    store.write([rows([NOON, NOON + 1, NOON + 2], [[1.0, None], [None, None], [None, 2.0]])])
    found = store.read("acme", "pump-1", signals=["b", "a"])
    assert found.signals == ("b", "a")
    np.testing.assert_array_equal(found.values, [[np.nan, 1.0], [2.0, np.nan]])


def test_a_signal_that_nobody_sent_is_a_column_of_gaps(store: TelemetryStore) -> None:
    store.write([rows([NOON], [[1.0]])])
    found = store.read("acme", "pump-1", signals=["a", "unheard"])
    np.testing.assert_array_equal(found.values, [[1.0, np.nan]])


@pytest.mark.parametrize("signals", [None, ["a"], []])
def test_an_unknown_device_has_no_readings(store: TelemetryStore, signals: list[str] | None) -> None:
    found = store.read("acme", "nobody", signals=signals)
    assert found.t_us.shape == (0,)
    assert found.values.shape == (0, len(signals or []))
    assert len(store.band("acme", "nobody", "a", NOON, NOON + SECOND, 10).t_us) == 0


@pytest.mark.parametrize(
    "name", ["a.b-c", "0", "select", "device", "tenant", "telemetry", "time_1", "A_b.C-d", "x" * 64]
)
def test_odd_names_are_kept_apart(store: TelemetryStore, name: str) -> None:
    block = DeviceRows(name, name, "pump", "9f3c01aa", [name, "other"], [1], [NOON], [[1.5, 2.5]], NOON)
    assert store.write([block, rows([NOON], [[9.0]])]) == []
    assert table(store.read(name, name, signals=[name])) == [(NOON, {name: 1.5})]
    assert store.band(name, name, name, NOON, NOON + SECOND, 1).mean.tolist() == [1.5]


def test_tenants_with_the_same_device_do_not_mix(store: TelemetryStore) -> None:
    store.write([rows([NOON], [[1.0]]), rows([NOON], [[2.0]], tenant="other")])
    assert table(store.read("acme", "pump-1")) == [(NOON, {"a": 1.0})]
    assert table(store.read("other", "pump-1")) == [(NOON, {"a": 2.0})]


@pytest.mark.parametrize(
    "value", [1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 0.1 + 0.2, 2.0**53 + 2, -1e-9, 0.0, True, 7]
)
def test_values_come_back_bit_by_bit(store: TelemetryStore, value: float) -> None:
    assert store.write([rows([NOON], [[value, 1.0]])]) == []
    assert store.read("acme", "pump-1").values[0, 0] == float(value)


@pytest.mark.parametrize("t_us", [YEAR_1678, -1, 0, 1, NOON + 123_456, YEAR_2261])
def test_times_from_1678_to_2261_come_back_exactly(store: TelemetryStore, t_us: int) -> None:
    assert store.write([rows([t_us], [[1.0]])]) == []
    assert store.read("acme", "pump-1").t_us.tolist() == [t_us]
    assert store.read("acme", "pump-1", from_us=t_us, to_us=t_us + 1).t_us.tolist() == [t_us]
    assert store.read("acme", "pump-1", from_us=t_us + 1).t_us.tolist() == []
    assert store.read("acme", "pump-1", to_us=t_us).t_us.tolist() == []


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, range(10)),
        ({"limit": 3}, [0, 1, 2]),
        ({"limit": 3, "newest_first": True}, [7, 8, 9]),
        ({"newest_first": True}, range(10)),
        ({"from_us": NOON + 4}, range(4, 10)),
        ({"from_us": NOON + 2, "to_us": NOON + 6}, [2, 3, 4, 5]),
        ({"from_us": NOON + 2, "to_us": NOON + 6, "limit": 2}, [2, 3]),
        ({"from_us": NOON + 2, "to_us": NOON + 6, "limit": 2, "newest_first": True}, [4, 5]),
        ({"limit": 99}, range(10)),
        ({"limit": 2, "signals": ["b"]}, [1, 3]),
        ({"limit": 2, "signals": ["b"], "newest_first": True}, [7, 9]),
    ],
)
def test_limits_count_readings(store: TelemetryStore, asked: dict[str, Any], expected: list[int]) -> None:
    values: list[list[Value]] = [[float(i), float(i) if i % 2 else None] for i in range(10)]
    store.write([rows([NOON + i for i in range(10)], values)])
    assert [t - NOON for t in store.read("acme", "pump-1", **asked).t_us.tolist()] == list(expected)


def test_a_band_is_mean_lowest_and_highest_of_equal_buckets(store: TelemetryStore) -> None:
    values: list[list[Value]] = [[1.0], [3.0], [None], [-4.0], [10.0]]
    store.write([rows([NOON, NOON + 9, NOON + 11, NOON + 39, NOON + 40], values)])
    band = store.band("acme", "pump-1", "a", NOON, NOON + 40, 4)
    assert band.t_us.tolist() == [NOON, NOON + 30]
    assert band.mean.tolist() == [2.0, -4.0]
    assert band.low.tolist() == [1.0, -4.0]
    assert band.high.tolist() == [3.0, -4.0]


@pytest.mark.parametrize("span", [7 * SECOND + 3, 91, 3_600 * SECOND])
def test_bands_agree_with_the_obvious_way(store: TelemetryStore, span: int) -> None:
    generator = np.random.default_rng(5)
    t_us = sorted({NOON + int(t) for t in generator.integers(-5, span + 5, 200)})
    block = [rows(t_us, [[float(x)] for x in generator.normal(size=len(t_us))])]
    obvious = MemoryStore()
    for each in (obvious, store):
        each.write(block)
    wanted, found = (each.band("acme", "pump-1", "a", NOON + 1, NOON + span, 13) for each in (obvious, store))
    assert found.t_us.tolist() == wanted.t_us.tolist()
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-12, atol=1e-12)
    assert found.low.tolist() == wanted.low.tolist()
    assert found.high.tolist() == wanted.high.tolist()


def test_counts_agree_with_the_obvious_way(store: TelemetryStore) -> None:
    day = 86_400 * SECOND
    begin = NOON - NOON % day
    generator = np.random.default_rng(6)
    t_us = sorted({begin + int(t) for t in generator.integers(-day, 4 * day, 300)})
    values: list[list[Value]] = [[float(i), None if i % 3 else 1.0] for i in range(len(t_us))]
    obvious = MemoryStore()
    for each in (obvious, store):
        each.write([rows(t_us, values), rows([begin], [[1.0, 1.0]], tenant="other")])
        assert isinstance(each, Counting)
    wanted = obvious.counts("acme", "pump-1", begin, begin + 3 * day, day)
    assert isinstance(store, Counting)
    assert store.counts("acme", "pump-1", begin, begin + 3 * day, day) == wanted
    assert len(wanted) == 6
    assert store.counts("acme", "nobody", begin, begin + day, day) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_no_store_takes_is_refused_alone(store: TelemetryStore, bad: float) -> None:
    n = 40
    values: list[list[Value]] = [[float(i), 1.0] for i in range(n)]
    values[17] = [17.0, bad]
    refused = store.write([rows([NOON + i for i in range(n)], values)])
    assert [(r.tenant, r.device, r.t_us, r.seq, r.boot_id, r.signal) for r in refused] == [
        ("acme", "pump-1", NOON + 17, 18, "9f3c01aa", "b")
    ]
    found = store.read("acme", "pump-1")
    assert len(found.t_us) == n
    assert found.values[17, 0] == 17.0
    assert math.isnan(found.values[17, 1])


def test_an_empty_block_is_no_fault(store: TelemetryStore) -> None:
    assert store.write([]) == []
    assert store.write([rows([], []), rows([NOON], [[None, None]])]) == []
    assert len(store.read("acme", "pump-1").t_us) == 0


def test_two_threads_write_and_read_at_once(store: TelemetryStore) -> None:
    faults: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for i in range(20):
                store.write([rows([NOON + i], [[float(i)]], device=name), rows([NOON + i], [[0.0]], device="both")])
                assert len(store.read("acme", name).t_us) == i + 1
        except BaseException as fault:
            faults.append(fault)
            raise

    threads = [threading.Thread(target=work, args=(f"d{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(store.read("acme", "both").t_us) == 20


def test_a_store_that_runs_is_ready_and_takes_a_block_after_it_was_asked(store: TelemetryStore) -> None:
    assert store.ready()
    assert store.write([rows([NOON], [[1.0]])]) == []
    assert store.ready()
