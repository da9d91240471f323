"""Keeps Mosquitto's `passwd` and `acl` in step with the registry, while ingest runs on a real broker."""

import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from ingest.adapters.mosquitto_files import write_mosquitto_files
from ingest.domain.rights import INGEST
from ingest.service.book import mark
from ingest.service.registry import REGISTRY, set_service_account
from plumbing.mqtt import BrokerAddress
from plumbing.runtime import Shared

FOLDER = "FOREWARN_BROKER_DIR"
LOOK_S = 0.5
log = logging.getLogger(__name__)


class AccountFiles:
    """A service that looks twice a second whether the registry changed."""

    name = "broker accounts"

    def __init__(self, shared: Shared, environ: Mapping[str, str]) -> None:
        self._shared = shared
        self._folder = Path(environ.get(FOLDER) or shared.home / "broker")
        self._address = BrokerAddress.of(environ["FOREWARN_MQTT_URL"])
        self._written = -1
        self._trouble = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker accounts", daemon=True)

    def start(self) -> None:
        """Write the files before anything connects. The account of ingest itself has the secret of its URL."""
        if self._address.user == INGEST:
            set_service_account(self._shared.database, INGEST, self._address.secret)
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()

    def healthy(self) -> str:
        """Empty when the files are up to date."""
        return self._trouble

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self._look()
                self._trouble = ""
            except (OSError, SQLAlchemyError) as failure:
                self._trouble = f"the broker's accounts cannot be written: {failure}"
                log.warning("%s", self._trouble)

    def _look(self) -> None:
        with self._shared.database.read() as connection:
            version = mark(connection, REGISTRY)
        if version != self._written:
            write_mosquitto_files(self._shared.database, self._folder)
            self._written = version
