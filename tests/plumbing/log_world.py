"""A producer and a consumer of the log, and a way to end them at any statement."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from plumbing import log
from plumbing.sql import Database

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOPIC, OTHER = "predictions", "notices"

metadata = sa.MetaData()
work = sa.Table("work", metadata, sa.Column("n", sa.Integer, primary_key=True, autoincrement=False))
seen = sa.Table(
    "seen", metadata, sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, nullable=False),
)  # fmt: skip


def make_tables(database: Database) -> None:
    """The log's tables, the producer's and the consumer's."""
    with database.write() as connection:
        log.metadata.create_all(connection)
        metadata.create_all(connection)


def produce(database: Database) -> int:
    """Do the next piece of work and tell it in two topics, as one commit."""
    with database.write() as connection:
        n = int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(work.c.n), 0))).scalar_one()) + 1
        connection.execute(work.insert().values(n=n))
        log.append(connection, "acme", TOPIC, f"k{n}", b"%d" % n, NOON)
        log.append(connection, "acme", OTHER, f"k{n}", b"%d" % n, NOON)
    return n


def consume(database: Database) -> int:
    """Take the next entries; what they lead to and the place in the log are one commit. Returns how many there were."""
    with database.write() as connection:
        at = log.position(connection, "consumer", TOPIC)
        entries = log.read(connection, TOPIC, at, 2)
        for entry in entries:
            connection.execute(seen.insert().values(position=entry.position, n=int(entry.payload)))
        if entries:
            log.advance(connection, "consumer", TOPIC, entries[-1].position)
    return len(entries)


class Crash(Exception):
    """The unit of work ends here."""


def raise_crash() -> None:
    """End as an exception does."""
    raise Crash


def kill() -> None:
    """End as a power cut does."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def ended_at(point: int, end: Callable[[], None]) -> Iterator[list[int]]:
    """Call `end` at the point of that number: before and after each statement, and before each commit.

    Gives the count of points passed in its only element.
    """
    passed = [0]

    def one(*_: Any) -> None:
        passed[0] += 1
        if passed[0] == point:
            end()

    events = ("before_cursor_execute", "after_cursor_execute", "commit")
    for name in events:
        sa.event.listen(sa.Engine, name, one)
    try:
        yield passed
    finally:
        for name in events:
            sa.event.remove(sa.Engine, name, one)


def forget_consumer(database: Database) -> None:
    """Let the consumer be new again."""
    with database.write() as connection:
        connection.execute(log.consumers.delete())
        connection.execute(seen.delete())


def told(database: Database, topic: str = TOPIC) -> list[int]:
    """What the log says, in its order."""
    with database.read() as connection:
        return [int(e.payload) for e in log.read(connection, topic, 0, 10_000)]


def done(database: Database) -> list[int]:
    """What the producer did."""
    with database.read() as connection:
        return list(connection.execute(sa.select(work.c.n).order_by(work.c.n)).scalars())


def taken(database: Database) -> list[int]:
    """What the consumer took, in the order of positions."""
    with database.read() as connection:
        return list(connection.execute(sa.select(seen.c.n).order_by(seen.c.position)).scalars())
