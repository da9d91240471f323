"""Hands over what leaves, each channel of a tenant by itself: a server that is slow holds nothing else up."""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from plumbing.runtime import Shared
from work_orders.adapters.lanes import Lanes
from work_orders.service.letters import letters_waiting, post_letters
from work_orders.service.outbox import messages_waiting, post
from work_orders.service.sending import Channel

EVERY_S = 0.5
AT_ONCE = 50
"""Messages of a turn; the next channel of the next tenant comes then."""
logger = logging.getLogger(__name__)


class Poster:
    """plumbing.runtime.Service. Any number of processes may run one. What goes to one recipient by one channel goes in
    order as long as one process hands it over and nothing is tried again, for a channel of a tenant is one lane."""

    name = "poster"

    def __init__(self, shared: Shared, channels: Sequence[Channel]) -> None:
        self._shared, self._channels = shared, tuple(channels)
        self._stopping, self._lanes = threading.Event(), Lanes("poster")
        self._thread = threading.Thread(target=self._run, name="poster", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the messages that are on their way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._lanes.close()

    def healthy(self) -> str:
        """Empty while it runs."""
        return "" if self._thread.is_alive() else "messages are not handed over"

    def round(self) -> int:
        """Hand over what is due of every tenant, and wait for it; how much was tried."""
        turns = self._offer()
        wait(turns)
        return sum(turn.result() for turn in turns)

    def _offer(self) -> list[Future[int]]:
        """Begin with what is due and can begin now, whose turn was longest ago first."""
        with self._shared.database.read() as connection:
            wall = self._shared.system.now()
            due = {*messages_waiting(connection, wall), *letters_waiting(connection, wall)}
        offered = [
            self._lanes.offer(lane, lane[1], partial(self._hand_over, *lane))
            for lane in sorted(due, key=lambda one: (self._lanes.last(one), one))
        ]
        return [turn for turn in offered if turn is not None]

    def _hand_over(self, tenant: str, channel: str) -> int:
        def go_on() -> bool:
            return not self._stopping.is_set()

        try:
            return sum(
                give(self._shared, tenant, self._channels, AT_ONCE, only=channel, go_on=go_on)
                for give in (post, post_letters)
            )
        except SQLAlchemyError as failure:
            logger.warning("the database does not answer: %s", str(failure).splitlines()[0])
            raise
        except Exception:
            logger.exception("a message could not be handed over")
            raise

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                self._offer()
            except SQLAlchemyError as failure:
                logger.warning("the database does not answer: %s", str(failure).splitlines()[0])
            except Exception:
                logger.exception("messages could not be looked for")
