"""Ingest dies anywhere in `take`: what is stored, counted and quarantined is as if it had not."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from contracts.points import DeviceRows, StoreUnreachable, decode_block
from contracts.records import BLOCKS
from ingest.service.book import Superseded
from ingest.service.ledger import ledger
from plumbing import log
from plumbing.sql import Database
from tests.ingest.conftest import NOW, MemoryStore, Message, World, batch, pump


class Death(BaseException):
    """The process ends here."""


@contextmanager
def death_at(statement: int) -> Iterator[list[str]]:
    """Die before the n-th SQL statement (from 1); gives the statements that were reached."""
    seen: list[str] = []

    def before(_c: Any, _cursor: Any, text: str, _p: Any, _context: Any, _many: Any) -> None:
        seen.append(text)
        if len(seen) == statement:
            raise Death

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)


class DiesAfterWriting(MemoryStore):
    """Dies once its write is done, before ingest hears of it."""

    armed = False

    def write(self, rows: list[DeviceRows]) -> Any:
        out = super().write(rows)
        if self.armed:
            self.armed = False
            raise Death
        return out


class DiesAfterCommit(Database):
    """Dies once a commit is done, before the caller hears of it."""

    armed = False

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        with super().write() as connection:
            yield connection
        if self.armed:
            self.armed = False
            raise Death


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def anywhere(request: pytest.FixtureRequest) -> Iterator[DiesAfterCommit]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        url = request.getfixturevalue("database").url
    else:
        url = request.getfixturevalue("postgres_tables")
    made = DiesAfterCommit(url)
    yield made
    made.close()


def story() -> list[str]:
    """One outbox's messages: good, bad in part, bad, of another version, nonsense."""
    mixed = batch(4, 3).replace('"temp":25', '"temp":999').replace('{"temp":26.0}', '{"temp":26.0,"rpm":-1}')
    other = batch(9, 2).replace('"v":1', '"v":2')
    return [batch(1, 3), mixed, batch(7, 2), other, batch(2, 7), batch(11, 1)]


def check(world: World) -> None:
    """The account of `story`, exact in all but the repeats."""
    entry = world.entry()
    assert (entry.sent, entry.stored, entry.quarantined, entry.waiting, entry.lost) == (11, 8, 3, 0, 0)
    assert entry.refused == {"out_of_range": 2, "schema_version": 2}
    assert sorted(world.refusals()) == [
        ("samples[1].values.temp", "out_of_range"),
        ("samples[2].values.rpm", "out_of_range"),
        ("v", "schema_version"),
    ]
    assert sorted(v for (_, _, _, name), v in world.store.points.items()) == [21, 22, 23, 24, 26, 27, 28, 31]
    with world.database.read() as connection:
        blocks = [decode_block(e.payload) for e in log.read(connection, BLOCKS, 0, 1000)]
    logged = [seq for b in blocks for d in b.devices for seq in d.seq]
    assert sorted(logged) == [1, 2, 3, 4, 6, 7, 8, 11]


def test_it_survives_a_death_at_every_statement(anywhere: DiesAfterCommit) -> None:
    world = World(anywhere)
    world.device()
    with death_at(0) as seen:
        world.fresh().take([Message("forewarn/v1/acme/pump-1/telemetry", b.encode()) for b in story()])
    check(world)
    assert len(seen) >= 8
    for n in range(1, len(seen) + 1):
        with anywhere.write() as connection:
            for table in ("ingest_outboxes", "ingest_quarantine", "log_entries", "ingest_marks"):
                connection.execute(sa.text(f"delete from {table}"))
        world.store.points.clear()
        world.fresh()
        with pytest.raises(Death), death_at(n):
            world.take(*story())
        # the same process tries again, as after a fault of the database
        world.take(*story())
        check(world)
        # and once more after a restart, since nothing was acknowledged
        world.fresh()
        world.take(*story())
        check(world)
        assert world.heard()[-1].through == 11


@pytest.mark.parametrize("point", ["store", "commit"])
def test_it_survives_a_death_between_store_and_answer(anywhere: DiesAfterCommit, point: str) -> None:
    store = DiesAfterWriting()
    world = World(anywhere, store=store)
    world.device()
    deaths = 0
    for body in story():
        if point == "store":
            store.armed = True
        else:
            anywhere.armed = True
        try:
            world.take(body)
        except Death:
            deaths += 1
        anywhere.armed = store.armed = False
        world.fresh()
        world.take(body)
    check(world)
    assert deaths >= 4


def test_while_the_store_is_down_nothing_is_settled(world: World) -> None:
    world.store.down = True
    for _ in range(3):
        with pytest.raises(StoreUnreachable):
            world.take(*story())
    assert (world.heard(), world.page(), ledger(world.database, "acme", "pump-1").outboxes) == ([], [], [])
    world.store.down = False
    world.take(*story())
    check(world)


@pytest.mark.parametrize("seed", range(12))
def test_any_order_with_repeats_deaths_and_outboxes_keeps_the_account_exact(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    world = World(database)
    world.device()
    boots = {f"{n:08x}": 40 for n in range(3)}
    bad = {(boot, seq) for boot in boots for seq in range(1, 41) if dice.random() < 0.2}
    low, high = pump().signals["temp"].low, pump().signals["temp"].high

    def message(boot: str, seq: int, n: int) -> str:
        start = NOW - timedelta(hours=1 + int(boot, 16))
        rows = ",".join(
            f'{{"t":"{(start + timedelta(seconds=seq + i)).isoformat()}","values":{{"temp":'
            f"{high + 1 if (boot, seq + i) in bad else max(low, float(seq + i))}}}}}"
            for i in range(n)
        )
        return f'{{"v":1,"boot_id":"{boot}","seq":{seq},"samples":[{rows}]}}'

    for boot, last in boots.items():
        todo = [(seq, min(dice.randrange(1, 7), last - seq + 1)) for seq in range(1, last + 1)] * 2
        dice.shuffle(todo)
        while todo:
            block = [message(boot, *todo.pop()) for _ in range(min(len(todo), dice.randrange(1, 9)))]
            if dice.random() < 0.4:
                with death_at(dice.randrange(1, 14)):
                    try:
                        world.take(*block)
                    except Death:
                        if dice.random() < 0.5:
                            world.fresh()
            world.take(*block)
            if dice.random() < 0.2:
                world.state(1, last, boot=boot)
    for boot, last in boots.items():
        entry, wrong = world.entry(boot), len([1 for b, _ in bad if b == boot])
        assert (entry.sent, entry.stored, entry.quarantined) == (last, last - wrong, wrong)
        assert (entry.lost, entry.waiting, entry.discarded, entry.through) == (0, 0, 0, last)
        assert entry.refused.get("out_of_range", 0) == wrong
    assert len(world.store.points) == 120 - len(bad)


def test_a_second_ingest_takes_over_and_the_first_stops(world: World) -> None:
    first = world.intake
    world.take(batch(1, 2))
    world.fresh()
    world.take(batch(3, 2))
    with pytest.raises(Superseded):
        first.take([Message("forewarn/v1/acme/pump-1/telemetry", batch(5, 2).encode())])
    world.take(batch(5, 2))
    assert (world.entry().sent, world.entry().stored) == (6, 6)
