"""Who goes off line: one incident a cause, a gateway with all behind it."""

from collections.abc import Collection, Mapping

import pytest

from contracts.records import PRESENCE, decode_outage
from ingest.domain.presence import roots
from ingest.service.foreign_names import speak_sparkplug, stand_behind
from ingest.service.presence import HOLD_S, Presence, forget_outages, outages_of
from ingest.service.registry import revoke_device
from plumbing import audit, log
from plumbing.sql import Database
from tests.ingest.conftest import NOW, OneClock, World


@pytest.mark.parametrize(
    ("away", "behind", "found"),
    [
        ("", {}, {}),
        ("ab", {}, {"a": (), "b": ()}),
        ("gab", {"a": "g", "b": "g"}, {"g": ("a", "b")}),
        ("ab", {"a": "g", "b": "g"}, {"a": (), "b": ()}),
        ("gab", {"a": "g"}, {"g": ("a",), "b": ()}),
        ("gha", {"a": "h", "h": "g"}, {"g": ("a", "h")}),
        ("ab", {"a": "b", "b": "a"}, {"a": ("b",), "b": ("a",)}),
    ],
)
def test_what_goes_with_its_gateway_is_no_cause(
    away: Collection[str], behind: Mapping[str, str], found: dict[str, tuple[str, ...]]
) -> None:
    assert roots(set(away), behind) == found


@pytest.fixture
def yard(any_database: Database) -> World:
    """A gateway with two pumps behind it, and a pump of its own."""
    made = World(any_database)
    for name in ("gate", "p1", "p2", "own"):
        made.device(name)
    speak_sparkplug(any_database, "acme", "gate", "Plant/Line", now=NOW)
    for name in ("p1", "p2"):
        stand_behind(any_database, "acme", name, "gate", name, now=NOW)
    return made


def say(world: World, online: bool, *names: str) -> None:
    for name in names:
        world.take(b'{"v":1}' if online else b'{"v":1,"online":false}', device=name, kind="state")


def told(world: World) -> list[str]:
    with world.database.read() as connection:
        return [e.diff["text"] for e in audit.read(connection, "acme") if e.action in ("device_away", "device_back")]


def incidents(world: World, running: bool = True) -> list[tuple[str, list[str]]]:
    return [(o.device, list(o.behind)) for o in outages_of(world.database, "acme", running=running)]


def test_a_gateway_that_dies_is_one_incident(yard: World) -> None:
    presence = Presence(yard.database, OneClock(yard.clock), yard.clock)
    say(yard, True, "gate", "p1", "p2", "own")
    presence.look()
    yard.clock.pass_(5)
    say(yard, False, "gate", "p1", "p2")
    presence.look()
    assert incidents(yard) == []
    yard.clock.pass_(HOLD_S)
    presence.look()
    presence.look()
    assert incidents(yard) == [("gate", ["p1", "p2"])]
    assert told(yard) == ["gate is off line, and 2 devices behind it."]
    yard.clock.pass_(100)
    say(yard, True, "gate", "p1", "p2")
    presence.look()
    assert incidents(yard) == []
    assert told(yard)[1:] == ["gate is on line again."]
    (over,) = outages_of(yard.database, "acme", running=False)
    assert over.ended_at is not None
    assert (over.ended_at - over.since).total_seconds() == HOLD_S + 100
    with yard.database.read() as connection:
        heard = [decode_outage(e.payload) for e in log.read(connection, PRESENCE, 0, 10)]
    assert [(h.tenant, h.device, h.behind, h.ended_at is None) for h in heard] == [
        ("acme", "gate", ["p1", "p2"], True), ("acme", "gate", ["p1", "p2"], False),
    ]  # fmt: skip


def test_two_processes_and_a_restart_tell_of_an_outage_once_and_since_when_it_is(yard: World) -> None:
    both = [Presence(yard.database, OneClock(yard.clock), yard.clock) for _ in range(2)]
    say(yard, True, "p2")
    say(yard, False, "gate", "p1")
    for presence in both:
        presence.look()
    yard.clock.pass_(HOLD_S)
    both[0].look()
    both[1]._write("acme", {"gate": ("p1",)}, [])  # it had looked before the other wrote
    again = Presence(yard.database, OneClock(yard.clock), yard.clock)
    say(yard, False, "p2")
    again.look()
    yard.clock.pass_(HOLD_S)
    again.look()
    with yard.database.read() as connection:
        heard = [decode_outage(e.payload) for e in log.read(connection, PRESENCE, 0, 10)]
    (kept,) = outages_of(yard.database, "acme")
    assert [(h.device, h.behind, h.since) for h in heard] == [
        ("gate", ["p1"], kept.since), ("gate", ["p1", "p2"], kept.since),
    ]  # fmt: skip


def test_who_is_back_at_once_was_never_gone(yard: World) -> None:
    presence = Presence(yard.database, OneClock(yard.clock), yard.clock)
    say(yard, False, "own")
    presence.look()
    yard.clock.pass_(HOLD_S / 2)
    say(yard, True, "own")
    presence.look()
    yard.clock.pass_(HOLD_S)
    say(yard, False, "own")
    presence.look()
    assert incidents(yard, running=False) == []


def test_a_device_whose_gateway_goes_too_joins_its_incident_and_stays_when_only_the_gateway_comes_back(
    yard: World,
) -> None:
    presence = Presence(yard.database, OneClock(yard.clock), yard.clock)
    say(yard, False, "p1")
    for _ in range(2):
        presence.look()
        yard.clock.pass_(HOLD_S)
    assert incidents(yard) == [("p1", [])]
    say(yard, False, "gate", "p2")
    for _ in range(2):
        presence.look()
        yard.clock.pass_(HOLD_S)
    assert incidents(yard) == [("gate", ["p1", "p2"])]
    say(yard, True, "gate", "p2")
    presence.look()
    assert incidents(yard) == [("p1", [])]
    assert told(yard) == [
        "p1 is off line.", "gate is off line, and 2 devices behind it.", "gate is on line again.", "p1 is off line.",
    ]  # fmt: skip


def test_a_restart_begins_no_second_incident_and_who_is_revoked_is_none(yard: World) -> None:
    first = Presence(yard.database, OneClock(yard.clock), yard.clock)
    say(yard, False, "own", "gate")
    for _ in range(2):
        first.look()
        yard.clock.pass_(HOLD_S)
    second = Presence(yard.database, OneClock(yard.clock), yard.clock)
    second.look()
    assert sorted(incidents(yard)) == [("gate", []), ("own", [])]
    revoke_device(yard.database, "acme", "own", now=yard.clock.now())
    second.look()
    assert incidents(yard) == [("gate", [])]
    assert len(incidents(yard, running=False)) == 2
    assert "own is on line again." not in told(yard)
    yard.clock.pass_(10)
    forget_outages(yard.database, "acme", yard.clock.now())
    assert incidents(yard, running=False) == [("gate", [])]
