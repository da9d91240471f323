"""What an agent says of itself is kept, and shown as device health."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts import wire
from ingest.domain.reported import Reported, reported
from ingest.service.ledger_report import Report, report
from plumbing.runtime import Shared
from plumbing.stores.absent import NoStore
from plumbing.tenants import TenantClocks
from tests.ingest.conftest import BOOT, World, pump

TOLD: dict[str, Any] = {
    "waiting": 7, "backlog": 2, "problem": "the disk is full", "refused_too_large": 1,
    "not_taken": {"samples": 5, "first": "2026-11-22T09:00:00Z", "last": "2026-11-22T09:01:00Z"},
    "set_aside": "outbox.sqlite.damaged", "why": "file is not a database", "salvaged": 554, "unreadable": 51,
}  # fmt: skip


def say(world: World, health: dict[str, Any], dropped: list[wire.Dropped] | None = None) -> None:
    state = wire.State(1, BOOT, 1, 20, dropped or [], "0.1", 5.0, True, health)
    world.take(msgspec.json.encode(state), kind="state")


def told(world: World) -> Report:
    clocks = TenantClocks(world.database, world.clock)
    shared = Shared(Path(), world.database, world.clock, clocks, NoStore(), {"pump": pump()}.get)
    return report(shared, "acme", "pump-1", signals=False)


def test_the_ledger_shows_what_the_agent_says_of_itself(world: World) -> None:
    assert told(world).agent is None
    say(world, TOLD)
    assert told(world).agent == Reported(
        "the disk is full", 7, 2, 1, 5, "2026-11-22T09:00:00Z", "2026-11-22T09:01:00Z", "outbox.sqlite.damaged",
        "file is not a database", 554, 51,
    )  # fmt: skip
    say(world, {"problem": ""})
    assert told(world).agent == Reported()


def test_numbers_that_moved_are_no_loss_and_stand_by_themselves(world: World) -> None:
    say(world, {}, [(1, 4, "moved"), (5, 6, "unreadable"), (7, 8, "stored_before")])
    found = told(world)
    assert [(x.first, x.last, x.reason) for x in found.moved_ranges] == [(7, 8, "stored_before"), (1, 4, "moved")]
    assert [(x.first, x.last) for x in found.losses] == [(5, 6)]
    sums = found.ledger.sums()
    assert (sums["sent"], sums["discarded"], sums["moved"], sums["waiting"]) == (14, 2, 6, 12)


@pytest.mark.parametrize(
    "health",
    [
        {"problem": 5, "waiting": "7", "not_taken": 3, "set_aside": None},
        {"waiting": -1, "not_taken": {"samples": True, "first": 0}},
        {"unreadable": 1 << 60, "salvaged": 1.5},
    ],
)
def test_a_field_that_is_not_as_it_should_be_was_not_said(health: dict[str, Any]) -> None:
    assert reported(health) == Reported()


def test_words_of_an_agent_are_cut_and_without_control_characters() -> None:
    said = reported({"problem": "a\x1b[31m\n" + "x" * 1000}).problem
    assert said.startswith("a[31mx")
    assert len(said) <= 300
