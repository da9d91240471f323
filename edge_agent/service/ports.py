"""What the agent needs of drivers, of its outbox and of the connection."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from contracts import wire
from edge_agent.domain.driving import Batch, Reading
from edge_agent.domain.farewell import Farewell
from edge_agent.domain.ranges import Range


class Driver(Protocol):
    """A source of readings. Used by one thread."""

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        """What there is to read.

        Parameters
        ----------
        position
            Where the outbox says that the driver stands ("" = at the beginning).
        at
            Wall time, aware UTC, for sources that have no time of their own.
        now
            Monotonic seconds.
        room
            Bytes that the outbox has for a source that can wait; such a one gives nothing when it is 0.
        """
        ...

    def close(self) -> None:
        """Let go of the source."""
        ...


class Row(Protocol):
    """A numbered sample, encoded, with its units where its driver has some."""

    @property
    def seq(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def units(self) -> bytes | None: ...


class Appended(Protocol):
    """What became of an append."""

    @property
    def refused(self) -> int: ...
    @property
    def gave_up(self) -> bool: ...


class EdgeAgentError(Exception):
    """Root of what the agent raises; the text says what happened, for people."""


class OutboxUnwritable(EdgeAgentError):
    """The outbox's disk did not take a write; nothing of it is kept."""


class OutboxDamaged(EdgeAgentError):
    """The outbox's file is not what was written; `salvage` goes on with what is readable."""


class Outbox(Protocol):
    """Samples on disk until they are settled.

    Every write raises OutboxUnwritable with nothing changed, everything OutboxDamaged.
    """

    @property
    def boot_id(self) -> str: ...
    @property
    def known(self) -> int: ...
    @property
    def confirmed(self) -> bool: ...
    @property
    def farewells(self) -> list[Farewell]: ...
    @property
    def health(self) -> dict[str, object]: ...
    @property
    def extent(self) -> Range: ...
    @property
    def waiting(self) -> int: ...
    @property
    def dropped(self) -> list[wire.Dropped]: ...
    def position(self, driver: str) -> str: ...
    def room(self) -> int: ...
    def append(
        self, driver: str, readings: Sequence[Reading], position: str, units: Mapping[str, str] | None = None
    ) -> Appended: ...
    def read(self, first: int, limit: int, until: int | None = None) -> Sequence[Row]: ...
    def settle(self, through: int, settled: Sequence[Range]) -> None: ...
    def give_up_missing(self, asked: Sequence[Range]) -> bool: ...
    def confirm(self) -> None: ...
    def begin_anew(self, through: int, settled: Sequence[Range]) -> None: ...
    def salvage(self, why: str) -> None: ...
    def answered(self, old: Farewell, settled: Sequence[Range]) -> None: ...
    def forget_farewell(self, old: Farewell) -> None: ...


class Publish(Protocol):
    """Hands a message to the connection; False when there is none."""

    def __call__(self, kind: str, body: bytes, retain: bool) -> bool: ...
