"""Bytes kept on the disk for the day it is full: an outbox must be written to become smaller."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_agent.adapters.outbox_file import told, transaction
from edge_agent.service import OutboxUnwritable

RESERVE_BYTES = 1_500_000
"""Enough to bring the write-ahead log (1 MB) into the file, which may have to grow for it, and to note what is
settled."""
FREE_PAGES = 64
"""Pages of the outbox that must be free for new samples while the disk is full."""


class Reserve:
    """A file beside the outbox that is given up when the disk is full, and made again when there is room."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".reserve") if path.name != ":memory:" else None
        self._there = False
        self.given = False
        """Whether the disk was full and it could not be made again since."""

    def keep(self) -> bool:
        """Make it where it is not and there is room for twice of it; whether it is there."""
        if self._there or self._path is None:
            return self._there
        with suppress(OSError):
            disk = os.statvfs(self._path.parent)
            if self._path.exists() and self._path.stat().st_size == RESERVE_BYTES:
                self._there = True
            elif disk.f_bavail * disk.f_frsize > 2 * RESERVE_BYTES:
                handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
                try:
                    os.posix_fallocate(handle, 0, RESERVE_BYTES)
                    self._there = True
                finally:
                    os.close(handle)
        self.given = self.given and not self._there
        return self._there

    def free(self) -> bool:
        """Give it up; True when there was something to give."""
        was, self._there = self._there, False
        self.given = self.given or was
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        return was

    @contextmanager
    def writing(self, db: sqlite3.Connection, path: Path) -> Iterator[None]:
        """A transaction; where the disk is full, the reserve is freed for the next one, and the log shortened."""
        try:
            with transaction(db, path):
                yield
        except OutboxUnwritable:
            if self.free():
                with suppress(sqlite3.Error):
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            raise
        self.keep()

    def refuse_on_full_disk(self, db: sqlite3.Connection, path: Path) -> None:
        """The reserve is not for new samples: they wait until there is room, on the disk or in the file."""
        if self.given and not self.keep():
            with told(path, "read"):
                free = db.execute("PRAGMA freelist_count").fetchone()[0]
            if free < FREE_PAGES:
                raise OutboxUnwritable(f"the outbox {path} cannot be written: the disk is full")
