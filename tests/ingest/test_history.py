"""History: files and rows through the same checks, without the broker."""

import gzip
import lzma
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from contracts.points import TelemetryStore, decode_block
from contracts.records import BLOCKS
from ingest.adapters.history_file import BadHistoryFile, import_file
from ingest.service.history import Imported, RowFault, import_rows
from ingest.service.ledger import ledger
from ingest.service.registry import UnknownDevice, add_device
from plumbing import log
from plumbing.runtime import Shared
from plumbing.sql import Database, to_us
from plumbing.stores.duckdb import DuckStore
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from tests.ingest.conftest import NOW, FewUnits, HandClock, MemoryStore, World, batch, pump

START_US = to_us(NOW - timedelta(days=90))


@dataclass
class Past:
    """What an import needs."""

    shared: Shared
    store: MemoryStore

    def load(self, path: Path, device: str = "pump-1", time_column: str | None = None) -> Imported:
        return import_file(self.shared, path, device, tenant="acme", units=FewUnits(), time_column=time_column)


@pytest.fixture
def past(database: Database, tmp_path: Path) -> Past:
    store = MemoryStore()
    clock: SystemClock = HandClock()
    add_device(database, "acme", "pump-1", "pump", now=NOW)
    shared = Shared(
        home=tmp_path, database=database, system=clock, clocks=TenantClocks(database, clock),
        store=cast(TelemetryStore, store), models={"pump": pump()}.get,
    )  # fmt: skip
    return Past(shared, store)


GOOD = "time,temp,rpm\n2026-08-01T00:00:00Z,20,1450\n2026-08-01T00:10:00Z,21,\n2026-08-01T00:20:00Z,,1451\n"


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.csv", bytes), ("a.csv.gz", gzip.compress), ("a.csv.xz", lzma.compress)],
)
def test_a_file_is_loaded_once_however_often(
    past: Past, tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(GOOD.encode()))
    seen: list[tuple[int, int]] = []
    first = import_file(
        past.shared, path, "pump-1", tenant="acme", units=FewUnits(), progress=lambda *p: seen.append(p)
    )
    assert (first.rows, first.stored, first.refused, first.faults, first.notes) == (3, 3, 0, [], [])
    assert seen == [(3, 3)]
    again = import_file(past.shared, path, "pump-1", tenant="acme", units=FewUnits())
    assert (again.rows, again.stored, again.repeated, past.store.written_rows) == (3, 0, 3, 3)
    assert sorted((k[3], v) for k, v in past.store.points.items()) == [
        ("rpm", 1450.0), ("rpm", 1451.0), ("temp", 20.0), ("temp", 21.0),
    ]  # fmt: skip
    with past.shared.database.read() as connection:
        blocks = [decode_block(e.payload) for e in log.read(connection, BLOCKS, 0)]
    assert [(b.history, sum(len(d.seq) for d in b.devices)) for b in blocks] == [(True, 3)]
    (entry,) = ledger(past.shared.database, "acme", "pump-1").outboxes
    assert (entry.kind, entry.sent, entry.stored, entry.duplicate, entry.through) == ("history", 3, 3, 3, 3)
    assert ledger(past.shared.database, "acme", "pump-1").total("sent") == 0


def test_faults_are_named_and_stop_nothing(past: Past, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "when;temp;rpm;note\n"
        "2026-08-01 00:00:00;20;1450;x\n"
        "2026-08-01 00:10:00;999;1450;x\n"
        "yesterday;20;1450;x\n"
        "2026-08-01 00:20:00;warm;nan;x\n"
        "2026-08-01 00:30:00;20\n"
        "\n"
        "1785542400000;1_0;true;x\n"
        "2026-08-01 00:50:00;21;1e999;x\n"
        "2027-08-01 00:00:00;21;5;x\n"
    )
    done = import_file(past.shared, path, "pump-1", tenant="acme", time_column="when", units=FewUnits())
    assert [str(f) for f in done.faults] == [
        "line 3, temp: '999.0': out_of_range",
        "line 4, t: 'yesterday': malformed",
        "line 5, temp: 'warm': wrong_type",
        "line 5, rpm: 'nan': not_finite",
        "line 6, row: 'None': malformed",
        "line 8, temp: '1_0': wrong_type",
        "line 9, rpm: 'inf': not_finite",
        "line 10, t: '2027-08-01 00:00:00+00:00': future",
    ]
    assert (done.rows, done.stored, done.quarantined, done.refused) == (8, 4, 4, 8)
    assert done.notes == ["left out, no signals of pump: note", "5 times without a zone were taken as UTC"]
    (entry,) = ledger(past.shared.database, "acme", "pump-1").outboxes
    assert (entry.sent, entry.stored, entry.quarantined) == (8, 4, 4)


@pytest.mark.parametrize(
    ("text", "column", "field"),
    [
        ("", None, "file"),
        ("a,b\n1,2\n", None, "time column"),
        ("time,temp\n", "when", "time column"),
        ("time,temp,temp\n", None, "columns"),
        ("time,foo\n", None, "columns"),
    ],
)
def test_a_file_that_cannot_be_loaded_at_all_says_why(
    past: Past, tmp_path: Path, text: str, column: str | None, field: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(BadHistoryFile) as said:
        past.load(path, time_column=column)
    assert said.value.field == field


def test_a_file_that_is_not_there_and_a_device_that_is_not_known(past: Past, tmp_path: Path) -> None:
    with pytest.raises(BadHistoryFile):
        past.load(tmp_path / "none.csv")
    (tmp_path / "broken.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(BadHistoryFile):
        past.load(tmp_path / "broken.csv.gz")
    (tmp_path / "a.csv").write_text(GOOD)
    with pytest.raises(UnknownDevice):
        past.load(tmp_path / "a.csv", device="pump-9")


def test_rows_in_memory_take_the_same_way(past: Past) -> None:
    times = [START_US + i * 600_000_000 for i in range(7000)]
    values = np.random.default_rng(1).normal(50, 5, (7000, 2))
    values[3, 1] = np.nan
    values[5, 0] = 999
    faults: list[RowFault] = []
    seen: list[tuple[int, int]] = []
    stored = import_rows(
        past.shared, "acme", "pump-1", ["temp", "vibration"], times, values, faults=faults, units=FewUnits(),
        progress=lambda *p: seen.append(p),
    )  # fmt: skip
    assert stored == 7000
    assert len(past.store.points) == 7000 * 2 - 2
    assert [str(f) for f in faults] == ["line 6, temp: '999.0': out_of_range"]
    assert seen == [(5000, 7000), (7000, 7000)]
    assert import_rows(past.shared, "acme", "pump-1", ["temp", "vibration"], times, values, units=FewUnits()) == 0


def test_history_and_live_accounts_do_not_meet(past: Past, tmp_path: Path) -> None:
    world = World(past.shared.database, store=past.store)
    world.take(batch(1, 2))
    world.state(1, 3)
    (tmp_path / "a.csv").write_text(GOOD)
    past.load(tmp_path / "a.csv")
    world.take(batch(3, 1))
    world.state(1, 1, boot="00aa00aa")
    book = ledger(past.shared.database, "acme", "pump-1")
    assert sorted((e.kind, e.sent, e.stored, e.lost) for e in book.outboxes) == [
        ("history", 3, 3, 0), ("outbox", 1, 0, 0), ("outbox", 3, 3, 0),
    ]  # fmt: skip


def test_ninety_days_of_ten_signals_load_in_seconds(past: Past, tmp_path: Path) -> None:
    from plumbing.model_files import ModelFiles

    dice = random.Random(3)
    model = ModelFiles(tmp_path)("centrifugal-pump")
    assert model is not None
    names = list(model.signals)[:10]
    add_device(past.shared.database, "acme", "real", "centrifugal-pump", now=NOW)
    lines = ["time," + ",".join(names)]
    for i in range(13_000):
        at = (NOW - timedelta(days=91) + timedelta(minutes=10 * i)).isoformat()
        row = [model.signals[n].low + dice.random() * (model.signals[n].high - model.signals[n].low) for n in names]
        lines.append(at + "," + ",".join(f"{x:.4f}" for x in row))
    (tmp_path / "big.csv").write_text("\n".join(lines) + "\n")
    store = DuckStore(str(tmp_path / "t.duckdb"))
    clock = SystemClock()
    shared = Shared(past.shared.home, past.shared.database, past.shared.system, past.shared.clocks, store,
                    ModelFiles(tmp_path))  # fmt: skip
    began = clock.monotonic()
    done = import_file(shared, tmp_path / "big.csv", "real", tenant="acme", units=FewUnits())
    took = clock.monotonic() - began
    assert (done.stored, done.refused) == (13_000, 0)
    assert took < 15.0, f"{took:.1f} s"
    assert len(store.read("acme", "real", signals=names).t_us) == 13_000
    store.close()
