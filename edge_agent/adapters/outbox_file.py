"""The file below an outbox: how it is opened, what stands in it besides samples, what its errors mean."""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from edge_agent.adapters.carving import PAGE, checksum
from edge_agent.domain.farewell import Farewell
from edge_agent.service import EdgeAgentError, OutboxDamaged, OutboxUnwritable

LOG_BYTES = 4_000_000
CHECKED_BYTES = 32_000_000
"""A file up to this size is looked at whole when it is opened (0.1 s)."""
_LOCK_WAIT_S = 2.0
_UNWRITABLE = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOLFS,
}  # fmt: skip
_UNREAD = {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ}
_MARK = b"book"
_MAGIC = b"SQLite format 3\0"
_ROWS_AT_ONCE = 1000
SCHEMA = """
create table if not exists samples(
    seq integer primary key, aged integer not null, body blob not null, units blob, crc integer not null
);
create table if not exists dropped(first integer primary key, last integer not null, reason text not null);
create table if not exists times(slot integer primary key, number integer not null, us integer not null);
create table if not exists book(id integer primary key, body blob not null);
create table if not exists spare(id integer primary key, body blob not null);
"""


class OutboxInUse(EdgeAgentError):
    """Another process has this outbox open."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another process uses the outbox {path}")
        self.path = path


class OutboxBroken(EdgeAgentError):
    """The file cannot be opened, or is another kind of file."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"the outbox {path} cannot be used: {detail}. Move it away to begin a new one")
        self.path, self.detail = path, detail


class Lost(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the last damage to an outbox cost: where the file is kept, why, and what was got out of it."""

    set_aside: str
    why: str
    salvaged: int
    unreadable: int
    """Numbers that are known to be gone; those that the platform had stored before are among them."""
    positions_lost: bool = False


class Book(msgspec.Struct, omit_defaults=True):
    """What an outbox knows besides its samples; written with every commit, in two places."""

    boot_id: str
    commits: int = 0
    last: int = 0
    through: int = 0
    ran: float = 0.0
    """Seconds that agents ran with this outbox."""
    count: int = 0
    size: int = 0
    """Bytes of all samples."""
    known: int | None = None
    """The newest number that can have been sent before an opening whose first question was not answered yet."""
    positions: dict[str, str] = {}
    farewells: list[Farewell] = []
    lost: Lost | None = None

    def encoded(self) -> bytes:
        """As it is kept."""
        body = msgspec.json.encode(self)
        return _MARK + zlib.crc32(body).to_bytes(4, "big") + body


def read_book(kept: object) -> Book | None:
    """A book as `Book.encoded` gave it; None for anything else."""
    if not isinstance(kept, bytes) or kept[:4] != _MARK or zlib.crc32(kept[8:]).to_bytes(4, "big") != kept[4:8]:
        return None
    try:
        return msgspec.json.decode(kept[8:], type=Book)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for one process alone; made where it is missing.

    Raises
    ------
    OutboxInUse, OutboxBroken, sqlite3.Error
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as failure:
        raise OutboxBroken(path, str(failure)) from failure
    try:
        db.execute(f"PRAGMA page_size={PAGE}")
        # exclusive before the first read: then no second process gets in, and none is missed after a kill
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "cache_size=-2000"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("PRAGMA secure_delete=FAST")
        db.execute("PRAGMA wal_autocheckpoint=250")
        db.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
        db.execute("begin immediate")
        db.execute("commit")
    except sqlite3.Error as failure:
        db.close()
        if getattr(failure, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise OutboxInUse(path) from failure
        raise
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def told(path: Path, doing: str) -> Iterator[None]:
    """Say what an error of the database means: OutboxUnwritable, or OutboxDamaged."""
    try:
        yield
    except (sqlite3.Error, UnicodeError, OverflowError) as failure:  # Python's own: texts and numbers of no sense
        code = getattr(failure, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _UNWRITABLE and code not in _UNREAD:
            raise OutboxUnwritable(f"the outbox {path} cannot be {doing}: {failure}") from failure
        raise OutboxDamaged(f"the outbox {path} is damaged: {failure}") from failure


@contextmanager
def transaction(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All or nothing, on the disk when it ends. Raises OutboxUnwritable or OutboxDamaged."""
    with told(path, "written"):
        try:
            db.execute("begin immediate")
            yield
            db.execute("commit")
        finally:
            if db.in_transaction:
                db.execute("rollback")


def tables(db: sqlite3.Connection) -> set[str]:
    """Names of the tables in the file."""
    return {str(name) for (name,) in db.execute("select name from sqlite_master where type = 'table'")}


def upgrade(db: sqlite3.Connection) -> Book | None:
    """Bring a file of the first kind (facts and positions in tables, samples without a checksum) to this one."""
    if "facts" not in tables(db):
        return None
    facts = dict(db.execute("select name, value from facts"))
    positions = dict(db.execute("select driver, position from positions"))
    db.execute("alter table samples rename to old_samples")
    for statement in SCHEMA.split(";"):
        db.execute(statement)
    count = size = 0
    rows = db.execute("select seq, aged, body, units from old_samples order by seq")
    while some := rows.fetchmany(_ROWS_AT_ONCE):
        db.executemany("insert into samples values (?, ?, ?, ?, ?)", ((*row, checksum(*row)) for row in some))
        count += len(some)
        size += sum(len(body) + len(units or b"") for _, _, body, units in some)
    for table in ("old_samples", "facts", "positions"):
        db.execute(f"drop table {table}")
    return Book(
        str(facts["boot_id"]), 0, int(facts.get("last", 0)), 0, float(facts.get("ran", 0.0)), count, size,
        positions=positions,
    )  # fmt: skip


def refuse_other_kinds(path: Path) -> None:
    """Raises OutboxBroken for a file that was never an outbox: text, which people write. Nothing is renamed then."""
    try:
        with path.open("rb") as file:
            begin = file.read(PAGE)
    except OSError as failure:
        raise OutboxBroken(path, str(failure)) from failure
    if len(begin) > len(_MAGIC) and b"\0" not in begin and begin[: len(_MAGIC)] != _MAGIC:
        raise OutboxBroken(path, "file is not a database")


def fault(db: sqlite3.Connection, path: Path) -> str:
    """What SQLite itself finds amiss with a file that is small enough to look at whole; "" = nothing."""
    if path.stat().st_size > CHECKED_BYTES:
        return ""
    found = db.execute("PRAGMA quick_check(1)").fetchone()
    return "" if found == ("ok",) else str(found)


def cut_short(path: Path) -> bool:
    """Whether the file is shorter than its header says, with no log that has the rest."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        return False
    with path.open("rb") as file:
        pages = int.from_bytes(file.read(32)[28:32], "big")
    return path.stat().st_size < pages * PAGE
