"""Work orders on a machine's past: opened by expected cost, judged by what happened, paid for.

An order covers `COVERS_HOURS`: within it nothing else is opened for the component. It is right when the component fails
within `HIT_HOURS`; a second order before the same failure is a duplicate and counts as false. Where the record ends
before that time is over and no failure was seen, nobody knows: such an order is counted apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from anomaly.domain.history import HOUR_US, Times
from anomaly.domain.layout import Array

HIT_HOURS = 72.0
COVERS_HOURS = 48.0


@dataclass(frozen=True, slots=True)
class Watched:
    """One component of one asset: what was said of it over the time that is judged."""

    asset: str
    component: str
    at_us: Times
    p: Array
    """P(failure within 24 h) at each time."""
    failed_us: Times
    """All failures of the component on record."""
    end_us: int
    """Until then failures were recorded."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How the orders of one component fared."""

    asset: str
    component: str
    leads: tuple[float, ...]
    """Hours of notice of each failure that was announced."""
    missed: tuple[int, ...]
    """Times of failures that were not."""
    right: int
    false: int
    unknown: int
    """Orders whose time was not over at the end of the record."""
    orders: tuple[tuple[int, str], ...]
    """Time and verdict of each order: right, false, unknown."""

    @property
    def failures(self) -> int:
        """Failures that could have been announced."""
        return len(self.leads) + len(self.missed)


def opened(raised_us: Times, covers_hours: float = COVERS_HOURS) -> list[int]:
    """Times of the orders that moments in alarm bring."""
    out: list[int] = []
    for t in raised_us.tolist():
        if not out or t - out[-1] > covers_hours * HOUR_US:
            out.append(t)
    return out


def judge(
    watched: Watched, limit: float, first_us: int, hit_hours: float = HIT_HOURS, covers_hours: float = COVERS_HOURS
) -> Judged:
    """Open an order wherever P is above `limit` and say how each fared; failures after `first_us` are judged."""
    raised = watched.at_us[watched.p > limit]
    failures = [f for f in watched.failed_us.tolist() if first_us < f <= watched.end_us]
    leads, missed = [], []
    for failed in failures:
        before = raised[(raised < failed) & (raised >= failed - hit_hours * HOUR_US)]
        if len(before):
            leads.append(float(failed - before[0]) / HOUR_US)
        else:
            missed.append(failed)
    orders: list[tuple[int, str]] = []
    announced: set[int] = set()
    for t in opened(raised, covers_hours):
        ahead = [f for f in watched.failed_us.tolist() if t < f <= t + hit_hours * HOUR_US and f not in announced]
        if ahead:
            announced.add(ahead[0])
            orders.append((t, "right"))
        else:
            orders.append((t, "unknown" if t + hit_hours * HOUR_US > watched.end_us else "false"))
    right, false, unknown = (sum(verdict == word for _, verdict in orders) for word in ("right", "false", "unknown"))
    return Judged(watched.asset, watched.component, tuple(leads), tuple(missed), right, false, unknown, tuple(orders))


def recall(judged: Sequence[Judged]) -> float | None:
    """Share of the failures that were announced; None = there was none."""
    failures = sum(j.failures for j in judged)
    return sum(len(j.leads) for j in judged) / failures if failures else None


def precision(judged: Sequence[Judged]) -> float | None:
    """Share of the orders with a known outcome that were right; None = there was none."""
    known = sum(j.right + j.false for j in judged)
    return sum(j.right for j in judged) / known if known else None


def cost(judged: Sequence[Judged], failure: float, planned: float, false_visit: float) -> float:
    """What the failures cost with these orders: announced ones a planned visit, missed ones the failure."""
    return (
        failure * sum(len(j.missed) for j in judged)
        + planned * sum(len(j.leads) for j in judged)
        + false_visit * sum(j.false for j in judged)
    )
