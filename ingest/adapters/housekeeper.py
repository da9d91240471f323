"""Ingest's own housekeeping, a thread beside the writer: what grew old is let go by itself."""

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from ingest.service.housekeeping import Keeping, keep_house
from plumbing.runtime import Shared

EVERY_S = 60.0
logger = logging.getLogger(__name__)


class Housekeeper:
    """plumbing.runtime.Service. Any number may run on one database: each portion is done once."""

    name = "housekeeping"

    def __init__(self, shared: Shared, keeping: Keeping, every_s: float = EVERY_S) -> None:
        self._shared, self._keeping, self._every_s = shared, keeping, every_s
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
        while not self._stopping.wait(self._every_s):
            try:
                self.round()
                self._trouble = ""
            except SQLAlchemyError as failure:
                if not self._trouble:
                    logger.warning("what grew old cannot be let go: %s", failure)
                self._trouble = f"what grew old cannot be let go: {failure}"
