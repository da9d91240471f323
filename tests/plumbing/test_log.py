"""The log between services: order, crashes at every statement, racing producers, retention."""

import multiprocessing
import random
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from contracts.records import BLOCKS, NOTICES
from plumbing import log
from plumbing.sql import Database, lock
from tests.plumbing import log_world
from tests.plumbing.log_world import (
    NOON,
    OTHER,
    TOPIC,
    Crash,
    consume,
    done,
    ended_at,
    forget_consumer,
    kill,
    make_tables,
    produce,
    raise_crash,
    taken,
    told,
)

DAY = timedelta(days=1)


def append(database: Database, topic: str, *payloads: bytes, wall: Any = NOON) -> None:
    """Append, each in a commit of its own."""
    for payload in payloads:
        with database.write() as connection:
            log.append(connection, "acme", topic, "key", payload, wall)


def move(database: Database, consumer: str, topic: str, to: int) -> int:
    """Move a consumer; returns where it stands then."""
    with database.write() as connection:
        log.advance(connection, consumer, topic, to)
        return log.position(connection, consumer, topic)


def cleaned(database: Database, topic: str, **more: Any) -> int:
    """Clean the topic."""
    with database.write() as connection:
        return log.clean(connection, topic, more.pop("wall", NOON), **more)


def positions(database: Database, topic: str) -> list[int]:
    """Positions that are kept."""
    with database.read() as connection:
        return [e.position for e in log.read(connection, topic, 0, 10_000)]


def test_entries_come_in_order_with_all_that_was_given(database: Database) -> None:
    make_tables(database)
    append(database, TOPIC, b"a", b"\x00\xff")
    append(database, OTHER, b"elsewhere")
    with database.read() as connection:
        first, second = log.read(connection, TOPIC, 0)
        assert log.read(connection, TOPIC, first.position) == [second]
        assert log.read(connection, TOPIC, 0, limit=1) == [first]
    assert (first.tenant, first.key, first.payload, second.payload) == ("acme", "key", b"a", b"\x00\xff")
    assert first.position < second.position


def test_a_consumer_never_goes_back(database: Database) -> None:
    make_tables(database)
    assert [move(database, "c", TOPIC, to) for to in (0, 5, 3, 5, 9)] == [0, 5, 5, 5, 9]


def test_a_position_is_never_used_again(database: Database) -> None:
    make_tables(database)
    append(database, TOPIC, b"1", b"2")
    newest = positions(database, TOPIC)[-1]
    move(database, "c", TOPIC, newest)
    assert cleaned(database, TOPIC) == 2
    append(database, TOPIC, b"3")
    assert positions(database, TOPIC)[0] > newest


ROLES: dict[str, Callable[[Database], int]] = {"producer": produce, "consumer": consume, "new consumer": consume}


def _prepare(database: Database, role: str) -> None:
    """Something to do for everybody."""
    if role == "new consumer":
        forget_consumer(database)
    produce(database)
    produce(database)


def _points(database: Database, role: str) -> int:
    """At how many points one unit of work of this role can end."""
    _settle(database)
    _prepare(database, role)
    with ended_at(0, raise_crash) as passed:
        ROLES[role](database)
    return passed[0]


def _settle(database: Database) -> None:
    """Let producer and consumer go on to the end, and compare all that they did."""
    produce(database)
    while consume(database):
        pass
    numbers = done(database)
    assert numbers == list(range(1, len(numbers) + 1))
    assert told(database) == told(database, OTHER) == taken(database) == numbers


@pytest.mark.parametrize("role", ROLES)
def test_an_exception_at_any_statement_loses_and_doubles_nothing(database: Database, role: str) -> None:
    make_tables(database)
    count = _points(database, role)
    assert count > 6
    for point in range(1, count + 1):
        _settle(database)
        _prepare(database, role)
        before = (done(database), taken(database))
        with ended_at(point, raise_crash), pytest.raises(Crash):
            ROLES[role](database)
        assert (done(database), taken(database)) == before, f"half a unit of work stands after point {point}"
        _settle(database)


def _work_until_killed(url: str, role: str, point: int) -> None:
    database = Database(url)
    with ended_at(point, kill):
        ROLES[role](database)


@pytest.mark.parametrize("role", ROLES)
def test_a_kill_at_any_statement_loses_and_doubles_nothing(database: Database, url: str, role: str) -> None:
    make_tables(database)
    count = _points(database, role)
    context = multiprocessing.get_context("fork")
    for point in range(1, count + 1):
        _settle(database)
        _prepare(database, role)
        before = (done(database), taken(database))
        database.close()
        process = context.Process(target=_work_until_killed, args=(url, role, point))
        process.start()
        process.join(30)
        assert process.exitcode == -signal.SIGKILL
        assert (done(database), taken(database)) == before, f"half a unit of work stands after point {point}"
        _settle(database)


def _race(url: str, seed: int, results: Any) -> None:
    """Append 40 entries to one topic and some to another, with pauses before the commit; roll some back."""
    generator = random.Random(seed)
    database = Database(url)
    kept = []
    for i in range(40):
        rolled_back = generator.random() < 0.3
        try:
            with database.write() as connection:
                log.append(connection, "acme", TOPIC, f"{seed}", b"%d" % (seed * 1000 + i), NOON)
                if generator.random() < 0.3:
                    log.append(connection, "acme", OTHER, f"{seed}", b"0", NOON)
                threading.Event().wait(generator.random() * 0.004)
                if rolled_back:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            continue
        kept.append(seed * 1000 + i)
    results.put(kept)
    database.close()


def test_no_reader_passes_a_position_that_commits_later(database: Database, url: str) -> None:
    make_tables(database)
    database.close()
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    producers = [context.Process(target=_race, args=(url, seed, results)) for seed in range(1, 5)]
    for producer in producers:
        producer.start()
    heard: list[list[log.Entry]] = [[], []]
    over = threading.Event()

    def follow(mine: list[log.Entry]) -> None:
        after = 0
        while True:
            last = over.is_set()
            with database.read() as connection:
                entries = log.read(connection, TOPIC, after, 7)
            mine += entries
            after = entries[-1].position if entries else after
            if last and not entries:
                return

    readers = [threading.Thread(target=follow, args=(mine,)) for mine in heard]
    for reader in readers:
        reader.start()
    kept = sorted(n for _ in producers for n in results.get(timeout=60))
    for producer in producers:
        producer.join(30)
    over.set()
    for reader in readers:
        reader.join()
    for mine in heard:
        assert sorted(int(e.payload) for e in mine) == kept
        assert [e.position for e in mine] == sorted({e.position for e in mine})
        for seed in range(1, 5):
            own = [int(e.payload) for e in mine if e.key == str(seed)]
            assert own == sorted(own), "a producer's entries changed their order"


def test_racing_consumers_of_one_name_take_each_entry_once(database: Database) -> None:
    make_tables(database)
    for _ in range(30):
        produce(database)

    def take() -> None:
        for _ in range(30):
            with database.write() as connection:
                lock(connection, "consumer")
                at = log.position(connection, "consumer", TOPIC)
                for entry in log.read(connection, TOPIC, at, 1):
                    connection.execute(log_world.seen.insert().values(position=entry.position, n=int(entry.payload)))
                    log.advance(connection, "consumer", TOPIC, entry.position)

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken(database) == list(range(1, 31))


def test_blocks_are_kept_for_three_days(sqlite: Database) -> None:
    make_tables(sqlite)
    for day in range(6):
        append(sqlite, BLOCKS, b"%d" % day, wall=NOON + day * DAY)
    assert cleaned(sqlite, BLOCKS, wall=NOON + 5 * DAY) == 2
    assert told(sqlite, BLOCKS) == [2, 3, 4, 5]
    assert cleaned(sqlite, BLOCKS, wall=NOON + 5 * DAY) == 0


def test_an_entry_behind_a_younger_one_waits_for_it(sqlite: Database) -> None:
    """A wall clock that was set back must not tear a hole."""
    make_tables(sqlite)
    append(sqlite, BLOCKS, b"1", wall=NOON)
    append(sqlite, BLOCKS, b"2", wall=NOON + 9 * DAY)
    append(sqlite, BLOCKS, b"3", wall=NOON)
    assert cleaned(sqlite, BLOCKS, wall=NOON + 10 * DAY) == 1
    assert told(sqlite, BLOCKS) == [2, 3]


def test_other_topics_are_kept_until_every_consumer_has_passed(sqlite: Database) -> None:
    make_tables(sqlite)
    append(sqlite, TOPIC, b"1", b"2", b"3")
    first, second, third = positions(sqlite, TOPIC)
    assert cleaned(sqlite, TOPIC, wall=NOON + 99 * DAY) == 0
    move(sqlite, "fast", TOPIC, third)
    move(sqlite, "slow", TOPIC, 0)
    assert cleaned(sqlite, TOPIC) == 0
    move(sqlite, "slow", TOPIC, first)
    move(sqlite, "slow", OTHER, third)
    assert cleaned(sqlite, TOPIC) == 1
    assert positions(sqlite, TOPIC) == [second, third]
    move(sqlite, "slow", TOPIC, third)
    assert cleaned(sqlite, TOPIC) == 2


def test_notices_that_nobody_reads_are_kept_as_long_as_blocks(sqlite: Database) -> None:
    make_tables(sqlite)
    append(sqlite, NOTICES, b"1", wall=NOON)
    append(sqlite, NOTICES, b"2", wall=NOON + 4 * DAY)
    assert cleaned(sqlite, NOTICES, wall=NOON + 2 * DAY) == 0
    assert cleaned(sqlite, NOTICES, wall=NOON + 5 * DAY) == 1
    move(sqlite, "mail", NOTICES, 0)
    assert cleaned(sqlite, NOTICES, wall=NOON + 99 * DAY) == 0


def test_cleaning_goes_in_small_steps(sqlite: Database) -> None:
    make_tables(sqlite)
    append(sqlite, BLOCKS, *[b"%d" % i for i in range(25)])
    assert [cleaned(sqlite, BLOCKS, wall=NOON + 9 * DAY, limit=10) for _ in range(4)] == [10, 10, 5, 0]


def test_a_consumer_behind_what_is_kept_is_told(database: Database) -> None:
    make_tables(database)
    append(database, BLOCKS, b"1", b"2", b"3")
    first, second, _ = positions(database, BLOCKS)
    move(database, "late", BLOCKS, first)
    move(database, "reader", BLOCKS, second)
    assert cleaned(database, BLOCKS, wall=NOON + 9 * DAY, limit=2) == 2
    with database.read() as connection:
        log.check_kept(connection, "reader", BLOCKS)
        for behind in ("late", "new"):
            with pytest.raises(log.BehindTheLog) as caught:
                log.check_kept(connection, behind, BLOCKS)
            assert caught.value.oldest == second + 1
