"""The home folder of a running product: its lock, and `run.json`, by which other commands find it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from forewarn.environment import Failed

OF_TLS = ("mqtts", "ca")
"""Written only where devices connect with TLS."""


@dataclass(frozen=True)
class Running:
    """What `run.json` says of a running product."""

    pid: int
    http: str
    mqtt: str
    links: dict[str, str] = field(default_factory=dict)
    api_key: str = ""
    mqtts: str = ""
    """Where devices connect with TLS; empty = nowhere."""
    ca: str = ""
    """File of the authority by which they know it."""


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Hold the home's lock. Raises Failed, naming the process that has it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / "lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as taken:
            file.seek(0)
            pid = file.read().strip() or "unknown"
            raise Failed(
                f"Forewarn already runs on {home} (process {pid}). Stop it, or choose another folder with --data-dir."
            ) from taken
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            (home / "run.json").unlink(missing_ok=True)


def write(home: Path, running: Running) -> None:
    """Put `run.json` in place at once and whole, readable by the owner alone."""
    new = home / "run.json.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        said = {name: value for name, value in asdict(running).items() if value or name not in OF_TLS}
        json.dump(said, file, indent=1)
    new.replace(home / "run.json")


def find(home: Path) -> Running | None:
    """The product that runs on this home now; None when there is none."""
    try:
        found = Running(**json.loads((home / "run.json").read_text()))
        os.kill(found.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return found
