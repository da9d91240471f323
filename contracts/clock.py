"""The clock protocol, and the arithmetic of a tenant's scaled clock.

Whoever needs the time is given a `Clock`. A scaled clock is a line through an anchor: at wall time `wall` the tenant's
time was `at`, and `factor` tenant seconds pass in a wall second (0 = it stands still). Changes are announced ahead
(`effective` wall time in the future), so that every process changes over at the same moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Source of `now` for one tenant."""

    @property
    def factor(self) -> float:
        """Tenant seconds in a wall second: 1.0 on the wall clock, 0.0 while paused."""
        ...

    def now(self) -> datetime:
        """Aware UTC."""
        ...


class Clocks(Protocol):
    """The clocks of all tenants, one object a process."""

    def of(self, tenant: str) -> Clock:
        """The tenant's clock; the wall clock where none is on record."""
        ...


@dataclass(frozen=True, slots=True)
class Anchor:
    """One straight piece of a scaled clock, in force from wall time `wall` on."""

    wall: datetime
    at: datetime
    factor: float

    def read(self, wall: datetime) -> datetime:
        """The tenant's time at a wall time."""
        return self.at + timedelta(seconds=(wall - self.wall).total_seconds() * self.factor)


def read(anchors: Sequence[Anchor], wall: datetime) -> tuple[datetime, float]:
    """Tenant time and factor at a wall time, by the last anchor that is in force (the first if none is yet)."""
    current = anchors[0]
    for anchor in anchors[1:]:
        if anchor.wall <= wall:
            current = anchor
    return current.read(max(wall, current.wall)), current.factor
