"""The agent against ingest's own intake and ledger: outage, damage and an old copy, to the last sample."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copyfile

import pytest

from contracts import topics
from edge_agent.adapters.outbox import Limits, SqliteOutbox
from edge_agent.domain.driving import Batch, Reading
from edge_agent.service import Agent
from ingest.service.ledger import Ledger, ledger
from plumbing.migrate import upgrade
from plumbing.sql import Database
from tests.ingest.conftest import NOW, Message
from tests.ingest.conftest import World as Ingest

BEGAN = NOW - timedelta(hours=1)
WINDOW = 50
STEP_S = 0.5
RATE = 10


class Machine:
    """Ten readings a second, reading i at its own time; a new process goes on where the machine is."""

    def __init__(self, made: int) -> None:
        self.made = made
        self.stopped = False

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        before, self.made = self.made, self.made if self.stopped else int(now * RATE)
        times = ((BEGAN + timedelta(seconds=i / RATE)).isoformat() for i in range(before, self.made))
        return Batch([Reading(t, {"temp": 20.0}) for t in times], "", now)

    def close(self) -> None: ...


class Both:
    """One agent, ingest, time."""

    def __init__(self, database: Database, path: Path) -> None:
        self.ingest, self.path, self.database = Ingest(database), path, database
        self.ingest.device()
        self.now = 0.0
        self.epoch, self.linked = 1, True
        self.waiting: list[tuple[str, bytes]] = []
        self.begin()

    def begin(self) -> None:
        """A new process."""
        self.outbox = SqliteOutbox(self.path, Limits(), lambda: self.now)
        machine = Machine(int(self.now * RATE))
        self.agent = Agent(
            {"m": machine}, self.outbox, self.publish, lambda: NOW, WINDOW,
            backlog_rate=100,
        )  # fmt: skip
        self.epoch += 1

    def publish(self, kind: str, body: bytes, retain: bool) -> bool:
        self.waiting.append((kind, body))
        return True

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += STEP_S
            self.ingest.clock.pass_(STEP_S)
            if self.waiting:
                self.ingest.intake.take([
                    Message(topics.topic("acme", "pump-1", kind), body) for kind, body in self.waiting
                ])  # fmt: skip
                self.waiting.clear()
            self.ingest.intake.answer()
            heard = [(self.epoch, body) for _, body in self.ingest.sent]
            self.ingest.sent.clear()
            self.agent.step(self.epoch if self.linked else 0, heard if self.linked else [], self.now)

    def drain(self) -> Ledger:
        """Stop the machine and wait until all is settled."""
        for source in self.agent.drivers.values():
            assert isinstance(source, Machine)
            source.stopped = True
        for _ in range(60):
            self.run(2)
            if not self.outbox.waiting and not self.outbox.farewells and not self.outbox.dropped:
                break
        return ledger(self.database, "acme", "pump-1")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    database = Database(f"sqlite:///{tmp_path}/ingest.sqlite")
    upgrade(database)
    yield Both(database, tmp_path / "outbox.sqlite")
    database.close()


def sums(book: Ledger) -> dict[str, int]:
    total = book.sums()
    assert total["sent"] == total["stored"] + total["quarantined"] + total["discarded"] + total["lost"]
    return total


def test_after_an_outage_everything_is_stored_once(both: Both) -> None:
    both.run(20)
    both.linked = False
    both.run(120)
    both.linked, both.epoch = True, both.epoch + 1
    both.run(5)
    newest = both.outbox.extent[1]
    backlog = both.outbox.waiting
    assert backlog > 500
    stored = {seq for *_, seq in both.ingest.store.points}
    assert stored
    assert newest - both.outbox.extent[0] > 500
    book = both.drain()
    (entry,) = book.outboxes
    assert entry.stored == entry.sent == len(both.ingest.store.points) == both.outbox.extent[1]
    assert (entry.duplicate, entry.lost, entry.discarded) == (0, 0, 0)


def test_after_damage_the_ledger_says_what_moved_and_what_is_gone_and_counts_nothing_twice(both: Both) -> None:
    both.run(20)
    both.linked = False
    both.run(60)
    both.outbox.close()
    made = int(both.now * RATE)
    body = bytearray(both.path.read_bytes())
    body[:100] = bytes(100)
    mark = (BEGAN + timedelta(seconds=(made - 100) / RATE)).isoformat().encode()
    for page in range(4096, len(body), 4096):
        if mark in body[page : page + 4096]:  # samples
            body[page + 8 : page + 4096] = bytes(4096 - 8)
    both.path.write_bytes(body)
    both.begin()
    both.linked = True
    salvaged, gone = (int(str(both.outbox.health[name])) for name in ("salvaged", "unreadable"))
    book = both.drain()
    points = len(both.ingest.store.points)
    old, new = book.outboxes
    assert new.boot_id == both.outbox.boot_id
    assert old.stored + new.stored == points
    assert old.duplicate == new.duplicate == 0
    assert 0 < made - points <= gone
    assert old.lost == 0
    assert old.discarded == old.sent - old.stored == made - points
    # each sample is sent once, whatever numbers it had
    assert old.sent + new.sent == made
    assert old.moved == new.sent
    assert new.sent + new.moved == salvaged
    sums(book)


def test_an_old_copy_of_the_outbox_begins_anew_and_counts_nothing_twice(both: Both) -> None:
    both.run(10)
    both.outbox.close()
    copyfile(both.path, both.path.with_name("early"))
    made = int(both.now * RATE)
    both.begin()
    both.run(10)
    both.outbox.close()
    for ending in ("-wal", "-shm"):
        both.path.with_name(both.path.name + ending).unlink(missing_ok=True)
    copyfile(both.path.with_name("early"), both.path)
    stored_before = len(both.ingest.store.points)
    assert stored_before > made
    both.begin()
    both.linked = False
    both.run(30)  # numbers that the platform knows are given to other samples
    both.linked, both.epoch = True, both.epoch + 1
    book = both.drain()
    old, new = book.outboxes
    assert old.stored + new.stored == len(both.ingest.store.points)
    assert new.stored == new.sent > 250
    assert new.duplicate == 0
    sums(book)
