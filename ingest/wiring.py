"""Puts ingest together and runs it: the network thread reads, one writer thread takes."""

import logging
import sys
import threading
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from contracts import topics
from contracts.points import StoreUnreachable
from ingest.adapters.block_size import BlockSize
from ingest.adapters.inbox import Inbox, size_of
from ingest.domain.rights import INGEST
from ingest.service.access import Access
from ingest.service.book import Superseded
from ingest.service.foreign import Fleets, FromStation
from ingest.service.intake import Intake
from ingest.service.quarantine import Quarantine
from ingest.service.reading import Limits
from ingest.settings import Settings
from plumbing.mqtt_reader import MqttReader
from plumbing.mqtt_stream import Incoming
from plumbing.runtime import Shared
from plumbing.ucum import UcumUnits

ACCESS_EVERY_S = 0.5
IDLE_S = 0.1
SWITCH_S = 0.0002
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 15.0
TOO_MUCH_S = 5.0
"""A write that failed after so long is tried again in halves: the store may be too slow for it, not gone."""
logger = logging.getLogger(__name__)


class IngestService:
    """A running ingest: plumbing.runtime.Service."""

    name = "ingest"

    def __init__(
        self, settings: Settings, shared: Shared, fleets: Fleets | None = None, address: Callable[[], str] | None = None
    ) -> None:
        self._fleets = fleets
        self._settings, self._monotonic = settings, shared.system.monotonic
        self._inbox = Inbox(settings.queue_bytes, shared.system.monotonic)
        self._size = BlockSize(settings.block_bytes)
        self._link = MqttReader(
            settings.mqtt_url,
            INGEST,
            subscribe=[topics.topic("+", "+", kind) for kind in topics.UP],
            on_messages=self._inbox.put_all,
            room=self._inbox.room,
            tls=settings.tls,
            address=address,
        )
        self.intake = Intake(
            database=shared.database,
            store=shared.store,
            clocks=shared.clocks,
            system=shared.system,
            models=shared.models,
            units=UcumUnits(),
            publish=self._link.publish,
            limits=Limits(settings.future_seconds, settings.late_seconds),
            quarantine=Quarantine(settings.quarantine_a_device, settings.quarantine_bytes),
        )
        self._stopping = threading.Event()
        self._writer: threading.Thread | None = None
        self._trouble = ""

    def start(self) -> None:
        """Connect and begin to take; returns at once."""
        # the reading thread lets go of the interpreter at each of its reads; with the usual 5 ms until it gets it back
        # from a busy writer, it would read a few dozen times a second
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_S))
        self.intake.claim()
        self._link.start()
        self._writer = threading.Thread(target=self._run, name="ingest writer", daemon=True)
        self._writer.start()
        if self._fleets:
            self._fleets.attach(self._offer)

    def stop(self) -> None:
        """Take what has arrived, acknowledge it, disconnect."""
        self._stopping.set()
        self._inbox.close()
        if self._writer:
            self._writer.join()
        self._link.stop()
        self.intake.close()

    def healthy(self) -> str:
        """Empty when well."""
        if self._writer is None or not self._writer.is_alive():
            return self._trouble or "not running"
        return self._trouble or self._link.problem

    def publish(self, topic: str, body: bytes) -> bool:
        """Hand a message to the broker, for the command post; False when there is no connection."""
        taken = self._link.publish(topic, body)
        self._link.acknowledge(())  # what was published goes out at once
        return taken

    def figures(self) -> dict[str, int]:
        """For the metrics page."""
        messages, size = self._inbox.waiting
        return {
            "messages": self.intake.taken_messages,
            "samples": self.intake.taken_values,
            "waiting_messages": messages,
            "waiting_bytes": size,
            "reader_waits": self._inbox.blocked,
        }

    def _offer(self, message: FromStation) -> bool:
        """Put a foreign message in, unless there is no room."""
        if self._stopping.is_set() or not self._inbox.room(0.0):
            return False
        self._inbox.put_all([message])
        return True

    def _run(self) -> None:
        settings = self._settings
        while True:
            block: Sequence[Incoming] = self._inbox.take(self._size.bytes, settings.block_seconds, IDLE_S)
            if not block and self._stopping.is_set():
                return
            try:
                kept: Sequence[Callable[[], None]] = ()
                if self._fleets:
                    block, kept = self._fleets.translate(block)
                began = self._monotonic()
                if block and not self.take(block):
                    return
                self._size.took(size_of(block), self._monotonic() - began)
                for done in kept:
                    done()
                self.intake.answer()
                self._link.acknowledge(())
            except Superseded as taken_over:
                self._trouble = str(taken_over)
                logger.error("%s: this one stops", taken_over)
                self._inbox.close()
                return
            except Exception:
                logger.exception("a round of ingest failed")

    def take(self, block: Sequence[Incoming]) -> bool:
        """Take a block whatever is in it; False when told to stop before the stores took it."""
        wait = FIRST_WAIT_S
        while True:
            began = self._monotonic()
            too_much = False
            try:
                self.intake.take(block)
            except Superseded:
                raise
            except StoreUnreachable as failure:
                too_much = len(block) > 1 and self._monotonic() - began > TOO_MUCH_S
                self._note(f"the telemetry store does not answer: {failure}")
            except (OperationalError, InterfaceError) as failure:
                self._note(f"the database does not answer: {failure.orig}")
            except DBAPIError as failure:
                if not failure.connection_invalidated:
                    return self._halve(block, failure)
                self._note(f"the connection to the database broke: {failure.orig}")
            except Exception as failure:
                logger.exception("a block of %d messages could not be taken", len(block))
                return self._halve(block, failure)
            else:
                if self._trouble:
                    logger.info("well again")
                    self._trouble = ""
                self._link.acknowledge(block)
                return True
            if self._stopping.wait(wait):
                # not acknowledged: the broker and the devices still have it
                return False
            if too_much:
                half = len(block) // 2
                return self.take(block[:half]) and self.take(block[half:])
            wait = min(wait * 2, LONGEST_WAIT_S)

    def _halve(self, block: Sequence[Incoming], failure: Exception) -> bool:
        if len(block) > 1:
            half = len(block) // 2
            return self.take(block[:half]) and self.take(block[half:])
        (message,) = block
        logger.error("a message on %r cannot be taken and is put aside: %s", message.topic, failure)
        try:
            self.intake.quarantine_alone(message, type(failure).__name__)
        except Superseded:
            raise
        except (OperationalError, InterfaceError):
            return not self._stopping.wait(FIRST_WAIT_S) and self.take(block)
        except Exception:
            logger.exception("a message on %r cannot even be put aside", message.topic)
        self._link.acknowledge(block)
        return True

    def _note(self, trouble: str) -> None:
        if not self._trouble:
            logger.warning("%s; trying again", trouble)
        self._trouble = trouble


class AccessWatch:
    """Keeps `access` fresh, and ends the connections of accounts that were revoked: plumbing.runtime.Service.

    `disconnect` ends an account's connection at the embedded broker.
    """

    name = "access"

    def __init__(self, access: Access, disconnect: Callable[[str], None]) -> None:
        self._access, self._disconnect = access, disconnect
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble = ""

    def start(self) -> None:
        """Begin to watch."""
        self._access.refresh()
        self._thread = threading.Thread(target=self._run, name="access", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def healthy(self) -> str:
        """Empty when well."""
        return self._trouble if self._thread and self._thread.is_alive() else "not running"

    def _run(self) -> None:
        while not self._stopping.wait(ACCESS_EVERY_S):
            try:
                for username in self._access.refresh():
                    self._disconnect(username)
                self._trouble = ""
            except Exception as failure:
                logger.exception("the registry could not be read")
                self._trouble = f"the registry could not be read: {failure}"


def build(
    settings: Settings, shared: Shared, fleets: Fleets | None = None, address: Callable[[], str] | None = None
) -> IngestService:
    """Ingest on what this process shares.

    `fleets` = foreign devices are taken in this process, too; `address` = asked for the broker's before each connect.
    """
    return IngestService(settings, shared, fleets, address)
