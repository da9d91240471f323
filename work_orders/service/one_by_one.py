"""What is due is done one by one, so that one that fails holds up none of the others."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

T = TypeVar("T")
logger = logging.getLogger(__name__)


def each(do: Callable[[T], int], those: Iterable[T]) -> int:
    """Do it with each of those; how much was done.

    The first failure is raised once all have had their turn; where the database does not answer, at once.
    """
    done = 0
    first: Exception | None = None
    for one in those:
        try:
            done += do(one)
        except (OperationalError, InterfaceError):
            raise
        except Exception as failure:
            if first is None:
                first = failure
            else:
                logger.exception("it failed with %s as well", one)
    if first is not None:
        raise first
    return done
