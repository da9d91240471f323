"""Keeps Mosquitto's files in step with the registry, while ingest runs on a real broker; counts whom it refused."""

import errno
import logging
import socket
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from sqlalchemy.exc import SQLAlchemyError

from forewarn.environment import WrongUse
from ingest.adapters.mosquitto_eviction import evict, revoked_lately
from ingest.adapters.mosquitto_files import (
    CERTIFICATE_PORT,
    Listeners,
    mosquitto_config,
    write_mosquitto_files,
    write_once,
)
from ingest.adapters.mosquitto_log import MosquittoLog
from ingest.adapters.pki_folder import PkiFolder
from ingest.domain.rights import INGEST, WATCH
from ingest.service.book import mark
from ingest.service.registry import REGISTRY, hidden_account, set_service_account
from ingest.service.tally import Tally
from ingest.settings import tls_files
from plumbing.mqtt import DEFAULT_PORT, BrokerAddress, MqttLink
from plumbing.pki import PkiFault
from plumbing.runtime import Shared
from plumbing.tls import TlsFiles

FOLDER = "FOREWARN_BROKER_DIR"
NAMES = "FOREWARN_BROKER_NAMES"
PKI = "FOREWARN_PKI_DIR"
KEY = "FOREWARN_CA_KEY"
BY_CERTIFICATE = "FOREWARN_BROKER_CERTIFICATE_PORT"
LOOK_S = 0.5
EVICT_AFTER_S = 5.0
"""So long after new files were written Mosquitto has read them: broker.sh looks each second."""
EVICT_SINCE = timedelta(days=1)
RENEW_EVERY = timedelta(hours=1)
log = logging.getLogger(__name__)


def pki_of(environ: Mapping[str, str], home: Path) -> PkiFolder:
    """The folder of certificates that the settings name."""
    return PkiFolder(Path(environ.get(PKI) or home / "pki"), environ.get(KEY, ""))


def link_tls(environ: Mapping[str, str], home: Path) -> TlsFiles:
    """Files for the product's own links by `mqtts:`. The product's own authority counts unless another one is named.

    It is made before the first link connects.
    """
    files, _ = tls_files(environ)
    if files.ca or not environ.get("FOREWARN_MQTT_URL", "").startswith("mqtts:"):
        return files
    return replace(files, ca=str(pki_of(environ, home).certificate))


def ingest_url(environ: Mapping[str, str], shared: Shared) -> str:
    """The broker's address with the account that ingest signs in with.

    Where a company's authority is trusted, too, that is one whose name the company cannot guess (`hidden_account`).
    """
    url = environ["FOREWARN_MQTT_URL"]
    if BrokerAddress.of(url).user != INGEST or not pki_of(environ, shared.home).has_company:
        return url
    return _as(url, hidden_account(shared.database, INGEST))


def _as(url: str, user: str, secret: str = "") -> str:
    """The same broker with another account; its own secret unless another one is given."""
    parts = urlsplit(url)
    kept = quote(secret, safe="") or parts.password or ""
    return f"{parts.scheme}://{user}:{kept}@{parts.netloc.rpartition('@')[2]}"


def broker_names(environ: Mapping[str, str], *others: str) -> list[str]:
    """Under which names and addresses devices know the broker; the first is the one to tell them."""
    given = [name.strip() for name in environ.get(NAMES, "").split(",")]
    found = [*given, *others, "localhost", "127.0.0.1", "::1", socket.gethostname()]
    return list(dict.fromkeys(name for name in found if name and name not in ("0.0.0.0", "::")))


def _port(environ: Mapping[str, str]) -> int:
    given = environ.get(BY_CERTIFICATE) or str(CERTIFICATE_PORT)
    if not (given.isdigit() and 0 < int(given) < 65536):
        raise WrongUse(f"{BY_CERTIFICATE}: {given!r} must be a port, 1 to 65535")
    return int(given)


class AccountFiles:
    """A service that looks twice a second whether the registry changed."""

    name = "broker accounts"

    def __init__(self, shared: Shared, environ: Mapping[str, str]) -> None:
        self._shared = shared
        self._folder = Path(environ.get(FOLDER) or shared.home / "broker")
        self._url = environ["FOREWARN_MQTT_URL"]
        self._address = BrokerAddress.of(self._url)
        self._pki, self._tls = pki_of(environ, shared.home), link_tls(environ, shared.home)
        self._names = broker_names(environ, self._address.host)
        self._written: tuple[int, object] | None = None
        self._certificate_port = _port(environ)
        self._evicted: set[str] = set()
        self._evict: tuple[float, dict[str, str]] | None = None
        self._renewed = shared.system.now() - RENEW_EVERY
        self._trouble = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker accounts", daemon=True)
        self._tally = Tally(shared.database, shared.system)
        self._log: MosquittoLog | None = None
        self._hidden = False

    def start(self) -> None:
        """Write the files before anything connects. The account of ingest itself has the secret of its URL."""
        if self._address.user == INGEST:
            set_service_account(self._shared.database, INGEST, self._address.secret)
        watch, self._hidden = WATCH, self._pki.has_company and self._address.user == INGEST
        if self._hidden:
            hidden = hidden_account(self._shared.database, INGEST)
            set_service_account(self._shared.database, hidden, self._address.secret)
            watch = hidden_account(self._shared.database, WATCH)
        secret = set_service_account(self._shared.database, watch)
        try:
            self._write_all()
        except OSError as failure:
            if failure.errno != errno.ENOSPC or not (self._folder / "passwd").exists():
                raise
            self._note(failure)  # readings come in by the files of before; these are written when there is room
        self._thread.start()
        self._tally.start()
        self._log = MosquittoLog(_as(self._url, watch, secret), self._tally.add, self._tls)
        self._log.start()

    def _write_all(self) -> None:
        self._look()
        ours = self._address.host in ("localhost", "127.0.0.1", "::1")
        plain = DEFAULT_PORT if self._address.tls else self._address.port
        inside = "127.0.0.1" if ours or self._address.tls else ""
        listeners = Listeners(plain, inside, certificate=self._certificate_port)
        write_once(self._folder / "mosquitto.conf", mosquitto_config(self._folder, listeners))

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()
        if self._log is not None:
            self._log.stop()
        self._tally.stop()

    def healthy(self) -> str:
        """Empty when the files are up to date."""
        return self._trouble

    def _forget(self) -> None:
        """Have the broker keep nothing for the name that ingest had before it had a hidden one."""
        came = threading.Event()
        link = MqttLink(
            self._url, INGEST, subscribe=[], on_connect=came.set, on_message=lambda _: None, tls=self._tls
        )  # fmt: skip
        link.start()
        while not (came.wait(LOOK_S) or self._stopping.is_set()):
            pass
        link.stop()

    def _run(self) -> None:
        if self._hidden:
            threading.Thread(target=self._forget, name="broker session", daemon=True).start()
        while not self._stopping.wait(LOOK_S):
            try:
                self._look()
                self._send_away()
                self._trouble = ""
            except (OSError, SQLAlchemyError, PkiFault) as failure:
                self._note(failure)

    def _note(self, failure: Exception) -> None:
        if self._trouble == "":
            log.warning("the broker's accounts cannot be written: %s", failure)
        self._trouble = f"the broker's accounts cannot be written: {failure}"

    def _look(self) -> None:
        with self._shared.database.read() as connection:
            version = mark(connection, REGISTRY)
        now = self._shared.system.now()
        state = (version, self._pki.stamp())
        if state != self._written or now - self._renewed >= RENEW_EVERY:
            self._pki.broker_files(self._shared.database, self._names, now, self._folder)
            write_mosquitto_files(self._shared.database, self._folder)
            self._written, self._renewed = state, now
            revoked = revoked_lately(self._shared.database, now - EVICT_SINCE)
            if fresh := {each: user for each, user in revoked.items() if each not in self._evicted}:
                self._evict = (self._shared.system.monotonic() + EVICT_AFTER_S, fresh)

    def _send_away(self) -> None:
        """End connections whose certificate was revoked, once the broker knows of it; tried once each."""
        if self._evict is None or self._shared.system.monotonic() < self._evict[0]:
            return
        _, fresh = self._evict
        self._evict = None
        self._evicted |= set(fresh)
        users = sorted(set(fresh.values()))
        evict(self._pki, users, self._address.host, self._certificate_port, self._shared.system.now())
