"""A platform with a key, a device with a journal, and clocks that are set by hand."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts import commands as wire
from contracts.command_kinds import Arg, ArgKind, CommandKind
from contracts.commands import Approval, Command, Result, Risk
from edge_agent.adapters.command_journal import SqliteJournal
from edge_agent.domain.commands import Action, Commands, Failed, Here, Pause, Running
from edge_agent.domain.ed25519 import is_signature
from plumbing.command_key import PREFIX, CommandKey

ME = "acme/pump-1"
KEY = CommandKey(bytes(range(32)))
FORGER = CommandKey(bytes(range(1, 33)))
PUBLIC = base64.b64decode(KEY.public.removeprefix(PREFIX))


def command(id: str = "command-1", name: str = "look", risk: Risk = Risk.READ, **more: Any) -> Command:
    """A good one."""
    times = ("2026-11-22T10:00:00Z", "2026-11-22T10:15:00Z")
    return Command(1, id, more.pop("to", ME), name, risk, more.pop("issued_by", "engineer:eva"), *times, **more)


@dataclass
class Device:
    """One device; `machine` lists what was done to it."""

    path: Path
    seconds: float = 5_000.0
    here: Here = field(default_factory=Here)
    connected: bool = True
    machine: list[str] = field(default_factory=list)
    told: list[Result] = field(default_factory=list)
    key: bytes | None = PUBLIC
    slow: float = 0.0

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self.start()

    def start(self) -> None:
        """Begin; also after a kill: only the journal's file is left."""
        self.journal = SqliteJournal(self.path)
        key = self.key
        arg = Arg("level", ArgKind.NUMBER, 0, 10, default=1)
        kinds = (
            CommandKind("look", Risk.READ, args=(arg, Arg("signals", ArgKind.SIGNALS, 0, 3, default=()))),
            CommandKind("set", Risk.SAFE, args=(arg,)),
            CommandKind("move", Risk.GUARDED, args=(arg,)),
            CommandKind("break", Risk.READ),
        )
        self.commands = Commands(
            ME, None if key is None else lambda m, s: is_signature(key or b"", m, s),
            {kind.name: Action(kind, self._doing(kind.name)) for kind in kinds}, self.journal, lambda: self.here,
            lambda: ["vibration"], self._publish, lambda: f"nonce-{next(self._numbers)}-{self.seconds}",
            lambda: self.seconds,
        )  # fmt: skip

    def _doing(self, name: str) -> Any:
        def run(args: dict[str, Any]) -> Running:
            self.machine.append(name)
            if self.slow:
                yield Pause(self.slow, "half way")
            if name == "break":
                raise Failed("it is broken")
            return {"did": name, **args}
            yield Pause(0)

        return run

    def _publish(self, body: bytes) -> bool:
        if self.connected:
            self.told.append(wire.read_result(body))
        return self.connected

    def hear(self, of: Command, key: CommandKey = KEY) -> list[Result]:
        """What it answers to a message."""
        before = len(self.told)
        self.commands.hear(wire.sealed(of, key))
        return self.told[before:]

    def carry_out(self, of: Command, valid_s: float = 30.0) -> list[Result]:
        """Offer and, if it is ready, grant."""
        first = self.hear(of)
        if not first or first[-1].state != "ready":
            return first
        return self.hear(granted(of, first[-1].nonce, valid_s))


def granted(of: Command, nonce: str, valid_s: float = 30.0) -> Command:
    """The grant of an offer."""
    import msgspec

    return msgspec.structs.replace(of, nonce=nonce, valid_s=valid_s)


def approved(id: str = "command-1", **more: Any) -> Command:
    """A guarded one, approved by a second person."""
    more.setdefault("approvals", [Approval("admin:anna", "admin")])
    return command(id, "move", Risk.GUARDED, **more)


READY = Here(guarded=True, enabled=True)
