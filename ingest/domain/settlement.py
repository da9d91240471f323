"""What is settled of one outbox (device and boot_id), and what became of every number of it.

A number is settled (stored, quarantined), discarded (given up by the outbox and not settled), lost (below the
outbox's oldest, or of an outbox that a newer one has replaced; neither settled nor discarded), elsewhere (its sample
has another number, too: it moved to a new outbox, or was stored before) or waiting. Settled wins whenever it comes.
Numbers that are written off count as settled for the sender and as lost, discarded or elsewhere here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from contracts.names import MAX_SEQ, is_boot_id
from contracts.wire import LISTED, Range, Reason, State
from ingest.domain.ranges import RangeSet

MAX_RANGES = 1000
MAX_BOOTS = 8
MAX_REJECTED = 50
GONE, REPLACED, TOO_MANY_GAPS = "gone", "replaced", "too_many_gaps"
ELSEWHERE = ("moved", "stored_before")
"""Reasons for which an outbox gives a number up whose sample is not: it has another number (edge_agent's farewell)."""


class BadState(ValueError):
    """A `state` whose numbers contradict each other. `path` names the field."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def check_state(state: State) -> None:
    """Raises BadState."""
    if state.boot_id is not None and not is_boot_id(state.boot_id):
        raise BadState("boot_id")
    if not 1 <= state.first <= MAX_SEQ + 1:
        raise BadState("first")
    if not 0 <= state.last <= MAX_SEQ or state.first > state.last + 1:
        raise BadState("last")
    for i, (a, b, _) in enumerate(state.dropped):
        if not 1 <= a <= b <= MAX_SEQ:
            raise BadState(f"dropped[{i}]")


@dataclass(slots=True)
class Outbox:
    """The account of one outbox. Numbers are 1.. ; `last` is the highest that is known to exist, 0 before any."""

    settled: RangeSet = field(default_factory=RangeSet)
    dropped: RangeSet = field(default_factory=RangeSet)
    first: int = 1
    last: int = 0
    replaced: bool = False
    """A newer outbox of the device has reported: what is unsettled here will not come."""
    off_lost: int = 0
    off_discarded: int = 0
    """Numbers that were written off to keep within MAX_RANGES: they are in `settled` too."""
    moved: RangeSet = field(default_factory=RangeSet)
    """Numbers in `dropped` whose samples have another number, too."""
    off_moved: int = 0
    """Such numbers that were written off."""
    losses: list[tuple[int, int, str]] = field(default_factory=list)
    """Ranges that were lost or given up since this was emptied last, with the reason."""

    def settle(self, fresh: RangeSet) -> None:
        """Take in numbers that are stored or quarantined now."""
        self.settled.update(fresh)
        self.last = max(self.last, fresh.last)
        self._bound()

    def report(self, state: State) -> None:
        """Take in what the agent says that it holds. Within one outbox `first` and `last` only grow."""
        for a, b, reason in state.dropped:
            self._lose(self.dropped.missing(a, b), reason)
            self.dropped.add(a, b)
            if reason in ELSEWHERE:
                self.moved.add(a, b)
        if state.first > self.first:
            self._lose(self._unsettled(self.first, state.first - 1), GONE)
        self.first = max(self.first, state.first)
        self.last = max(self.last, state.last, state.first - 1)
        for _, b, _ in state.dropped:
            self.last = max(self.last, b)
        self.replaced = False
        self._bound()

    def _bound(self) -> None:
        while len(self.dropped) > MAX_RANGES:
            for low, high in self.settled.missing(*self.dropped.pop_first()):
                self._write_off(low, high, given_up=high - low + 1)
        while len(self.moved) > MAX_RANGES:
            for low, high in self.settled.missing(*self.moved.pop_first()):
                self.off_moved += high - low + 1
                self.settled.add(low, high)
        while len(self.settled) > MAX_RANGES and (gap := self.settled.first_gap()):
            self._write_off(*gap, given_up=self.dropped.within(*gap))

    def _lose(self, ranges: list[Range], reason: str) -> None:
        """Note ranges, less what of them is settled."""
        for a, b in ranges:
            self.losses += [(low, high, reason) for low, high in self.settled.missing(a, b)]

    def _unsettled(self, a: int, b: int) -> list[Range]:
        """What of a..b is neither settled nor given up."""
        return [gap for low, high in self.settled.missing(a, b) for gap in self.dropped.missing(low, high)]

    def replace(self) -> None:
        """A newer outbox of the device has reported."""
        if not self.replaced:
            self.replaced = True
            self._lose(self._unsettled(self.first, self.last), REPLACED)

    def never_came(self, a: int, b: int, reason: str) -> list[Range]:
        """What of a range that was lost is so still. What is written off counts as settled, and is noted as such."""
        if reason == REPLACED and not self.replaced:
            return []
        return [(a, b)] if reason == TOO_MANY_GAPS else self.settled.missing(a, b)

    def still_lost(self, newest_first: Iterable[tuple[int, int, str]]) -> list[list[Range]]:
        """Of each range that was lost, what is so still; each number stands with the newest reason only."""
        named, out = RangeSet(), []
        for a, b, reason in newest_first:
            left = [piece for low, high in self.never_came(a, b, reason) for piece in named.missing(low, high)]
            for low, high in left:
                named.add(low, high)
            out.append(left)
        return out

    def _write_off(self, a: int, b: int, given_up: int) -> None:
        """Count a..b, of which nothing is settled and so much was given up, for good."""
        self.losses += [(low, high, TOO_MANY_GAPS) for low, high in self.moved.missing(a, b)]
        elsewhere = self.moved.within(a, b)
        self.off_moved += elsewhere
        self.off_discarded += given_up - elsewhere
        self.off_lost += b - a + 1 - given_up
        self.settled.add(a, b)

    def through(self) -> int:
        """The highest n of which all of 1..n is settled, given up or lost for good."""
        at = self.settled.through()
        while True:
            # what is below the outbox's oldest is over, whatever became of it
            at = max(at, self.first - 1)
            before = at
            for numbers in (self.settled, self.dropped):
                if at + 1 in numbers:
                    beyond = numbers.missing(at + 1, MAX_SEQ + 1, 1)
                    at = beyond[0][0] - 1
            if at == before:
                return at

    def listed(self, through: int) -> list[Range]:
        """The lowest settled ranges above `through`."""
        return self.settled.above(through, LISTED)

    def ask(self, first: int, last: int) -> list[Range]:
        """The lowest ranges of first..last that are neither settled nor given up."""
        out: list[Range] = []
        for a, b in self.settled.missing(first, last):
            out += self.dropped.missing(a, b, LISTED - len(out))
            if len(out) >= LISTED:
                break
        return out

    @property
    def discarded(self) -> int:
        """Given up by the outbox and never arrived, under no number."""
        return self._not_settled(self.dropped) - self._not_settled(self.moved) + self.off_discarded

    @property
    def elsewhere(self) -> int:
        """Numbers whose samples have another number, too, and did not arrive under this one."""
        return self._not_settled(self.moved) + self.off_moved

    def _not_settled(self, numbers: RangeSet) -> int:
        return numbers.count - sum(self.settled.within(a, b) for a, b in numbers)

    @property
    def lost(self) -> int:
        """Neither settled nor given up, and never to come."""
        below = self.last if self.replaced else min(self.first - 1, self.last)
        return self.off_lost + self._open(below)

    @property
    def waiting(self) -> int:
        """Not yet settled."""
        return 0 if self.replaced else self._open(self.last) - self._open(min(self.first - 1, self.last))

    def _open(self, to: int) -> int:
        """Numbers of 1..to that are neither settled nor dropped."""
        return sum(b - a + 1 - self.dropped.within(a, b) for a, b in self.settled.missing(1, to))


@dataclass(slots=True)
class Rejections:
    """Samples refused as a whole since the device was last told, as ranges with their reason; bounded."""

    ranges: list[tuple[int, int, Reason]] = field(default_factory=list)

    def add(self, seq: int, reason: Reason) -> None:
        """Note one; beyond MAX_REJECTED ranges the rest is only counted by the ledger."""
        if self.ranges and self.ranges[-1][1] == seq - 1 and self.ranges[-1][2] == reason:
            self.ranges[-1] = (self.ranges[-1][0], seq, reason)
        elif len(self.ranges) < MAX_REJECTED:
            self.ranges.append((seq, seq, reason))

    def take(self) -> list[tuple[int, int, Reason]]:
        """All, once."""
        out, self.ranges = self.ranges, []
        return out
