"""Everything in one process: broker, stores, services, pages, this computer's agent.

What is not given by a setting is embedded: amqtt, DuckDB, SQLite. Order of start: stores, broker, services, pages;
of stop: the reverse, so that nothing that was taken is lost.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from contracts.points import TelemetryStore
from contracts.records import TOPICS
from plumbing import log as log_table
from plumbing.model_files import ModelFiles
from plumbing.runtime import Service, Shared
from plumbing.sql import Database
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks

LOCAL = "local"
HOST_DEVICE = "this-computer"
HEARTBEAT_S = 1.0
TIDY_EVERY_BEATS = 60
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How `up` was called."""

    listen: str = "127.0.0.1"
    http_port: int = 8420
    mqtt_port: int = 1883
    host: bool = True
    mqtts_port: int | None = None
    say: Callable[[str], None] = print


def open_database(environ: Mapping[str, str], home: Path) -> Database:
    """The SQL database of the settings, else SQLite in the home folder."""
    return Database(environ.get("FOREWARN_DATABASE_URL") or f"sqlite:///{home / 'forewarn.sqlite'}")


def open_store(environ: Mapping[str, str], home: Path) -> TelemetryStore:
    """InfluxDB where the settings name one, else DuckDB in the home folder. Raises Failed."""
    if url := environ.get("FOREWARN_INFLUX_URL"):
        from plumbing.stores.influx import InfluxStore

        return InfluxStore(
            url,
            environ.get("FOREWARN_INFLUX_TOKEN", ""),
            environ.get("FOREWARN_INFLUX_ORG") or "forewarn",
            environ.get("FOREWARN_INFLUX_BUCKET") or "forewarn",
        )
    from plumbing.stores.duckdb import DuckStore

    return DuckStore(str(home / "telemetry.duckdb"))


def share(environ: Mapping[str, str], home: Path, system: SystemClock) -> Shared:
    """What the services of this process share; the tables are migrated already."""
    database = open_database(environ, home)
    return Shared(
        home=home,
        database=database,
        system=system,
        clocks=TenantClocks(database, system),
        store=open_store(environ, home),
        models=ModelFiles(home),
    )


class Heart:
    """Lets the tenants' scaled clocks run while the product does, and keeps the log tidy. One a product."""

    name = "heart"

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """Scaled clocks go on from where they stood."""
        self._shared.clocks.wake()
        self._thread.start()

    def stop(self) -> None:
        """Scaled clocks stand still."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._shared.clocks.rest()

    def healthy(self) -> str:
        """Empty while it beats."""
        return "" if self._thread.is_alive() else "the clocks are not kept"

    def _run(self) -> None:
        beats = 0
        while not self._stopping.wait(HEARTBEAT_S):
            try:
                self._shared.clocks.heartbeat()
                beats += 1
                if beats % TIDY_EVERY_BEATS == 0:
                    tidy(self._shared)
            except SQLAlchemyError as failure:
                log.warning("the clocks cannot be kept: %s", failure)


@dataclass
class Product:
    """The running product: services in the order in which they are started."""

    shared: Shared
    services: list[Service] = field(default_factory=list)

    def start(self) -> None:
        """Start the services in order; what was started is stopped again if one fails."""
        running: list[Service] = []
        try:
            for service in self.services:
                service.start()
                running.append(service)
        except BaseException:
            for service in reversed(running):
                service.stop()
            raise

    def stop(self) -> None:
        """Stop the services, last started first, and close the stores."""
        for service in reversed(self.services):
            service.stop()
        self.shared.store.close()
        self.shared.database.close()

    def unwell(self) -> dict[str, str]:
        """What is wrong, by service; empty when all is well."""
        return {s.name: wrong for s in self.services if (wrong := s.healthy())}


def tidy(shared: Shared) -> None:
    """Remove what the log need not keep, a little at a time."""
    for topic in TOPICS:
        gone = 1
        while gone:
            with shared.database.write() as connection:
                gone = log_table.clean(connection, topic, shared.system.now())
