"""The quiet log: why an odd day raised no alarm. One entry a machine and day, with the figures that it follows from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from anomaly.domain.following import Why
from contracts.asset_model import Detection
from contracts.detection_methods import BASELINE, CUSUM, LIMITS, SEASONAL

DAY_US = 86_400_000_000
ODD = 0.5
"""A score above this share of the threshold is worth a word."""
STATES = len(Why) + 1
SILENT = len(Why)
"""Index of the time without any row, beside those of `Why`."""
LONG_HOURS = 1.0
SILENT_HOURS = 6.0
BY = {
    BASELINE: "", LIMITS: " (a signal near a limit of its asset model)", CUSUM: " (small deviations that add up)",
    SEASONAL: " (a signal off its usual course)",
}  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Day:
    """What one day of one machine brought."""

    day: int = -1
    """Days since 1970-01-01 UTC; -1 = nothing yet."""
    hours: list[float] = field(default_factory=lambda: [0.0] * STATES)
    """Spent in each state of `Why`, and in silence."""
    peak: float = 0.0
    """Highest score; scores are multiples of the calibrated limit."""
    peak_us: int = -1
    odd_hours: float = 0.0
    """Above ODD of the threshold."""
    above_hours: float = 0.0
    """Above the threshold."""
    longest_hours: float = 0.0
    """The longest stretch above it without a break."""
    run_hours: float = 0.0
    noted_us: int = -1
    """Time of the newest row that was noted."""
    shelved_hours: float = 0.0
    """Above it while alarms waited."""
    after_hours: float = 0.0
    """Above it, too soon after an alarm had ended."""
    shelved_why: str = ""
    raised: bool = False
    """An alarm stood: the alarm tells the day."""
    hot: dict[str, float] = field(default_factory=dict)
    """Signals unusual as measured and usual for their load and ambient: furthest deviation, in healthy sigmas."""
    sensors: dict[str, str] = field(default_factory=dict)
    """Faulty sensors (empty = the device) and what was wrong."""
    by: str = BASELINE
    """The method that the highest score was by."""

    def note(
        self, t_us: int, before_us: int, lasted: float, score: float, threshold: float, shelved: str | None,
        after: bool, raised: bool, by: str = BASELINE,
    ) -> None:  # fmt: skip
        """One score worth a word, at its time; `lasted` hours since the row before it; `shelved` = why alarms wait."""
        if self.noted_us != before_us:
            self.run_hours = 0.0
        self.noted_us = t_us
        if score > self.peak:
            self.peak, self.peak_us, self.by = score, t_us, by
        self.odd_hours += lasted
        self.raised = self.raised or raised
        if score <= threshold:
            self.run_hours = 0.0
            return
        self.above_hours += lasted
        self.run_hours += lasted
        self.longest_hours = max(self.longest_hours, self.run_hours)
        if shelved is not None:
            self.shelved_hours += lasted
            self.shelved_why = shelved
        elif after:
            self.after_hours += lasted

    def is_odd(self) -> bool:
        """Whether it is worth an entry: something was odd, and no alarm tells of it."""
        outside = self.hours[Why.OUTSIDE_REGIMES] >= LONG_HOURS
        unread = self.hours[Why.NO_SIGNAL] >= LONG_HOURS or self.hours[SILENT] >= SILENT_HOURS
        return not self.raised and bool(self.peak or self.hot or self.sensors or outside or unread)


@dataclass(frozen=True, slots=True)
class QuietDay:
    """An odd day is over and raised nothing."""

    at_us: int
    day: Day


def date_of(day: int) -> str:
    """The date of a day since 1970, as YYYY-MM-DD."""
    return (EPOCH + timedelta(days=day)).date().isoformat()


def reason(day: Day, settings: Detection, titles: Mapping[str, str], says: Mapping[str, str]) -> str:
    """Why the day raised no alarm, in one sentence that follows from its figures.

    Parameters
    ----------
    titles
        What signals are called; a name that is missing stands for itself.
    says
        What kinds of sensor faults are called.
    """
    name = f"{EPOCH + timedelta(days=day.day):%A}"
    share = day.peak / settings.threshold
    rose = f"On {name} the score{BY[day.by]} rose to {share:.2g} of the limit"
    need = f"an alarm needs {settings.hold_hours:g} h and {settings.hold_samples} readings without a break"
    if day.shelved_hours > 0:
        return f"{rose}, but alarms waited while somebody worked on the machine ({day.shelved_why})."
    if day.after_hours > 0 and day.after_hours >= 0.5 * day.above_hours:
        pause = f"{settings.refractory_hours:g} h"
        return f"{rose}, but an alarm had ended within the {pause} before, in which none begins."
    if day.above_hours > 0:
        return f"{rose}, over it for {_hours(day.longest_hours)} at a time: not held long enough, {need}."
    if day.sensors:
        told = ", ".join(
            f"{titles.get(s, s) if s else 'the device'} {says.get(kind, kind)}" for s, kind in day.sensors.items()
        )
        rest = f"; the other signals came to {share:.2g} of the limit" if day.peak else ""
        return f"On {name} a sensor was faulty, not the machine: {told}. It was left out of the score{rest}."
    if day.peak and day.hot:
        return f"{rose} for {_hours(day.odd_hours)}; {_hot(day, titles)}, which load and ambient explain for the most."
    if day.peak:
        return f"{rose} for {_hours(day.odd_hours)} and stayed below it."
    if day.hot:
        return f"On {name} {_hot(day, titles)}; compensated by load and ambient it was usual."
    if day.hours[Why.OUTSIDE_REGIMES] >= LONG_HOURS:
        return (
            f"On {name} it ran for {_hours(day.hours[Why.OUTSIDE_REGIMES])} outside the regimes that were learned:"
            " not judged."
        )
    if day.hours[SILENT] >= SILENT_HOURS:
        return f"On {name} nothing was heard for {_hours(day.hours[SILENT])}: not judged."
    return f"On {name} its signals could not be read for {_hours(day.hours[Why.NO_SIGNAL])}: not judged."


def _hot(day: Day, titles: Mapping[str, str]) -> str:
    worst = sorted(day.hot, key=lambda s: -abs(day.hot[s]))[:2]
    names = " and ".join(titles.get(s, s) for s in worst)
    return f"{names} {'was' if len(worst) == 1 else 'were'} unusual as measured"


def _hours(hours: float) -> str:
    return f"{round(60 * hours)} min" if hours < 1 else f"{hours:.1f} h".replace(".0 h", " h")
