"""The embedded broker as a service: who may come in, by secret or by certificate, and whom it refused."""

import logging
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from forewarn.accounts import LOOK_S, RENEW_EVERY, broker_names, pki_of
from forewarn.foreign import ForeignFleets
from ingest.service.access import Access
from ingest.service.book import mark
from ingest.service.registry import REGISTRY
from ingest.service.tally import Tally
from plumbing.broker import EmbeddedBroker, TlsPort
from plumbing.pki import PkiFault
from plumbing.runtime import Shared

HERE = "127.0.0.1"
log = logging.getLogger(__name__)


class InnerBroker:
    """The broker of a product in one process.

    Parameters
    ----------
    listen, port
        Where devices connect without TLS. With TLS this is for this computer alone, whatever `listen` says.
    tls_port
        Where devices connect with TLS; None = nowhere.

    Raises
    ------
    PkiFault, OSError
        The certificates cannot be made.
    """

    name = "broker"

    def __init__(
        self, shared: Shared, environ: Mapping[str, str], listen: str, port: int, tls_port: int | None
    ) -> None:  # fmt: skip
        self._shared, self._pki = shared, pki_of(environ, shared.home)
        self._names = broker_names(environ, listen)
        self.access = Access(shared.database, shared.system, company=lambda: self._pki.has_company)
        self._tally = Tally(shared.database, shared.system)
        self._written: tuple[int, object] | None = None
        self._renewed = shared.system.now() - timedelta(days=1)
        self._trouble = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="certificates", daemon=True)
        self.foreign = ForeignFleets(shared, self.access, self._tally, environ)
        tls = None
        if tls_port is not None:
            files, _ = self._pki.broker_files(shared.database, self._names, shared.system.now())
            tls = TlsPort(listen, tls_port, files)
        self._tls = tls
        self._broker = EmbeddedBroker(
            listen if tls is None else HERE, port, authenticate=self.access.verify,
            may_publish=self.access.may_publish, may_receive=self.access.may_receive, on_refused=self._tally.add,
            tls=tls, certified=self.access.certified, foreign=self.foreign.listener,
        )  # fmt: skip

    @property
    def authority(self) -> Path | None:
        """The authority's certificate, by which devices know this broker; None without TLS."""
        return self._pki.certificate if self._tls is not None else None

    def start(self) -> None:
        """Listen."""
        self._broker.start()
        self._tally.start()
        if self._tls is not None:
            self._thread.start()

    def stop(self) -> None:
        """Disconnect everybody."""
        self._stopping.set()
        self._broker.stop()
        if self._thread.is_alive():
            self._thread.join()
        self._tally.stop()

    def disconnect(self, username: str) -> None:
        """End an account's connection: it was shut out, or has another secret."""
        self._broker.disconnect(username)
        self.foreign.listener.disconnect(username)

    def healthy(self) -> str:
        """Empty when its certificates are up to date."""
        return self._trouble

    def _run(self) -> None:
        """New revocations within a second; a new certificate of its own long before the old one ends."""
        while not self._stopping.wait(LOOK_S):
            try:
                self._look()
                self._trouble = ""
            except (OSError, SQLAlchemyError, PkiFault) as failure:
                if not self._trouble:
                    log.warning("the broker's certificates cannot be brought up to date: %s", failure)
                self._trouble = f"the broker's certificates cannot be brought up to date: {failure}"

    def _look(self) -> None:
        with self._shared.database.read() as connection:
            version = mark(connection, REGISTRY)
        now = self._shared.system.now()
        state = (version, self._pki.stamp())
        if state == self._written and now - self._renewed < RENEW_EVERY:
            return
        _, changed = self._pki.broker_files(self._shared.database, self._names, now)
        if changed:
            self._broker.renew_certificates()
        revoked = self._pki.company_revoked()
        # a certificate that we did not issue is the company's
        self._broker.send_away(
            lambda shown, serial: not self.access.issued(shown) and (revoked is None or serial in revoked)
        )
        self._written, self._renewed = state, now
