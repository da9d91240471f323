"""The durable log between services: rows of one table, positions visible in commit order.

SQLite lets one writer in at a time; on PostgreSQL an appender holds the topic's lock until it commits, so a position
is given only after all earlier ones are visible, and no reader ever passes one that commits later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

import sqlalchemy as sa

from contracts.records import BLOCKS, NOTICES
from plumbing.sql import UtcTime, lock

KEEP_BLOCKS = timedelta(days=3)
REMOVED = "(removed)"
"""Name under which the newest removed position stands among the consumers."""

metadata = sa.MetaData()
entries = sa.Table(
    "log_entries",
    metadata,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("topic", sa.String(64), nullable=False),
    sa.Column("key", sa.String(200), nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Index("log_entries_by_topic", "topic", "position"),
    sqlite_autoincrement=True,
)
consumers = sa.Table(
    "log_consumers",
    metadata,
    sa.Column("consumer", sa.String(64), primary_key=True),
    sa.Column("topic", sa.String(64), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)
_ENTER = entries.insert()


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of the log."""

    position: int
    tenant: str
    key: str
    payload: bytes


class BehindTheLog(Exception):
    """The consumer's next entries are no longer kept: it must catch up from the store. `oldest` is what is kept."""

    def __init__(self, consumer: str, topic: str, position: int, oldest: int) -> None:
        super().__init__(f"{consumer} stands at {position} of {topic}, the oldest entry kept is {oldest}")
        self.position, self.oldest = position, oldest


def append(connection: sa.Connection, tenant: str, topic: str, key: str, payload: bytes, wall: datetime) -> None:
    """Append inside the caller's own transaction; `wall` is wall time (for retention only)."""
    append_all(connection, tenant, [(topic, key, payload)], wall)


def append_all(
    connection: sa.Connection, tenant: str, messages: Sequence[tuple[str, str, bytes]], wall: datetime
) -> None:
    """Append (topic, key, payload) one after another; who appends to several topics names them in order, so that no
    two wait in a ring for each other's topic."""
    for topic in dict.fromkeys(topic for topic, _, _ in messages):
        lock(connection, f"log:{topic}")
    if messages:
        rows = [{"tenant": tenant, "topic": t, "key": k, "payload": p, "at": wall} for t, k, p in messages]
        connection.execute(_ENTER, rows)


def read(connection: sa.Connection, topic: str, after: int, limit: int = 100) -> Sequence[Entry]:
    """The next entries of a topic, oldest first."""
    rows = connection.execute(
        sa.select(entries.c.position, entries.c.tenant, entries.c.key, entries.c.payload)
        .where(entries.c.topic == topic, entries.c.position > after)
        .order_by(entries.c.position)
        .limit(limit)
    )
    return [Entry(*row) for row in rows]


def position(connection: sa.Connection, consumer: str, topic: str) -> int:
    """Where a consumer stands; 0 for a new one."""
    row = connection.execute(
        sa.select(consumers.c.position).where(consumers.c.consumer == consumer, consumers.c.topic == topic)
    ).scalar()
    return int(row or 0)


def advance(connection: sa.Connection, consumer: str, topic: str, to: int) -> None:
    """Move a consumer on, inside its own transaction; never back. `to=0` puts a new consumer on record."""
    where = (consumers.c.consumer == consumer, consumers.c.topic == topic)
    further = consumers.update().where(*where, consumers.c.position < to).values(position=to)
    if connection.execute(further).rowcount:
        return
    if connection.execute(sa.select(consumers.c.position).where(*where)).first() is not None:
        return
    try:
        with connection.begin_nested():
            connection.execute(consumers.insert().values(consumer=consumer, topic=topic, position=to))
    except sa.exc.IntegrityError:  # another process was first
        connection.execute(further)


def check_kept(connection: sa.Connection, consumer: str, topic: str) -> None:
    """Raises BehindTheLog when entries that the consumer has not read were removed. Call it after `read`."""
    at = position(connection, consumer, topic)
    removed = position(connection, REMOVED, topic)
    if at < removed:
        raise BehindTheLog(consumer, topic, at, removed + 1)


def clean(connection: sa.Connection, topic: str, wall: datetime, limit: int = 1000) -> int:
    """Remove what is no longer kept: blocks after 3 days, other topics once every known consumer has passed.

    Nothing of ours reads `notices`: as long as nobody does, they are kept as long as blocks.

    Returns the number of entries removed, at most `limit`, the oldest first: call it again while it is not 0.
    """
    oldest = sa.select(entries.c.position, entries.c.at).where(entries.c.topic == topic)
    passed = connection.execute(
        sa.select(sa.func.min(consumers.c.position)).where(consumers.c.topic == topic, consumers.c.consumer != REMOVED)
    ).scalar()
    if topic == BLOCKS or (topic == NOTICES and passed is None):
        until = wall - KEEP_BLOCKS
    elif not passed:
        return 0
    else:
        oldest = oldest.where(entries.c.position <= passed)
        until = None
    rows = connection.execute(oldest.order_by(entries.c.position).limit(limit)).all()
    gone = [at for at, written in takewhile(lambda row: until is None or row.at < until, rows)]
    if not gone:
        return 0
    connection.execute(entries.delete().where(entries.c.topic == topic, entries.c.position <= gone[-1]))
    advance(connection, REMOVED, topic, gone[-1])
    return len(gone)
