"""Reads from the log which devices are off line: what it leads to and the place in the log are one commit."""

import logging

import msgspec

from contracts.records import PRESENCE, decode_outage
from plumbing import log
from plumbing.runtime import Shared
from plumbing.sql import lock
from work_orders.adapters.consumer import CONSUMER, taker
from work_orders.domain.machine import SYSTEM
from work_orders.service.outages import hear_outage
from work_orders.service.unit import on

logger = logging.getLogger(__name__)


def take_outage(shared: Shared) -> bool:
    """Take the next that was told; whether there was one."""
    with shared.database.read() as connection:
        if not log.read(connection, PRESENCE, log.position(connection, CONSUMER, PRESENCE), 1):
            return False
    with shared.database.write() as connection:
        lock(connection, taker(PRESENCE))
        entries = log.read(connection, PRESENCE, log.position(connection, CONSUMER, PRESENCE), 1)
        for entry in entries:
            with on(shared, connection, entry.tenant, SYSTEM, shared.clocks.of(entry.tenant).now) as work:
                try:
                    hear_outage(work, decode_outage(entry.payload))
                except msgspec.DecodeError:
                    logger.exception("entry %d of %s is not understood", entry.position, PRESENCE)
            log.advance(connection, CONSUMER, PRESENCE, entry.position)
        return bool(entries)
