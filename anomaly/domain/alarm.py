"""The alarm machine: given the time and a score, it says when an alarm is raised, cleared, shelved."""

from dataclasses import dataclass
from enum import StrEnum

from anomaly.domain.following import HOUR_US
from contracts.asset_model import Detection


class Phase(StrEnum):
    """Where the machine stands. Shelving lies over it: see `AlarmMachine.shelved_until_us`."""

    QUIET = "quiet"
    PENDING = "pending"
    """Above the threshold, not yet long enough."""
    RAISED = "raised"


class Change(StrEnum):
    """What may happen to an alarm."""

    RAISED = "raised"
    CLEARED = "cleared"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"


@dataclass
class AlarmMachine:
    """One device's alarm. Facts, not flags: each time is epoch microseconds, None = it has not happened."""

    phase: Phase = Phase.QUIET
    above_since_us: int | None = None
    above_count: int = 0
    raised_us: int | None = None
    cleared_us: int | None = None
    shelved_from_us: int | None = None
    shelved_until_us: int | None = None
    shelved_why: str = ""

    @property
    def raised(self) -> bool:
        """Whether an alarm stands (shelved or not)."""
        return self.phase is Phase.RAISED

    def shelved(self, t_us: int) -> bool:
        """Whether alarms wait at that time."""
        if self.shelved_from_us is None or self.shelved_until_us is None:
            return False
        return self.shelved_from_us <= t_us < self.shelved_until_us

    def step(self, t_us: int, score: float | None, settings: Detection) -> Change | None:
        """One score at its time; None = nothing to judge (not running, outside the regimes)."""
        if score is None or self.shelved(t_us):
            if self.shelved(t_us):
                self._forget()
            return None
        if self.phase is Phase.RAISED:
            if score < settings.clear * settings.threshold:
                self._close(t_us)
                return Change.CLEARED
            return None
        if score <= settings.threshold or self.pausing(t_us, settings):
            self._forget()
            return None
        if self.above_since_us is None:
            self.above_since_us = t_us
        self.above_count += 1
        self.phase = Phase.PENDING
        held = t_us - self.above_since_us >= settings.hold_hours * HOUR_US
        if held and self.above_count >= settings.hold_samples:
            self.phase, self.raised_us = Phase.RAISED, t_us
            return Change.RAISED
        return None

    def interrupted(self) -> None:
        """A gap: what was pending must hold anew."""
        self._forget()

    def shelve(self, start_us: int, until_us: int, why: str) -> None:
        """Alarms wait from `start_us` to `until_us`; what was pending starts anew after it."""
        self.shelved_from_us, self.shelved_until_us, self.shelved_why = start_us, until_us, why
        self._forget()

    def unshelve(self, at_us: int) -> bool:
        """End the shelving early; False if there is none."""
        if self.shelved_until_us is None or self.shelved_until_us <= at_us:
            return False
        self.shelved_until_us = at_us
        return True

    def restart(self, at_us: int) -> Change | None:
        """The reason for the alarm was taken away (a part was replaced): it ends, without a refractory time."""
        was = self.raised
        self._close(at_us)
        self.cleared_us = None
        return Change.CLEARED if was else None

    def pausing(self, t_us: int, settings: Detection) -> bool:
        """Whether an alarm ended so recently that none may begin."""
        return self.cleared_us is not None and t_us - self.cleared_us < settings.refractory_hours * HOUR_US

    def _close(self, t_us: int) -> None:
        self.phase, self.raised_us, self.cleared_us = Phase.QUIET, None, t_us
        self.above_since_us, self.above_count = None, 0

    def _forget(self) -> None:
        if self.phase is not Phase.RAISED:
            self.phase, self.above_since_us, self.above_count = Phase.QUIET, None, 0
