"""The outbox's file is cut, overwritten or lost: the agent goes on, and says what is gone."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge_agent.adapters.carving import PAGE
from edge_agent.adapters.outbox import Limits, OutboxBroken, SqliteOutbox
from edge_agent.domain.driving import Reading
from edge_agent.service import OutboxDamaged
from tests.edge_agent.platform import Account, World

DRAIN_S = 900.0
COMMITS = 12
FRAME = 24 + PAGE


def opened(path: Path) -> SqliteOutbox:
    return SqliteOutbox(path, Limits(), lambda: 0.0)


def reading(i: int, length: int = 0) -> Reading:
    return Reading(i, {"x": float(i)} | ({"y": "z" * length} if length else {}))


def held(outbox: SqliteOutbox) -> dict[int, float]:
    return {row.seq: msgspec.json.decode(row.body)["values"]["x"] for row in outbox.read(1, 1_000_000)}


def copy(source: Path, target: Path) -> None:
    """As a power cut leaves it: the file and its log, while the outbox is open."""
    target.parent.mkdir(exist_ok=True)
    copyfile(source, target)
    log = source.with_name(source.name + "-wal")
    if log.exists():
        copyfile(log, target.with_name(target.name + "-wal"))


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, list[int]]:
    """A copy of an outbox in use, with what its log grew to after each of its commits."""
    source = tmp_path / "source"
    outbox = opened(source)
    log = tmp_path / "source-wal"
    ends = []
    for n in range(COMMITS):
        outbox.append("d", [reading(3 * n + i) for i in range(3)], str(3 * n + 3))
        ends.append(log.stat().st_size)
    copy(source, tmp_path / "copy" / "o")
    outbox.close()
    return tmp_path / "copy" / "o", ends


def test_a_log_cut_at_any_byte_keeps_every_commit_before_the_cut(
    tmp_path: Path, written: tuple[Path, list[int]]
) -> None:
    original, ends = written
    body = original.with_name("o-wal").read_bytes()
    assert len(body) == ends[-1]
    edges = {32 + k * FRAME + d for k in range(len(body) // FRAME + 1) for d in (-1, 0, 1, 23, 24, 25)}
    for cut in sorted({n for n in edges | set(range(0, len(body), 997)) | set(range(40)) if 0 <= n <= len(body)}):
        here = tmp_path / "cut" / "o"
        copy(original, here)
        here.with_name("o-wal").write_bytes(body[:cut])
        outbox = opened(here)
        commits = sum(end <= cut for end in ends)
        if held(outbox) != {i + 1: float(i) for i in range(3 * commits)}:
            assert commits == 0, cut  # without the commit that made the tables there is no outbox
        assert outbox.position("d") == (str(3 * commits) if commits else "")
        outbox.append("d", [reading(99)], "100")
        outbox.close()
        for left in here.parent.iterdir():
            left.unlink()


def flip(dice: random.Random, body: bytearray) -> None:
    for _ in range(dice.choice([1, 1, 2, 10, 100])):
        body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)


def blot(dice: random.Random, body: bytearray) -> None:
    at, size = dice.randrange(len(body)), dice.choice([16, 512, PAGE, 4 * PAGE])
    end = min(len(body), at + size)
    body[at:end] = dice.choice([bytes(end - at), dice.randbytes(end - at), b"\xff" * (end - at)])


def truncate(dice: random.Random, body: bytearray) -> None:
    del body[dice.randrange(len(body)) :]


def behead(dice: random.Random, body: bytearray) -> None:
    body[:100] = dice.randbytes(100)


def behead_page(dice: random.Random, body: bytearray) -> None:
    body[:PAGE] = dice.randbytes(PAGE)


def empty(dice: random.Random, body: bytearray) -> None:
    body.clear()


DAMAGES: list[Callable[[random.Random, bytearray], None]] = [flip, blot, truncate, behead, behead_page, empty]


def account_of(world: World) -> tuple[list[float], set[float]]:
    """Values that the platform has, as often as it has them; values whose numbers it was told are gone."""
    stored = [value for account in world.platform.accounts.values() for value in account.settled.values()]
    return stored, {n - 1.0 for account in world.platform.accounts.values() for n in account.given_up}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    damage=st.sampled_from(DAMAGES),
    seed=st.integers(0, 2**32),
    log=st.booleans(),
    seconds=st.sampled_from([0.0, 5.0, 20.0]),
)
@example(damage=blot, seed=7439, log=True, seconds=0.0)
@example(damage=blot, seed=103, log=False, seconds=0.0)
def test_whatever_is_damaged_the_agent_starts_sends_on_and_accounts(
    damage: Callable[[random.Random, bytearray], None], seed: int, log: bool, seconds: float
) -> None:
    dice = random.Random(seed)
    world = World(total=600, rate=20, window=50, seed=seed)
    world.run(seconds)
    world.platform_up = False
    world.run(10)
    before = world.outbox.extent[1]
    boot_id = world.outbox.boot_id
    world.up.clear()
    target = world.path
    if log and dice.random() < 0.5:  # as a power cut leaves it
        spare = world.path.with_name("spare")
        copy(world.path, spare)
        world.outbox.close()
        for ending in ("", "-wal"):
            spare.with_name("spare" + ending).replace(world.path.with_name(world.path.name + ending))
        target = world.path.with_name(world.path.name + "-wal") if dice.random() < 0.5 else world.path
    else:
        world.outbox.close()
    body = bytearray(target.read_bytes())
    damage(dice, body)
    target.write_bytes(body)
    world.outbox = world.open()
    world.restart()
    world.platform_up = True
    positions_kept = int(world.outbox.position("d") or 0) == before
    world.drain(DRAIN_S)
    stored, gone = account_of(world)
    everything = {float(i) for i in range(600)}
    if positions_kept:
        assert len(stored) == len(set(stored))
    lost = everything - set(stored)
    if world.outbox.boot_id == boot_id:
        assert lost <= gone
        return
    health = world.outbox.health
    if health:
        assert (world.path.parent / str(health["set_aside"])).exists()
    if positions_kept:
        named = {n - 1.0 for n in world.platform.accounts.get(boot_id, Account()).given_up}
        assert lost <= named
        assert not lost or health
    else:  # the source is read from its beginning
        assert not lost


def test_what_the_platform_had_stored_before_the_damage_is_not_counted_twice() -> None:
    world = World(total=400, rate=20, window=100, seed=1)
    world.run(5)
    world.platform.mute = True
    world.run(2)  # stored, but the agent does not hear of it
    world.platform.mute = False
    world.up.clear()
    boot_id = world.outbox.boot_id
    had = set(world.platform.accounts[boot_id].settled)
    through = world.outbox.extent[0] - 1
    assert len(had) > through
    world.outbox.close()
    body = bytearray(world.path.read_bytes())
    body[:100] = bytes(100)
    world.path.write_bytes(body)
    world.outbox = world.open()
    world.restart()
    assert world.outbox.boot_id != boot_id
    world.drain(DRAIN_S)
    stored, _ = account_of(world)
    assert sorted(stored) == [float(i) for i in range(400)]
    old, new = world.platform.accounts[boot_id], world.platform.accounts[world.outbox.boot_id]
    assert set(old.settled) == had
    assert len(old.given_up) == int(str(world.outbox.health["salvaged"])) - (len(had) - through)
    assert len(new.given_up) == len(had) - through
    assert world.outbox.farewells == []


def test_numbers_lost_with_a_cut_log_are_not_given_again_once_the_platform_has_them() -> None:
    """Sent and settled, then the disk forgets them; new samples are numbered before the platform can be asked."""
    world = World(total=200, rate=20, window=100, seed=1, waits=False)
    world.run(4)
    world.outbox.close()
    early = world.path.read_bytes()
    world.outbox = world.open()
    world.restart()
    world.run(2)
    boot_id = world.outbox.boot_id
    settled = dict(world.platform.accounts[boot_id].settled)
    world.platform_up = False
    world.outbox.close()
    world.path.write_bytes(early)
    world.outbox = world.open()
    assert world.outbox.extent[1] < max(settled)
    world.restart()
    for i in range(60):  # other content under the same numbers
        world.outbox.append("other", [Reading(10_000 + i, {"x": 10_000.0 + i})], "")
    assert world.outbox.extent[1] > max(settled)
    world.restart()  # also after another start the doubt stays
    world.platform_up = True
    world.drain(DRAIN_S)
    assert world.outbox.boot_id != boot_id
    stored, _ = account_of(world)
    assert {10_000.0 + i for i in range(60)} <= set(stored)
    assert {n: v for n, v in world.platform.accounts[boot_id].settled.items() if n in settled} == settled
    assert {float(i) for i in range(200)} <= set(stored)


def test_damage_found_while_running_is_salvaged_without_a_restart(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o")
    outbox.append("d", [reading(i) for i in range(500)], "500")
    before = outbox.boot_id
    outbox._db.execute("update samples set body = x'00' where seq = 77")
    with pytest.raises(OutboxDamaged):
        outbox.read(1, 500)
    outbox.salvage("a test")
    assert outbox.boot_id != before
    assert list(held(outbox).values()) == [float(i) for i in range(500) if i != 76]
    assert outbox.position("d") == "500"
    assert outbox.health["unreadable"] == 1
    (old,) = outbox.farewells
    assert (old.boot_id, old.first, old.last) == (before, 1, 500)
    assert (77, 77, "unreadable") in old.dropped


def test_large_samples_are_got_back_from_their_overflow_pages(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "o")
    outbox.append("d", [reading(i, length) for i, length in enumerate([0, 4000, 4061, 5000, 100_000, 200_000])], "6")
    outbox.close()
    body = bytearray((tmp_path / "o").read_bytes())
    body[:100] = bytes(100)
    (tmp_path / "o").write_bytes(body)
    again = opened(tmp_path / "o")
    assert list(held(again).values()) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert again.health["salvaged"] == 6


def test_a_start_that_died_between_the_renames_is_finished_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "o"
    outbox = opened(path)
    outbox.append("d", [reading(i) for i in range(50)], "50")
    outbox.close()
    body = bytearray(path.read_bytes())
    body[:100] = bytes(100)
    path.write_bytes(body)
    copy(path, tmp_path / "a" / "o")
    copy(path, tmp_path / "b" / "o")
    opened(path).close()
    for case, damaged_there in (("a", True), ("b", False)):
        here = tmp_path / case / "o"
        copyfile(path, here.with_name("o.new"))
        if not damaged_there:
            here.rename(here.with_name("o.damaged"))
        again = opened(here)
        assert len(held(again)) == 50
        assert not here.with_name("o.new").exists()
        again.close()


def test_a_database_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "o")
    db.execute("create table customers(name)")
    db.commit()
    db.close()
    before = (tmp_path / "o").read_bytes()
    with pytest.raises(OutboxBroken, match="another kind"):
        opened(tmp_path / "o")
    db = sqlite3.connect(tmp_path / "o")
    assert db.execute("select count(*) from customers").fetchone() == (0,)
    db.close()
    assert len(before) <= (tmp_path / "o").stat().st_size


def test_a_file_of_the_first_kind_is_brought_up_to_date(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "o")
    db.executescript(
        "create table samples(seq integer primary key, aged integer not null, body blob not null, units blob);"
        "create table dropped(first integer primary key, last integer not null, reason text not null);"
        "create table times(slot integer primary key, number integer not null, us integer not null);"
        "create table positions(driver text primary key, position text not null);"
        "create table facts(name text primary key, value) without rowid;"
        "insert into facts values ('boot_id', 'abcdef0123456789'), ('last', 9), ('ran', 12.5);"
        "insert into positions values ('csv', '9'); insert into dropped values (1, 3, 'size');"
    )
    db.executemany(
        "insert into samples values (?, 5, ?, ?)",
        [(n, b'{"t":%d,"values":{"x":%d.0}}' % (n, n), None if n % 2 else b'{"x":"mm/s"}') for n in range(5, 10)],
    )
    db.commit()
    db.close()
    outbox = opened(tmp_path / "o")
    assert (outbox.boot_id, outbox.extent, outbox.waiting) == ("abcdef0123456789", (5, 9), 5)
    assert (outbox.position("csv"), outbox.dropped) == ("9", [(1, 3, "size")])
    assert held(outbox) == {n: float(n) for n in range(5, 10)}
    outbox.close()
    assert held(opened(tmp_path / "o")) == {n: float(n) for n in range(5, 10)}
