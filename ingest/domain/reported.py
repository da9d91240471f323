"""What an agent says of itself in its `state`: what its disk did not take, what a damage cost, what is wrong.

It is device health, never machine health. A field that is not as it should be counts as not said.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LONGEST = 300


@dataclass(frozen=True, slots=True)
class Reported:
    """One agent's own words and counts.

    Attributes
    ----------
    problem
        What is wrong now, "" = nothing.
    waiting, backlog
        Samples in its outbox, and those of them that come behind what is new.
    refused_too_large
        Readings that were larger than a message may be.
    not_taken, not_taken_first, not_taken_last
        Readings that never got a number, since the disk did not take them and memory was full; when they were made.
    set_aside, why, salvaged, unreadable
        The last damage to its outbox: where the file is kept, what was wrong, how many samples were got out of it and
        how many numbers are known to be gone.
    """

    problem: str = ""
    waiting: int = 0
    backlog: int = 0
    refused_too_large: int = 0
    not_taken: int = 0
    not_taken_first: str = ""
    not_taken_last: str = ""
    set_aside: str = ""
    why: str = ""
    salvaged: int = 0
    unreadable: int = 0


def reported(health: Mapping[str, object]) -> Reported:
    """Read the `health` of a state."""
    taken = health.get("not_taken")
    lacking: Mapping[object, object] = taken if isinstance(taken, dict) else {}
    return Reported(
        _text(health.get("problem")), _count(health.get("waiting")), _count(health.get("backlog")),
        _count(health.get("refused_too_large")), _count(lacking.get("samples")), _text(lacking.get("first")),
        _text(lacking.get("last")), _text(health.get("set_aside")), _text(health.get("why")),
        _count(health.get("salvaged")), _count(health.get("unreadable")),
    )  # fmt: skip


def _text(told: object) -> str:
    return "".join(c for c in told[:LONGEST] if c.isprintable()) if isinstance(told, str) else ""


def _count(told: object) -> int:
    return told if type(told) is int and 0 <= told < 1 << 53 else 0
