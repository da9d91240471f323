"""The enable at the machine: a person there confirms it by a command on this computer; it holds for 15 minutes.

The file counts by the computer's time since its start, which nobody can set: after a restart of the computer, and after
any change of its wall clock, nothing is enabled that was not.
"""

import os
from pathlib import Path

import msgspec

from contracts.commands import ENABLED_S
from plumbing.boot_clock import BootClock


class _Note(msgspec.Struct):
    boot: str
    at: float
    by: str


def path_of(outbox: Path) -> Path:
    """Where the note of the agent with this outbox lies."""
    return outbox.with_name(outbox.name + ".enabled")


def enable(path: Path, clock: BootClock, by: str) -> None:
    """Enable guarded commands from now on. Raises OSError."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(_Note(clock.boot, clock.seconds(), by)))
    made.replace(path)


def disable(path: Path) -> None:
    """Take it back."""
    path.unlink(missing_ok=True)


def is_enabled(path: Path, clock: BootClock) -> bool:
    """Whether somebody has enabled it within the last 15 minutes."""
    try:
        note = msgspec.json.decode(path.read_bytes(), type=_Note)
    except (OSError, msgspec.MsgspecError):
        return False
    return note.boot == clock.boot and 0 <= clock.seconds() - note.at <= ENABLED_S
