"""The thread that lets go what grew old."""

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from anomaly.adapters.keeping_house import keep_house
from plumbing.runtime import Shared

FIRST_S, EVERY_S = 60.0, 3600.0
logger = logging.getLogger(__name__)


class Housekeeper:
    """One a process that runs anomaly. Any number may run on one database."""

    def __init__(self, shared: Shared, days: float) -> None:
        self._shared, self._days = shared, days
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="anomaly-housekeeping", daemon=True)

    def start(self) -> None:
        """Begin; the first round is done after a pause."""
        self._thread.start()

    def stop(self) -> None:
        """End after the machine at hand."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        wait = FIRST_S
        while not self._stopping.wait(wait):
            wait = EVERY_S
            try:
                gone = keep_house(self._shared.database, self._shared.clocks, self._days, self._stopping.is_set)
                if gone:
                    logger.info("%d rows older than %g days went", gone, self._days)
            except SQLAlchemyError as failure:
                logger.warning("the house cannot be kept: %s", failure)
