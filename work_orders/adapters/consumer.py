"""Reads predictions and alarms from the log: what they lead to and the place in the log are one commit."""

import logging
from itertools import takewhile

import msgspec

from contracts.records import (
    COMMAND_RESULTS,
    PREDICTIONS,
    Alarm,
    Prediction,
    decode_command_ended,
    decode_from_anomaly,
)
from plumbing import log
from plumbing.runtime import Shared
from plumbing.sql import lock
from work_orders.domain.machine import SYSTEM
from work_orders.service.diagnosing import Running, end, hear_command, look, running
from work_orders.service.intake import decide_again, hear, take
from work_orders.service.one_by_one import each
from work_orders.service.unit import on, unit

CONSUMER = "work_orders"
logger = logging.getLogger(__name__)


def taker(topic: str) -> str:
    """The lock of whoever takes a topic: one process at a time."""
    return f"consumer:{CONSUMER}" if topic == PREDICTIONS else f"consumer:{CONSUMER}:{topic}"


def register(shared: Shared) -> None:
    """Put the consumer on record, so that the log keeps what it has not read. One that is behind says so, goes on."""
    with shared.database.write() as connection:
        try:
            log.check_kept(connection, CONSUMER, PREDICTIONS)
        except log.BehindTheLog as behind:
            logger.warning("%s: forecasts before it are history, nobody is told of them", behind)
            log.advance(connection, CONSUMER, PREDICTIONS, behind.oldest - 1)
        log.advance(connection, CONSUMER, PREDICTIONS, 0)
        log.advance(connection, CONSUMER, COMMAND_RESULTS, 0)


def take_next(shared: Shared, limit: int) -> int:
    """Take the next entries, at most `limit`, of one tenant; how many there were."""
    with shared.database.read() as connection:
        ahead = log.read(connection, PREDICTIONS, log.position(connection, CONSUMER, PREDICTIONS), 1)
    if not ahead:
        return 0
    clock = shared.clocks.of(ahead[0].tenant)
    with shared.database.write() as connection:
        lock(connection, taker(PREDICTIONS))
        at = log.position(connection, CONSUMER, PREDICTIONS)
        entries = log.read(connection, PREDICTIONS, at, limit)
        if not entries or entries[0].tenant != ahead[0].tenant:
            return len(entries)  # another process was faster
        mine = list(takewhile(lambda e: e.tenant == entries[0].tenant, entries))
        with on(shared, connection, mine[0].tenant, SYSTEM, clock.now) as work:
            for entry in mine:
                match _understood(entry):
                    case Prediction() as prediction:
                        take(work, prediction)
                    case Alarm() as alarm:
                        hear(work, alarm)
        log.advance(connection, CONSUMER, PREDICTIONS, mine[-1].position)
        return len(mine)


def take_results(shared: Shared, limit: int) -> int:
    """Take how commands to devices ended, at most `limit`; how many there were."""
    with shared.database.read() as connection:
        at = log.position(connection, CONSUMER, COMMAND_RESULTS)
        if not log.read(connection, COMMAND_RESULTS, at, 1):
            return 0
    with shared.database.write() as connection:
        lock(connection, taker(COMMAND_RESULTS))
        entries = log.read(connection, COMMAND_RESULTS, log.position(connection, CONSUMER, COMMAND_RESULTS), limit)
        if not entries:
            return 0
        mine = list(takewhile(lambda e: e.tenant == entries[0].tenant, entries))
        with on(shared, connection, mine[0].tenant, SYSTEM, shared.clocks.of(mine[0].tenant).now) as work:
            for entry in mine:
                try:
                    hear_command(work, decode_command_ended(entry.payload))
                except msgspec.DecodeError:
                    logger.exception("entry %d of %s is not understood", entry.position, COMMAND_RESULTS)
        log.advance(connection, CONSUMER, COMMAND_RESULTS, mine[-1].position)
        return len(mine)


def examine(shared: Shared) -> int:
    """Look at stored telemetry where a check wants it, and conclude what need not be waited for; how many ended."""
    with shared.database.read() as connection:
        found = running(connection, shared.system.now())

    def one(of: Running) -> int:
        if of.looks:
            look(shared, of)
        if not of.due:
            return 0
        with unit(shared, of.tenant, SYSTEM) as work:
            return int(end(work, of.id, decide_again))

    return each(one, found)


def _understood(entry: log.Entry) -> Prediction | Alarm | None:
    try:
        found: Prediction | Alarm = decode_from_anomaly(entry.payload)
    except msgspec.DecodeError:
        logger.exception("entry %d of %s is not understood", entry.position, PREDICTIONS)
        return None
    if found.tenant != entry.tenant:
        logger.error("entry %d of %s names tenant %s and lies with %s", entry.position, PREDICTIONS, found.tenant,
                     entry.tenant)  # fmt: skip
        return None
    return found


def place(shared: Shared, topic: str) -> int:
    """How far a topic was taken."""
    with shared.database.read() as connection:
        return log.position(connection, CONSUMER, topic)


def skip_next(shared: Shared, topic: str, after: int) -> str:
    """Pass the entry after this place over; its identity in words, empty where another process was faster."""
    with shared.database.write() as connection:
        lock(connection, taker(topic))
        entries = log.read(connection, topic, after, 1)
        if not entries or log.position(connection, CONSUMER, topic) != after:
            return ""
        log.advance(connection, CONSUMER, topic, entries[0].position)
        return f"entry {entries[0].position} of {topic}, {entries[0].tenant} ({entries[0].key})"
