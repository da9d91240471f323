"""Keeps Mosquitto's files in step with the registry, while ingest runs on a real broker; counts whom it refused."""

import errno
import logging
import socket
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
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
from ingest.service.registry import REGISTRY, hidden_account, set_service_account, usernames
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
EVICT_AT_ONCE = 20
"""Connections that are ended between two looks at the registry."""
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
        self._at = self._url
        self._forget_at: float | None = None
        self._company_gone: set[int] = set()
        self._company_due: float | None = None
        self._started = False
        self._leaving: list[str] = []

    def address(self) -> str:
        """The broker's address with the account that ingest signs in with from now on."""
        return self._at

    def start(self) -> None:
        """Write the files before anything connects. The account of ingest itself has the secret of its URL."""
        if self._address.user == INGEST:
            set_service_account(self._shared.database, INGEST, self._address.secret)
        watch, secret = self._prepare()
        try:
            self._write_all()
        except OSError as failure:
            if failure.errno != errno.ENOSPC or not (self._folder / "passwd").exists():
                raise
            self._note(failure)  # readings come in by the files of before; these are written when there is room
        self._thread.start()
        self._tally.start()
        self._read_log(watch, secret)
        if self._hidden:
            self._forget_at = self._shared.system.monotonic()

    def _prepare(self) -> tuple[str, str]:
        """Set up the accounts of the product itself; that of the one who reads the log, with its secret."""
        watch, hide = WATCH, self._pki.has_company and self._address.user == INGEST
        if hide:
            hidden = hidden_account(self._shared.database, INGEST)
            set_service_account(self._shared.database, hidden, self._address.secret)
            self._at = _as(self._url, hidden)
            watch = hidden_account(self._shared.database, WATCH)
        secret = set_service_account(self._shared.database, watch)
        self._hidden = hide
        return watch, secret

    def _read_log(self, watch: str, secret: str) -> None:
        if self._log is not None:
            self._log.stop()
        self._log = MosquittoLog(_as(self._url, watch, secret), self._tally.add, self._tls)
        self._log.start()

    def _hide(self) -> None:
        """A company's authority came while this runs: go on under names that it cannot guess."""
        if self._hidden or not self._pki.has_company or self._address.user != INGEST:
            return
        watch, secret = self._prepare()
        self._read_log(watch, secret)
        # whoever has the plain name is sent away when the broker has read the new one; ingest comes back under it
        self._forget_at = self._shared.system.monotonic() + EVICT_AFTER_S
        log.info("a company's authority is trusted from now on: ingest signs in under a name of its own")

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
        while not self._stopping.wait(LOOK_S):
            try:
                self._look()
                self._hide()
                if self._forget_at is not None and self._shared.system.monotonic() >= self._forget_at:
                    self._forget_at = None
                    threading.Thread(target=self._forget, name="broker session", daemon=True).start()
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
            self._note_company(now)
            revoked = revoked_lately(self._shared.database, now - EVICT_SINCE)
            if fresh := {each: user for each, user in revoked.items() if each not in self._evicted}:
                self._evict = (self._shared.system.monotonic() + EVICT_AFTER_S, fresh)

    def _send_away(self) -> None:
        """End connections whose certificate was revoked, once the broker knows of it; tried once each."""
        now, due = self._shared.system.monotonic(), self._evict
        if due is not None and now >= due[0]:
            self._evict = None
            self._evicted |= set(due[1])
            self._leaving += sorted(set(due[1].values()) - set(self._leaving))
        if self._company_due is not None and now >= self._company_due:
            self._company_due = None
            self._leaving += sorted(self._by_certificate() - set(self._leaving))
        some, self._leaving = self._leaving[:EVICT_AT_ONCE], self._leaving[EVICT_AT_ONCE:]
        if some:
            evict(self._pki, some, self._address.host, self._certificate_port, self._shared.system.now())

    def _note_company(self, now: datetime) -> None:
        """See whether a company's list names more than before."""
        revoked = self._pki.company_revoked() or {}
        fresh = {serial for serial, at in revoked.items() if self._started or at >= now - EVICT_SINCE}
        if fresh - self._company_gone:
            self._company_due = self._shared.system.monotonic() + EVICT_AFTER_S
        self._company_gone, self._started = set(revoked), True

    def _by_certificate(self) -> set[str]:
        """Devices that may be connected by a certificate: all but those that came in elsewhere since we read the log.

        A company's list names numbers of certificates and no devices, and Mosquitto tells nobody who showed which. Who
        holds a good certificate connects again at once.
        """
        come = self._log.port_of if self._log is not None else lambda _user: None
        return {user for user in usernames(self._shared.database) if come(user) in (None, self._certificate_port)}
