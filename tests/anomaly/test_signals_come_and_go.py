"""A device may send other signals in every message, out of order too: each row is judged by what it holds."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.domain.ordering import Ordering
from anomaly.queries.states import asset_state
from plumbing.sql import from_us
from tests.anomaly.bench import Bench
from tests.anomaly.machines import SIGNALS, START_US, life

BOOT = "0123abcd"
SETS = [SIGNALS[:2], SIGNALS, SIGNALS[:1], SIGNALS[3:], list(reversed(SIGNALS))]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def put(bench: Bench, first: int, count: int, signals: Sequence[str]) -> None:
    """Rows number `first` and on of the life of a machine, with some of its signals alone."""
    t_us, values = life(100)
    rows = slice(first - 1, first - 1 + count)
    columns = [SIGNALS.index(name) for name in signals]
    bench.put("pump", t_us[rows], values[rows][:, columns], first=first, boot=BOOT, signals=signals)


def seen(bench: Bench) -> object:
    """What the service remembers of the machine, without what depends on the wall."""
    bench.rounds.save()
    state = asset_state(bench.database, "acme", "pump")
    assert state is not None
    return state


def test_what_waits_behind_a_gap_may_have_other_signals(bench: Bench) -> None:
    put(bench, 1, 2, SETS[0])
    put(bench, 5, 2, SETS[1])
    put(bench, 9, 2, SETS[2])
    put(bench, 11, 1, SETS[3])
    bench.run()
    assert asset_state_time(bench) == START_US + 600_000_000
    put(bench, 3, 2, SETS[4])
    bench.run()
    assert asset_state_time(bench) == START_US + 5 * 600_000_000
    bench.monotonic += 11
    bench.run()
    assert asset_state_time(bench) == START_US + 10 * 600_000_000


def asset_state_time(bench: Bench) -> int:
    bench.rounds.save()
    state = asset_state(bench.database, "acme", "pump")
    assert state is not None
    assert state.measured_at is not None
    return round((state.measured_at - from_us(0)).total_seconds() * 1e6)


def test_any_order_of_messages_with_any_signals_comes_to_the_same(tmp_path: Path) -> None:
    """Twelve messages with signals that change, swapped within the wait, as if they had come in turn."""
    found = []
    for name, turn in (("in turn", range(12)), ("swapped", [2, 1, 0, 5, 3, 4, 8, 7, 6, 11, 10, 9])):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name)
        for i in turn:
            put(bench, 1 + 20 * i, 20, SETS[1] if i < 9 else SETS[i % len(SETS)])
        bench.run()
        found.append(seen(bench))
    assert msgspec.json.encode(found[0]) == msgspec.json.encode(found[1])


@settings(deadline=None, max_examples=200)
@given(st.permutations(range(8)), st.lists(st.sampled_from(SETS), min_size=8, max_size=8))
def test_a_row_keeps_the_values_of_its_signals(turn: list[int], sets: list[list[str]]) -> None:
    order, found = Ordering(), []
    for i in turn:
        values: list[float | None] = [100.0 * i + SIGNALS.index(name) for name in sets[i]]
        ready, late = order.take(BOOT, sets[i], [(i + 1, (i, values))], now=0.0)
        assert not late
        for t, row in ready:
            given_now = {name: x for name, x in zip(order.signals, row, strict=True) if x is not None}
            found.append((t, given_now))
    assert found == [(i, {name: 100.0 * i + SIGNALS.index(name) for name in sets[i]}) for i in range(8)]
