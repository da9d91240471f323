"""Plays the agent to a live driver, in real time."""

import time
from collections.abc import Callable
from pathlib import Path

import yaml

from edge_agent.adapters import drivers
from edge_agent.domain.driving import Cell, Fault, Options, Reading
from edge_agent.service import Driver
from plumbing.system_clock import SystemClock


def made(kind: str, folder: Path, content: object) -> Driver:
    """A driver of that content of its file."""
    return drivers.load(kind)(checked(kind, folder, content)[0])


def checked(kind: str, folder: Path, content: object) -> tuple[Options, list[Fault]]:
    """The options and the faults of a driver with that content of its file."""
    (folder / f"{kind}.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return drivers.check(kind, {"file": f"{kind}.yaml"}, str(folder), kind)


class Agent:
    """Polls as the agent does; an outbox of readings, with the driver's place."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.readings: list[Reading] = []
        self.position = ""
        self.problem = ""
        self.problems: list[str] = []
        self.longest_poll_s = 0.0
        self.broken = False
        """The outbox cannot be written."""

    def poll(self) -> None:
        """One step."""
        clock = SystemClock()
        began = clock.monotonic()
        batch = self.driver.poll(self.position, clock.now(), began, 0)
        self.longest_poll_s = max(self.longest_poll_s, clock.monotonic() - began)
        assert batch.due >= began
        self.problem = batch.problem
        if batch.problem and batch.problem not in self.problems:
            self.problems.append(batch.problem)
        if not self.broken:
            self.readings += batch.readings
            self.position = batch.position

    def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> None:
        """Poll until it holds."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s; problem: {self.problem!r}; {self.readings[-3:]}")
            self.poll()
            time.sleep(0.01)

    def values(self, signal: str) -> list[Cell]:
        """All values of a signal."""
        return [r.values[signal] for r in self.readings if signal in r.values]
