"""Many cases that share a cause are one incident, decided once by a person, its cause first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

GATHERED_FROM = 5
"""From so many open cases of one cause on, only the first may open an order by itself; the others wait together."""
MANY = 100
"""Cases of one cause are counted up to here: one of thousands asks nobody to count them all."""
GATEWAY = "gateway"
"""The kind of incident that its gateway ends, not the last of its cases."""


@dataclass(frozen=True, slots=True)
class Member:
    """A case of an incident; `since` is when its own trouble began."""

    case: str
    since: datetime


def cause_of(members: Sequence[Member]) -> str | None:
    """The case whose trouble began first."""
    return min(members, key=lambda m: (m.since, m.case)).case if members else None


def how_many(of: int) -> str:
    """A count of cases in words."""
    return f"{of} machines" if of < MANY else f"{MANY} machines or more"


def waits(of: int) -> bool:
    """Whether a case that is not the cause waits for the incident's one decision; `of` counts the open cases."""
    return of >= GATHERED_FROM
