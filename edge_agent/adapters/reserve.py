"""Bytes kept on the disk for the day it is full: an outbox must be written to become smaller."""

import os
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 4_000_000
"""Enough to bring the write-ahead log into the file and to note what is settled."""
PART = 16
"""Of a small outbox one part in so many."""


class Reserve:
    """A file beside the outbox that is given up when the disk is full, and made again when there is room."""

    def __init__(self, path: Path, of_bytes: int) -> None:
        self._path = path.with_name(path.name + ".reserve") if path.name != ":memory:" else None
        self._bytes = min(MOST_BYTES, of_bytes // PART)
        self._there = False

    def keep(self) -> None:
        """Make it where it is not; nothing happens where there is no room for twice of it."""
        if self._there or self._path is None:
            return
        with suppress(OSError):
            disk = os.statvfs(self._path.parent)
            if self._path.exists() and self._path.stat().st_size == self._bytes:
                self._there = True
            elif disk.f_bavail * disk.f_frsize > 2 * self._bytes:
                handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
                try:
                    os.posix_fallocate(handle, 0, max(1, self._bytes))
                    self._there = True
                finally:
                    os.close(handle)

    def free(self) -> None:
        """Give it up."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            self._there = False
