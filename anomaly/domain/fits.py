"""Fits that are made elsewhere while other machines go on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from anomaly.domain.baseline import Baseline, Fitter, Training
from anomaly.domain.layout import Layout


class Pending(Protocol):
    """A fit that is being made."""

    def done(self) -> bool:
        """Whether it is there."""
        ...

    def result(self) -> Baseline:
        """Wait for it."""
        ...

    def cancel(self) -> bool:
        """Nobody waits for it any more; False where it cannot be stopped."""
        ...


Submit = Callable[[Callable[[], Training], Layout], Pending]
"""Begin a fit. The healthy record is asked for when its turn comes, and must not change until then."""


@dataclass(frozen=True)
class Made:
    """A fit that is there."""

    base: Baseline

    def done(self) -> bool:
        """Always."""
        return True

    def result(self) -> Baseline:
        """At once."""
        return self.base

    def cancel(self) -> bool:
        """Too late."""
        return False


def at_once(fitter: Fitter) -> Submit:
    """Fits that are made when they are asked for."""
    return lambda training, layout: Made(fitter(training(), layout))
