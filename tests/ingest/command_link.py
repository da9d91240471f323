"""A platform's command ledger, a device, and the messages between them, with every clock in hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts import commands as wire
from contracts.asset_model import AssetModel, Role, Signal
from contracts.command_kinds import Arg, ArgKind, CommandKind
from contracts.commands import Result, Risk
from contracts.records import COMMAND_RESULTS, decode_command_ended
from ingest.service import commands as ledger
from ingest.service.command_ledger import Ledger, Sending, hear
from ingest.service.commands import Person, Wanted
from ingest.service.registry import add_device
from ingest.service.tables import devices
from plumbing import audit, log
from plumbing.boot_clock import BootClock
from plumbing.sql import Database
from tests.edge_agent.commanding import KEY, READY, Device
from tests.ingest.conftest import HandClock, OneClock

EVA, ANNA = Person("engineer:eva", "engineer"), Person("admin:anna", "admin")
HOUR, DAY = 3600.0, 86_400.0
JUMPS = [s * d for d in (HOUR, DAY, 56 * 365 * DAY) for s in (1, -1)]

LEVEL = Arg("level", ArgKind.NUMBER, 0, 10, default=1)
MODEL = AssetModel(
    "pump", 1, "Pump", "EUR", {"vibration": Signal("vibration", "mm/s", 0, 100, Role.SYMPTOM, "Vibration")}, None, (),
    {}, commands={
        "look": CommandKind("look", Risk.READ, "Look", (LEVEL,)),
        "set": CommandKind("set", Risk.SAFE, "Set", (LEVEL,)),
        "move": CommandKind("move", Risk.GUARDED, "Move", (LEVEL,)),
    },
)  # fmt: skip


def models(name: str) -> AssetModel | None:
    return MODEL if name == "pump" else None


class Boot(BootClock):
    """The computer's own clock, in step with the hand clock's monotonic one."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self.boot, self._hand = "first", clock

    def seconds(self) -> float:
        return self._hand.seconds


@dataclass
class Link:
    """A platform, a device, and the messages between them, which a test lets through one by one."""

    database: Database
    folder: Path
    clock: HandClock = field(default_factory=HandClock)
    down: list[Sending] = field(default_factory=list)
    device_clock_off: float = 0.0

    def __post_init__(self) -> None:
        add_device(self.database, "acme", "pump-1", "pump", now=self.clock.now())
        self.device = Device(self.folder / "commands.sqlite", seconds=77.0)
        self.boot = Boot(self.clock)
        self.restart()
        self.awake(True)

    def restart(self) -> None:
        """The platform begins anew."""
        self.ledger = Ledger(self.database, OneClock(self.clock), self.clock, KEY, self.boot)

    def awake(self, is_so: bool) -> None:
        with self.database.write() as connection:
            connection.execute(devices.update().values(online=is_so))

    def issue(self, name: str = "look", by: Person = EVA, **more: Any) -> str:
        wanted = Wanted("acme", "pump-1", name, more.pop("args", {}), **more)
        now = self.clock.now()
        return ledger.issue(self.database, wanted, by, models=models, now=now, wall=now, boot=self.boot)

    def guarded(self) -> str:
        """A guarded command with all that it needs."""
        self.device.here = READY
        ledger.set_guarded(self.database, "acme", "pump-1", True, ANNA, now=self.clock.now())
        id = self.issue("move")
        ledger.approve(self.database, "acme", id, ANNA, now=self.clock.now())
        return id

    def sweep(self) -> int:
        sent = self.ledger.sweep()
        self.down += sent
        return len(sent)

    def deliver(self) -> list[Result]:
        """Let what is on the way down through, and the answers up."""
        before = len(self.device.told)
        for message in self.down:
            self.device.commands.hear(message.body)
        self.down.clear()
        told = self.device.told[before:]
        for result in told:
            self.hear(result)
        return told

    def hear(self, result: Result, device: str = "pump-1") -> bool:
        with self.database.write() as connection:
            return hear(connection, "acme", device, wire.encode(result), self.clock.now(), self.clock.now())

    def pass_(self, seconds: float) -> None:
        self.clock.pass_(seconds)
        self.device.seconds += seconds

    def run(self, rounds: int = 4) -> None:
        for _ in range(rounds):
            self.sweep()
            self.deliver()
            self.pass_(0.1)

    def of(self, id: str) -> ledger.Recorded:
        with self.database.read() as connection:
            found = ledger.find_on(connection, "acme", id)
        assert found is not None
        return found

    def actions(self) -> list[str]:
        """What the audit chain holds of commands."""
        with self.database.read() as connection:
            assert audit.verify(connection, "acme") is None
            return [e.action for e in audit.read(connection, "acme") if e.action.startswith("command_")]

    def ended(self) -> list[tuple[str, str]]:
        """What other services heard."""
        with self.database.read() as connection:
            found = [decode_command_ended(e.payload) for e in log.read(connection, COMMAND_RESULTS, 0)]
        return [(e.id, e.state) for e in found]
