"""What grows old goes by itself: messages in quarantine expire, the ledger by day is cut; the counts stay."""

from contextlib import suppress
from datetime import timedelta

import pytest
import sqlalchemy as sa

from contracts.clock import Clocks
from ingest.service import housekeeping
from ingest.service.days import days_of
from ingest.service.housekeeping import Keeping, Tidied, keep_house
from ingest.service.ledger import ledger
from ingest.service.quarantine import Quarantine, quarantine_page
from ingest.settings import Settings
from plumbing import audit
from tests.ingest.conftest import NOW, OneClock, World, batch, telemetry
from tests.ingest.test_crashes import Death, death_at
from tests.ingest.test_replay import again, figures

DAY = 86400
KEEPING = Keeping(30, 60)


def clocks(world: World) -> Clocks:
    return OneClock(world.clock)


def tidy(world: World, keeping: Keeping = KEEPING) -> Tidied:
    return keep_house(world.database, clocks(world), keeping)


def states(world: World) -> list[str]:
    return [q.state for q in reversed(quarantine_page(world.database, limit=1000))]


def expired(world: World, device: str = "pump-1") -> int:
    return ledger(world.database, "acme", device).sums()["expired"]


def test_a_message_expires_when_it_is_older_than_the_setting_says_and_stays_counted(world: World) -> None:
    world.take(batch(1, 3).replace('"temp"', '"tmp"'))
    world.clock.pass_(10 * DAY)
    world.take(telemetry('{"temp":999}', t=f'"{world.clock.now().isoformat()}"', seq=4))
    assert tidy(world) == Tidied()
    world.clock.pass_(20 * DAY + 1)
    assert tidy(world) == Tidied(expired=1)
    assert states(world) == ["expired", "kept"]
    (old, _) = reversed(quarantine_page(world.database))
    assert (old.body, old.moved_by, old.moved_at) == (b"", "forewarn", world.clock.now())
    assert figures(world)[:3] == (4, 0, 4)
    assert expired(world) == 3
    assert tidy(world) == Tidied()
    with world.database.read() as connection:
        (said,) = [e for e in audit.read(connection, "acme") if e.action == "quarantine_expired"]
        assert audit.verify(connection, "acme") is None
    assert (said.actor, said.diff["entries"], "after 30 days" in said.diff["text"]) == ("forewarn", 1, True)


def test_ingest_goes_on_as_before_when_messages_expired_beside_it(world: World) -> None:
    world.take(batch(1, 2).replace('"temp"', '"tmp"'))
    world.clock.pass_(31 * DAY)
    tidy(world)
    world.take(batch(3, 2, start=world.clock.now() - timedelta(hours=1)))
    assert figures(world)[:3] == (4, 2, 2)
    assert again(world) == []


def test_many_messages_expire_a_portion_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "AT_ONCE", 3)
    monkeypatch.setattr(housekeeping, "MOST_PORTIONS", 2)
    world.take(*(telemetry('{"temp":999}', seq=n) for n in range(1, 9)))
    world.clock.pass_(31 * DAY)
    assert [tidy(world).expired for _ in range(3)] == [6, 2, 0]
    assert expired(world) == 8


def test_what_expired_or_was_replayed_long_ago_leaves_the_list_and_stays_counted(world: World) -> None:
    world.take(telemetry('{"temp":999}'))
    world.clock.pass_(31 * DAY)
    tidy(world)
    world.clock.pass_(29 * DAY)
    assert states(world) == ["expired"]
    world.clock.pass_(2 * DAY)
    assert tidy(world).entries == 1
    assert (states(world), expired(world), figures(world)[2]) == ([], 1, 1)


def test_what_had_no_room_counts_as_expired_too(world: World) -> None:
    world.quarantine = Quarantine(max_a_device=5)
    world.fresh()
    world.take(*(telemetry('{"temp":999}', seq=n) for n in range(1, 8)))
    left = len(states(world))
    assert left < 7
    assert expired(world) == 7 - left


def test_what_nobody_sent_is_counted_in_messages_alone(world: World) -> None:
    world.take(batch(1, 3), device="stranger")
    world.clock.pass_(31 * DAY)
    assert tidy(world).expired == 1
    with world.database.read() as connection:
        row = connection.execute(sa.text("select device, messages, samples from ingest_expired")).one()
    assert tuple(row) == ("stranger", 1, 0)


def test_a_death_at_any_statement_expires_each_message_once(world: World) -> None:
    for n in range(1, 40):
        world.take(telemetry('{"temp":999}', t=f'"{world.clock.now().isoformat()}"', seq=n))
        world.clock.pass_(31 * DAY)
        with death_at(n) as seen, suppress(Death):
            tidy(world)
        tidy(world)
        assert expired(world) == n
        if len(seen) < n:
            break
    else:
        raise AssertionError("a round has fewer statements than this")


def test_days_of_the_ledger_go_when_they_are_older_than_the_setting_says(world: World) -> None:
    for n in range(1, 5):
        world.take(batch(n, 1, start=world.clock.now() - timedelta(hours=1)))
        world.clock.pass_(30 * DAY)
    assert len(days_of(world.database, "acme", "pump-1", 10)) == 4
    assert tidy(world).days == 2
    left = days_of(world.database, "acme", "pump-1", 10)
    assert [d.day for d in left] == [(NOW + timedelta(days=days)).date() for days in (90, 60)]
    assert [d.stored for d in left] == [1, 1]


def test_how_long_things_are_kept_is_a_setting() -> None:
    url = {"FOREWARN_MQTT_URL": "mqtt://ingest:x@localhost"}
    told = Settings.of({**url, "FOREWARN_INGEST_QUARANTINE_DAYS": "7", "FOREWARN_INGEST_LEDGER_DAYS": "90"})
    assert (told.quarantine_days, told.ledger_days) == (7, 90)
    assert (Settings.of(url).quarantine_days, Settings.of(url).ledger_days) == (30, 400)
