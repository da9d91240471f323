"""The platforms that `faults.py` kills: real servers with a process each, or everything in one embedded process."""

import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from benchmarks.fault_files import MODEL
from contracts.points import TelemetryStore
from deploy.servers.launch import InfluxDB, Mosquitto, PostgreSQL, Server, accepts_connections, free_port
from plumbing.sql import Database
from plumbing.system_clock import SystemClock

FOREWARN = (sys.executable, "-m", "forewarn")
READY_S = 60.0


class Process:
    """A process that can be killed and started again."""

    def __init__(self, name: str, command: tuple[str, ...], environ: Mapping[str, str], folder: Path) -> None:
        self.name, self._command, self._environ = name, command, dict(environ)
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start; what it says goes to its log."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **self._environ}
            )

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """SIGTERM, and wait."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None


Victim = Process | Server


class Platform(ABC):
    """Whatever takes readings. `victims` can be killed and started again, each by its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.victims: dict[str, Victim] = {}
        self.mqtt_port = 0

    @abstractmethod
    def start(self, devices: list[str]) -> dict[str, str]:
        """Start everything with these devices (`tenant/device`); returns their secrets."""

    @abstractmethod
    def settle(self) -> None:
        """Called when all devices are drained, before the stores are read."""

    @abstractmethod
    def database(self) -> Database:
        """The SQL database, to read."""

    @abstractmethod
    def store(self) -> TelemetryStore:
        """The telemetry store, to read; after `settle`."""

    def close(self) -> None:
        """End everything, last started first."""
        for victim in reversed(list(self.victims.values())):
            victim.close()

    def mqtt_url(self, user: str, secret: str) -> str:
        """The broker's address for an account."""
        return f"mqtt://{quote(user, safe='')}:{secret}@127.0.0.1:{self.mqtt_port}"


class RealServers(Platform):
    """Mosquitto, InfluxDB, PostgreSQL, and `forewarn run ingest`."""

    def start(self, devices: list[str]) -> dict[str, str]:
        from ingest.adapters.mosquitto_files import write_mosquitto_files
        from ingest.service.registry import add_device, set_service_account

        self._postgresql = PostgreSQL(self.folder / "postgresql")
        self.victims["postgresql"] = self._postgresql.start()
        self._influx = InfluxDB(self.folder / "influxdb")
        self.victims["influxdb"] = self._influx.start()
        self._url = self._postgresql.create_database()
        access = self._influx.access
        environ = {
            "FOREWARN_HOME": str(self.folder / "home"),
            "FOREWARN_DATABASE_URL": self._url,
            "FOREWARN_INFLUX_URL": access.url,
            "FOREWARN_INFLUX_TOKEN": access.token,
            "FOREWARN_INFLUX_ORG": access.org,
            "FOREWARN_INFLUX_BUCKET": access.bucket,
        }
        subprocess.run((*FOREWARN, "migrate"), env={**os.environ, **environ}, check=True, stdout=subprocess.DEVNULL)
        database, now = self.database(), SystemClock().now()
        secrets = {}
        for name in devices:
            tenant, _, device = name.partition("/")
            secrets[name] = add_device(database, tenant, device, MODEL, now=now).password
        own = set_service_account(database, "ingest")
        rights = self.folder / "rights"
        write_mosquitto_files(database, rights)
        database.close()
        broker = Mosquitto(self.folder / "mosquitto", rights / "passwd", rights / "acl")
        self.mqtt_port = broker.port
        self.victims["broker"] = broker.start()
        environ["FOREWARN_MQTT_URL"] = self.mqtt_url("ingest", own)
        ingest = Process("ingest", (*FOREWARN, "run", "ingest"), environ, self.folder)
        ingest.start()
        self.victims["ingest"] = ingest
        return secrets

    def settle(self) -> None:
        """The servers go on running: they are read through their own doors."""

    def database(self) -> Database:
        return Database(self._url)

    def store(self) -> TelemetryStore:
        from plumbing.stores.influx import InfluxStore

        access = self._influx.access
        return InfluxStore(access.url, access.token, access.org, access.bucket)


class Embedded(Platform):
    """`forewarn up`: amqtt, DuckDB and SQLite in one process."""

    def start(self, devices: list[str]) -> dict[str, str]:
        self.mqtt_port, http = free_port(), free_port()
        home = self.folder / "home"
        environ = {"FOREWARN_HOME": str(home)}
        command = (*FOREWARN, "up", "--no-host", "--http-port", str(http), "--mqtt-port", str(self.mqtt_port))
        product = Process("product", command, environ, self.folder)
        product.start()
        self.victims["product"] = product
        until = time.monotonic() + READY_S
        while not (accepts_connections(http) and (home / "run.json").exists()):
            if time.monotonic() > until or not product.alive:
                raise RuntimeError(f"forewarn up does not answer; see {product.log}")
            time.sleep(0.2)
        secrets = {}
        for name in devices:
            tenant, _, device = name.partition("/")
            add = (*FOREWARN, "device", "add", device, "--model", MODEL, "--tenant", tenant, "--json")
            said = subprocess.run(add, env={**os.environ, **environ}, check=True, stdout=subprocess.PIPE).stdout
            secrets[name] = str(json.loads(said)["password"])
        return secrets

    def settle(self) -> None:
        """One process alone can open the files: the product ends cleanly first."""
        self.victims["product"].close()

    def database(self) -> Database:
        return Database(f"sqlite:///{self.folder / 'home' / 'forewarn.sqlite'}")

    def store(self) -> TelemetryStore:
        from plumbing.stores.duckdb import DuckStore

        return DuckStore(str(self.folder / "home" / "telemetry.duckdb"))


PLATFORMS: dict[str, type[Platform]] = {"real": RealServers, "embedded": Embedded}
