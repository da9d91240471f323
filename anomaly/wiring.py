"""Puts anomaly together and runs it: one thread that follows the log."""

import logging
import threading

from sqlalchemy.exc import DBAPIError

from anomaly.adapters.fitting import FitWorker
from anomaly.adapters.housekeeper import housekeeper
from anomaly.adapters.sql import SqlTables
from anomaly.service.rounds import Rounds
from anomaly.service.watching import Watching
from anomaly.settings import Settings
from anomaly.training.foretelling import Foretelling
from anomaly.training.learning import Learning
from anomaly.training.serving import Serving
from contracts.points import StoreUnreachable
from plumbing.runtime import Service, Shared

WAIT_AFTER_TROUBLE_S = 1.0
logger = logging.getLogger(__name__)


class AnomalyService:
    """A running anomaly: plumbing.runtime.Service."""

    name = "anomaly"

    def __init__(self, settings: Settings, shared: Shared) -> None:
        self._settings, self._fits = settings, FitWorker()
        live = Serving(shared)
        self._learning = Learning(shared, settings.train_days)
        tables = SqlTables(shared.database, shared.system)
        self._foretelling = Foretelling(shared, tables.add)
        self.rounds = Rounds(
            tables,
            lambda: Watching(shared.models, shared.clocks, shared.store, self._fits, self._fits.submit, live),
            shared.system.monotonic,
            settings.save_seconds,
            settings.batch,
        )
        self._housekeeper = housekeeper(shared, settings.keep_days)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble = ""

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread = threading.Thread(target=self._run, name="anomaly", daemon=True)
        self._thread.start()
        self._learning.start()
        self._foretelling.start()
        self._housekeeper.start()

    def stop(self) -> None:
        """End after the round that runs, with snapshots of all machines."""
        self._stopping.set()
        self._learning.stop()
        self._foretelling.stop()
        self._housekeeper.stop()
        if self._thread is not None:
            self._thread.join()

    def healthy(self) -> str:
        """Empty when well."""
        if self._thread is None or not self._thread.is_alive():
            return self._trouble or "not running"
        return self._trouble or self._housekeeper.healthy()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                more = self.rounds.round()
                self._trouble = ""
            except (DBAPIError, StoreUnreachable) as failure:
                self._fail(f"database or telemetry store does not answer: {failure}")
            except Exception:
                logger.exception("a round failed")
                self._fail("a round failed, see the log")
            else:
                if not more:
                    self._stopping.wait(self._settings.poll_seconds)
        try:
            self.rounds.save()
        except DBAPIError as failure:
            logger.warning("no last snapshot: %s", failure.orig)
        finally:
            self._fits.close()

    def _fail(self, trouble: str) -> None:
        self._trouble = trouble
        logger.warning("%s", trouble)
        self.rounds.forget()
        self._stopping.wait(WAIT_AFTER_TROUBLE_S)


def build(shared: Shared, settings: Settings | None = None) -> Service:
    """The service of one process."""
    return AnomalyService(settings or Settings(), shared)
