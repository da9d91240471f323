"""The life of a command at the platform: its states, and how old it is whatever any clock says."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.commands import GRANT_S

FIRST_AGAIN_S, LONGEST_AGAIN_S = 5.0, 60.0
"""An offer without an answer is sent again after so long, then after twice that, and so on."""
ANSWER_S = 60.0
"""A command that may have begun is waited for so long after its end, then it counts as unanswered."""
WALL_SLACK_S = 5.0


class State(StrEnum):
    """Where a command is."""

    WAITING = "waiting_approval"
    QUEUED = "queued"
    OFFERED = "offered"
    GRANTED = "granted"
    """It may begin from here on."""
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"
    """It never began, and never will."""
    NO_ANSWER = "no_answer"
    """It was granted, and nobody knows whether it began; a late answer is still taken."""
    CANCELLED = "cancelled"


BEFORE_GRANT = (State.WAITING, State.QUEUED, State.OFFERED)
ON_THE_WAY = (State.QUEUED, State.OFFERED, State.GRANTED, State.STARTED)
LIVE = (State.WAITING, *ON_THE_WAY)
MAY_STILL_END = (*ON_THE_WAY, State.NO_ANSWER)


@dataclass(frozen=True, slots=True)
class Since:
    """A moment on the clock of one start of one computer (plumbing.boot_clock)."""

    boot: str
    seconds: float


def age(issued: Since, wall_s: float, now: Since) -> float | None:
    """Seconds since a command was issued, at least; None where nothing proves it.

    Parameters
    ----------
    issued
        When it was issued (or seen to be new), by the clock of a computer's start.
    wall_s
        What the wall clock says; it counts where it says more: it is right about a machine that was frozen, and where
        it is wrong the command ends early, never late.
    now
        This computer's clock.
    """
    if issued.boot != now.boot or now.seconds < issued.seconds:
        return None
    return max(now.seconds - issued.seconds, wall_s - WALL_SLACK_S)


def valid_s(lifetime_s: float, age_s: float) -> float:
    """What a grant may say: the rest of the lifetime, at most GRANT_S; not above 0 = it is over."""
    return min(lifetime_s - age_s, GRANT_S)


def again_s(attempts: int) -> float:
    """Pause until the next offer after so many."""
    return min(FIRST_AGAIN_S * 2.0 ** min(max(attempts - 1, 0), 10), LONGEST_AGAIN_S)
