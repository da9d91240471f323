"""After an outage new samples come first and the backlog at its rate; a full disk and clocks that jump."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from contracts import wire
from edge_agent.adapters.outbox import Limits, SqliteOutbox
from edge_agent.domain.driving import Batch, Reading
from edge_agent.domain.pacing import Pace
from edge_agent.domain.settlement import MOST_ISLANDS, Settlement
from edge_agent.service import Agent, OutboxUnwritable
from tests.edge_agent.platform import SHARED_MEMORY, START, Fate, World

DAY_S = 86_400
RATE = 5


class Ledger:
    """A platform that counts in ranges, so that a day fits: settled as far as it goes, what came when."""

    def __init__(self) -> None:
        self.came: list[tuple[float, int, int]] = []
        self.settled: list[list[int]] = []
        self.repeats = 0

    def telemetry(self, now: float, a: int, b: int) -> None:
        self.came.append((now, a, b))
        for n, (x, y) in enumerate(self.settled):
            if x <= b and a <= y:
                self.repeats += min(b, y) - max(a, x) + 1
            if y + 1 == a:
                self.settled[n][1] = b
                break
            if b + 1 == x:
                self.settled[n][0] = a
                break
        else:
            self.settled.append([a, b])
        self.settled.sort()
        joined: list[list[int]] = []
        for x, y in self.settled:
            if joined and joined[-1][1] + 1 >= x:
                joined[-1][1] = max(joined[-1][1], y)
            else:
                joined.append([x, y])
        self.settled = joined

    def stored(self, boot_id: str, first: int = 1, last: int = 0) -> bytes:
        through = self.settled[0][1] if self.settled and self.settled[0][0] == 1 else 0
        above = [(a, b) for a, b in self.settled if a > through]
        ask, a = [], max(first, through + 1)
        for x, y in [*above, (last + 1, last + 1)]:
            if a < x:
                ask.append((a, x - 1))
            a = y + 1
        return wire.encode(wire.Stored(wire.VERSION, boot_id, through, above[:50], [], ask[:50] if last else []))


class Live:
    """One reading every 1 / RATE seconds; what was not read in time is gone."""

    def __init__(self) -> None:
        self.made = 0

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        made, self.made = self.made, int(now * RATE)
        return Batch([Reading(i, {"x": float(i)}) for i in range(made, self.made)], "", now)

    def close(self) -> None: ...


def after_a_day(tmp_path: Path, backlog_rate: float) -> tuple[Agent, SqliteOutbox, Ledger, list[bytes], list[float]]:
    clock = [float(DAY_S)]
    outbox = SqliteOutbox(tmp_path / "o", Limits(), lambda: clock[0])
    for hour in range(24):
        many = range(hour * 3600 * RATE, (hour + 1) * 3600 * RATE)
        outbox.append("live", [Reading(i, {"x": 1.0}) for i in many], "")
    driver, ledger, heard = Live(), Ledger(), list[bytes]()
    driver.made = DAY_S * RATE

    def publish(kind: str, body: bytes, retain: bool) -> bool:
        if kind == "state":
            state = wire.decode_state(body)
            heard.append(ledger.stored(str(state.boot_id), state.first, state.last))
        else:
            message = wire.decode_telemetry(body)
            assert message.seq is not None
            ledger.telemetry(clock[0], message.seq, message.seq + len(message.samples) - 1)
        return True

    agent = Agent({"live": driver}, outbox, publish, lambda: START, backlog_rate=backlog_rate)
    return agent, outbox, ledger, heard, clock


@pytest.mark.parametrize("rate", [200.0, 0.0])
def test_after_a_day_without_a_link_new_samples_go_out_at_once_and_the_backlog_at_its_rate(rate: float) -> None:
    with TemporaryDirectory(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None) as folder:
        drain_a_day(Path(folder), rate)


def drain_a_day(folder: Path, rate: float) -> None:
    agent, outbox, ledger, heard, clock = after_a_day(folder, rate)
    backlog = DAY_S * RATE
    assert outbox.waiting == backlog
    agent.step(1, [], clock[0])
    ranges = 0
    drained_at = 0.0
    while not drained_at:
        clock[0] += 0.5
        messages, heard[:] = [(1, body) for body in heard], []
        if ledger.settled:
            messages.append((1, ledger.stored(outbox.boot_id)))
        newest, before = outbox.extent[1], len(ledger.came)
        agent.step(1, messages, clock[0])
        assert outbox.extent[1] > newest
        # what was made in this step is out already
        assert max((b for _, _, b in ledger.came[before:]), default=0) == outbox.extent[1]
        ranges = max(ranges, len(ledger.settled))
        if len(ledger.settled) == 1 and ledger.settled[0][0] == 1:
            drained_at = clock[0] - DAY_S
    assert ledger.repeats == 0
    assert ledger.settled == [[1, outbox.extent[1]]]
    assert ranges <= 2
    outbox.close()
    if rate:
        assert backlog / rate * 0.98 <= drained_at <= backlog / rate * 1.05
    else:
        assert drained_at < backlog / 1000


@pytest.mark.parametrize("seed", range(6))
def test_with_breaks_losses_and_restarts_a_backlog_and_new_samples_are_settled_once(seed: int) -> None:
    world = World(total=900, rate=10, window=40, seed=seed, live_first=True, backlog_rate=50)
    world.platform_up = False
    world.run(30)
    world.platform_up = True
    world.fate = Fate(lost=0.1, doubled=0.1, held=0.2, broken=0.03, restarted=0.01)
    world.run(60)
    world.fate = Fate()
    world.drain(900)
    settled = world.platform.accounts[world.outbox.boot_id].settled
    assert settled == {n: float(n - 1) for n in range(1, 901)}
    assert world.outbox.dropped == []


def test_a_share_of_the_window_stays_with_new_samples_and_one_with_the_backlog() -> None:
    settlement = Settlement(1, 10_000, 100, live_first=True)
    settlement.connected(0.0)
    settlement.state_sent(0.0)
    settlement.heard(0, [], [(1, 10_000)], 0.1)
    assert settlement.live_run() == (10_000, 10_000)
    assert settlement.backlog_run() == (1, 9_999)
    assert (settlement.live_room(), settlement.backlog_room()) == (75, 75)
    settlement.sent(1, 75)
    assert (settlement.live_room(), settlement.backlog_room()) == (25, 0)
    settlement.appended(10_100, 0.2)
    settlement.sent(10_000, 10_024)
    assert (settlement.live_room(), settlement.backlog_room()) == (0, 0)
    settlement.heard(50, [(10_000, 10_024)], [], 0.3)
    assert (settlement.live_room(), settlement.backlog_room()) == (75, 50)
    assert settlement.live_run() == (10_025, 10_100)
    assert settlement.backlog_run() == (76, 9_999)


def test_what_fits_the_window_is_no_backlog_and_a_file_is_read_in_order() -> None:
    for last, live_first in ((100, True), (10_000, False)):
        settlement = Settlement(1, last, 100, live_first=live_first)
        settlement.connected(0.0)
        settlement.state_sent(0.0)
        settlement.heard(0, [], [(1, last)], 0.1)
        assert settlement.live_run() == (1, last)
        assert settlement.backlog_run() is None


def test_outages_in_a_row_leave_few_ranges_however_many_they_are() -> None:
    settlement = Settlement(1, 1, 10, live_first=True)
    last = 1
    for outage in range(100):
        last += 1000
        now = float(outage)
        settlement.appended(last, now)
        settlement.connected(now)
        settlement.state_sent(now)
        settlement.heard(0, [], [(1, last)], now)
        run = settlement.live_run()
        assert run is not None
        settlement.sent(run[0], run[0])
    assert len(list(settlement._sent)) <= MOST_ISLANDS


def test_a_pace_lets_out_a_second_at_once_and_its_rate_after_that() -> None:
    pace, out = Pace(10), 0
    for tick in range(100):
        allowed = pace.allowed(tick * 0.1)
        assert allowed is not None
        pace.took(allowed)
        out += allowed
    assert 95 <= out <= 100
    assert pace.allowed(1000.0) == 10
    assert Pace(0).allowed(0.0) is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 5 MB."""
    where = tmp_path / "disk"
    where.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", where], capture_output=True)
    if made.returncode:  # not allowed here: the file may not grow instead
        (where / "limit").touch()
    yield where
    if not made.returncode:
        subprocess.run(["umount", "-l", where], check=True)


class Disk:
    """Fills what is left, or forbids the outbox to grow where there is no disk of its own."""

    def __init__(self, where: Path, outbox: SqliteOutbox) -> None:
        self._where, self._outbox = where, outbox

    def fill(self) -> None:
        if (self._where / "limit").exists():
            self._outbox._db.execute("pragma max_page_count = 1")
            return
        with (self._where / "other").open("wb", buffering=0) as other:
            try:
                while True:
                    other.write(bytes(4096))
            except OSError:
                pass

    def make_room(self) -> None:
        self._outbox._db.execute("pragma max_page_count = 1000000000")
        (self._where / "other").unlink(missing_ok=True)


def test_a_full_disk_loses_nothing_kept_holds_the_newest_and_is_reported(small_disk: Path) -> None:
    clock = [0.0]
    outbox = SqliteOutbox(small_disk / "o", Limits(max_bytes=50_000_000), lambda: clock[0])
    disk = Disk(small_disk, outbox)
    sent: dict[int, float] = {}
    states: list[wire.State] = []
    heard: list[tuple[int, bytes]] = []

    def publish(kind: str, body: bytes, retain: bool) -> bool:
        if kind == "state":
            states.append(wire.decode_state(body))
            heard.append((1, wire.encode(wire.Stored(wire.VERSION, outbox.boot_id, 0, [], [], [(1, 10**6)]))))
            return True
        message = wire.decode_telemetry(body)
        assert message.seq is not None
        for n, sample in enumerate(message.samples, message.seq):
            value = sample.values["x"]
            assert isinstance(value, float)
            assert sent.setdefault(n, value) == value
        return True

    agent = Agent({"live": Live()}, outbox, publish, lambda: START, window=10**6, live_first=False)

    def run(seconds: float, epoch: int) -> None:
        until = clock[0] + seconds
        while clock[0] < until:
            clock[0] += 0.2
            messages, heard[:] = heard[:], []
            agent.step(epoch, messages, clock[0])

    run(20, 1)
    kept = outbox.extent[1]
    disk.fill()
    run(60, 1)
    run(2500, 0)
    run(20, 2)
    at_most = outbox.extent[1]
    assert "full" in agent.problem
    assert "full" in str(states[-1].health["problem"])
    assert at_most < kept + 60 * RATE
    assert set(sent) == set(range(1, at_most + 1))
    not_taken = states[-1].health["not_taken"]
    assert not_taken["samples"] > 0
    disk.make_room()
    run(10, 2)
    assert agent.problem == ""
    assert outbox.extent[1] > at_most
    heard.append((2, wire.encode(wire.Stored(wire.VERSION, outbox.boot_id, 0))))
    run(5, 2)
    values = [msgspec.json.decode(row.body)["values"]["x"] for row in outbox.read(1, 10**6)]
    gap = [int(b) for a, b in pairwise(values) if b != a + 1]
    assert len(gap) == 1
    lost = gap[0] - int(values[values.index(float(gap[0])) - 1]) - 1
    assert agent.not_taken.samples == lost
    assert (agent.not_taken.first, agent.not_taken.last) == (str(gap[0] - lost), str(gap[0] - 1))
    assert values[-1] == float(int(clock[0] * RATE) - 1)
    assert values == sorted(set(values))


def test_on_a_full_disk_what_is_settled_is_still_forgotten(small_disk: Path) -> None:
    """The outbox itself has filled the disk: only by forgetting it gets room again."""
    if (small_disk / "limit").exists():
        small_disk.joinpath("limit").unlink()
    outbox = SqliteOutbox(small_disk / "o", Limits(max_bytes=5_000_000), lambda: 0.0)
    padding = "z" * 1000
    taken = 0
    with suppress(OutboxUnwritable):
        while taken < 4000:
            outbox.append("d", [Reading(taken + i, {"x": padding}) for i in range(10)], "")
            taken += 10
            if taken == 3990:
                outbox._db.execute("pragma max_page_count = 1")  # no disk of its own: this says the same
    assert taken < 4000
    assert outbox.extent == (1, taken)
    for _ in range(3):
        try:
            outbox.settle(taken // 2, [])
        except OutboxUnwritable:
            outbox._db.execute("pragma max_page_count = 1000000000")
        else:
            break
    assert outbox.extent == (taken // 2 + 1, taken)
    outbox.append("d", [Reading(-1 - i, {"x": padding}) for i in range(10)], "")
    outbox.close()
    again = SqliteOutbox(small_disk / "o", Limits(max_bytes=5_000_000), lambda: 0.0)
    assert again.extent == (taken // 2 + 1, taken + 10)
    again.close()


def test_a_wall_clock_that_jumps_loses_and_gives_up_nothing(tmp_path: Path) -> None:
    clock = [0.0]
    wall = [datetime(2026, 11, 22, tzinfo=UTC)]
    outbox = SqliteOutbox(tmp_path / "o", Limits(max_age_s=3600), lambda: clock[0])

    class Stamped:
        def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
            return Batch([Reading(at.isoformat().replace("+00:00", "Z"), {"x": now})], "", now + 1)

        def close(self) -> None: ...

    agent = Agent({"s": Stamped()}, outbox, lambda *_: False, lambda: wall[0])
    jumps = {
        30: timedelta(hours=1), 60: timedelta(hours=-1), 90: timedelta(days=1), 120: timedelta(days=-1),
        150: datetime(1970, 1, 1, tzinfo=UTC) - datetime(2026, 11, 22, tzinfo=UTC),
        180: datetime(2026, 11, 22, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    for second in range(210):
        clock[0] = float(second)
        wall[0] += timedelta(seconds=1) + jumps.get(second, timedelta())
        agent.step(0, [], clock[0])
    rows = [msgspec.json.decode(row.body) for row in outbox.read(1, 1000)]
    assert [row["values"]["x"] for row in rows] == [float(i) for i in range(210)]
    assert len({row["t"] for row in rows}) == 210
    assert outbox.dropped == []
    assert sum(row["t"].startswith("1970") for row in rows) == 30


def test_opening_and_giving_up_do_not_look_at_all_rows(tmp_path: Path) -> None:
    """Counted in SQLite's own steps, not in seconds."""
    outbox = SqliteOutbox(tmp_path / "o", Limits(max_bytes=4_000_000), lambda: 0.0)
    for n in range(50):
        outbox.append("d", [Reading(1000 * n + i, {"x": float(i)}) for i in range(1000)], "")
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    outbox._db.set_progress_handler(count, 1000)
    for n in range(20):
        outbox.append("d", [Reading(-1 - n, {"x": 1.0})], "")
    outbox._db.set_progress_handler(None, 0)
    assert outbox.waiting == 50_020
    assert steps[0] < 20
    outbox.close()
