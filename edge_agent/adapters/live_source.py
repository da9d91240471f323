"""What stands between a live source and the agent's thread: a bounded queue, and a thread that never gives up.

A live source cannot wait. What it gives stays here until the outbox has it for certain: the place that goes with a
batch is told back by the outbox only after its commit, so a batch that could not be written is handed out again. Only
when the outbox takes nothing for long is the oldest reading given up, and counted.
"""

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from edge_agent.domain.driving import Batch, Cell, Reading
from edge_agent.service import EdgeAgentError
from plumbing.system_clock import SystemClock

LOOK_S = 0.1
"""How often the agent looks into the queue."""
AT_ONCE = 500
MOST_CELLS = 100_000
"""Values that wait at most, some 15 MB."""
RETRY_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Pauses between attempts to reach a source; the last one stays."""
SETTLED_S = 30.0
"""A connection that held so long begins the pauses anew."""
log = logging.getLogger(__name__)


class SourceLost(EdgeAgentError):
    """The source cannot be reached or stopped answering; the text says so for people."""


class Time(Protocol):
    """The machine's clocks."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


class WaitingReadings:
    """Readings until the outbox has them. Thread-safe.

    Parameters
    ----------
    most_cells
        Values that wait at most; beyond it the oldest readings are given up.
    """

    def __init__(self, most_cells: int = MOST_CELLS) -> None:
        self._most = most_cells
        self._lock = threading.Lock()
        self._token = secrets.token_hex(4)
        self._queue: deque[Reading] = deque()
        self._cells = 0
        self._held: list[Reading] = []
        self._place = ""
        self._handed = 0
        self._due = float("-inf")
        self.given_up = 0
        """Readings that were given up since the outbox last took something."""

    def put(self, reading: Reading) -> None:
        """One more."""
        with self._lock:
            self._queue.append(reading)
            self._cells += 1 + len(reading.values)
            while self._cells > self._most and len(self._queue) > 1:
                self._cells -= 1 + len(self._queue.popleft().values)
                self.given_up += 1

    def poll(self, position: str, now: float, problem: str) -> Batch:
        """What is handed to the outbox, as Driver.poll."""
        with self._lock:
            if self._held and position == self._place:
                self._held = []
                if self.given_up:
                    log.error("%d readings were given up while the outbox could not be written", self.given_up)
                    self.given_up = 0
            if self.given_up:
                problem = "; ".join(filter(None, (problem, "the outbox takes nothing: readings are being given up")))
            if now < self._due:
                return Batch([], position, self._due, problem)
            if not self._held:
                self._held = list(islice(self._queue, AT_ONCE))
                for reading in self._held:
                    self._queue.popleft()
                    self._cells -= 1 + len(reading.values)
                if self._held:
                    self._handed += len(self._held)
                    self._place = f"{self._token}:{self._handed}"
            more = bool(self._queue) and bool(self._held)
            self._due = now if more else now + LOOK_S
            return Batch(list(self._held), self._place if self._held else position, self._due, problem)

    def rest(self) -> None:
        """The driver is closed: the next poll is due at once."""
        with self._lock:
            self._due = float("-inf")


class LiveSource:
    """Runs one connection after the other in a thread, for ever; what they give waits for the agent.

    Parameters
    ----------
    name
        For the thread and the log.
    session
        One connection from beginning to end: reaches the source, gives readings, returns when `stopping` is set.
        Raises SourceLost when the source is gone; it is called again after a pause.
    time
        The machine's clocks.
    """

    def __init__(self, name: str, session: "Callable[[LiveSource], None]", time: Time | None = None) -> None:
        self._name, self._session = name, session
        self._time: Time = time or SystemClock()
        self._waiting = WaitingReadings()
        self._thread: threading.Thread | None = None
        self.stopping = threading.Event()
        self.problem = ""
        self._well_since: float | None = None

    def poll(self, position: str, now: float) -> Batch:
        """Driver.poll. Starts the thread at the first call."""
        if self._thread is None:
            self.stopping = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(self.stopping,), name=self._name, daemon=True)
            self._thread.start()
        return self._waiting.poll(position, now, self.problem)

    def close(self) -> None:
        """End the connection and the thread. Twice is as good as once; `poll` begins anew."""
        self.stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._waiting.rest()

    def now(self) -> datetime:
        """Wall time, aware UTC."""
        return self._time.now()

    def monotonic(self) -> float:
        """Seconds; only differences count."""
        return self._time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the driver is closed: then True."""
        return self.stopping.wait(max(0.0, seconds))

    def give(self, t: datetime | str | int, values: Mapping[str, Cell]) -> None:
        """One reading. Never waits."""
        self._waiting.put(Reading(rfc3339(t) if isinstance(t, datetime) else t, values))

    def well(self, problem: str = "") -> None:
        """The source answers; `problem` says what of it does not."""
        self.problem = problem
        if self._well_since is None:
            self._well_since = self.monotonic()

    def _run(self, stopping: threading.Event) -> None:
        failures = 0
        while not stopping.is_set():
            self._well_since = None
            try:
                self._session(self)
            except SourceLost as lost:
                self.problem = str(lost)
            except Exception as failure:
                log.exception("%s: the connection failed in a way that was not foreseen", self._name)
                self.problem = f"failed: {type(failure).__name__}"
            held = self._well_since is not None and self.monotonic() - self._well_since >= SETTLED_S
            failures = 0 if held else failures + 1
            stopping.wait(RETRY_S[min(max(failures - 1, 0), len(RETRY_S) - 1)])


def rfc3339(t: datetime) -> str:
    """As it travels."""
    return t.astimezone(UTC).isoformat().replace("+00:00", "Z")


def in_words(problems: Mapping[str, str], most: int = 3) -> str:
    """Problems by what they concern, in one line."""
    said = [f"{name}: {problem}" for name, problem in sorted(problems.items())]
    return "; ".join(said[:most]) + (f"; and {len(said) - most} more" if len(said) > most else "")
