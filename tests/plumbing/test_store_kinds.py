"""What each telemetry store does alone: the fake's outage, DuckDB's file, InfluxDB's refusals and its death."""

import math
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from contracts.points import StoreUnreachable
from deploy.servers.launch import InfluxAccess, InfluxDB
from plumbing.stores.duckdb import DuckStore
from plumbing.stores.influx import InfluxStore
from plumbing.system_clock import SystemClock
from tests.plumbing.memory_store import MemoryStore
from tests.plumbing.test_stores import NOON, SECOND, influx_store, rows, table


def test_the_fake_plays_an_outage() -> None:
    store = MemoryStore()
    store.reachable = False
    assert not store.ready()
    with pytest.raises(StoreUnreachable):
        store.write([rows([NOON], [[1.0]])])


def test_a_file_that_another_connection_closed_is_unreachable(tmp_path: Path) -> None:
    store = DuckStore(str(tmp_path / "t.duckdb"))
    store.close()
    assert not store.ready()
    with pytest.raises(StoreUnreachable):
        store.write([rows([NOON], [[1.0]])])
    with pytest.raises(StoreUnreachable):
        store.read("acme", "pump-1")


def test_what_duckdb_took_is_there_after_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "t.duckdb")
    store = DuckStore(path)
    store.write([rows([NOON], [[1.0]])])
    store.close()
    again = DuckStore(path)
    assert table(again.read("acme", "pump-1")) == [(NOON, {"a": 1.0})]
    again.close()


def test_a_path_that_is_no_duckdb_file_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "t.duckdb").write_text("not a database, but a text of some length " * 200)
    with pytest.raises(StoreUnreachable, match=r"t\.duckdb"):
        DuckStore(str(tmp_path / "t.duckdb"))


@pytest.mark.influxdb
def test_a_field_type_conflict_refuses_that_field_alone(influxdb: InfluxAccess) -> None:
    _post(influxdb, f'telemetry,device=x,tenant=acme b="text" {NOON}000')
    store = influx_store(influxdb)
    n = 300
    refused = store.write([rows([NOON + i for i in range(n)], [[float(i), 1.0, 2.0] for i in range(n)])])
    assert {(r.t_us, r.signal) for r in refused} == {(NOON + i, "b") for i in range(n)}
    assert len(refused) == n
    assert "type" in refused[0].detail
    assert store.read("acme", "pump-1", signals=["a", "c"]).values.tolist() == [[float(i), 2.0] for i in range(n)]
    assert math.isnan(store.read("acme", "x", signals=["b"]).values[0, 0])
    store.close()


@pytest.mark.influxdb
def test_influxdb_refuses_a_signal_named_time_aloud(influxdb: InfluxAccess) -> None:
    store = influx_store(influxdb)
    refused = store.write([rows([NOON, NOON + 1], [[1.0, 2.0, 3.0], [4.0, None, 5.0]], ["a", "time", "b"])])
    assert [(r.t_us, r.signal) for r in refused] == [(NOON, "time")]
    assert table(store.read("acme", "pump-1", signals=["a", "b", "time"])) == [
        (NOON, {"a": 1.0, "b": 3.0}),
        (NOON + 1, {"a": 4.0, "b": 5.0}),
    ]
    assert len(store.read("acme", "pump-1", signals=["time"]).t_us) == 0
    store.close()


@pytest.mark.influxdb
def test_a_point_older_than_the_retention_is_refused_whole(influxdb: InfluxAccess) -> None:
    _retain(influxdb, seconds=7 * 86_400)
    store = influx_store(influxdb)
    now = int(SystemClock().now().timestamp()) * SECOND
    old = now - 60 * 86_400 * SECOND
    refused = store.write([rows([old, now, old + 1, now + 1], [[1.0, 2.0], [3.0, 4.0], [5.0, None], [7.0, 8.0]])])
    assert sorted((r.t_us, r.signal) for r in refused if r.signal is None) == [(old, None)]
    assert [(r.t_us, r.signal) for r in refused if r.signal is not None] == [(old + 1, "a")]
    assert store.read("acme", "pump-1").values.tolist() == [[3.0, 4.0], [7.0, 8.0]]
    store.close()


@pytest.mark.influxdb
def test_a_block_longer_than_one_write_arrives_whole(influxdb: InfluxAccess) -> None:
    store = influx_store(influxdb)
    n = 12_001
    bad = 7_003
    values: list[list[float | None]] = [[float(i)] for i in range(n)]
    values[bad] = [math.inf]
    refused = store.write([rows([NOON + i for i in range(n)], values)])
    assert [r.t_us for r in refused] == [NOON + bad]
    assert len(store.read("acme", "pump-1").t_us) == n - 1
    store.close()


@pytest.mark.influxdb
@pytest.mark.parametrize("wrong", ["token", "bucket", "org"])
def test_wrong_access_is_unreachable_not_refused(influxdb: InfluxAccess, wrong: str) -> None:
    given = {"url": influxdb.url, "token": influxdb.token, "org": influxdb.org, "bucket": influxdb.bucket}
    store = InfluxStore(**{**given, wrong: "nonsense"})
    with pytest.raises(StoreUnreachable):
        store.write([rows([NOON], [[1.0]])])
    store.close()


@pytest.mark.influxdb
def test_a_killed_influxdb_is_unreachable_and_comes_back(influxdb_factory: Callable[[], InfluxDB]) -> None:
    server = influxdb_factory()
    store = influx_store(server.fresh_bucket())
    store.write([rows([NOON], [[1.0]])])
    server.kill()
    assert not store.ready()
    with pytest.raises(StoreUnreachable):
        store.write([rows([NOON + 1], [[2.0]])])
    with pytest.raises(StoreUnreachable):
        store.read("acme", "pump-1")
    server.start()
    store.write([rows([NOON + 1], [[2.0]])])
    assert len(store.read("acme", "pump-1").t_us) == 2
    store.close()


def test_where_nothing_listens_is_unreachable() -> None:
    store = InfluxStore("http://127.0.0.1:9", "token", "org", "bucket")
    assert not store.ready()
    with pytest.raises(StoreUnreachable):
        store.write([rows([NOON], [[1.0]])])
    with pytest.raises(StoreUnreachable):
        store.band("acme", "pump-1", "a", 0, 10, 1)
    store.close()


def _call(access: InfluxAccess, method: str, path: str, body: bytes) -> bytes:
    request = urllib.request.Request(
        access.url + path, body or None, {"Authorization": f"Token {access.token}"}, method=method
    )
    with urllib.request.urlopen(request) as answer:
        found: bytes = answer.read()
    return found


def _post(access: InfluxAccess, line: str) -> None:
    _call(access, "POST", f"/api/v2/write?org={access.org}&bucket={access.bucket}&precision=ns", line.encode())


def _retain(access: InfluxAccess, seconds: int) -> None:
    found = msgspec.json.decode(_call(access, "GET", f"/api/v2/buckets?name={access.bucket}", b""))
    body = msgspec.json.encode({"retentionRules": [{"type": "expire", "everySeconds": seconds}]})
    _call(access, "PATCH", f"/api/v2/buckets/{found['buckets'][0]['id']}", body)
