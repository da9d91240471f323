"""Readings that the disk does not take at the moment: the newest that fit, and an account of the others."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from edge_agent.domain.driving import Reading

READING_BYTES = 300
"""What a reading needs in memory besides its values, roughly."""
VALUE_BYTES = 100


@dataclass
class NotTaken:
    """Readings that were made and never got a number: how many, from when to when (as the source says it)."""

    samples: int = 0
    first: str = ""
    last: str = ""

    def add(self, reading: Reading) -> None:
        """Count one."""
        self.first = self.first or str(reading.t)
        self.last = str(reading.t)
        self.samples += 1


class Held:
    """Readings in memory, oldest first, at most `most` bytes of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._readings: deque[Reading] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._readings)

    def first(self, most: int) -> list[Reading]:
        """The oldest ones."""
        return list(islice(self._readings, most))

    def put(self, readings: Iterable[Reading], lost: NotTaken) -> None:
        """Put readings in; the oldest go where there is no room, into the account `lost`."""
        for reading in readings:
            self._readings.append(reading)
            self._bytes += _size(reading)
            while self._bytes > self._most and self._readings:
                oldest = self._readings.popleft()
                self._bytes -= _size(oldest)
                lost.add(oldest)

    def drop(self, n: int) -> None:
        """Forget the n oldest: the disk has them."""
        for _ in range(n):
            self._bytes -= _size(self._readings.popleft())


def _size(reading: Reading) -> int:
    texts = sum(len(value) for value in reading.values.values() if isinstance(value, str))
    return READING_BYTES + VALUE_BYTES * len(reading.values) + texts
