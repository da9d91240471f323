"""SQL engines and units of work. On SQLite every unit of work that writes opens with BEGIN IMMEDIATE.

A transaction that reads first and writes later would fail at once under load there; readers have their own engine.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

BUSY_TIMEOUT_MS = 10_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_first: ContextVar[Callable[[sa.Connection], None] | None] = ContextVar("first", default=None)


def to_us(at: datetime) -> int:
    """Epoch microseconds of an aware time."""
    return (at - EPOCH) // _US


def from_us(us: int) -> datetime:
    """The aware UTC time of epoch microseconds."""
    return EPOCH + timedelta(microseconds=us)


def first(check: Callable[[sa.Connection], None]) -> None:
    """Have `check` begin the next transaction that this context opens to write: what it raises undoes all of it."""
    _first.set(check)


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC time, kept as epoch microseconds: exact, sortable, the same on every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else to_us(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else from_us(value)


class Database:
    """One SQL database: `write()` and `read()` give a connection inside a transaction."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.dialect = make_url(url).get_backend_name()
        if self.dialect == "sqlite":
            path = make_url(url).database
            if path and path != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._writer = self._engine("BEGIN IMMEDIATE")
        self._reader = self._engine("BEGIN") if self.dialect == "sqlite" else self._writer

    def _engine(self, begin: str) -> sa.Engine:
        if self.dialect != "sqlite":
            return sa.create_engine(self.url, pool_pre_ping=True, pool_size=10, max_overflow=20)
        made = sa.create_engine(self.url, connect_args={"check_same_thread": False}, pool_size=10, max_overflow=20)

        @sa.event.listens_for(made, "connect")
        def _connect(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            _journal_ahead(connection)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")

        @sa.event.listens_for(made, "begin")
        def _begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql(begin)

        return made

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that may write; committed at the end, rolled back on an exception."""
        with self._writer.begin() as connection:
            check = _first.get()
            if check is not None:
                _first.set(None)
                check(connection)
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads."""
        with self._reader.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A transaction that only reads, and of what is committed meanwhile sees nothing."""
        with self._reader.connect() as connection:
            if self.dialect == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self._writer.dispose()
        self._reader.dispose()


def _journal_ahead(connection: Any) -> None:
    """Turn the write-ahead log on. Two who do so at once on a new file are told "locked" without any wait: SQLite's
    busy timeout does not cover this step."""
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as wrong:
            if "locked" not in str(wrong) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def lock(connection: sa.Connection, name: str) -> None:
    """Hold the named lock until this transaction ends. SQLite writers are alone already."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
