"""Both brokers with TLS, with the accounts, rights, certificates and lists that the product generates for them."""

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from deploy.servers.launch import Mosquitto, free_port
from deploy.servers.mosquitto import owner_name
from ingest.adapters.mosquitto_files import Listeners, mosquitto_config, write_mosquitto_files
from ingest.adapters.mosquitto_log import MosquittoLog
from ingest.adapters.pki_folder import PkiFolder
from ingest.service.access import Access
from ingest.service.certificates import issue_certificate
from ingest.service.registry import add_device, set_service_account
from ingest.service.tally import Tally
from ingest.wiring import AccessWatch
from plumbing.broker import EmbeddedBroker, TlsPort
from plumbing.mqtt import Incoming, MqttLink
from plumbing.pki import Issued
from plumbing.sql import Database
from plumbing.system_clock import SystemClock
from plumbing.tls import TlsFiles

INGEST_SECRET = "for-ingest-alone"
NAMES = ("127.0.0.1", "localhost")
YEAR = timedelta(days=365)
CLOCK = SystemClock()
AGAIN_S = 1.0


def until(holds: Callable[[], object], within_s: float = 20.0) -> None:
    """Return when `holds()` is true."""
    end = CLOCK.monotonic() + within_s
    while not holds():
        assert CLOCK.monotonic() < end, f"not within {within_s} s"
        time.sleep(0.02)


@dataclass
class Client:
    """The product's own MQTT link and what it heard."""

    link: MqttLink
    heard: list[Incoming]
    why: list[str]

    @property
    def bodies(self) -> list[bytes]:
        """What was heard."""
        return [m.body for m in self.heard]


class TlsMosquitto(Mosquitto):
    """Mosquitto with the configuration that the product generates."""

    listeners: Listeners

    def _prepare(self) -> None:
        folder = self.passwd.parent
        (folder / "data").mkdir(exist_ok=True)
        self.listeners = Listeners(self.port, "127.0.0.1", free_port(), free_port(), "127.0.0.1")
        text = mosquitto_config(folder, self.listeners, owner_name())
        (self.folder / "mosquitto.conf").write_text(text)


@dataclass
class Fortress:
    """A broker under attack, with ingest connected. Ports: plain (for ingest), with a secret, with a certificate."""

    kind: str
    database: Database
    home: Path
    pki: PkiFolder
    plain: int
    secret_port: int
    certificate_port: int
    apply: Callable[[], None]
    pid: int | None
    stack: ExitStack
    made: int = 0
    ingest: Client = field(init=False)

    def __post_init__(self) -> None:
        self.ingest = self.client(
            f"mqtt://ingest:{INGEST_SECRET}@127.0.0.1:{self.plain}",
            "forewarn/v1/+/+/telemetry",
            "forewarn/v1/+/+/state",
        )
        until(lambda: self.ingest.link.connected)

    @property
    def ca(self) -> Path:
        """The authority's certificate."""
        return self.pki.folder / "ca.crt"

    def client(self, url: str, *subscribe: str, tls: TlsFiles | None = None) -> Client:
        """A client, started."""
        heard: list[Incoming] = []
        why: list[str] = []
        link = MqttLink(
            url, "any", subscribe=subscribe, on_connect=lambda: None, on_message=heard.append, on_refused=why.append,
            tls=tls or TlsFiles(str(self.ca)),
        )  # fmt: skip
        link.start()
        self.stack.callback(link.stop)
        return Client(link, heard, why)

    def device(self, name: str, tenant: str = "acme") -> str:
        """Register a device; returns its secret."""
        secret = add_device(self.database, tenant, name, "pump", now=CLOCK.now()).password
        self.apply()
        return secret

    def by_secret(self, name: str, secret: str, *subscribe: str) -> Client:
        """A device that signs in with its secret, by TLS."""
        return self.client(f"mqtts://acme%2F{name}:{secret}@127.0.0.1:{self.secret_port}", *subscribe)

    def certificate(self, name: str, life: timedelta = YEAR, ago: timedelta = timedelta()) -> Issued:
        """Issue a certificate as if it were some time ago."""
        now = CLOCK.now()
        made = issue_certificate(
            self.database, self.pki.authority(now), "acme", name, now=now, wall=now - ago, life=life
        )  # fmt: skip
        self.apply()
        return made

    def files(self, certificate: str, key: str | None) -> TlsFiles:
        """Put a certificate into files."""
        self.made += 1
        crt, pem = self.home / f"client-{self.made}.crt", self.home / f"client-{self.made}.key"
        crt.write_text(certificate)
        pem.write_text(key or "")
        return TlsFiles(str(self.ca), str(crt), str(pem))

    def by_certificate(self, files: TlsFiles, *subscribe: str, user: str = "somebody", secret: str = "x") -> Client:
        """A client that shows a certificate, and says that it is `user`."""
        return self.client(f"mqtts://{user}:{secret}@127.0.0.1:{self.certificate_port}", *subscribe, tls=files)

    def reaches(self, client: Client, name: str, within_s: float = 5.0) -> bool:
        """Whether the client's telemetry reaches ingest as that of device `name`.

        It is sent once a second until it was heard, as agents send again: ingest may be between two connections.
        """
        body = f"from {name} at {CLOCK.monotonic()}".encode()
        again = CLOCK.monotonic()
        end = again + within_s
        while CLOCK.monotonic() < end:
            if CLOCK.monotonic() >= again:
                client.link.publish(f"forewarn/v1/acme/{name}/telemetry", body)
                again += AGAIN_S
            if body in self.ingest.bodies:
                return True
            time.sleep(0.02)
        return False


def fortress(kind: str, database: Database, home: Path, stack: ExitStack) -> Fortress:
    """Build one; all ends with the stack."""
    set_service_account(database, "ingest", INGEST_SECRET)
    watch_secret = set_service_account(database, "watch")
    pki = PkiFolder(home / "pki")
    tally = Tally(database, CLOCK)
    tally.start()
    stack.callback(tally.stop)
    if kind == "embedded":
        return _embedded(database, home, pki, tally, stack)
    folder = home / "broker"
    pki.broker_files(database, NAMES, CLOCK.now(), folder)
    write_mosquitto_files(database, folder)
    server = stack.enter_context(TlsMosquitto(home / "mosquitto", folder / "passwd", folder / "acl"))
    log = MosquittoLog(f"mqtt://watch:{watch_secret}@127.0.0.1:{server.port}", tally.add)
    log.start()
    stack.callback(log.stop)

    def apply() -> None:
        pki.broker_files(database, NAMES, CLOCK.now(), folder)
        write_mosquitto_files(database, folder)
        server.reload()
        time.sleep(0.4)

    at = server.listeners
    return Fortress(kind, database, home, pki, at.plain, at.secret, at.certificate, apply, server.pid, stack)


def _embedded(database: Database, home: Path, pki: PkiFolder, tally: Tally, stack: ExitStack) -> Fortress:
    access = Access(database, CLOCK, company=lambda: pki.has_company)
    files, _ = pki.broker_files(database, NAMES, CLOCK.now())
    inside = EmbeddedBroker(
        "127.0.0.1", 0, authenticate=access.verify, may_publish=access.may_publish, may_receive=access.may_receive,
        on_refused=tally.add, tls=TlsPort("127.0.0.1", 0, files), certified=access.certified,
    )  # fmt: skip
    inside.start()
    stack.callback(inside.stop)
    watch = AccessWatch(access, inside.disconnect)
    watch.start()
    stack.callback(watch.stop)

    def apply() -> None:
        pki.broker_files(database, NAMES, CLOCK.now())
        inside.renew_certificates()
        time.sleep(1.2)  # the access list is read again each second

    return Fortress(
        "embedded", database, home, pki, inside.port, inside.tls_port, inside.tls_port, apply, None, stack
    )  # fmt: skip


def raw_answer(port: int, data: bytes) -> bytes:
    """What a port says to some bytes without TLS; empty when it ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as plain:
        try:
            plain.sendall(data)
            return plain.recv(4096)
        except (ConnectionError, TimeoutError):
            return b""


def packet(kind: int, *parts: bytes) -> bytes:
    """An MQTT packet."""
    body, size = b"".join(parts), bytearray()
    n = len(body)
    while True:
        n, low = divmod(n, 128)
        size.append(low | (128 if n else 0))
        if not n:
            return bytes([kind]) + bytes(size) + body


def text(content: str) -> bytes:
    """A string as MQTT writes it."""
    raw = content.encode()
    return len(raw).to_bytes(2, "big") + raw


def connect(user: str, secret: str, client_id: str) -> bytes:
    """A CONNECT packet."""
    return packet(0x10, text("MQTT"), b"\x04\xc2\x00\x3c", text(client_id), text(user), text(secret))


def filters(*names: str) -> Sequence[bytes]:
    """Topic filters of a SUBSCRIBE, QoS 1."""
    return [text(name) + b"\x01" for name in names]
