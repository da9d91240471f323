"""Two processes at once, as in a rolling start: what one was overtaken with, it does not write."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from anomaly.adapters.sql import SqlTables
from anomaly.queries.states import asset_state
from anomaly.service.port import Moved, Results, Saved
from anomaly.service.rounds import Rounds
from anomaly.service.watching import Watching
from contracts.records import Shelve
from plumbing.sql import from_us
from plumbing.system_clock import SystemClock
from tests.anomaly.bench import HOUR, Bench
from tests.anomaly.machines import MODEL, life

T_US, VALUES = life(20)


class Overtaken(SqlTables):
    """The other process does its round whenever this one is about to write."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.database, SystemClock())
        self._other, self.lost = bench.rounds, 0

    def write(
        self, results: Results, *, turn: int, blocks_from: int, blocks_to: int, findings_to: int | None,
        saved: Iterable[Saved] | None,
    ) -> None:  # fmt: skip
        self._other.round()
        try:
            super().write(
                results, turn=turn, blocks_from=blocks_from, blocks_to=blocks_to, findings_to=findings_to, saved=saved
            )
        except Moved:
            self.lost += 1
            raise


def rows(bench: Bench) -> None:
    bench.put("pump", T_US[60:66], VALUES[60:66], first=61, boot="0123abcd")


def work(bench: Bench) -> None:
    at = from_us(int(T_US[59]))
    bench.tell(Shelve(1, "acme", "pump", "work", at, at + HOUR))


def a_gap_that_is_left(bench: Bench) -> None:
    bench.monotonic += 11


@pytest.mark.parametrize("comes", [rows, work, a_gap_that_is_left])
def test_who_was_overtaken_writes_nothing(tmp_path: Path, comes: Callable[[Bench], None]) -> None:
    bench = Bench(tmp_path)
    bench.put("pump", T_US[:60], VALUES[:60], first=1, boot="0123abcd")
    bench.run()
    tables = Overtaken(bench)
    late = Rounds(
        tables, lambda: Watching({MODEL.name: MODEL}.get, bench.clocks, bench.store), lambda: bench.monotonic, 1.0, 10
    )
    late.round()
    bench.put("pump", T_US[70:80], VALUES[70:80], first=71, boot="0123abcd")
    late.round()
    assert tables.lost == 1
    late.round()
    comes(bench)
    late.round()
    assert tables.lost == 2
    for _ in range(3):
        late.round()
        bench.run()
    assert tables.lost == 2
    assert len([e for e in bench.told() if e.action == "alarm"]) == (1 if comes is work else 0)
    bench.rounds.save()
    state = asset_state(bench.database, "acme", "pump")
    assert state is not None
    assert (state.shelved_until is not None) is (comes is work)
