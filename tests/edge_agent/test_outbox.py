import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from edge_agent.adapters.outbox import MAX_SAMPLE_BYTES, Limits, OutboxBroken, OutboxInUse, SqliteOutbox
from edge_agent.domain.driving import Reading
from edge_agent.service import OutboxUnwritable

ROOMY = Limits()


class Ticks:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def opened(path: Path, limits: Limits = ROOMY, ticks: Ticks | None = None) -> SqliteOutbox:
    return SqliteOutbox(path, limits, ticks or Ticks())


def reading(i: int, **more: float | str) -> Reading:
    return Reading(f"2026-11-22T10:{i // 60:02}:{i % 60:02}Z", {"x": float(i), **more})


def numbers(outbox: SqliteOutbox) -> list[int]:
    return [row.seq for row in outbox.read(1, 1_000_000)]


def times(outbox: SqliteOutbox) -> list[str | int]:
    return [msgspec.json.decode(row.body)["t"] for row in outbox.read(1, 1_000_000)]


def test_numbers_start_at_1_and_go_on_after_everything_was_settled_and_the_file_was_closed(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o")
    assert outbox.extent == (1, 0)
    outbox.append("csv", [reading(i) for i in range(5)], "5")
    outbox.settle(5, [])
    assert outbox.extent == (6, 5)
    boot_id = outbox.boot_id
    outbox.close()
    again = opened(tmp_path / "o")
    assert (again.boot_id, again.extent, again.position("csv")) == (boot_id, (6, 5), "5")
    again.append("csv", [reading(9)], "6")
    assert numbers(again) == [6]


def test_only_what_is_settled_is_removed(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o")
    outbox.append("csv", [reading(i) for i in range(10)], "")
    outbox.settle(3, [(5, 6), (9, 9)])
    assert numbers(outbox) == [4, 7, 8, 10]
    assert (outbox.extent, outbox.waiting) == ((4, 10), 4)


def test_equal_times_are_moved_on_by_a_microsecond_also_after_a_restart(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o")
    outbox.append("csv", [reading(0), reading(0), Reading("yesterday", {}), Reading("yesterday", {})], "")
    outbox.close()
    outbox = opened(tmp_path / "o")
    outbox.append("csv", [reading(0), reading(1)], "")
    assert times(outbox) == [
        "2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000001Z", "yesterday", "yesterday",
        "2026-11-22T10:00:00.000002Z", "2026-11-22T10:00:01Z",
    ]  # fmt: skip


def test_all_of_the_last_1000_times_are_remembered_over_a_restart_and_none_before(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o")
    outbox.append("csv", [reading(i) for i in range(1001)], "")
    outbox.close()
    outbox = opened(tmp_path / "o")
    outbox.append("csv", [reading(1)], "")
    assert times(outbox)[-1] == "2026-11-22T10:00:01.000001Z"
    outbox.append("csv", [reading(0)], "")
    assert times(outbox)[-1] == "2026-11-22T10:00:00Z"


def test_a_sample_too_large_for_a_message_gets_no_number(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o")
    done = outbox.append("csv", [reading(0), reading(1, y="x" * MAX_SAMPLE_BYTES), reading(2)], "3")
    assert (done.refused, numbers(outbox), outbox.position("csv")) == (1, [1, 2], "3")


def test_a_second_process_is_refused_and_let_in_once_the_first_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from edge_agent.adapters.outbox import *\n"
        "outbox = SqliteOutbox(Path(sys.argv[1]), Limits(), time.monotonic); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path / "o"], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"open\n"
        with pytest.raises(OutboxInUse):
            opened(tmp_path / "o")
        first.kill()
        first.wait()
    opened(tmp_path / "o").append("csv", [reading(0)], "")


def test_a_file_that_is_no_outbox_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "o").write_text("no database " * 100)
    with pytest.raises(OutboxBroken, match="cannot be used: file is not a database"):
        opened(tmp_path / "o")
    with pytest.raises(OutboxBroken):
        opened(tmp_path / "o" / "below-a-file")


def test_beyond_its_size_the_oldest_are_given_up_and_reported_until_they_are_passed(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o", Limits(max_bytes=1000))
    for i in range(30):
        outbox.append("host", [reading(i)], "")
    first, last = outbox.extent
    assert last == 30
    assert 1 < first < 30
    assert outbox.dropped == [(1, first - 1, "size")]
    outbox.close()
    outbox = opened(tmp_path / "o", Limits(max_bytes=1000))
    outbox.settle(first - 2, [])
    assert outbox.dropped == [(1, first - 1, "size")]
    outbox.settle(first - 1, [])
    assert outbox.dropped == []
    assert outbox.waiting == 31 - first


def test_a_source_that_can_wait_leaves_half_of_the_outbox_to_the_others(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o", Limits(max_bytes=2000))
    while outbox.room():
        outbox.append("csv", [reading(0)], "")
    assert outbox.dropped == []
    outbox.append("host", [reading(i) for i in range(5)], "")
    assert outbox.dropped == []


def test_age_is_running_time(tmp_path: Path) -> None:
    ticks = Ticks()
    outbox = opened(tmp_path / "o", Limits(max_age_s=100), ticks)
    outbox.append("host", [reading(0)], "")
    ticks.at = 90
    outbox.append("host", [reading(1)], "")
    outbox.close()
    ticks.at = 5_000_000.0  # off for two months
    outbox = opened(tmp_path / "o", Limits(max_age_s=100), ticks)
    outbox.append("host", [reading(2)], "")
    assert outbox.dropped == []
    ticks.at += 20
    assert outbox.append("host", [reading(3)], "").gave_up
    assert (outbox.dropped, numbers(outbox)) == ([(1, 1, "age")], [2, 3, 4])


def test_what_was_settled_and_is_asked_for_again_is_reported_as_not_held(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o")
    outbox.append("csv", [reading(i) for i in range(10)], "")
    outbox.settle(2, [(5, 6)])
    assert not outbox.give_up_missing([(3, 4), (7, 10)])
    assert outbox.give_up_missing([(3, 10)])
    assert outbox.dropped == [(5, 6, "not_held")]
    assert not outbox.give_up_missing([(3, 10)])


def test_an_old_copy_begins_anew_at_1_with_what_waits(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o")
    outbox.append("csv", [reading(i) for i in range(10)], "pos")
    outbox.settle(4, [(6, 6)])
    before = outbox.boot_id
    outbox.begin_anew(0, [])
    assert outbox.boot_id != before
    assert (numbers(outbox), outbox.extent, outbox.dropped) == ([1, 2, 3, 4, 5], (1, 5), [])
    assert times(outbox)[0] == "2026-11-22T10:00:04Z"
    boot_id = outbox.boot_id
    outbox.close()
    outbox = opened(tmp_path / "o")
    assert (outbox.boot_id, outbox.extent, outbox.position("csv")) == (boot_id, (1, 5), "pos")


def test_a_disk_that_takes_nothing_changes_nothing(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o")
    outbox.append("csv", [reading(0)], "1")
    outbox._db.execute("pragma max_page_count = 1")  # the file may not grow: what SQLite says of a full disk
    with pytest.raises(OutboxUnwritable):
        outbox.append("csv", [reading(i, y="x" * 3000) for i in range(2000)], "2001")
    assert (outbox.extent, outbox.position("csv"), outbox.waiting) == ((1, 1), "1", 1)
    outbox._db.execute("pragma max_page_count = 1000000")
    outbox.append("csv", [reading(0)], "2")
    assert times(outbox) == ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000001Z"]


WRITER = """
import sys, time
from pathlib import Path
from edge_agent.adapters.outbox import Limits, SqliteOutbox
from edge_agent.domain.driving import Reading
outbox = SqliteOutbox(Path(sys.argv[1]), Limits(max_bytes=200_000), time.monotonic)
at = int(outbox.position("d") or 0)
while True:
    outbox.append("d", [Reading(at + i, {"x": at + i}) for i in range(7)], str(at + 7))
    at += 7
    first, last = outbox.extent
    print(last, first, flush=True)
    if at % 3 == 0:
        outbox.settle(last - 40, [(last - 20, last - 10)])
        print(last, outbox.extent[0], flush=True)
"""


def test_killed_at_any_moment_nothing_that_was_kept_is_lost_and_no_number_is_given_twice(tmp_path: Path) -> None:
    dice = random.Random(3)
    given: dict[int, int] = {}
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "o"], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(dice.uniform(0, 0.15))
            os.kill(writer.pid, signal.SIGKILL)
            said = writer.stdout.read().decode().splitlines()
        outbox = opened(tmp_path / "o")
        rows = {row.seq: msgspec.json.decode(row.body)["values"]["x"] for row in outbox.read(1, 1_000_000)}
        first, last = outbox.extent
        if said and len(said[-1].split()) == 2:
            assert last >= int(said[-1].split()[0])
        assert int(outbox.position("d")) == last  # its seven readings and its place are one
        assert all(x == seq - 1 for seq, x in rows.items())
        assert all(given.setdefault(seq, x) == x for seq, x in rows.items())
        assert first == min(rows)
        outbox.close()


@pytest.mark.parametrize("cut", [1, 5, 24, 100, 4000])
def test_a_torn_log_keeps_what_was_committed_earlier(tmp_path: Path, cut: int) -> None:
    outbox = opened(tmp_path / "o")
    outbox.append("d", [reading(i) for i in range(5)], "5")
    wal = tmp_path / "o-wal"
    before = len(bytes_of(wal))
    outbox.append("d", [reading(i) for i in range(5, 10)], "10")
    for name in ("o", "o-wal"):
        (tmp_path / f"copy{name[1:]}").write_bytes(bytes_of(tmp_path / name))
    copy = tmp_path / "copy-wal"
    kept = max(before, len(copy.read_bytes()) - cut)
    copy.write_bytes(copy.read_bytes()[:kept])
    outbox.close()
    again = opened(tmp_path / "copy")
    assert (numbers(again), again.position("d")) == ([1, 2, 3, 4, 5], "5")
    again.append("d", [reading(i) for i in range(5, 10)], "10")
    assert numbers(again) == list(range(1, 11))


def bytes_of(path: Path) -> bytes:
    """Read in another process: closing the file here would let go of SQLite's lock."""
    return subprocess.run(["cat", path], capture_output=True, check=True).stdout


def test_the_file_is_plain_sqlite_that_a_person_can_look_into(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o")
    outbox.append("d", [reading(0)], "1")
    outbox.close()
    db = sqlite3.connect(tmp_path / "o")
    assert db.execute("select seq, body from samples").fetchall() == [
        (1, b'{"t":"2026-11-22T10:00:00Z","values":{"x":0.0}}')
    ]
    db.close()
