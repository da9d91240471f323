"""Many cases that share a cause are one incident, decided once by a person, its cause first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

GATHERED_FROM = 5
"""From so many open cases of one cause on, only the first may open an order by itself; the others wait together."""


@dataclass(frozen=True, slots=True)
class Member:
    """A case of an incident; `since` is when its own trouble began."""

    case: str
    since: datetime


def cause_of(members: Sequence[Member]) -> str | None:
    """The case whose trouble began first."""
    return min(members, key=lambda m: (m.since, m.case)).case if members else None


def waits(of: int) -> bool:
    """Whether a case that is not the cause waits for the incident's one decision; `of` counts the open cases."""
    return of >= GATHERED_FROM
