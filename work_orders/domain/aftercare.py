"""After the job: whether it stayed fixed, told by telemetry, and what the customer says of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

CHECK_DAYS = (7, 30)
ASK_WITHIN = timedelta(hours=24)
"""A survey is asked within so long of the completion, or never."""
ANSWER_WITHIN = timedelta(days=14)
ASKED_AT_MOST_EVERY = timedelta(days=30)
"""Of one customer, however many jobs he had."""
DETRACTOR, PROMOTER = 6, 9
"""Up to 6 and from 9 on, on the scale of 0 to 10 (Reichheld 2003)."""


class Verdict(StrEnum):
    """What telemetry says of a repair."""

    STAYED_FIXED = "stayed_fixed"
    CAME_BACK = "came_back"
    UNKNOWN = "unknown"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Since:
    """What happened at the component since the repair; `heard` = any reading came."""

    alarms: int
    breakdowns: int
    heard: bool


def judge(since: Since) -> tuple[Verdict, str]:
    """The verdict and why. A machine that says nothing proves nothing."""
    if since.breakdowns:
        return Verdict.CAME_BACK, "it broke down again"
    if since.alarms:
        n = since.alarms
        return Verdict.CAME_BACK, f"{n} forecast{'s' if n > 1 else ''} of the same component came in since"
    if not since.heard:
        return Verdict.UNKNOWN, "nothing was heard from the machine since"
    return Verdict.STAYED_FIXED, "no alarm of the component since"


def may_ask(now: datetime, completed_at: datetime, last_asked: datetime | None) -> bool:
    """Whether a survey may be asked now."""
    if not completed_at <= now <= completed_at + ASK_WITHIN:
        return False
    return last_asked is None or now - last_asked >= ASKED_AT_MOST_EVERY


def promoter_score(scores: list[int]) -> float | None:
    """NPS: share of promoters less share of detractors, -100 to 100; None = nobody answered."""
    if not scores:
        return None
    good, bad = sum(s >= PROMOTER for s in scores), sum(s <= DETRACTOR for s in scores)
    return 100.0 * (good - bad) / len(scores)
