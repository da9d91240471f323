"""Lets go what grew old, beside the rounds."""

import logging

from anomaly.adapters.keeping_house import keep_house
from plumbing.repeating import Repeating
from plumbing.runtime import Shared

FIRST_S, EVERY_S = 60.0, 3600.0
logger = logging.getLogger(__name__)


def housekeeper(shared: Shared, days: float) -> Repeating:
    """One a process that runs anomaly. Any number may run on one database."""

    def keep() -> None:
        gone = keep_house(shared.database, shared.clocks, days, made.ending)
        if gone:
            logger.info("%d rows older than %g days went", gone, days)

    made = Repeating("anomaly housekeeping", keep, FIRST_S, EVERY_S)
    return made
