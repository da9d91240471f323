"""Rows that are kept: the newest few, or all of a healthy record; appending one costs no copy of the others."""

from dataclasses import dataclass, field

import numpy as np

from anomaly.domain.layout import Array

FIRST_ROWS = 64


def _none() -> Array:
    return np.zeros((0, 0))


@dataclass
class Trail:
    """The newest `keep` rows of one shape."""

    keep: int
    buffer: Array = field(default_factory=_none)
    end: int = 0

    @property
    def rows(self) -> Array:
        """Oldest first; a view, gone with the next append."""
        return self.buffer[max(0, self.end - self.keep) : self.end]

    def __len__(self) -> int:
        return min(self.end, self.keep)

    def append(self, row: Array) -> None:
        """Add the newest row."""
        if self.buffer.shape[1:] != row.shape or not len(self.buffer):
            self.buffer, self.end = np.zeros((2 * self.keep, *row.shape)), 0
        elif self.end >= len(self.buffer):
            self._begin_with(self.rows.copy())
        self.buffer[self.end] = row
        self.end += 1

    def replace(self, rows: Array) -> None:
        """Hold these rows instead."""
        if self.buffer.shape != (2 * self.keep, *rows.shape[1:]):
            self.buffer = np.zeros((2 * self.keep, *rows.shape[1:]))
        self._begin_with(rows[-self.keep :])

    def trimmed(self) -> "Trail":
        """The same without the room for more, for snapshots."""
        return Trail(self.keep, self.rows, len(self))

    def _begin_with(self, rows: Array) -> None:
        if len(self.buffer) < 2 * self.keep:
            self.buffer = np.zeros((2 * self.keep, *rows.shape[1:]))
        self.buffer[: len(rows)] = rows
        self.end = len(rows)


@dataclass
class Record:
    """All rows of a healthy record, of one width."""

    buffer: Array = field(default_factory=_none)
    count: int = 0

    @property
    def rows(self) -> Array:
        """Oldest first."""
        return self.buffer[: self.count]

    def __len__(self) -> int:
        return self.count

    def append(self, row: Array) -> None:
        """Add a row."""
        if self.count == len(self.buffer):
            grown = np.zeros((max(FIRST_ROWS, 2 * self.count), len(row)))
            if self.count:
                grown[: self.count] = self.rows
            self.buffer = grown
        self.buffer[self.count] = row
        self.count += 1

    def trimmed(self) -> "Record":
        """The same without the room for more, for snapshots."""
        return Record(self.rows, self.count)
