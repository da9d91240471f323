"""Sets of sequence numbers as ranges: duplicate mark and ledger in one."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from contracts.wire import Range


class RangeSet:
    """Disjoint closed ranges of integers in order, neighbours merged.

    Adding at the end and asking beyond the end, which is what a device that is well does, take constant time.
    """

    __slots__ = ("_count", "_ends", "_starts")

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._count = 0
        for a, b in ranges:
            self.add(a, b)

    def __contains__(self, n: int) -> bool:
        ends = self._ends
        if not ends or n > ends[-1]:
            return False
        return self._starts[bisect_left(ends, n)] <= n

    def __iter__(self) -> Iterator[Range]:
        return zip(self._starts, self._ends, strict=True)

    def __len__(self) -> int:
        """Number of ranges (not of numbers; that is `count`)."""
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and self._starts == other._starts and self._ends == other._ends

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"

    @property
    def count(self) -> int:
        """How many numbers are in it."""
        return self._count

    @property
    def last(self) -> int:
        """The highest number; 0 when empty."""
        return self._ends[-1] if self._ends else 0

    def add(self, a: int, b: int) -> None:
        """Put a..b in."""
        starts, ends = self._starts, self._ends
        if not ends or a > ends[-1] + 1:
            starts.append(a)
            ends.append(b)
            self._count += b - a + 1
            return
        if a == ends[-1] + 1:
            ends[-1] = b
            self._count += b - a + 1
            return
        i = bisect_left(ends, a - 1)  # first range that touches a.. or lies behind
        j = bisect_right(starts, b + 1)  # first range that begins beyond b + 1
        if i == j:
            starts.insert(i, a)
            ends.insert(i, b)
            self._count += b - a + 1
            return
        low, high = min(a, starts[i]), max(b, ends[j - 1])
        self._count += high - low + 1 - sum(ends[k] - starts[k] + 1 for k in range(i, j))
        starts[i:j] = [low]
        ends[i:j] = [high]

    def update(self, other: "RangeSet") -> None:
        """Put all of `other` in."""
        for a, b in other:
            self.add(a, b)

    def overlaps(self, a: int, b: int) -> bool:
        """Whether any number of a..b is in it."""
        ends = self._ends
        if not ends or a > ends[-1]:
            return False
        return self._starts[bisect_left(ends, a)] <= b

    def through(self) -> int:
        """The highest n of which all of 1..n is in it; 0 when 1 is missing."""
        return self._ends[0] if self._starts and self._starts[0] <= 1 else 0

    def above(self, n: int, limit: int) -> list[Range]:
        """The lowest `limit` ranges that begin above n."""
        i = bisect_right(self._starts, n)
        return list(zip(self._starts[i : i + limit], self._ends[i : i + limit], strict=True))

    def missing(self, a: int, b: int, limit: int | None = None) -> list[Range]:
        """The lowest `limit` ranges of a..b that are not in it."""
        out: list[Range] = []
        i = bisect_left(self._ends, a)
        while a <= b and (limit is None or len(out) < limit):
            if i == len(self._starts) or self._starts[i] > b:
                out.append((a, b))
                break
            if self._starts[i] > a:
                out.append((a, self._starts[i] - 1))
            a = self._ends[i] + 1
            i += 1
        return out

    def within(self, a: int, b: int) -> int:
        """How many numbers of a..b are in it."""
        if a > b:
            return 0
        total = 0
        for i in range(bisect_left(self._ends, a), bisect_right(self._starts, b)):
            total += min(self._ends[i], b) - max(self._starts[i], a) + 1
        return total

    def first_gap(self) -> Range | None:
        """The lowest range that is missing between (or below, from 1 on) those in it."""
        if not self._starts:
            return None
        if self._starts[0] > 1:
            return 1, self._starts[0] - 1
        return (self._ends[0] + 1, self._starts[1] - 1) if len(self._starts) > 1 else None

    def pop_first(self) -> Range:
        """Take the lowest range out."""
        first = self._starts.pop(0), self._ends.pop(0)
        self._count -= first[1] - first[0] + 1
        return first

    def flat(self) -> list[int]:
        """a, b, a, b, …: how it is kept."""
        return [n for pair in self for n in pair]

    @classmethod
    def of_flat(cls, numbers: list[int]) -> "RangeSet":
        """From what `flat` gave."""
        made = cls()
        made._starts, made._ends = numbers[::2], numbers[1::2]
        made._count = sum(made._ends) - sum(made._starts) + len(made._starts)
        return made
