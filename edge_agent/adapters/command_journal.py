"""Which commands have begun, and how they ended: one SQLite file beside the outbox, written through to the disk."""

import sqlite3
from pathlib import Path

import msgspec

from contracts.commands import VERSION, Result
from edge_agent.domain.commands import JournalUnwritable
from edge_agent.service import EdgeAgentError

KEPT = 10_000
"""Commands that are remembered; what is forgotten could begin again only with a fresh grant of the platform."""
KEPT_ANSWERS = 200
"""Of so many the whole answer is kept, of older ones how they ended."""
_SCHEMA = """
create table if not exists commands(
    number integer primary key autoincrement, id text unique not null, name text not null, result blob
);
create table if not exists sampling(source text primary key, seconds real not null)
"""
_decode = msgspec.json.Decoder(Result).decode


class JournalBroken(EdgeAgentError):
    """The file cannot be opened, or is no journal: no command can be taken."""


class SqliteJournal:
    """One journal file. Used by one thread. Raises JournalBroken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-200"):
                self._db.execute(f"PRAGMA {pragma}")
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
        except (OSError, sqlite3.Error) as failure:
            raise JournalBroken(f"the command journal {path} cannot be used: {failure}") from failure

    def ended(self, id: str) -> Result | None:
        """How a command ended; `started` while it runs, None for one that never began."""
        row = self._db.execute("select result from commands where id = ?", (id,)).fetchone()
        if row is None:
            return None
        return Result(VERSION, id, "started") if row[0] is None else _decode(row[0])

    def begin(self, id: str, name: str) -> None:
        """Write down that it begins."""
        self._write("insert into commands(id, name) values (?, ?)", (id, name))

    def end(self, result: Result) -> None:
        """Write down how it ended; old answers are cut to that, the oldest forgotten."""
        self._write("update commands set result = ? where id = ?", (msgspec.json.encode(result), result.id))
        (newest,) = self._db.execute("select max(number) from commands").fetchone()
        self._write("delete from commands where number <= ? and result is not null", ((newest or 0) - KEPT,))
        until = (newest or 0) - KEPT_ANSWERS
        long = "select id, result from commands where number <= ? and length(result) > 300"
        old = self._db.execute(long, (until,)).fetchall()
        for id, body in old:
            short = msgspec.structs.replace(_decode(body), data={}, text="the answer is no longer kept")
            self._write("update commands set result = ? where id = ?", (msgspec.json.encode(short), id))

    def unfinished(self) -> list[str]:
        """Commands that have begun and not ended."""
        return [id for (id,) in self._db.execute("select id from commands where result is null order by number")]

    def keep_sampling(self, source: str, seconds: float) -> None:
        """Remember what a command set."""
        self._write("replace into sampling values (?, ?)", (source, seconds))

    def sampling(self) -> dict[str, float]:
        """What commands have set: seconds by source."""
        return dict(self._db.execute("select source, seconds from sampling"))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._db.execute(statement, values)
        except sqlite3.Error as failure:
            raise JournalUnwritable(f"the command journal {self._path} cannot be written: {failure}") from failure
