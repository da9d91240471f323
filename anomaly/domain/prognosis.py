"""Remaining life by one of three ways, chosen by what is on record.

- `path`: no failures on record. The degradation path and its first passage of the failure limit (passage.py).
- `learned`: failures on record and signals. Boosted trees fitted on past lives (learned_life.py).
- `events`: failures on record, but only logs of errors, maintenance and age.

Each way looks at what was seen of one machine and answers with a life, or says what it lacks: "no trend yet", "needs
about 12 more hours". The first way in order of trust that knows a life is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from anomaly.domain.forecast import P_FAIL_HOURS, RISK_HOURS, Life, life_of
from anomaly.domain.health import Course, passage_of
from anomaly.domain.layout import Array
from anomaly.domain.trend import FEWEST
from contracts.asset_model import AssetModel

NO_TREND = "no trend yet"
NOT_ON_RECORD = "nothing on record"
PATH, LEARNED, EVENTS = "path", "learned", "events"
ORDER = (LEARNED, EVENTS, PATH)
"""Ways by how far they are trusted where several know a life."""

Seen = TypeVar("Seen", contravariant=True)


@dataclass(frozen=True, slots=True)
class Prognosis:
    """What one way says of one machine."""

    way: str
    life: Life | None
    """None = not known, for the reason in `answer`."""
    answer: str = ""
    """A few words for people: empty where a life is given."""
    more_hours: float | None = None
    """How much longer it has to be watched before this way can say more; None = cannot be said."""


class Way(Protocol[Seen]):
    """One way of telling remaining life."""

    @property
    def name(self) -> str:
        """One of `ORDER`."""
        ...

    def prognose(self, seen: Seen) -> Prognosis:
        """The remaining life by what was seen, or what is lacking."""
        ...


@dataclass(frozen=True, slots=True)
class Walked:
    """What the way of the path looks at: how far the machine has come."""

    course: Course | None
    """None = the signals of the failure mode cannot be read."""
    hours: Array
    """Running hours of the steps of the path, the last one now."""
    duty: float
    """Share of the time that it runs."""
    window_steps: int


@dataclass(frozen=True, slots=True)
class PathWay:
    """First passage of the failure limit by the degradation path: needs no failure on record."""

    model: AssetModel
    name: str = PATH

    def prognose(self, seen: Walked) -> Prognosis:
        """The life by first passage; without one, whether a trend is lacking or time."""
        if seen.course is None:
            return Prognosis(PATH, None, NOT_ON_RECORD)
        lacking = FEWEST - len(seen.course.path)
        if lacking > 0:
            return needs(PATH, lacking * self.model.prognosis.every_hours / max(seen.duty, 0.05))
        passage = passage_of(seen.course, seen.hours, self.model, seen.window_steps)
        if passage is None:
            return Prognosis(PATH, None, NO_TREND)
        return Prognosis(PATH, life_of(passage, seen.duty, self.model))


def needs(way: str, hours: float) -> Prognosis:
    """The answer of a way that has seen too little."""
    return Prognosis(way, None, f"needs about {hours:.0f} more hour{'' if round(hours) == 1 else 's'}", hours)


def chosen(said: Sequence[Prognosis]) -> Prognosis:
    """The prognosis to go by: the most trusted one that knows a life, else the one that soonest may.

    Parameters
    ----------
    said
        What each way that is available says of the machine, in any order.
    """
    ranked = sorted(said, key=lambda one: ORDER.index(one.way))
    for one in ranked:
        if one.life is not None:
            return one
    waiting = [one for one in ranked if one.more_hours is not None]
    if waiting:
        return min(waiting, key=lambda one: one.more_hours or 0.0)
    return next((one for one in ranked if one.answer == NO_TREND), Prognosis(PATH, None, NOT_ON_RECORD))


def risk_hours(horizon: float) -> tuple[float, ...]:
    """Hours at which a life states its risk: what is shown, and what decisions look at."""
    return tuple(sorted({*map(float, RISK_HOURS), *P_FAIL_HOURS.values(), horizon, 1.5 * horizon, 2.0 * horizon}))
