"""Takes from the log what rules want of devices, and sends what is due: one thread beside the writer."""

import logging
import threading
from collections.abc import Callable

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from contracts.commands import Sign
from contracts.records import (
    COMMAND_RESULTS,
    DEVICE_COMMANDS,
    CommandEnded,
    CommandWanted,
    ForDevices,
    HoldReleased,
    HoldSet,
    decode_for_devices,
    encode,
)
from ingest.service.command_ledger import Ledger
from ingest.service.commands import RULE, CommandFault, Person, StoodAgainst, Wanted, issue_on, release_hold, set_hold
from plumbing import log as durable_log
from plumbing.runtime import Shared
from plumbing.sql import lock

CONSUMER = "ingest_commands"
LOOK_S = 0.1
WAIT_AFTER_TROUBLE_S = 1.0
AT_ONCE = 50
logger = logging.getLogger(__name__)


class CommandPost:
    """plumbing.runtime.Service. `publish` hands a message to the broker; False when there is no connection."""

    name = "commands"

    def __init__(self, shared: Shared, sign: Sign, publish: Callable[[str, bytes], bool]) -> None:
        self._shared, self._publish = shared, publish
        self._ledger = Ledger(shared.database, shared.clocks, shared.system, sign)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble = ""

    def start(self) -> None:
        """Begin."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the round that runs."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def healthy(self) -> str:
        """Empty when well."""
        return self._trouble if self._thread is not None and self._thread.is_alive() else "not running"

    def _run(self) -> None:
        registered = False
        while not self._stopping.is_set():
            try:
                if not registered:
                    with self._shared.database.write() as connection:
                        durable_log.advance(connection, CONSUMER, DEVICE_COMMANDS, 0)
                    registered = True
                self.round()
                self._trouble = ""
                self._stopping.wait(LOOK_S)
            except DBAPIError as failure:
                self._note(f"the database does not answer: {failure.orig}")
            except Exception as failure:
                logger.exception("a round of commands failed")
                self._note(f"a round failed: {failure}")

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.warning("commands: %s", trouble)
        self._trouble = trouble
        self._stopping.wait(WAIT_AFTER_TROUBLE_S)

    def round(self) -> int:
        """Take what is wanted and send what is due; how many messages were handed over."""
        self._take()
        sent = 0
        for message in self._ledger.sweep():
            sent += self._publish(message.topic, message.body)
        return sent

    def _take(self) -> None:
        with self._shared.database.read() as connection:
            at = durable_log.position(connection, CONSUMER, DEVICE_COMMANDS)
            if not durable_log.read(connection, DEVICE_COMMANDS, at, 1):
                return
        with self._shared.database.write() as connection:
            lock(connection, f"consumer:{CONSUMER}")
            at = durable_log.position(connection, CONSUMER, DEVICE_COMMANDS)
            entries = durable_log.read(connection, DEVICE_COMMANDS, at, AT_ONCE)
            refused: list[CommandEnded] = []
            for entry in entries:
                match _understood(entry):
                    case CommandWanted() as wanted:
                        refused += self._issue(connection, wanted)
                    case HoldSet() as hold:
                        set_hold(connection, hold)
                    case HoldReleased() as released:
                        release_hold(connection, released)
            for ended in refused:
                payload = encode(ended)
                durable_log.append(
                    connection, ended.tenant, COMMAND_RESULTS, ended.device, payload, self._shared.system.now()
                )
            if entries:
                durable_log.advance(connection, CONSUMER, DEVICE_COMMANDS, entries[-1].position)

    def _issue(self, connection: sa.Connection, of: CommandWanted) -> list[CommandEnded]:
        """Issue it; how it ended where it was not taken."""
        shared = self._shared
        now, wall = shared.clocks.of(of.tenant).now(), shared.system.now()
        wanted = Wanted(of.tenant, of.device, of.name, of.args, of.lifetime_s, of.case_id, of.why, of.id)
        try:
            issue_on(connection, wanted, Person(RULE, "rule"), models=shared.models, now=now, wall=wall)
        except CommandFault as no:
            logger.warning("command %s of %s/%s was not taken: %s", of.name, of.tenant, of.device, no)
            reason = no.reason if isinstance(no, StoodAgainst) else "not_taken"
            return [CommandEnded(1, of.id, of.tenant, of.device, of.name, "refused", reason, str(no), {}, now)]
        return []


def _understood(entry: durable_log.Entry) -> ForDevices | None:
    try:
        found: ForDevices = decode_for_devices(entry.payload)
    except msgspec.DecodeError:
        logger.exception("entry %d of %s is not understood", entry.position, DEVICE_COMMANDS)
        return None
    return found
