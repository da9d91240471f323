"""Hands over what leaves, in a thread of its own: a mail server that is slow holds nothing else up."""

import logging
import threading
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from plumbing.runtime import Shared
from work_orders.service.outbox import post, tenants_waiting
from work_orders.service.sending import Channel

EVERY_S = 0.5
logger = logging.getLogger(__name__)


class Poster:
    """plumbing.runtime.Service. Any number of processes may run one."""

    name = "poster"

    def __init__(self, shared: Shared, channels: Sequence[Channel]) -> None:
        self._shared, self._channels = shared, tuple(channels)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poster", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the message that is on its way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def healthy(self) -> str:
        """Empty while it runs."""
        return "" if self._thread.is_alive() else "messages are not handed over"

    def round(self) -> int:
        """Hand over what is due of every tenant."""
        with self._shared.database.read() as connection:
            waiting = tenants_waiting(connection, self._shared.system.now())
        return sum(post(self._shared, tenant, self._channels) for tenant in waiting)

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                self.round()
            except SQLAlchemyError as failure:
                logger.warning("the database does not answer: %s", str(failure).splitlines()[0])
            except Exception:
                logger.exception("a message could not be handed over")
