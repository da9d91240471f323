"""The thread beside the engine: trainings that were asked for or are due, and what learned models say by the way."""

import logging
import subprocess
import threading

from sqlalchemy.exc import DBAPIError

from anomaly.training.asking import DONE, FAILED, RUNNING, SCHEDULE, WANTED, Training, ask, due, note, trainings
from anomaly.training.serving import Speaking
from anomaly.training.train import CannotTrain, train_all
from contracts.points import StoreUnreachable
from plumbing.runtime import Shared

LOOK_S = 1.0
DUE_EVERY = 60
"""Looks between two looks at what is due."""
logger = logging.getLogger(__name__)


class Learning:
    """One a process that runs anomaly. It never holds up the engine: fits run in a process of their own."""

    def __init__(self, shared: Shared, train_days: float) -> None:
        self._shared, self._days = shared, train_days
        self._speaking = Speaking(shared)
        self._stopping = threading.Event()
        self._child: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="learning", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a fit that runs is broken off, to be asked for again."""
        self._stopping.set()
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        looks = 0
        begun = False
        while not self._stopping.wait(LOOK_S):
            try:
                if not begun:
                    begun = self._after_a_crash()
                if looks % DUE_EVERY == 0:
                    self._schedule()
                looks += 1
                self.round()
            except (DBAPIError, StoreUnreachable) as failure:
                logger.warning("learning waits: %s", str(failure).splitlines()[0])
                begun = False  # a training that it broke off runs no more
            except Exception:
                logger.exception("a round of learning failed")
                begun = False

    def round(self) -> None:
        """Work on what was asked for, then let models speak. Raises StoreUnreachable."""
        for one in reversed(trainings(self._shared.database, None, states=(WANTED,))):
            if self._stopping.is_set():
                return
            self._train(one)
        self._speaking.round(self._stopping.is_set)

    def _after_a_crash(self) -> bool:
        for one in trainings(self._shared.database, None, states=(RUNNING,)):
            self._end(one, FAILED, "the process that trained has ended, ask again")
        return True

    def _schedule(self) -> None:
        database = self._shared.database
        for tenant in _tenants(self._shared):
            now = self._shared.clocks.of(tenant).now()
            for asset_model in due(database, tenant, now, self._days):
                ask(database, tenant, asset_model, SCHEDULE, now)

    def _train(self, one: Training) -> None:
        model = self._shared.models(one.asset_model)
        if model is None:
            self._end(one, FAILED, f"there is no asset model {one.asset_model}")
            return

        def tell(words: str) -> None:
            if self._stopping.is_set():
                raise CannotTrain("it was broken off")
            note(self._shared.database, one, RUNNING, words)

        try:
            tell("it begins")
            made = train_all(self._shared, one.tenant, model, one.actor, tell, hold=self._hold)
        except CannotTrain as no:
            self._end(one, FAILED, "it was broken off, ask again" if self._stopping.is_set() else str(no))
            return
        except StoreUnreachable as gone:
            self._end(one, FAILED, f"the telemetry store did not answer, ask again: {gone}")
            return
        self._end(one, DONE, "; ".join(f"{x.id} is a {x.state} now: {x.why}" for x in made), made[-1].id)

    def _hold(self, child: "subprocess.Popen[str]") -> None:
        self._child = child
        if self._stopping.is_set():
            child.kill()

    def _end(self, one: Training, state: str, words: str, learned: str | None = None) -> None:
        at = self._shared.clocks.of(one.tenant).now()
        note(self._shared.database, one, state, words, learned=learned, at=at)


def _tenants(shared: Shared) -> list[str]:
    import sqlalchemy as sa

    from anomaly.service import tables as t

    with shared.database.read() as connection:
        return list(connection.execute(sa.select(t.labels.c.tenant).distinct()).scalars())
