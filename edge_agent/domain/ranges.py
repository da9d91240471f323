"""Sets of sequence numbers as closed ranges."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Range = tuple[int, int]


class Ranges:
    """Disjoint closed ranges in order; neighbours are one range."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for a, b in ranges:
            self.add(a, b)

    def __iter__(self) -> Iterator[Range]:
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        """Number of ranges."""
        return len(self._firsts)

    def __contains__(self, n: int) -> bool:
        i = bisect_right(self._firsts, n) - 1
        return i >= 0 and self._lasts[i] >= n

    @property
    def newest(self) -> int:
        """The highest number; 0 when there is none."""
        return self._lasts[-1] if self._lasts else 0

    def add(self, a: int, b: int) -> None:
        """Put a..b in; nothing happens where a > b."""
        if a > b:
            return
        i = bisect_left(self._lasts, a - 1)
        j = bisect_right(self._firsts, b + 1)
        if i < j:
            a, b = min(a, self._firsts[i]), max(b, self._lasts[j - 1])
        self._firsts[i:j] = [a]
        self._lasts[i:j] = [b]

    def forget_through(self, n: int) -> None:
        """Take out all numbers up to n."""
        i = bisect_right(self._lasts, n)
        del self._firsts[:i], self._lasts[:i]
        if self._firsts and self._firsts[0] <= n:
            self._firsts[0] = n + 1

    def count(self, a: int, b: int) -> int:
        """How many numbers of a..b are in."""
        i, j = bisect_left(self._lasts, a), bisect_right(self._firsts, b)
        return sum(
            min(last, b) - max(first, a) + 1 for first, last in zip(self._firsts[i:j], self._lasts[i:j], strict=True)
        )

    def past(self, n: int) -> int:
        """The lowest number >= n that is not in."""
        i = bisect_right(self._firsts, n) - 1
        return self._lasts[i] + 1 if i >= 0 and self._lasts[i] >= n else n

    def run_end(self, n: int) -> int | None:
        """The number before the next range after n; None where no range follows."""
        i = bisect_right(self._firsts, n)
        return self._firsts[i] - 1 if i < len(self._firsts) else None

    def inside(self, a: int, b: int) -> list[Range]:
        """The parts of a..b that are in."""
        i, j = bisect_left(self._lasts, a), bisect_right(self._firsts, b)
        return [(max(x, a), min(y, b)) for x, y in zip(self._firsts[i:j], self._lasts[i:j], strict=True)]

    def outside(self, a: int, b: int) -> list[Range]:
        """The parts of a..b that are not in."""
        out = []
        while (a := self.past(a)) <= b:
            end = self.run_end(a)
            until = b if end is None else min(b, end)
            out.append((a, until))
            a = until + 1
        return out
