"""A source that remembers its newest values, and whose pace a command can set."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from edge_agent.domain.driving import Batch, Cell


class Source(Protocol):
    """What is observed: a driver."""

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch: ...
    def close(self) -> None: ...


@runtime_checkable
class Sampled(Protocol):
    """A driver that can be asked at any time: it gives values of this moment."""

    def sample(self, now: float) -> dict[str, float]: ...


@runtime_checkable
class Paced(Protocol):
    """A driver whose own pace can be set."""

    def set_every(self, seconds: float) -> None: ...


@runtime_checkable
class Actuating(Protocol):
    """A driver with outputs; `actuate` raises OSError in words."""

    outputs: Sequence[str]

    def actuate(self, output: str, on: bool) -> None: ...


class Observed:
    """Passes on what its driver gives. `switched` tells when a signal was read true after it had not been."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problem = ""
        self.values: dict[str, tuple[Cell, float]] = {}
        self.switched: dict[str, float] = {}
        self._every = 0.0
        self._due = float("-inf")

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        """What there is to read, not sooner than the pace that a command has set."""
        if self._every and now < self._due:
            return Batch([], position, self._due, self.problem)
        batch = self.source.poll(position, at, now, room)
        for reading in batch.readings:
            for name, value in reading.values.items():
                before = self.values.get(name)
                if _is_on(value) and not (before is not None and _is_on(before[0])):
                    self.switched[name] = now
                self.values[name] = (value, now)
        self.problem = batch.problem
        if not self._every or not batch.readings:
            return batch
        self._due = max(batch.due, now + self._every)
        return Batch(batch.readings, batch.position, self._due, batch.problem)

    def set_every(self, seconds: float) -> None:
        """Read every so many seconds from now on; a source that has no pace of its own can only be slowed."""
        if isinstance(self.source, Paced):
            self.source.set_every(seconds)
        else:
            self._every, self._due = seconds, float("-inf")

    def close(self) -> None:
        """Let go of the source."""
        self.source.close()


def _is_on(value: Cell) -> bool:
    return isinstance(value, bool | int | float) and value != 0 and value == value
