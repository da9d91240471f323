"""Ingest's own housekeeping, a thread beside the writer: what grew old is let go, who went off line is on record."""

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from ingest.service.housekeeping import Keeping, keep_house
from ingest.service.presence import Presence
from plumbing.runtime import Shared

LOOK_S, EVERY_S = 5.0, 60.0
logger = logging.getLogger(__name__)


class Housekeeper:
    """plumbing.runtime.Service. Any number may run on one database: each portion is done once."""

    name = "housekeeping"

    def __init__(self, shared: Shared, keeping: Keeping) -> None:
        self._shared, self._keeping = shared, keeping
        self._presence = Presence(shared.database, shared.clocks, shared.system)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._trouble = ""

    def start(self) -> None:
        """Begin; the first round is done after a pause."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that runs."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def healthy(self) -> str:
        """Empty when well."""
        return self._trouble if self._thread.is_alive() else "not running"

    def round(self) -> None:
        """Let go what grew old."""
        done = keep_house(self._shared.database, self._shared.clocks, self._keeping)
        if done.expired or done.entries or done.days:
            logger.info(
                "%d messages in quarantine expired, %d old entries and %d days of ledgers went", done.expired,
                done.entries, done.days,
            )  # fmt: skip

    def _run(self) -> None:
        kept = self._shared.system.monotonic()
        while not self._stopping.wait(LOOK_S):
            try:
                self._presence.look()
                if self._shared.system.monotonic() - kept >= EVERY_S:
                    kept = self._shared.system.monotonic()
                    self.round()
                self._trouble = ""
            except SQLAlchemyError as failure:
                if not self._trouble:
                    logger.warning("the house cannot be kept: %s", failure)
                self._trouble = f"the house cannot be kept: {failure}"
