"""Precision and lead time of what a learned model says by the way, whoever acts on it.

A warning is given when a failure within 7 days becomes more likely than not, and holds for 7 days. It was right if the
failure came within them; where a good part was replaced before, or the 7 days are not over, nobody knows.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

HOLDS_US = 7 * 24 * 3_600_000_000
LIKELY = 0.5


@dataclass(frozen=True, slots=True)
class Warned:
    """Warnings whose outcome is known, and failures while the model spoke."""

    right: int
    wrong: int
    failures: int
    leads_hours: tuple[float, ...]
    """From the warning to the failure, of those that were right."""

    @property
    def precision(self) -> float | None:
        """Share of warnings that a failure followed; None = no warning's outcome is known."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def recall(self) -> float | None:
        """Share of failures that a warning went before; None = there was no failure."""
        return len(self.leads_hours) / self.failures if self.failures else None

    def lead(self, q: float) -> float | None:
        """A quantile of the hours from warning to failure; None = no warning was right."""
        return float(np.quantile(self.leads_hours, q)) if self.leads_hours else None


def warned(said: Sequence[tuple[int, float]], failed_us: Sequence[int], ends_us: Sequence[int], now_us: int) -> Warned:
    """Of one machine, or one of its components.

    Parameters
    ----------
    said
        When, and P(failure within 7 days), in time order.
    failed_us, ends_us
        When lives ended by a failure, and by whatever reason, both rising.
    """
    failures, ends = set(failed_us), list(ends_us)
    right, wrong, leads, until = 0, 0, [], -1
    for at, p in said:
        if at < until or p <= LIKELY:
            continue
        following = bisect_right(ends, at)
        end = ends[following] if following < len(ends) else None
        until = at + HOLDS_US if end is None else min(end, at + HOLDS_US)
        if end is not None and end in failures and end <= at + HOLDS_US:
            right += 1
            leads.append((end - at) / 3.6e9)
        elif (now_us if end is None else min(end, now_us)) >= at + HOLDS_US:
            wrong += 1
    spoke = [at for at, _ in said]
    came = [f for f in failures if spoke and spoke[0] < f <= now_us]
    return Warned(right, wrong, len(came), tuple(leads))


def together(parts: Iterable[Warned]) -> Warned:
    """Of all machines."""
    all_ = list(parts)
    return Warned(
        sum(x.right for x in all_), sum(x.wrong for x in all_), sum(x.failures for x in all_),
        tuple(lead for x in all_ for lead in x.leads_hours),
    )  # fmt: skip
