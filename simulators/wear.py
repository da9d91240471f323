"""How a part wears, and what happened to the machine: facts from which its whole life can be computed again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What can happen to a machine."""

    FAILED = "failed"
    """It broke down and stands still."""
    STOPPED = "stopped"
    """Somebody switched it off, to work on it."""
    STARTED = "started"
    REPAIRED = "repaired"
    """The component was replaced; the machine may run again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact in a machine's life, at a time of the tenant's clock (aware UTC)."""

    at: datetime
    kind: Kind
    component: str = ""


@dataclass(frozen=True, slots=True)
class Wear:
    """A part that gets worse with every running hour, exponentially, from slot `begins` until it fails at slot `fails`.

    `folding` is the number of running hours in which the damage grows by the factor e. Damage is 0 up to `begins`
    and 1 at `fails`.
    """

    component: str
    begins: int
    fails: int
    folding: float


@dataclass(frozen=True, slots=True)
class Stuck:
    """A sensor that gives the reading of slot `begins` again and again until slot `ends`; the machine is well."""

    signal: str
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Spell:
    """Something outside the machine that looks like wear of a part from slot `begins` until slot `ends`.

    It grows as wear does that would reach 1 at slot `full`, up to `top`, and then it is gone. The part itself is well:
    nothing fails, and who opens the machine finds nothing.
    """

    component: str
    begins: int
    full: int
    folding: float
    top: float
    ends: int


def down_spans(events: Iterable[Event]) -> list[tuple[datetime, datetime | None]]:
    """Times in which the machine stands still for a reason other than its schedule: [from, until), None = still."""
    spans: list[tuple[datetime, datetime | None]] = []
    since: datetime | None = None
    for event in sorted(events, key=lambda e: e.at):
        down = event.kind in (Kind.FAILED, Kind.STOPPED)
        if down and since is None:
            since = event.at
        elif not down and since is not None:
            spans.append((since, event.at))
            since = None
    if since is not None:
        spans.append((since, None))
    return spans
