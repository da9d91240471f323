"""After the job: whether it stayed fixed, told by telemetry, and what the customer says of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

CHECK_DAYS = (7, 30)
MENDED = ("true", "prevented", "missed")
"""Results of a finding after which something was mended."""
SETTLING = timedelta(hours=24)
"""An alarm has so long to end after the repair; what is forecast from later readings says that it did not hold."""
PUT_OFF = timedelta(days=1)
PUT_OFF_AT_MOST = timedelta(days=7)
"""A check of a machine that says too little is put off by days, so long, then nobody can say."""
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
class Compared:
    """The signal that carried the alarm: before the repair, what was expected then, and in the last day."""

    title: str
    unit: str
    before: float
    expected: float
    now: float

    @property
    def went_back(self) -> bool:
        """Whether it came at least half of the way back to what was expected."""
        off = self.before - self.expected
        return off == 0 or (self.now - self.expected) / off < 0.5

    @property
    def words(self) -> str:
        """Both figures."""
        return f"{self.title} {self.now:.3g} {self.unit}, {self.before:.3g} before the repair"


@dataclass(frozen=True, slots=True)
class Since:
    """What happened at the component since the repair, `heard_on` of so many whole `days`; `lately` = in the last one.

    `alarms` = forecasts of new alarms, and those of the old one that rest on readings from after it had time to settle;
    `health` = by the newest of them and by the last one before the repair, 0 to 100.
    """

    alarms: int
    breakdowns: int
    heard_on: int
    days: int
    lately: bool
    compared: Compared | None = None
    health: tuple[float, float] | None = None


def judge(since: Since) -> tuple[Verdict | None, str]:
    """The verdict and why; None = too little was heard to say. A machine that says nothing proves nothing."""
    if since.breakdowns:
        return Verdict.CAME_BACK, "it broke down again"
    if since.alarms:
        n, health = since.alarms, since.health
        why = f"{n} forecast{'s' if n > 1 else ''} of the same component came in since"
        return Verdict.CAME_BACK, why + (f", health {health[0]:.0f}, {health[1]:.0f} before" if health else "")
    if not since.heard_on:
        return None, "nothing was heard from the machine since"
    if not since.lately or 2 * since.heard_on <= since.days:
        silent = "" if since.lately else ", not in the last one"
        return None, f"the machine was heard on {since.heard_on} of {since.days} days only{silent}"
    if since.compared is None:
        return Verdict.STAYED_FIXED, "no alarm of the component since"
    if not since.compared.went_back:
        return Verdict.UNKNOWN, f"no alarm of the component since, but {since.compared.words}"
    return Verdict.STAYED_FIXED, f"no alarm of the component since, {since.compared.words}"


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
