"""Everything in one process: broker, stores, services, pages, this computer's agent.

What is not given by a setting is embedded: amqtt, DuckDB, SQLite. Order of start: stores, broker, services, pages;
of stop: the reverse, so that nothing that was taken is lost.
"""

import logging
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contracts.points import TelemetryStore
from plumbing.model_files import ModelFiles
from plumbing.runtime import Service, Shared
from plumbing.sql import Database
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks

LOCAL = "local"
HOST_DEVICE = "this-computer"
HEARTBEAT_S = 1.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How `up` was called."""

    listen: str = "127.0.0.1"
    http_port: int = 8420
    mqtt_port: int = 1883
    host: bool = True
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


@dataclass
class Product:
    """The running product."""

    shared: Shared
    http: str
    mqtt: str
    services: list[Service] = field(default_factory=list)
    """In the order in which they were started."""
    _beat: threading.Event = field(default_factory=threading.Event)
    _heart: threading.Thread | None = None

    def start(self) -> None:
        """Start the services in order; what was started is stopped again if one fails."""
        self._heart = threading.Thread(target=self._heartbeat, name="heartbeat", daemon=True)
        self._heart.start()
        running: list[Service] = []
        try:
            for service in self.services:
                service.start()
                running.append(service)
        except BaseException:
            for service in reversed(running):
                service.stop()
            raise

    def _heartbeat(self) -> None:
        while not self._beat.wait(HEARTBEAT_S):
            self.shared.clocks.heartbeat()

    def stop(self) -> None:
        """Stop the services, last started first, and close the stores."""
        for service in reversed(self.services):
            service.stop()
        self._beat.set()
        if self._heart:
            self._heart.join()
        self.shared.clocks.rest()
        self.shared.store.close()
        self.shared.database.close()

    def unwell(self) -> dict[str, str]:
        """What is wrong, by service; empty when all is well."""
        return {s.name: wrong for s in self.services if (wrong := s.healthy())}


def secret_of(home: Path, name: str) -> str:
    """A secret of this home that only its own processes use; made on first use."""
    path = home / f"{name}.secret"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        made = secrets.token_hex(32)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(made)
        return made
