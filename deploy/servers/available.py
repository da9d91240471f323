"""Which real servers this machine has, and where."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FIND = Path(__file__).resolve().parent / "find.sh"

SERVERS = ("mosquitto", "postgresql", "chromium", "faketime", "influxdb", "telegraf")


class ServerMissing(RuntimeError):
    """A server is not on this machine. The message says which, and how to install it."""


@dataclass(frozen=True)
class Availability:
    """Whether a server is there.

    Attributes
    ----------
    path
        The program, for PostgreSQL the folder of its programs; None where it is missing.
    detail
        The version, or the reason why it is missing.
    """

    path: Path | None
    detail: str


@cache
def available() -> dict[str, Availability]:
    """Look for every server once a process; the keys are those of `SERVERS`."""
    answer = subprocess.run([_FIND], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    found = {}
    for line in answer.stdout.splitlines():
        name, path, detail = line.split("\t", 2)
        found[name] = Availability(None if path == "-" else Path(path), detail)
    if set(found) != set(SERVERS):
        raise RuntimeError(f"{_FIND} did not tell of every server: {answer.stdout}{answer.stderr}")
    return found


def path_of(server: str) -> Path:
    """Return where a server is.

    Raises
    ------
    ServerMissing
        It is not on this machine.
    """
    state = available()[server]
    if state.path is None:
        raise ServerMissing(f"{state.detail}; try deploy/servers/install.sh {server}")
    return state.path
