"""Settlement of one outbox against a slow and obvious version of the contract's words."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from contracts.wire import LISTED, State
from ingest.domain.ranges import RangeSet
from ingest.domain.settlement import MAX_RANGES, Outbox
from tests.ingest.conftest import BOOT
from tests.ingest.test_ranges import as_ranges


@dataclass
class Slow:
    """Sets of numbers."""

    settled: set[int] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    first: int = 1
    last: int = 0

    def through(self) -> int:
        n = 0
        while n + 1 in self.settled or n + 1 in self.dropped or n + 1 < self.first:
            n += 1
        return n


@st.composite
def events(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """What an outbox may say and send, in any order."""
    kinds = st.sampled_from(["settle", "settle", "drop", "move", "report"])
    return draw(st.lists(st.tuples(kinds, st.integers(1, 40), st.integers(0, 9)), max_size=30))


@given(events())
def test_every_number_is_settled_discarded_lost_or_waiting(story: list[tuple[str, int, int]]) -> None:
    outbox, slow = Outbox(), Slow()
    for kind, a, width in story:
        b = a + width
        if kind == "settle":
            outbox.settle(RangeSet([(a, b)]))
            slow.settled |= set(range(a, b + 1))
            slow.last = max(slow.last, b)
        else:
            first = min(a, slow.last + 1) if kind == "report" else 1
            dropped = [(a, b, {"drop": "age", "move": "moved"}[kind])] if kind in ("drop", "move") else []
            outbox.report(State(1, BOOT, first, max(slow.last, b), dropped))
            slow.first, slow.last = max(slow.first, first), max(slow.last, b)
            if dropped:
                slow.dropped |= set(range(a, b + 1))
            if kind == "move":
                slow.moved |= set(range(a, b + 1))
    everything = set(range(1, slow.last + 1))
    discarded = slow.dropped - slow.settled - slow.moved
    elsewhere = slow.moved - slow.settled
    lost = {n for n in everything if n < slow.first} - slow.settled - slow.dropped
    waiting = everything - slow.settled - discarded - elsewhere - lost
    assert (outbox.settled.count, outbox.discarded, outbox.elsewhere, outbox.lost, outbox.waiting) == (
        len(slow.settled), len(discarded), len(elsewhere), len(lost), len(waiting),
    )  # fmt: skip
    sums = outbox.settled.count + outbox.discarded + outbox.elsewhere + outbox.lost + outbox.waiting
    assert outbox.last == sums
    assert outbox.through() == slow.through()
    assert outbox.listed(slow.through()) == [r for r in as_ranges(slow.settled) if r[0] > slow.through()][:LISTED]
    assert outbox.ask(5, slow.last) == as_ranges(set(range(5, slow.last + 1)) - slow.settled - slow.dropped)[:LISTED]
    outbox.replaced = True
    assert (outbox.lost, outbox.waiting) == (len(lost | waiting), 0)


def test_beyond_a_thousand_ranges_the_oldest_gap_is_lost() -> None:
    outbox = Outbox()
    outbox.report(State(1, BOOT, 1, 10_000, [(2, 2, "age")]))
    outbox.settle(RangeSet((n, n) for n in range(1, 2 * MAX_RANGES + 20, 2)))
    assert len(outbox.settled) == MAX_RANGES
    assert outbox.through() == 21
    assert (outbox.lost, outbox.discarded) == (9, 1)
    assert outbox.settled.count - 10 + outbox.lost + outbox.discarded + outbox.waiting == outbox.last


def test_an_endless_list_of_given_up_ranges_stays_counted() -> None:
    outbox = Outbox()
    outbox.report(State(1, BOOT, 1, 5000, [(n, n, "size") for n in range(2, 4000, 2)]))
    assert len(outbox.dropped) <= MAX_RANGES
    assert len(outbox.settled) <= MAX_RANGES
    assert outbox.discarded == 1999
    assert outbox.last == outbox.discarded + outbox.lost + outbox.waiting == 5000


def test_endlessly_many_moved_pieces_stay_counted_as_moved() -> None:
    outbox = Outbox()
    pieces = [(n, n, "moved" if n % 2 else "unreadable") for n in range(1, 4001)]
    outbox.report(State(1, BOOT, 1, 5000, pieces))
    assert len(outbox.moved) <= MAX_RANGES
    assert (outbox.elsewhere, outbox.discarded, outbox.lost, outbox.waiting) == (2000, 2000, 0, 1000)
    assert outbox.through() == 4000


def test_moved_pieces_between_gaps_that_are_written_off_are_named_lost_by_nobody() -> None:
    outbox = Outbox()
    outbox.report(State(1, BOOT, 1, 10_000, [(2, 2, "moved")]))
    outbox.losses.clear()
    outbox.settle(RangeSet((n, n) for n in range(1, 2 * MAX_RANGES + 20, 2)))
    assert (outbox.lost, outbox.discarded, outbox.elsewhere) == (9, 0, 1)
    assert sum(b - a + 1 for a, b, _ in outbox.losses) == 9


def test_a_lost_number_that_arrives_after_all_is_stored() -> None:
    outbox = Outbox()
    outbox.report(State(1, BOOT, 5, 9))
    assert (outbox.lost, outbox.through()) == (4, 4)
    outbox.settle(RangeSet([(2, 2)]))
    assert (outbox.lost, outbox.settled.count, outbox.waiting) == (3, 1, 5)
