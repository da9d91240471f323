"""Everything goes wrong in turn on real servers, in a short form; and the comparison finds what is amiss."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest

from benchmarks import faults
from benchmarks.fault_clocks import FalseClock
from benchmarks.fault_deck import draw, families
from benchmarks.fault_files import Points, points, rows
from benchmarks.fault_links import Link, State
from benchmarks.fault_platforms import Platform, Process
from contracts.points import Readings, TelemetryStore
from ingest.service.tables import metadata, outboxes
from plumbing.sql import Database
from plumbing.stores.duckdb import DuckStore

ROWS = 700


@pytest.mark.mosquitto
@pytest.mark.influxdb
@pytest.mark.postgres
@pytest.mark.faketime
def test_whatever_goes_wrong_the_store_equals_the_files_row_by_row(tmp_path: Path) -> None:
    report = faults.run("real", 40, 1, tmp_path, 4)
    assert (report.missing, report.double, report.waiting, report.problems) == (0, 0, 0, []), report
    assert report.faults >= 4
    assert report.line() == f"sent={report.sent} stored={report.sent} missing=0 double=0"
    assert report.sent > 400
    assert report.quarantined > 0


class Nowhere(Platform):
    """Nothing but names."""

    def start(self, devices: list[str]) -> dict[str, str]:
        return {}

    def settle(self) -> None: ...

    def database(self) -> Database:
        raise NotImplementedError

    def store(self) -> TelemetryStore:
        raise NotImplementedError


def test_every_fault_is_drawn_once_before_any_comes_again_and_each_kind_at_once(tmp_path: Path) -> None:
    platform = Nowhere(tmp_path, Random(1))
    for name in ("broker", "ingest"):
        platform.victims[name] = Process(name, ("true",), {}, tmp_path)
    link = platform.link("devices to broker", 1, (State.CUT, State.CORRUPT))
    try:
        by_kind = families(platform, [], [FalseClock(tmp_path / "clock")], Random(2))
        cards = [card.name for cards in by_kind.values() for card in cards]
        drawn = [card for _, card in zip(range(2 * len(cards)), draw(by_kind, Random(3)), strict=False)]
        assert sorted(card.name for card in drawn[: len(cards)]) == sorted(cards)
        assert sorted(card.name for card in drawn[len(cards) :]) == sorted(cards)
        kinds = {"cut": "link", "corrupt": "link", "full disk": "disk"}
        assert {kinds.get(card.kind, card.kind) for card in drawn[: len(by_kind)]} == set(by_kind)
        assert {"kill broker", "pause ingest", "restart agent", "corrupt devices to broker", "clock to 1970"} <= {
            *cards
        }
    finally:
        platform.close()
        link.close()


class Echo:
    """Answers what it hears."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            connection, _ = self._server.accept()
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    @staticmethod
    def _echo(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(1000):
                connection.sendall(data)


def test_a_link_passes_cuts_falls_silent_and_changes_bytes() -> None:
    link = Link("a", Echo().port, Random(1)).start()
    try:
        with socket.create_connection(("127.0.0.1", link.port), 10) as through:
            through.sendall(b"well")
            assert through.recv(100) == b"well"
            link.turn(State.SILENT)
            through.sendall(b"later")
            through.settimeout(0.3)
            with pytest.raises(TimeoutError):
                through.recv(100)
            through.settimeout(10)
            link.turn(State.WELL)
            assert through.recv(100) == b"later"
            link.turn(State.CORRUPT)
            answers = []
            for _ in range(20):
                through.sendall(b"corrupt me")
                answers.append(through.recv(100))
            assert {len(answer) for answer in answers} == {10}
            assert any(answer != b"corrupt me" for answer in answers)
            link.turn(State.CUT)
            with pytest.raises(ConnectionResetError):
                through.recv(100)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", link.port), 10)
        link.turn(State.WELL)
        with socket.create_connection(("127.0.0.1", link.port), 10) as again:
            again.sendall(b"well again")
            assert again.recv(100) == b"well again"
    finally:
        link.close()


class Finished(Platform):
    """A platform that took one file; `held` is what its store gives."""

    def __init__(self, folder: Path, held: Points, account: dict[str, object]) -> None:
        super().__init__(folder, Random(0))
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
    given = rows(3, ROWS)
    want, have = points(given), points(given)
    amiss(have)
    report = faults.Report("real", 3, ROWS)
    faults.compare(report, Finished(tmp_path, have, account(**change)), ("acme/pump-1",), [want])
    assert (report.missing, report.double) == (missing, double)
    assert report.well is (missing == double == 0)


def test_numbers_that_nobody_settled_are_not_well(tmp_path: Path) -> None:
    settled = msgspec.msgpack.encode([1, 10, 12, ROWS])
    report = faults.Report("real", 3, ROWS)
    platform = Finished(tmp_path, points(rows(3, ROWS)), account(settled=settled, stored=ROWS - 8))
    faults.compare(report, platform, ("acme/pump-1",), [points(rows(3, ROWS))])
    assert (report.waiting, report.double, report.well) == (1, 0, False)


def test_the_files_hold_equal_times_and_all_kinds_of_bad_cells() -> None:
    given = rows(5, 1000)
    times = [row["time"] for row in given]
    assert len(set(times)) < len(times) - 5
    assert {"yesterday"} < set(times)
    want = points(given)
    assert any(us % 1000 for us in want)
    assert len(want) < 1000
    assert all(-40 <= v.get("bearing_temperature", 0) <= 200 for v in want.values())
