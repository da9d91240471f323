"""On PostgreSQL the statements of a commit run while the store still writes: no difference can be seen."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from contracts.points import DeviceRows, Refused, StoreUnreachable
from contracts.records import BLOCKS
from ingest.service.ledger import ledger
from plumbing import log
from plumbing.sql import Database
from tests.ingest.conftest import BOOT, NOW, MemoryStore, World, batch

N = 60_000
LONG_AGO = NOW - timedelta(days=1)
BODIES = [batch(1 + 50 * i, 50, start=LONG_AGO) for i in range(N // 50)]


class Watching(MemoryStore):
    """Does something before each of its writes."""

    before: Callable[[int], None] = staticmethod(lambda n: None)
    writes = 0

    def write(self, rows: list[DeviceRows]) -> list[Refused]:
        self.writes += 1
        self.before(self.writes)
        return super().write(rows)


@pytest.fixture
def world(postgres_tables: str) -> Iterator[World]:
    database = Database(postgres_tables)
    made = World(database, store=Watching())
    made.device()
    yield made
    made.intake.close()
    database.close()


def blocks(world: World) -> int:
    with world.database.read() as connection:
        return len(log.read(connection, BLOCKS, 0))


def test_nothing_is_accounted_for_before_all_of_it_is_stored(world: World) -> None:
    store, seen = world.store, []
    assert isinstance(store, Watching)
    store.before = lambda n: seen.append((len(ledger(world.database, "acme", "pump-1").outboxes), blocks(world)))
    world.take(*BODIES)
    assert len(seen) > 2
    assert set(seen) == {(0, 0)}
    assert (world.entry().through, world.entry().stored, blocks(world)) == (N, N, 1)
    assert [s.through for s in world.heard()] == [N]


def test_what_the_store_refuses_is_quarantined_and_the_rest_counted_once(world: World) -> None:
    world.store.refuse = lambda d, i: ["temp"] if d.seq[i] in (7, N) else []
    world.take(*BODIES)
    entry = world.entry()
    assert (entry.stored, entry.quarantined, entry.duplicate, entry.through) == (N - 2, 2, 0, N)
    assert world.refusals() == [
        ("samples[6].values.temp", "store_refused"),
        ("samples[49].values.temp", "store_refused"),
    ]
    assert len(world.store.points) == N - 2
    assert blocks(world) == 1


@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_a_store_that_goes_away_in_between_leaves_no_trace(world: World, fails_at: int) -> None:
    store = world.store
    assert isinstance(store, Watching)

    def before(n: int) -> None:
        if n >= fails_at:
            raise StoreUnreachable("gone")

    world.take(batch(1, 1, start=LONG_AGO))
    store.writes, store.before = 0, before
    for _ in range(2):
        with pytest.raises(StoreUnreachable):
            world.take(*BODIES)
    assert (world.entry(BOOT).stored, blocks(world)) == (1, 1)
    store.before = lambda n: None
    world.take(*BODIES)
    assert (world.entry().stored, world.entry().duplicate, world.entry().through) == (N, 1, N)
    assert len(world.store.points) == N
    assert blocks(world) == 2
