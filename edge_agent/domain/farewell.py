"""What remains to be said of an outbox that another one replaced: where its samples went and what is gone."""

from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.domain.ranges import Range, Ranges

MOVED, UNREADABLE, STORED_BEFORE = "moved", "unreadable", "stored_before"
"""Why a number is not to come: its sample has a number of the new outbox; it cannot be read any more; it is a number
of the new outbox whose sample the platform had stored under its old number."""
MOST_RANGES = 500
"""Beyond so many ranges an outbox is said to be gone in one piece; what moved stands in the new one anyway."""
Dropped = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Farewell:
    """The end of one outbox.

    `first` and `last` are its oldest and newest number as far as they are known; `moved` are pieces (first old
    number, last old number, first new number) in order. `answered` is True when the platform has said what of
    first..last it has: only then the new outbox may send what moved, since no sample is to be counted twice.
    """

    boot_id: str
    first: int
    last: int
    moved: tuple[tuple[int, int, int], ...] = ()
    given_up: tuple[Dropped, ...] = ()
    answered: bool = False
    known: int | None = None
    """The newest number that can have been sent; None = all."""

    @property
    def dropped(self) -> list[Dropped]:
        """What the platform is to be told of first..last."""
        if len(self.moved) >= MOST_RANGES:
            return [(self.first, self.last, UNREADABLE)]
        told = [(a, b, MOVED) for a, b, _ in self.moved]
        known = Ranges((a, b) for a, b, _ in told)
        for a, b, reason in self.given_up:
            told += [(x, y, reason) for x, y in known.outside(max(a, self.first), min(b, self.last))]
            known.add(a, b)
        return sorted([*told, *((a, b, UNREADABLE) for a, b in known.outside(self.first, self.last))])

    def as_new(self, ranges: Iterable[Range]) -> list[Range]:
        """Old numbers as numbers of the new outbox, as far as they moved."""
        out = []
        most = self.last if self.known is None else self.known
        for a, b in ranges:
            for x, y, new in self.moved:
                low, high = max(a, x), min(b, y, most)
                if low <= high:
                    out.append((new + low - x, new + high - x))
        return out
