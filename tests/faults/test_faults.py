"""Everything is killed in turn on real servers, in a short form; and the comparison finds what is amiss."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks import faults
from benchmarks.fault_files import Points, points, write
from benchmarks.fault_platforms import Platform
from contracts.points import Readings, TelemetryStore
from ingest.service.tables import metadata, outboxes
from plumbing.sql import Database
from plumbing.stores.duckdb import DuckStore

ROWS = 700


@pytest.mark.mosquitto
@pytest.mark.influxdb
@pytest.mark.postgres
def test_whatever_is_killed_the_store_equals_the_files_row_by_row(tmp_path: Path) -> None:
    report = faults.run("real", 40, 1, tmp_path)
    assert report.well, report
    assert set(report.kills) == {"agent", "broker", "ingest", "influxdb", "postgresql"}
    assert min(report.kills.values()) >= 1
    assert report.line() == f"sent={report.sent} stored={report.sent} missing=0 double=0"
    assert report.sent > 2000
    assert report.quarantined > 0


class Finished(Platform):
    """A platform that took one file; `held` is what its store gives."""

    def __init__(self, folder: Path, held: Points, account: dict[str, object]) -> None:
        super().__init__(folder)
        self._held = held
        database = self.database()
        with database.write() as connection:
            metadata.create_all(connection)
            connection.execute(outboxes.insert().values(tenant="acme", device="pump-1", boot_id="0" * 8, **account))
        database.close()

    def start(self, devices: list[str]) -> dict[str, str]:
        return {}

    def settle(self) -> None: ...

    def database(self) -> Database:
        return Database(f"sqlite:///{self.folder / 'book.sqlite'}")

    def store(self) -> TelemetryStore:
        return Held(self._held)


class Held(DuckStore):
    """A store in memory that gives these points."""

    def __init__(self, held: Points) -> None:
        super().__init__(":memory:")
        self._points = held

    def read(self, *_: object, **__: object) -> Readings:
        signals = sorted({s for values in self._points.values() for s in values})
        rows = [[values.get(s, np.nan) for s in signals] for values in self._points.values()]
        return Readings(tuple(signals), np.array(list(self._points), np.int64), np.array(rows))


def account(**change: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "number": 1, "history": False, "replaced": False, "first": 1, "last": ROWS, "off_lost": 0, "off_discarded": 0,
        "settled": msgspec.msgpack.encode([1, ROWS]), "dropped": msgspec.msgpack.encode([]), "stored": ROWS - 7,
        "quarantined": 7, "duplicate": 40, "late": 0, "same_time": 0, "bad_messages": 0, "refused": "{}",
    }  # fmt: skip
    return whole | change


def drop_one(held: Points) -> None:
    held.pop(next(iter(held)))


def spoil_one(held: Points) -> None:
    held[next(iter(held))]["speed"] += 0.001


def lose_a_value(held: Points) -> None:
    del held[next(iter(held))]["speed"]


def add_one(held: Points) -> None:
    held[max(held) + 1] = {"speed": 1.0}


def nothing(held: Points) -> None: ...


@pytest.mark.parametrize(
    ("amiss", "change", "missing", "double"),
    [
        (nothing, {}, 0, 0),
        (drop_one, {}, 1, 0),
        (spoil_one, {}, 1, 0),
        (lose_a_value, {}, 1, 0),
        (add_one, {}, 0, 1),
        (nothing, {"stored": ROWS - 5}, 0, 2),
        (nothing, {"quarantined": 10}, 0, 3),
    ],
)
def test_the_comparison_finds_what_is_missing_spoilt_or_counted_twice(
    tmp_path: Path, amiss: Callable[[Points], None], change: dict[str, object], missing: int, double: int
) -> None:
    rows = write(tmp_path / "0.csv", 3, ROWS)
    want, have = points(rows), points(rows)
    amiss(have)
    report = faults.Report("real", 3, ROWS, {})
    faults.compare(report, Finished(tmp_path, have, account(**change)), ("acme/pump-1",), [want])
    assert (report.missing, report.double) == (missing, double)
    assert report.well is (missing == double == 0)


def test_numbers_that_nobody_settled_are_not_well(tmp_path: Path) -> None:
    rows = write(tmp_path / "0.csv", 3, ROWS)
    settled = msgspec.msgpack.encode([1, 10, 12, ROWS])
    report = faults.Report("real", 3, ROWS, {})
    platform = Finished(tmp_path, points(rows), account(settled=settled, stored=ROWS - 8))
    faults.compare(report, platform, ("acme/pump-1",), [points(rows)])
    assert (report.waiting, report.double, report.well) == (1, 0, False)


def test_the_files_hold_equal_times_and_all_kinds_of_bad_cells(tmp_path: Path) -> None:
    rows = write(tmp_path / "0.csv", 5, 1000)
    times = [row["time"] for row in rows]
    assert len(set(times)) < len(times) - 5
    assert {"yesterday"} < set(times)
    want = points(rows)
    assert any(us % 1000 for us in want)
    assert len(want) < 1000
    assert all(-40 <= v.get("bearing_temperature", 0) <= 200 for v in want.values())
