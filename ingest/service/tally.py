"""What brokers refuse, added up in memory and put on record twice a second: a flood of it must hold up nobody."""

import logging
import threading
from collections import Counter

from sqlalchemy.exc import SQLAlchemyError

from ingest.service.refusals import OTHERS, count_refused
from plumbing.sql import Database
from plumbing.system_clock import SystemClock

EVERY_S = 0.5
MAX_WAITING = 1000
"""Most pairs of account and topic between two writes; others are counted together."""
log = logging.getLogger(__name__)


class Tally:
    """Counts refused publishes (topic "" = refused sign-ins): plumbing.runtime.Service."""

    name = "refusals"

    def __init__(self, database: Database, system: SystemClock) -> None:
        self._database, self._system = database, system
        self._lock = threading.Lock()
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)

    def add(self, username: str, topic: str) -> None:
        """Count one. Any thread may call, a broker's loop too."""
        with self._lock:
            full = len(self._waiting) >= MAX_WAITING and (username, topic) not in self._waiting
            self._waiting[(OTHERS, OTHERS) if full else (username, topic)] += 1

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
            self._write()

    def healthy(self) -> str:
        """Counting is no reason to call the product unwell."""
        return ""

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            self._write()

    def _write(self) -> None:
        with self._lock:
            counts, self._waiting = self._waiting, Counter()
        if not counts:
            return
        try:
            count_refused(self._database, counts, self._system.now())
        except SQLAlchemyError as failure:
            log.warning("%d refusals of the broker could not be counted: %s", counts.total(), failure)
