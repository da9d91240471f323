"""The running service without a broker: what cannot be taken is halved, what is down is waited for."""

import threading
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError

from contracts.points import DeviceRows, StoreUnreachable, TelemetryStore
from ingest.adapters.inbox import OVERHEAD, Inbox
from ingest.service.ledger import ledger
from ingest.service.quarantine import quarantine_page
from ingest.service.registry import add_device
from ingest.settings import Settings
from ingest.wiring import IngestService, build
from plumbing.mqtt import Incoming
from plumbing.runtime import Shared
from plumbing.settings import BadSettings
from plumbing.sql import Database
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from tests.ingest.conftest import HandClock, MemoryStore, batch, pump, telemetry

TOPIC = "forewarn/v1/acme/pump-1/telemetry"


class Fragile(MemoryStore):
    """Breaks on one value; is down for a number of writes, in one way or another."""

    failures: list[Exception]

    def write(self, rows: list[DeviceRows]) -> Any:
        if self.failures:
            raise self.failures.pop()
        if any(13.0 in values for part in rows for values in part.values):
            raise ZeroDivisionError("thirteen")
        return super().write(rows)


@pytest.fixture
def store() -> Fragile:
    made = Fragile()
    made.failures = []
    return made


@pytest.fixture
def service(database: Database, store: Fragile, tmp_path: Path) -> IngestService:
    clock: SystemClock = HandClock()
    add_device(database, "acme", "pump-1", "pump", now=clock.now())
    shared = Shared(
        tmp_path, database, clock, TenantClocks(database, clock), cast(TelemetryStore, store), {"pump": pump()}.get
    )
    return build(Settings("mqtt://ingest:x@127.0.0.1:9"), shared)


def incoming(*bodies: str | bytes) -> list[Incoming]:
    return [Incoming(1, n, TOPIC, b if isinstance(b, bytes) else b.encode(), False) for n, b in enumerate(bodies)]


def test_a_block_that_cannot_be_taken_is_halved_down_to_the_message(
    service: IngestService, store: Fragile, database: Database
) -> None:
    poison = telemetry('{"temp":13}', seq=6)
    assert service.take(incoming(batch(1, 3), batch(4, 2), poison, batch(7, 2), batch(9, 1)))
    (entry,) = ledger(database, "acme", "pump-1").outboxes
    assert (entry.stored, entry.sent, entry.waiting) == (8, 9, 1)
    (kept,) = quarantine_page(database)
    assert (kept.path, kept.reason, kept.body) == ("ZeroDivisionError", "malformed", poison.encode())
    assert len(store.points) == 8


def test_a_store_that_is_down_is_waited_for(
    service: IngestService, store: Fragile, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.wiring.FIRST_WAIT_S", 0.01)
    store.failures = [StoreUnreachable("no"), OperationalError("select", {}, OSError("gone")), StoreUnreachable("no")]
    assert service.take(incoming(batch(1, 3)))
    assert ledger(database, "acme", "pump-1").total("stored") == 3
    assert quarantine_page(database) == []


def test_told_to_stop_while_the_store_is_down_it_lets_go(service: IngestService, store: Fragile) -> None:
    store.failures = [StoreUnreachable("no")] * 2
    service.stop()
    assert not service.take(incoming(batch(1, 3)))
    assert store.points == {}


def test_the_inbox_gives_blocks_and_holds_the_reader_up_when_it_is_full() -> None:
    clock = SystemClock()
    inbox = Inbox(3 * (OVERHEAD + 10), clock.monotonic)
    done = threading.Event()

    def read() -> None:
        for message in incoming(*[b"x" * 10] * 8):
            inbox.put(message)
        done.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert not done.wait(0.3)
    assert inbox.waiting[1] <= 4 * (OVERHEAD + 10)
    taken: list[Incoming] = []
    while len(taken) < 8:
        block = inbox.take(2 * (OVERHEAD + 10), 0.01, 0.1)
        assert len(block) <= 2
        taken += block
    reader.join()
    assert [m.mid for m in taken] == list(range(8))
    assert inbox.waiting == (0, 0)
    assert inbox.blocked >= 1
    assert inbox.take(1000, 0.01, 0.01) == []


def test_a_full_inbox_that_is_closed_holds_nobody_up() -> None:
    inbox = Inbox(0, SystemClock().monotonic)
    inbox.close()
    for message in incoming(b"x", b"y"):
        inbox.put(message)
    assert len(inbox.take(1, 5.0, 5.0)) == 1
    assert len(inbox.take(1000, 5.0, 5.0)) == 1


def test_every_fault_of_the_settings_is_told_at_once() -> None:
    with pytest.raises(BadSettings) as said:
        Settings.of({"FOREWARN_MQTT_URL": "http://x", "FOREWARN_INGEST_FUTURE_SECONDS": "soon",
                     "FOREWARN_INGEST_QUEUE_BYTES": "1"})  # fmt: skip
    assert [f.split(":")[0] for f in said.value.faults] == [
        "FOREWARN_MQTT_URL", "FOREWARN_INGEST_QUEUE_BYTES", "FOREWARN_INGEST_FUTURE_SECONDS",
    ]  # fmt: skip
    with pytest.raises(BadSettings, match="is not set"):
        Settings.of({})
    made = Settings.of({"FOREWARN_MQTT_URL": "mqtt://ingest:x@h:1", "FOREWARN_INGEST_LATE_SECONDS": "7"})
    assert (made.late_seconds, made.future_seconds, made.block_seconds) == (7.0, 60.0, 0.2)
