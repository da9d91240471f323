"""The exact refusal with its remedy, and a quarantine that stays within its bounds."""

from datetime import timedelta

from contracts.wire import REASONS
from ingest.domain.batch import Batch
from ingest.service.quarantine import Quarantine, quarantine_page
from ingest.service.refusals import (
    MAX_TOPICS,
    OTHERS,
    REMEDIES,
    count_refused_publish,
    last_refusal,
    refused_publishes_of,
)
from plumbing.sql import Database
from tests.ingest.conftest import NOW, World, batch, telemetry


def test_every_reason_has_a_remedy() -> None:
    assert set(REMEDIES) == set(REASONS) | {"wrong_secret", "forbidden_topic"}


def test_the_newest_refusal_is_given_with_its_remedy(world: World) -> None:
    def last() -> tuple[str, str] | None:
        found = last_refusal(world.database, "acme", "pump-1")
        return (found.reason, found.where) if found else None

    assert last() is None
    count_refused_publish(world.database, "acme/pump-1", "", NOW)
    assert last() == ("wrong_secret", "acme/pump-1")
    count_refused_publish(world.database, "acme/pump-1", "forewarn/v1/acme/pump-2/telemetry", NOW + timedelta(1))
    assert last() == ("forbidden_topic", "forewarn/v1/acme/pump-2/telemetry")
    found = last_refusal(world.database, "acme", "pump-1")
    assert found is not None
    assert "forewarn/v1/acme/pump-1/telemetry" in found.remedy
    world.take(telemetry('{"temp":"x"}'), telemetry('{"foo":1}', seq=2))
    assert last() == ("unknown_signal", "samples[0].values.foo")


def test_refused_publishes_are_counted_within_bounds(database: Database) -> None:
    for n in range(MAX_TOPICS + 5):
        count_refused_publish(database, "acme/pump-1", f"a/{n}", NOW)
    count_refused_publish(database, "acme/pump-1", "a/1", NOW)
    count_refused_publish(database, "x" * 500, "y\x00" * 500, NOW)
    counted = refused_publishes_of(database, "acme/pump-1")
    assert (len(counted), counted["a/1"], counted[OTHERS]) == (MAX_TOPICS + 1, 2, 5)


def test_quarantine_keeps_the_newest_within_its_bounds(database: Database) -> None:
    world = World(database, quarantine=Quarantine(max_a_device=20, max_bytes=6_000))
    world.device()
    world.device("pump-2")
    world.take(*(telemetry('{"temp":"x"}', seq=n) for n in range(1, 31)))
    kept = quarantine_page(database, "acme", "pump-1")
    assert [q.seq for q in kept][:3] == [30, 29, 28]
    assert len(kept) <= 20
    world.take(*(telemetry('{"temp":"%s"}' % ("x" * 1000), seq=n) for n in range(1, 7)), device="pump-2")
    everything = quarantine_page(database, limit=100)
    assert sum(len(q.body) for q in everything) <= 6_000
    assert everything[0].device == "pump-2"
    world.fresh()
    world.take(telemetry('{"temp":"y"}', seq=99))
    assert quarantine_page(database)[0].seq == 99
    assert (world.entry().quarantined, world.entry().refused) == (31, {"wrong_type": 31})


def test_pages_of_the_quarantine_go_on_where_the_one_before_ended(world: World) -> None:
    world.take(*(telemetry('{"temp":"x"}', seq=n) for n in range(1, 6)), telemetry('{"foo":1}', seq=6))
    first = quarantine_page(world.database, "acme", limit=4)
    rest = quarantine_page(world.database, "acme", limit=4, before=first[-1].id)
    assert [q.seq for q in first + rest] == [6, 5, 4, 3, 2, 1]
    assert [q.seq for q in quarantine_page(world.database, reason="unknown_signal")] == [6]


def test_a_message_that_cannot_be_taken_is_put_aside_alone(world: World) -> None:
    from tests.ingest.conftest import Message

    world.take(batch(1, 1))
    world.intake.quarantine_alone(Message("forewarn/v1/acme/pump-1/telemetry", b"\x00\xff"), "OverflowError")
    assert world.refusals() == [("OverflowError", "malformed")]
    assert Batch().check() == []
