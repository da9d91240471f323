"""What a bad word of a customer leads to: somebody who sees to it, by a day, and what he did."""

from datetime import datetime, timedelta
from enum import StrEnum

from work_orders.domain.aftercare import DETRACTOR
from work_orders.domain.machine import Machine, Role, rules

BAD, SO_SO, HARD = 2, 3, 2
"""Satisfied up to 2 of 5 is bad; with 3 his words count; effort up to 2 of 7 was a lot."""


class FeedbackState(StrEnum):
    """Where it stands."""

    OPEN = "open"
    DONE = "done"


class FeedbackAction(StrEnum):
    """What is done with it."""

    GIVE = "give"
    FINISH = "finish"
    REOPEN = "reopen"


_S, _A = FeedbackState, FeedbackAction
_OFFICE = (Role.DISPATCHER, Role.ADMIN)
FEEDBACK = Machine(
    "feedback",
    rules(
        ((_S.OPEN,), _A.GIVE, _S.OPEN, _OFFICE),
        ((_S.OPEN,), _A.FINISH, _S.DONE, _OFFICE),
        ((_S.DONE,), _A.REOPEN, _S.OPEN, (Role.SYSTEM, *_OFFICE)),  # the customer says again that it is bad
    ),
)


def why_bad(satisfied: int, recommends: int | None, effort: int | None, words: str) -> str:
    """Why somebody must see to an answer; empty = nobody need."""
    reasons = []
    if satisfied <= BAD:
        reasons.append(f"satisfied: {satisfied} of 5")
    elif satisfied == SO_SO and words.strip():
        reasons.append(f"satisfied: {satisfied} of 5, and he says why")
    if recommends is not None and recommends <= DETRACTOR:
        reasons.append(f"would recommend us: {recommends} of 10")
    if effort is not None and effort <= HARD:
        reasons.append(f"it was a lot of effort for him: {effort} of 7")
    return "; ".join(reasons)


def due(now: datetime, days: int) -> datetime:
    """By when."""
    return now + timedelta(days=days)
