"""Commands from the ledger to a device and back, with every clock in hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from contracts.commands import Result
from contracts.records import HoldReleased, HoldSet
from edge_agent.domain.commands import Here
from ingest.service import commands as ledger
from ingest.service.command_ledger import hear
from ingest.service.commands import Person, Wanted
from ingest.service.registry import add_device, revoke_device
from plumbing.sql import Database
from tests.ingest.command_link import ANNA, DAY, EVA, HOUR, JUMPS, Link, models


@pytest.fixture
def link(any_database: Database, tmp_path: Path) -> Iterator[Link]:
    made = Link(any_database, tmp_path)
    yield made
    made.device.journal.close()


def test_a_command_is_done_and_every_step_is_on_record(link: Link) -> None:
    id = link.issue(args={"level": 3}, case_id="C-1")
    link.run()
    of = link.of(id)
    assert (of.state, of.result["level"], of.case_id) == ("done", 3.0, "C-1")
    assert link.actions() == ["command_issued", "command_sent", "command_started", "command_done"]
    assert link.ended() == [(id, "done")]
    assert link.device.machine == ["look"]


def test_a_sleeping_devices_command_waits_until_it_says_that_it_is_there(link: Link) -> None:
    link.awake(False)
    id = link.issue(lifetime_s=7 * DAY)
    for _ in range(6):
        link.pass_(DAY)
        assert link.sweep() == 0
    assert link.of(id).state == "queued"
    link.awake(True)
    link.run()
    assert link.of(id).state == "done"


def test_a_sleeping_devices_command_expires(link: Link) -> None:
    link.awake(False)
    id = link.issue(lifetime_s=DAY)
    link.pass_(DAY + 1)
    link.awake(True)
    link.run()
    assert link.of(id).state == "expired"
    assert link.device.machine == []
    assert link.actions()[-1] == "command_expired"


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("when", ["issued", "offered", "granted"])
def test_whatever_the_platforms_wall_clock_does_nothing_runs_late(link: Link, jump: float, when: str) -> None:
    id = link.issue(lifetime_s=60)
    if when != "issued":
        link.sweep()
    if when == "granted":
        link.deliver()
        link.sweep()
    link.clock.at += timedelta(seconds=max(jump, -50 * 365 * DAY))
    link.pass_(61)
    link.run(6)
    link.device.commands.step()
    assert link.device.machine == []
    assert link.of(id).state in ("expired", "granted", "no_answer", "offered", "queued")
    link.pass_(130)
    link.run(3)
    assert link.of(id).state in ("expired", "no_answer")


@pytest.mark.parametrize("jump", JUMPS)
def test_a_wall_clock_that_goes_back_keeps_no_command_from_a_device(link: Link, jump: float) -> None:
    id = link.issue(lifetime_s=60)
    link.clock.at += timedelta(seconds=max(jump, -50 * 365 * DAY))
    link.run()
    assert link.of(id).state == ("done" if jump < 0 else "expired")


@pytest.mark.parametrize("jump", JUMPS)
def test_a_device_whose_own_seconds_jump_does_nothing_late(link: Link, jump: float) -> None:
    id = link.issue(lifetime_s=60)
    link.sweep()
    link.deliver()
    link.sweep()
    link.device.seconds += jump
    link.deliver()
    assert link.device.machine == []
    link.run(18)
    assert link.of(id).state == "done"  # still in time: it was offered anew with a fresh nonce
    assert link.device.machine == ["look"]


def test_a_grant_held_up_on_its_way_is_refused_when_it_comes(link: Link) -> None:
    id = link.issue(lifetime_s=60)
    link.sweep()
    link.deliver()
    link.sweep()
    late, link.down = link.down, []
    link.pass_(61)
    link.sweep()
    link.down = late
    assert [r.reason for r in link.deliver()] == ["expired"]
    assert link.device.machine == []
    link.pass_(70)
    link.run()
    assert link.of(id).state in ("no_answer", "expired")


def test_a_nonce_held_up_on_its_way_brings_no_late_command(link: Link) -> None:
    link.issue(lifetime_s=60)
    link.sweep()
    for message in link.down:
        link.device.commands.hear(message.body)
    (ready,) = link.device.told
    link.pass_(50)
    link.down.clear()
    link.hear(ready)
    link.sweep()
    assert [r.reason for r in link.deliver()] == ["expired"]
    assert link.device.machine == []


def test_a_restart_of_the_platforms_computer_ends_what_cannot_be_dated(link: Link) -> None:
    id = link.issue(lifetime_s=DAY)
    link.boot.boot, link.clock.seconds = "second", 5.0
    link.restart()
    link.run()
    assert (link.of(id).state, link.device.machine) == ("expired", [])


def test_a_restart_of_the_platforms_process_ends_nothing(link: Link) -> None:
    link.awake(False)
    id = link.issue(lifetime_s=DAY)
    link.pass_(HOUR)
    link.restart()
    link.awake(True)
    link.run()
    assert link.of(id).state == "done"


def test_what_another_computer_issues_is_dated_by_when_it_was_first_seen(link: Link) -> None:
    link.sweep()
    link.pass_(0.1)
    id = link.issue(lifetime_s=60)
    with link.database.write() as connection:
        connection.execute(sa.text("update ingest_commands set issued_boot = 'elsewhere', issued_s = 1e9"))
    link.run()
    assert link.of(id).state == "done"


@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5, 6])
def test_whichever_message_is_lost_it_is_done_once(link: Link, lost: int) -> None:
    id = link.issue(lifetime_s=900)
    seen = 0

    def through() -> bool:
        nonlocal seen
        seen += 1
        return seen != lost

    for _ in range(60):
        link.sweep()
        for message in link.down:
            if through():
                link.device.commands.hear(message.body)
        link.down.clear()
        for result in list(link.device.told):
            if through():
                link.hear(result)
        link.device.told.clear()
        link.pass_(5)
    assert link.of(id).state == "done"
    assert link.device.machine == ["look"]


def test_a_device_that_dies_before_it_begins_does_it_after_its_restart(link: Link) -> None:
    id = link.issue()
    link.sweep()
    link.deliver()
    link.sweep()
    link.down.clear()
    link.device.journal.close()
    link.device.start()
    link.pass_(6)
    link.run(4)
    assert link.of(id).state == "done"
    assert link.device.machine == ["look"]


def test_a_device_that_dies_while_it_runs_says_so_and_does_it_once(link: Link) -> None:
    link.device.slow = 100
    id = link.issue()
    link.run()
    assert (link.of(id).state, link.of(id).progress) == ("started", "half way")
    link.device.journal.close()
    link.device.told.clear()
    link.device.start()
    for result in link.device.told:
        link.hear(result)
    assert link.of(id).state == "failed"
    assert link.device.machine == ["look"]


def test_an_answer_that_comes_after_all_is_taken(link: Link) -> None:
    id = link.issue(lifetime_s=60)
    link.sweep()
    link.deliver()
    link.sweep()
    before = len(link.device.told)
    for message in link.down:
        link.device.commands.hear(message.body)
    answers = link.device.told[before:]
    link.down.clear()
    link.awake(False)
    link.pass_(200)
    link.sweep()
    assert link.of(id).state == "no_answer"
    for answer in answers:
        link.hear(answer)
    assert link.of(id).state == "done"
    assert link.ended() == [(id, "no_answer"), (id, "done")]


def test_a_repeated_result_changes_nothing(link: Link) -> None:
    id = link.issue()
    link.run()
    before = link.actions()
    link.hear(Result(1, id, "failed", text="no"))
    link.hear(Result(1, id, "ready", nonce="12345678"))
    assert link.of(id).state == "done"
    assert link.actions() == before


def test_another_devices_result_counts_for_nothing(link: Link) -> None:
    id = link.issue()
    add_device(link.database, "acme", "pump-2", "pump", now=link.clock.now())
    assert link.hear(Result(1, id, "done"), "pump-2")
    assert link.of(id).state == "queued"


def test_noise_for_a_result_is_not_understood(link: Link) -> None:
    with link.database.write() as connection:
        for body in (b"", b"{}", b"[]", b'{"v":2,"id":"command-1","state":"done"}', b"\xff"):
            assert not hear(connection, "acme", "pump-1", body, link.clock.now(), link.clock.now())


REFUSED: dict[str, tuple[Wanted, Person, str]] = {
    "an unknown device": (Wanted("acme", "pump-9", "look", {}), EVA, "device"),
    "a device of another tenant": (Wanted("other", "pump-1", "look", {}), EVA, "device"),
    "an unknown name": (Wanted("acme", "pump-1", "format", {}), EVA, "name"),
    "a bad argument": (Wanted("acme", "pump-1", "look", {"level": "x"}), EVA, "args.level"),
    "a value out of range": (Wanted("acme", "pump-1", "look", {"level": 11}), EVA, "args.level"),
    "a lifetime that is too long": (Wanted("acme", "pump-1", "look", {}, 1e9), EVA, "lifetime_s"),
    "a customer": (Wanted("acme", "pump-1", "look", {}), Person("customer:c", "customer"), "role"),
    "a technician with a safe one": (Wanted("acme", "pump-1", "set", {}), Person("t", "technician"), "role"),
    "a rule with a safe one": (Wanted("acme", "pump-1", "set", {}), Person("forewarn", "rule"), "role"),
    "a guarded one where they are off": (Wanted("acme", "pump-1", "move", {}), EVA, "command"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_platform_refuses(link: Link, case: str) -> None:
    wanted, by, field_ = REFUSED[case]
    with pytest.raises(ledger.CommandFault) as no:
        ledger.issue(link.database, wanted, by, models=models, now=link.clock.now(), wall=link.clock.now())
    assert no.value.field == field_
    assert link.actions() == []


def test_a_revoked_device_is_sent_nothing(link: Link) -> None:
    id = link.issue()
    revoke_device(link.database, "acme", "pump-1", now=link.clock.now())
    link.awake(True)
    assert link.sweep() == 0
    assert link.of(id).state == "queued"


def test_a_guarded_command_waits_for_a_second_person(link: Link) -> None:
    ledger.set_guarded(link.database, "acme", "pump-1", True, ANNA, now=link.clock.now())
    id = link.issue("move")
    assert link.sweep() == 0
    for person in (EVA, Person("dispatcher:d", "dispatcher"), Person("customer:c", "customer")):
        with pytest.raises(ledger.NotAllowed):
            ledger.approve(link.database, "acme", id, person, now=link.clock.now())
    assert link.of(id).state == "waiting_approval"
    ledger.approve(link.database, "acme", id, ANNA, now=link.clock.now())
    with pytest.raises(ledger.WrongState):
        ledger.approve(link.database, "acme", id, ANNA, now=link.clock.now())


def test_a_guarded_command_with_all_it_needs_is_done(link: Link) -> None:
    id = link.guarded()
    link.run()
    assert link.of(id).state == "done"
    assert "command_approved" in link.actions()


def test_the_device_has_the_last_word_on_a_guarded_command(link: Link) -> None:
    id = link.guarded()
    link.device.here = Here(guarded=True, enabled=False)
    link.run()
    assert (link.of(id).state, link.of(id).reason, link.device.machine) == ("refused", "not_enabled", [])


def test_approval_expires_with_the_command(link: Link) -> None:
    ledger.set_guarded(link.database, "acme", "pump-1", True, ANNA, now=link.clock.now())
    id = link.issue("move")
    link.pass_(301)
    link.sweep()
    assert link.of(id).state == "expired"
    with pytest.raises(ledger.WrongState):
        ledger.approve(link.database, "acme", id, ANNA, now=link.clock.now())


@pytest.mark.parametrize("kind", ["visit", "permit", "lockout"])
def test_a_guarded_command_is_refused_while_something_stands_against_it(link: Link, kind: str) -> None:
    id = link.guarded()
    hold = HoldSet(1, "H-1", "acme", "pump-1", kind, "somebody is there", link.clock.now())
    with link.database.write() as connection:
        ledger.set_hold(connection, hold)
        ledger.set_hold(connection, hold)
    with pytest.raises(ledger.StoodAgainst, match=kind):
        link.issue("move")
    link.run()
    assert (link.of(id).state, link.of(id).reason, link.device.machine) == ("refused", "on_hold", [])
    read = link.issue("look")
    link.run()
    assert link.of(read).state == "done"
    with link.database.write() as connection:
        ledger.release_hold(connection, HoldReleased(1, "H-1", "acme", "pump-1", link.clock.now()))
    again = link.guarded()
    link.run()
    assert link.of(again).state == "done"


def test_a_hold_ends_with_its_time(link: Link) -> None:
    until = link.clock.now() + timedelta(hours=1)
    with link.database.write() as connection:
        ledger.set_hold(connection, HoldSet(1, "H-1", "acme", "pump-1", "visit", "", link.clock.now(), until))
        assert ledger.held_by(connection, "acme", "pump-1", link.clock.now()) == ["visit"]
        assert ledger.held_by(connection, "acme", "pump-1", until) == []


def test_guarded_commands_can_be_switched_off_again(link: Link) -> None:
    id = link.guarded()
    ledger.set_guarded(link.database, "acme", "pump-1", False, ANNA, now=link.clock.now())
    link.run()
    assert (link.of(id).state, link.of(id).reason) == ("refused", "guarded_off")
    with pytest.raises(ledger.NotAllowed):
        ledger.set_guarded(link.database, "acme", "pump-1", True, Person("d", "dispatcher"), now=link.clock.now())


def test_a_cancelled_command_is_never_sent(link: Link) -> None:
    link.awake(False)
    id = link.issue()
    ledger.cancel(link.database, "acme", id, EVA, now=link.clock.now(), wall=link.clock.now())
    link.awake(True)
    link.run()
    assert (link.of(id).state, link.device.machine) == ("cancelled", [])
    with pytest.raises(ledger.WrongState):
        ledger.cancel(link.database, "acme", id, EVA, now=link.clock.now(), wall=link.clock.now())


def test_the_same_id_again_is_the_same_command(link: Link) -> None:
    assert link.issue(id="diagnosis-1") == link.issue(id="diagnosis-1")
    link.run()
    assert link.device.machine == ["look"]


def test_commands_are_listed_by_page(link: Link) -> None:
    ids = []
    for n in range(5):
        ids.append(link.issue(case_id="C-1" if n % 2 else ""))
        link.pass_(1)
    first, cursor = ledger.page(link.database, "acme", limit=3)
    rest, end = ledger.page(link.database, "acme", limit=3, after=cursor or "")
    assert [c.id for c in first + rest] == ids[::-1]
    assert end is None
    assert [c.id for c in ledger.page(link.database, "acme", case_id="C-1")[0]] == [ids[3], ids[1]]
    assert ledger.page(link.database, "other")[0] == []
    assert ledger.page(link.database, "acme", among=set())[0] == []
    with pytest.raises(ledger.CommandFault, match="after"):
        ledger.page(link.database, "acme", after="no-such-command")
