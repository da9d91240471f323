"""Ingest's own housekeeping beside the writer: what grew old is let go, who went off line is on record."""

import logging

from ingest.service.housekeeping import Keeping, keep_house
from ingest.service.presence import Presence
from plumbing.repeating import Repeating
from plumbing.runtime import Shared

LOOK_S, EVERY_S = 5.0, 60.0
logger = logging.getLogger(__name__)


def housekeeper(shared: Shared, keeping: Keeping) -> Repeating:
    """Any number may run on one database: each portion is done once."""
    presence = Presence(shared.database, shared.clocks, shared.system)
    kept = shared.system.monotonic()

    def look() -> None:
        nonlocal kept
        presence.look()
        if shared.system.monotonic() - kept < EVERY_S:
            return
        kept = shared.system.monotonic()
        done = keep_house(shared.database, shared.clocks, keeping)
        if done.expired or done.entries or done.days:
            logger.info(
                "%d messages in quarantine expired, %d old entries and %d days of ledgers went", done.expired,
                done.entries, done.days,
            )  # fmt: skip

    return Repeating("housekeeping", look, LOOK_S, LOOK_S)
