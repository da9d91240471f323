"""The platforms that `faults.py` kills: real servers with a process each, or everything in one embedded process."""

import json
import os
import random
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from benchmarks.fault_disks import Disk
from benchmarks.fault_files import MODEL
from benchmarks.fault_links import Link, State
from contracts.points import TelemetryStore
from deploy.servers.launch import InfluxDB, Mosquitto, PostgreSQL, Server, accepts_connections, free_port
from plumbing.pki import Authority, write_secret
from plumbing.sql import Database
from plumbing.system_clock import SystemClock

FOREWARN = (sys.executable, "-m", "forewarn")
READY_S = 60.0
STOP_S = 20.0
AGENTS_MB, POSTGRESQL_MB, HOME_MB = 256, 512, 256
"""Sizes of the disks. InfluxDB has none: on a full one it lost what it had acknowledged (808 of 1,036 points)."""
END_TO_END, WITHIN = (State.CUT, State.SILENT, State.SLOW, State.CORRUPT), (State.CUT, State.SILENT, State.SLOW)
"""What happens to the devices' links, which have TLS, and to those of the platform within, which have not."""


class Process:
    """A process that can be killed and started again."""

    def __init__(self, name: str, command: tuple[str, ...], environ: Mapping[str, str], folder: Path) -> None:
        self.name, self._command, self._environ = name, command, dict(environ)
        self.log = folder / f"{name}.log"
        self.slow_to_stop = False
        """Whether it had to be killed although it was told to stop."""
        self._wanted = False
        self._said = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start; what it says goes to its log."""
        self._wanted = True
        with self.log.open("ab") as log:
            self._said = log.tell()
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **self._environ}
            )

    def kill(self) -> None:
        """SIGKILL."""
        self._wanted = False
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._wanted = False
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.slow_to_stop = True
            self.kill()

    close = stop

    @property
    def pid(self) -> int:
        """Of the running process."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self._wanted and not self.alive

    @property
    def came_up(self) -> bool:
        """Whether it has said since its last start that it runs."""
        with self.log.open("rb") as log:
            log.seek(self._said)
            return b" runs\n" in log.read()


Victim = Process | Server


class Platform(ABC):
    """Whatever takes readings. `victims` can be killed and started again, each by its name; agents connect through the
    first of `links`, by TLS; `disks` can be filled."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.folder, self._dice = folder, dice
        self.victims: dict[str, Victim] = {}
        self.links: list[tuple[Link, tuple[State, ...]]] = []
        self.disks: list[Disk] = []
        self.ca = folder / "ca.crt"

    def disk(self, name: str, folder: Path, megabytes: int) -> Path:
        """Put a folder on a small disk."""
        self.disks.append(Disk(name, folder, megabytes))
        return folder

    def link(self, name: str, target: int, states: tuple[State, ...]) -> Link:
        """Open a link to a port."""
        made = Link(name, target, random.Random(self._dice.random())).start()
        self.links.append((made, states))
        return made

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

    def watch_over(self, agents: Sequence[Process]) -> list[str]:
        """Start those of ours again that ended while they started, because the database was away or the disk full, as
        systemd or Docker would; returns which ended after that: they have failed."""
        ours = [*agents, *(victim for victim in self.victims.values() if isinstance(victim, Process))]
        for process in ours:
            if process.ended and not process.came_up:
                process.start()
        return [process.name for process in ours if process.ended]

    def close(self) -> None:
        """End everything, last started first."""
        for victim in reversed(list(self.victims.values())):
            victim.close()
        for link, _ in self.links:
            link.close()
        for disk in self.disks:
            disk.close()

    def mqtt_url(self, user: str, secret: str) -> str:
        """The broker's address for a device."""
        return f"mqtts://{quote(user, safe='')}:{secret}@127.0.0.1:{self.links[0][0].port}"


class RealServers(Platform):
    """Mosquitto, InfluxDB, PostgreSQL, and `forewarn run ingest`."""

    def start(self, devices: list[str]) -> dict[str, str]:
        from ingest.adapters.mosquitto_files import write_mosquitto_files
        from ingest.service.registry import add_device, set_service_account

        self._postgresql = PostgreSQL(self.folder / "postgresql")
        self.disk("postgresql", self._postgresql.data.parent, POSTGRESQL_MB)
        self.victims["postgresql"] = self._postgresql.start()
        self.influx = InfluxDB(self.folder / "influxdb")
        self.victims["influxdb"] = self.influx.start()
        self.disk("ingest", self.folder / "home", HOME_MB)
        self._url = self._postgresql.create_database()
        access = self.influx.access
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
        self.local = set_service_account(database, "local")
        rights = self.folder / "rights"
        write_mosquitto_files(database, rights)
        database.close()
        tls_port = free_port()
        self.broker = broker = Mosquitto(
            self.folder / "mosquitto", rights / "passwd", rights / "acl", self._tls(tls_port, SystemClock().now())
        )
        self.victims["broker"] = broker.start()
        self.link("devices to broker", tls_port, END_TO_END)
        to_broker = self.link("ingest to broker", broker.port, WITHIN)
        to_store = self.link("ingest to store", self.influx.port, WITHIN)
        environ["FOREWARN_MQTT_URL"] = f"mqtt://ingest:{own}@127.0.0.1:{to_broker.port}"
        environ["FOREWARN_INFLUX_URL"] = f"http://127.0.0.1:{to_store.port}"
        self.environ = environ
        ingest = Process("ingest", (*FOREWARN, "run", "ingest"), environ, self.folder)
        ingest.start()
        self.victims["ingest"] = ingest
        return secrets

    def _tls(self, port: int, now: datetime) -> list[str]:
        """A second listener, for devices, with a certificate of an authority of its own."""
        fresh = Authority.fresh(now)
        server = Authority(fresh.certificate, fresh.key).for_server(["127.0.0.1"], now)
        self.ca.write_bytes(fresh.certificate)
        made = (self.folder / "server.crt", self.folder / "server.key")
        for path, content in zip(made, (server.certificate, server.key or ""), strict=True):
            write_secret(path, content.encode())
        return [
            f"listener {port} 127.0.0.1", f"certfile {made[0]}", f"keyfile {made[1]}", "tls_version tlsv1.2",
            "use_username_as_clientid true",
        ]  # fmt: skip

    def settle(self) -> None:
        """The servers go on running: they are read through their own doors."""

    def database(self) -> Database:
        return Database(self._url)

    def store(self) -> TelemetryStore:
        from plumbing.stores.influx import InfluxStore

        access = self.influx.access
        return InfluxStore(access.url, access.token, access.org, access.bucket)


class Embedded(Platform):
    """`forewarn up`: amqtt, DuckDB and SQLite in one process."""

    def start(self, devices: list[str]) -> dict[str, str]:
        mqtt, mqtts, http = free_port(), free_port(), free_port()
        home = self.folder / "home"
        self.disk("product", home, HOME_MB)
        environ = {"FOREWARN_HOME": str(home)}
        ports = ("--http-port", str(http), "--mqtt-port", str(mqtt), "--mqtts-port", str(mqtts))
        command = (*FOREWARN, "up", "--no-host", *ports)
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
        self.ca.write_bytes(Path(json.loads((home / "run.json").read_text())["ca"]).read_bytes())
        self.link("devices to broker", mqtts, END_TO_END)
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
