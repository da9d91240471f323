"""The ledger by day, losses by name, and how a device's clock and backlog stand."""

import random
from contextlib import suppress
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from ingest.domain.settlement import Outbox
from ingest.service.days import days_of
from ingest.service.links import Links, sent_at_us
from ingest.service.losses import losses_of
from plumbing.sql import to_us
from tests.ingest.conftest import BOOT, NOW, World, batch, telemetry
from tests.ingest.test_crashes import Death, death_at

DAY = 86400


def lost(world: World) -> list[tuple[str, int, int, str]]:
    return [(x.boot_id, x.first, x.last, x.reason) for x in losses_of(world.database, "acme", "pump-1")]


def test_what_is_lost_for_good_is_named_with_range_time_and_reason(world: World) -> None:
    world.take(batch(1, 3))
    world.state(1, 20, [(5, 8, "age")])
    assert lost(world) == [(BOOT, 5, 8, "age")]
    world.clock.pass_(60)
    world.state(1, 20, [(5, 9, "age")])
    world.state(12, 20, [(5, 9, "age")])
    assert lost(world) == [(BOOT, 10, 11, "gone"), (BOOT, 4, 4, "gone"), (BOOT, 9, 9, "age"), (BOOT, 5, 8, "age")]
    assert [x.at for x in losses_of(world.database, "acme", "pump-1")] == [NOW + timedelta(minutes=1)] * 3 + [NOW]
    world.take(batch(6, 2))
    assert (BOOT, 5, 8, "age") not in lost(world)
    assert {(BOOT, 5, 5, "age"), (BOOT, 8, 8, "age")} <= set(lost(world))
    world.state(1, 0, boot="bbbbbbbb")
    assert lost(world)[0] == (BOOT, 12, 20, "replaced")
    entry = world.entry()
    assert sum(b - a + 1 for _, a, b, _ in lost(world)) == entry.lost + entry.discarded


def test_what_the_oldest_of_many_outboxes_had_not_sent_is_named_too(world: World) -> None:
    for n in range(10):
        world.take(batch(1, 1, boot=f"{n:08x}"))
        world.take(batch(3, 1, boot=f"{n:08x}"))
    assert ("00000000", 2, 2, "replaced") in lost(world)


@pytest.mark.parametrize("seed", range(20))
def test_the_ranges_that_are_named_are_those_that_are_counted(seed: int) -> None:
    from contracts.wire import State
    from ingest.domain.ranges import RangeSet

    dice = random.Random(seed)
    outbox = Outbox()
    for _ in range(40):
        if dice.random() < 0.5:
            a = dice.randrange(1, 200)
            outbox.settle(RangeSet([(a, a + dice.randrange(6))]))
        else:
            first = dice.randrange(outbox.first, outbox.first + 9)
            last = max(first, outbox.last + dice.randrange(4))
            cut = dice.randrange(1, 200)
            outbox.report(State(1, BOOT, first, last, [(cut, cut + 3, "size")] if dice.random() < 0.5 else []))
    outbox.replace()
    named = [r for ranges in outbox.still_lost(reversed(outbox.losses)) for r in ranges]
    numbers = [n for a, b in named for n in range(a, b + 1)]
    assert len(numbers) == len(set(numbers))
    assert len(numbers) == outbox.lost + outbox.discarded


def test_each_day_tells_what_was_taken_on_it(world: World) -> None:
    world.take(batch(1, 3), batch(2, 1))
    world.clock.pass_(DAY)
    world.take(batch(4, 2), telemetry('{"temp":999}', seq=6))
    world.fresh()
    world.take(batch(7, 1, start=NOW + timedelta(days=1, minutes=-1)))
    world.clock.pass_(3 * DAY)
    world.state(9, 8)
    world.take(batch(9, 1))
    told = [(d.day, d.stored, d.quarantined, d.duplicate, d.late, d.lost) for d in days_of(
        world.database, "acme", "pump-1", 10)]  # fmt: skip
    assert told == [
        (date(2026, 11, 26), 1, 0, 0, 1, 0),
        (date(2026, 11, 23), 3, 1, 0, 2, 1),
        (date(2026, 11, 22), 3, 0, 1, 3, 0),
    ]
    assert len(days_of(world.database, "acme", "pump-1", 1)) == 1


def test_a_death_at_any_statement_leaves_days_and_losses_exact(world: World) -> None:
    for n in range(1, 14):
        with death_at(n), suppress(Death):
            world.take(batch(n, 1))
        world.take(batch(n, 1))
        world.clock.pass_(DAY)
    with death_at(5), pytest.raises(Death):
        world.state(20, 30)
    world.state(20, 30)
    days = days_of(world.database, "acme", "pump-1", 50)
    assert [d.stored for d in days] == [1] * 13
    assert lost(world) == [(BOOT, 14, 19, "gone")]


@pytest.mark.parametrize("ahead", [-3600.0, -2.0, 0.0, 5.0])
def test_the_clock_of_a_device_is_judged_by_its_quickest_messages(world: World, ahead: float) -> None:
    dice = random.Random(1)
    for n in range(30):
        sent = world.clock.now() + timedelta(seconds=ahead)
        world.clock.pass_(0.05 + dice.random() * 5)
        t = (sent - timedelta(seconds=1)).isoformat()
        world.take(
            f'{{"v":1,"boot_id":"{BOOT}","seq":{n + 1},"sent_at":"{sent.isoformat()}",'
            f'"samples":[{{"t":"{t}","values":{{"temp":1}}}}]}}'
        )
        world.clock.pass_(2)
    with world.database.read() as connection:
        skew, age = connection.execute(sa.text("select skew_us, backlog_us from ingest_devices")).one()
    assert abs(skew / 1e6 - ahead) < 1.0
    assert 0.5e6 < age < 7e6


def test_an_old_backlog_shows_by_its_age(world: World) -> None:
    links = Links()
    now = to_us(NOW)
    assert links.note(("a", "b"), now, b'{"v":1}', None) == (None, None)
    assert links.note(("a", "b"), now, b'{"v":1}', now - 7_200_000_000) == (None, 7_200_000_000)
    for n in range(10):
        links.note(("a", "b"), now + n, b"", now + n)
    assert links.note(("a", "b"), now, b"", now) == (None, 0)


@pytest.mark.parametrize(
    "body", [b"", b'{"sent_at":1}', b'{"sent_at":"yesterday-or-so-it-seems"}', b'{"sent_at":"2026-11-22T10:00:00"}',
             b"\xff" * 500, b" " * 500 + b'"sent_at":"2026-11-22T10:00:00Z"'],
)  # fmt: skip
def test_no_time_of_sending_is_no_fault(body: bytes) -> None:
    assert sent_at_us(body) is None
