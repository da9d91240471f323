"""Who failed is tried again, more and more seldom."""

import logging
from collections.abc import Callable, Hashable

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, TimeoutError

from contracts.points import StoreUnreachable

FIRST_WAIT_S, LONGEST_WAIT_S = 10.0, 3600.0
SHARE = 0.05
"""Tries that fail take at most this share of the time: one machine's everywhere, all together in `Isolation`."""
NOBODYS = (OperationalError, InterfaceError, InternalError, TimeoutError, StoreUnreachable, MemoryError)
"""Failures that are none of a machine's: a server does not answer, or there is no room."""
logger = logging.getLogger(__name__)


def wait_s(tries: int, took_s: float = 0.0) -> float:
    """Seconds until the next try, after so many that failed again and so long a one."""
    return max(min(FIRST_WAIT_S * 2.0 ** min(tries, 30), LONGEST_WAIT_S), took_s / SHARE)


class Patience:
    """Who is not tried now. It is kept in memory: a restart tries all at once."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failed: dict[Hashable, tuple[int, float]] = {}

    def of(self, key: Hashable, step: Callable[[], int]) -> int:
        """What a step comes to; 0 where it fails, which is nobody else's trouble, or where it is too early for it."""
        tries, at = self._failed.get(key, (-1, 0.0))
        began = self._now()
        if tries >= 0 and began < at:
            return 0
        try:
            done = step()
        except NOBODYS:
            raise
        except Exception:
            logger.exception("%s fails, others go on", key)
            now = self._now()
            self._failed[key] = (tries + 1, now + wait_s(tries + 1, now - began))
            return 0
        self._failed.pop(key, None)
        return done
