"""The enable at the machine, the switch and the lock-out: fifteen minutes by a clock that nobody sets."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.commands import ENABLED_S
from edge_agent.adapters import local_enable
from edge_agent.adapters.command_journal import SqliteJournal
from edge_agent.adapters.commanded import CommandedAgent, CommandSettings
from edge_agent.domain.commands import Failed
from edge_agent.domain.driving import Batch, Cell, Reading
from edge_agent.domain.observed import Observed
from plumbing.boot_clock import BootClock

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class HandBoot(BootClock):
    """Seconds and start set by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.at, self.boot = 10_000.0, "first"

    def seconds(self) -> float:
        return self.at


class Switchboard:
    """A driver whose values are set by hand, with one output."""

    def __init__(self) -> None:
        self.values: dict[str, Cell] = {}
        self.outputs = ("valve",)
        self.switched: list[tuple[str, bool]] = []
        self.closed = 0

    def poll(self, position: str, at: datetime, now: float, room: int) -> Batch:
        return Batch([Reading(0, dict(self.values))] if self.values else [], position, now)

    def actuate(self, output: str, on: bool) -> None:
        self.switched.append((output, on))

    def close(self) -> None:
        self.closed += 1


class Bench:
    """A commanded agent on a switchboard."""

    def __init__(self, folder: Path, settings: CommandSettings) -> None:
        self.clock, self.board = HandBoot(), Switchboard()
        self.source = Observed(self.board)
        self.outbox = folder / "outbox.sqlite"
        self.agent = CommandedAgent(
            settings, {"board": self.source}, SqliteJournal(folder / "commands.sqlite"), self.outbox, self.clock,
            self.clock.seconds, lambda: 0, "test", lambda name: Switchboard(),
        )  # fmt: skip

    def read(self, **values: Cell) -> None:
        self.board.values = values
        self.source.poll("", NOW, self.clock.at, 1)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, CommandSettings(guarded=True, enable_signal="switch", hold_signal="lockout"))


def test_nothing_is_enabled_by_itself(bench: Bench) -> None:
    assert not bench.agent.here().enabled


def test_a_person_at_the_machine_enables_for_fifteen_minutes(bench: Bench) -> None:
    local_enable.enable(local_enable.path_of(bench.outbox), bench.clock, "tom")
    assert bench.agent.here().enabled
    bench.clock.at += ENABLED_S
    assert bench.agent.here().enabled
    bench.clock.at += 0.1
    assert not bench.agent.here().enabled


def test_a_restart_of_the_computer_voids_the_enable(bench: Bench) -> None:
    local_enable.enable(local_enable.path_of(bench.outbox), bench.clock, "tom")
    bench.clock.boot = "second"
    assert not bench.agent.here().enabled


def test_an_enable_from_the_future_is_none(bench: Bench) -> None:
    local_enable.enable(local_enable.path_of(bench.outbox), bench.clock, "tom")
    bench.clock.at -= 1
    assert not bench.agent.here().enabled


def test_an_enable_is_taken_back(bench: Bench) -> None:
    path = local_enable.path_of(bench.outbox)
    local_enable.enable(path, bench.clock, "tom")
    local_enable.disable(path)
    assert not bench.agent.here().enabled


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"boot":"first","at":"now","by":""}', b"\xff"])
def test_a_damaged_note_enables_nothing(bench: Bench, damage: bytes) -> None:
    local_enable.path_of(bench.outbox).write_bytes(damage)
    assert not bench.agent.here().enabled


def test_a_switch_enables_for_fifteen_minutes_and_not_because_it_is_stuck(bench: Bench) -> None:
    bench.read(switch=0, lockout=0)
    assert not bench.agent.here().enabled
    bench.read(switch=1, lockout=0)
    assert bench.agent.here().enabled
    for _ in range(20):
        bench.clock.at += 59
        bench.read(switch=True, lockout=0)
    assert not bench.agent.here().enabled
    bench.read(switch=0, lockout=0)
    bench.read(switch=1, lockout=0)
    assert bench.agent.here().enabled


def test_a_switch_that_is_not_read_any_more_is_off(bench: Bench) -> None:
    bench.read(switch=1, lockout=0)
    bench.clock.at += 61
    assert not bench.agent.here().enabled


def test_a_lock_out_holds_while_it_is_on_or_cannot_be_read(bench: Bench) -> None:
    assert "cannot be read" in bench.agent.here().hold
    bench.read(lockout=1)
    assert "is on" in bench.agent.here().hold
    bench.read(lockout=0)
    assert bench.agent.here().hold == ""
    bench.clock.at += 61
    assert "cannot be read" in bench.agent.here().hold


def test_an_output_is_moved_by_its_name_alone(bench: Bench) -> None:
    bench.agent.actuate("valve", True)
    assert bench.board.switched == [("valve", True)]
    with pytest.raises(Failed, match="there is no output siren; there are valve"):
        bench.agent.actuate("siren", True)


def test_a_pace_that_was_set_holds_after_a_restart(tmp_path: Path, bench: Bench) -> None:
    bench.agent.set_sampling("board", 100.0)
    bench.agent.close()
    again = Bench(tmp_path, CommandSettings())
    again.read(x=1.0)
    again.clock.at += 99
    assert again.source.poll("", NOW, again.clock.at, 1).readings == []
    again.clock.at += 2
    assert again.source.poll("", NOW, again.clock.at, 1).readings != []


def test_a_restart_closes_the_sources_and_opens_them_anew(bench: Bench) -> None:
    bench.agent.restart()
    assert bench.board.closed == 1
    assert bench.source.source is not bench.board
