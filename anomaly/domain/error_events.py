"""Errors in telemetry: readings of signals of role event become times at which an error came.

A flag (range up to 1) raises an error when it rises from 0, or when it is up again after an hour without a reading of
it, so that a machine may also send nothing but a 1 each time. A counter raises one whenever it has gone up; where it
has gone down it was reset, which is no error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from anomaly.domain.history import HOUR_US, Events, Times
from anomaly.domain.layout import Array
from contracts.asset_model import AssetModel, Role

SILENT_HOURS = 1.0
"""After so long without a reading of it a flag that is up counts anew."""


def codes_of(model: AssetModel) -> tuple[str, ...]:
    """Signals of an asset model that tell of errors, in a fixed order."""
    return tuple(sorted(model.by_role(Role.EVENT)))


@dataclass
class ErrorReader:
    """Takes readings in time order, in pieces or at once: the errors are the same."""

    flags: tuple[bool, ...]
    """By code: a flag, not a counter."""
    value: list[float] = field(default_factory=list)
    at_us: list[int] = field(default_factory=list)
    """By code: the newest reading; NaN and -1 = none yet."""

    def __post_init__(self) -> None:
        if not self.value:
            self.value, self.at_us = [float("nan")] * len(self.flags), [-1] * len(self.flags)

    @classmethod
    def of(cls, model: AssetModel, codes: Sequence[str]) -> "ErrorReader":
        """For some codes of an asset model; one that it does not have any more never has a reading."""
        return cls(tuple(model.signals[code].high <= 1 if code in model.signals else True for code in codes))

    def feed(self, t_us: Times, values: Array) -> Events:
        """The errors in rows (n, codes), NaN = no reading."""
        times, which = [], []
        for j, flag in enumerate(self.flags):
            there = np.flatnonzero(np.isfinite(values[:, j]))
            if not len(there):
                continue
            x, at = values[there, j], t_us[there]
            before = np.concatenate([[self.value[j]], x[:-1]])
            seen = np.concatenate([[self.at_us[j]], at[:-1]])
            if flag:
                silent = (seen < 0) | (at - seen > SILENT_HOURS * HOUR_US)
                came = (x > 0) & (~(before > 0) | silent)
            else:
                came = x > before  # of the first reading nobody knows when it counted so far
            times.append(at[came])
            which.append(np.full(int(came.sum()), j, dtype=np.int64))
            self.value[j], self.at_us[j] = float(x[-1]), int(at[-1])
        if not times:
            return Events()
        return Events.sorted(np.concatenate(times).astype(np.int64), np.concatenate(which))


def joined(first: Events, then: Events) -> Events:
    """Errors and those that came after them."""
    return Events(np.concatenate([first.at_us, then.at_us]), np.concatenate([first.which, then.which]))


def since(errors: Events, from_us: int) -> Events:
    """Those from a time on."""
    n = int(np.searchsorted(errors.at_us, from_us))
    return Events(errors.at_us[n:], errors.which[n:])
