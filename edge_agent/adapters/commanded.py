"""The agent as the machine that its commands look at and change."""

import base64
import binascii
import logging
import secrets
import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.commands import ENABLED_S
from contracts.names import is_name
from edge_agent.adapters import local_enable
from edge_agent.adapters.command_journal import SqliteJournal
from edge_agent.domain.actions import actions
from edge_agent.domain.commands import NONCE_BYTES, Commands, Failed, Here, JournalUnwritable
from edge_agent.domain.driving import Cell, Fault
from edge_agent.domain.ed25519 import is_signature
from edge_agent.domain.observed import Actuating, Observed, Sampled, Source
from plumbing.boot_clock import BootClock

KEY, PREFIX = "FOREWARN_PLATFORM_KEY", "ed25519:"
STALE_S = 60.0
"""A switch whose reading is older counts as off, a lock-out's as on."""
KEPT_LINES = 200
LOGGED = ("edge_agent", "plumbing.mqtt")
LINE = 300


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """What `[commands]` of agent.toml says."""

    key: bytes | None = None
    """The platform's public key; None = no command is taken."""
    guarded: bool = False
    enable_signal: str = ""
    """A switch at the machine that enables guarded commands for 15 minutes."""
    hold_signal: str = ""
    """A lock-out at the machine: while it is on, or cannot be read, no guarded command is taken."""


def read_settings(given: Mapping[str, object], environ: Mapping[str, str], faults: list[Fault]) -> CommandSettings:
    """The table `[commands]`; the platform's key may stand in FOREWARN_PLATFORM_KEY instead."""
    for name in given.keys() - {"key", "guarded", "enable_signal", "hold_signal"}:
        rule = "is not known here; known: key, guarded, enable_signal, hold_signal"
        faults.append(Fault(f"commands.{name}", given[name], rule))
    guarded = given.get("guarded", False)
    if not isinstance(guarded, bool):
        faults.append(Fault("commands.guarded", guarded, "must be true or false"))
    signals = []
    for name in ("enable_signal", "hold_signal"):
        signal = given.get(name, "")
        if not isinstance(signal, str) or (signal and not is_name(signal)):
            faults.append(Fault(f"commands.{name}", signal, "must be the name of a signal"))
        signals.append(str(signal))
    text = environ.get(KEY) or given.get("key", "")
    return CommandSettings(_key(text, faults) if text else None, guarded is True, *signals)


def _key(text: object, faults: list[Fault]) -> bytes | None:
    key = b""
    if isinstance(text, str) and text.startswith(PREFIX):
        with suppress(binascii.Error, ValueError):
            key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    if len(key) != 32:
        faults.append(Fault("commands.key", text, "must be ed25519: and 32 bytes as base64 (forewarn command key)"))
        return None
    return key


class LastLines(logging.Handler):
    """Keeps the last lines of the log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.lines.append(self.format(record)[:LINE])


class CommandedAgent:
    """edge_agent.domain.actions.Machine on the agent's sources. Used by the agent's thread."""

    def __init__(
        self, settings: CommandSettings, sources: Mapping[str, Observed], journal: SqliteJournal, outbox: Path,
        clock: BootClock, monotonic: Callable[[], float], waiting: Callable[[], int], version: str,
        opened: Callable[[str], Source],
    ) -> None:  # fmt: skip
        self._settings, self._sources, self._journal = settings, sources, journal
        self._outbox, self._clock, self._monotonic = outbox, clock, monotonic
        self._waiting, self._version, self._opened = waiting, version, opened
        self._began = monotonic()
        self.lines = LastLines()
        for name in LOGGED:
            logging.getLogger(name).addHandler(self.lines)
        for source, seconds in journal.sampling().items():
            if source in sources:
                sources[source].set_every(seconds)

    def close(self) -> None:
        """Let go of the journal and the log."""
        for name in LOGGED:
            logging.getLogger(name).removeHandler(self.lines)
        self._journal.close()

    def commands(self, me: str, publish: Callable[[bytes], bool]) -> Commands:
        """The commands of this agent."""
        key = self._settings.key

        def is_signed(message: bytes, signature: bytes) -> bool:
            return key is not None and is_signature(key, message, signature)

        return Commands(
            me, is_signed if key is not None else None, actions(self, self._clock.seconds), self._journal, self.here,
            self.signals, publish, lambda: secrets.token_hex(NONCE_BYTES), self._clock.seconds,
        )  # fmt: skip

    def here(self) -> Here:
        """What the machine says about guarded commands."""
        settings = self._settings
        enabled = local_enable.is_enabled(local_enable.path_of(self._outbox), self._clock)
        if not enabled and settings.enable_signal:
            enabled = self._switched_on(settings.enable_signal)
        return Here(settings.guarded, enabled, self._hold())

    def _switched_on(self, signal: str) -> bool:
        now = self._monotonic()
        for source in self._sources.values():
            value, at = source.values.get(signal, (None, 0.0))
            if isinstance(value, bool | int | float) and value and now - at <= STALE_S:
                return now - source.switched.get(signal, float("-inf")) <= ENABLED_S
        return False

    def _hold(self) -> str:
        signal = self._settings.hold_signal
        if not signal:
            return ""
        for source in self._sources.values():
            value, at = source.values.get(signal, (None, 0.0))
            if isinstance(value, bool | int | float) and self._monotonic() - at <= STALE_S:
                return f"the lock-out {signal} is on" if value else ""
        return f"the lock-out {signal} cannot be read"

    def signals(self) -> Sequence[str] | None:
        """Signals that were read so far; None before the first."""
        return sorted({name for source in self._sources.values() for name in source.values}) or None

    def newest(self) -> Mapping[str, tuple[float | bool | None, float]]:
        """By signal: the newest value and its age in seconds."""
        now = self._monotonic()
        return {
            name: (_number(value), now - at)
            for source in self._sources.values()
            for name, (value, at) in source.values.items()
        }

    def sample(self, signals: Sequence[str]) -> Mapping[str, float]:
        """Values of this moment."""
        out: dict[str, float] = {}
        for source in self._sources.values():
            if isinstance(source.source, Sampled) and not source.values.keys().isdisjoint(signals):
                out |= source.source.sample(self._monotonic())
        return {name: value for name, value in out.items() if name in signals}

    def condition(self) -> Mapping[str, Any]:
        """How the agent is."""
        return {
            "problem": {name: source.problem for name, source in self._sources.items()},
            "waiting": self._waiting(),
            "version": self._version,
            "uptime_s": round(self._monotonic() - self._began, 1),
            "disk_free_mb": shutil.disk_usage(self._outbox.parent).free // 1_000_000,
        }

    def log_lines(self, most: int) -> Sequence[str]:
        """The last lines."""
        return list(self.lines.lines)[-most:]

    def set_sampling(self, source: str, seconds: float) -> None:
        """Set, and remember."""
        if source not in self._sources:
            raise Failed(f"there is no source {source}; there are {', '.join(sorted(self._sources))}")
        try:
            self._journal.keep_sampling(source, seconds)
        except JournalUnwritable as failure:
            raise Failed(str(failure)) from failure
        self._sources[source].set_every(seconds)

    def actuate(self, output: str, on: bool) -> None:
        """Switch an output of the driver that has it."""
        having = [s.source for s in self._sources.values() if isinstance(s.source, Actuating)]
        for driver in having:
            if output in driver.outputs:
                try:
                    driver.actuate(output, on)
                except OSError as failure:
                    raise Failed(f"{output} could not be switched: {failure}") from failure
                return
        known = sorted({name for driver in having for name in driver.outputs})
        raise Failed(f"there is no output {output}; there are {', '.join(known) or 'none'}")

    def restart(self) -> None:
        """Close all sources and open them anew."""
        for name, source in self._sources.items():
            source.close()
            source.source = self._opened(name)


def _number(value: Cell) -> float | bool | None:
    return None if isinstance(value, str) else value
