"""Samples in the order of their numbers: a gap is waited for, an outage's backlog is not."""

from anomaly.domain.ordering import WAIT_S, Ordering, Sample
from contracts.wire import WINDOW

SIGNALS = ["a"]


def samples(first: int, last: int) -> list[tuple[int, Sample]]:
    """Numbered samples whose time is their number."""
    return [(seq, (seq, [float(seq)])) for seq in range(first, last + 1)]


def times(found: list[Sample]) -> list[int]:
    """Which they were."""
    return [t for t, _ in found]


def test_a_gap_that_may_still_be_under_way_is_waited_for_once() -> None:
    order = Ordering()
    assert times(order.take("b", SIGNALS, samples(1, 3), 0.0)[0]) == [1, 2, 3]
    assert order.take("b", SIGNALS, samples(4 + WINDOW, 4 + WINDOW), 0.0) == ([], [])
    assert not order.overdue(WAIT_S - 1)
    assert order.overdue(WAIT_S)
    assert times(order.go_on(WAIT_S)) == [4 + WINDOW]


def test_new_samples_before_a_backlog_wait_for_nothing() -> None:
    order = Ordering()
    order.take("b", SIGNALS, samples(1, 3), 0.0)
    live = 4 + WINDOW + 1
    assert times(order.take("b", SIGNALS, samples(live, live + 1), 0.0)[0]) == [live, live + 1]
    ready, late = order.take("b", SIGNALS, samples(4, 6), 1.0)
    assert (ready, times(late)) == ([], [4, 5, 6])
    assert times(order.take("b", SIGNALS, samples(live + 2, live + 2), 1.0)[0]) == [live + 2]
