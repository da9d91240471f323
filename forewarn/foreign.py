"""Devices of other systems: beside the embedded broker on its own port, or on a port of their own.

`FOREWARN_FOREIGN_PORT` opens that port (0 = any free one), on the address `FOREWARN_FOREIGN_LISTEN`. It speaks plain
MQTT, so it belongs into a network of machines, or with `FOREWARN_FOREIGN_TLS=1` TLS alone, by the broker's certificate.
In one process the broker's ports take such devices without it.
"""

import logging
import ssl
import threading
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from forewarn.accounts import RENEW_EVERY, broker_names, pki_of
from forewarn.environment import Failed, WrongUse
from ingest.service.access import Access
from ingest.service.foreign import Fleets
from ingest.service.tally import Tally
from ingest.wiring import AccessWatch
from plumbing.foreign_listener import ForeignListener, NotListening
from plumbing.pki import PkiFault
from plumbing.runtime import Shared
from plumbing.tls import server_context, show

FOREIGN_PORT, FOREIGN_LISTEN = "FOREWARN_FOREIGN_PORT", "FOREWARN_FOREIGN_LISTEN"
FOREIGN_TLS = "FOREWARN_FOREIGN_TLS"
log = logging.getLogger(__name__)


def port_of(environ: Mapping[str, str]) -> int | None:
    """The port of their own that foreign devices have; None = they have none. Raises WrongUse."""
    text = environ.get(FOREIGN_PORT, "")
    if not text:
        return None
    if not text.isdigit() or int(text) > 65535:
        raise WrongUse(f"{FOREIGN_PORT}: {text!r} must be a port, 0 to 65535")
    return int(text)


def by_tls(environ: Mapping[str, str]) -> bool:
    """Whether that port speaks TLS. Raises WrongUse."""
    text = environ.get(FOREIGN_TLS, "")
    if text not in ("", "0", "1"):
        raise WrongUse(f"{FOREIGN_TLS}: {text!r} must be 1 for TLS, 0 for none")
    return text == "1"


class ForeignFleets:
    """What foreign devices speak to: plumbing.runtime.Service. `access` knows the accounts' secrets."""

    name = "foreign fleets"

    def __init__(self, shared: Shared, access: Access, tally: Tally, environ: Mapping[str, str]) -> None:
        self._port, self._by_tls = port_of(environ), by_tls(environ)
        self._shared, self._environ = shared, environ
        self._renewal = threading.Thread(target=self._renew, name="foreign certificate", daemon=True)
        self._stopping = threading.Event()
        self._context: ssl.SSLContext | None = None
        self._trouble = ""
        self.fleets = Fleets(shared.database, shared.system, verify=access.verify, refused=tally.add)
        self.listener = ForeignListener(environ.get(FOREIGN_LISTEN) or "127.0.0.1", self._port or 0, self.fleets)
        self.fleets.answer_by(self.listener.send)

    def start(self) -> None:
        """Listen, where there is a port of their own."""
        if self._port is None:
            return
        try:
            self._context = self._certified() if self._by_tls else None
            self.listener.start(self._context)
        except NotListening as problem:
            raise Failed(str(problem)) from problem
        except (OSError, PkiFault) as problem:
            raise Failed(f"{FOREIGN_TLS}: the broker's certificate cannot be used: {problem}") from problem
        if self._context is not None:
            self._renewal.start()
        log.info("foreign devices are taken on port %d", self.listener.port)

    def stop(self) -> None:
        """End their connections."""
        self._stopping.set()
        self.listener.stop()

    def healthy(self) -> str:
        """Empty when its certificate is up to date."""
        return self._trouble

    def _certified(self) -> ssl.SSLContext:
        """Bring the broker's certificate up to date, and show it from now on. Raises PkiFault, OSError."""
        pki = pki_of(self._environ, self._shared.home)
        names = broker_names(self._environ, self._environ.get(FOREIGN_LISTEN, ""))
        files, _ = pki.broker_files(self._shared.database, names, self._shared.system.now())
        if self._context is None:
            return server_context(files.certificate, files.key)
        show(self._context, files.certificate, files.key)
        return self._context

    def _renew(self) -> None:
        while not self._stopping.wait(RENEW_EVERY.total_seconds()):
            try:
                self._certified()
                self._trouble = ""
            except (OSError, SQLAlchemyError, PkiFault) as failure:
                log.warning("the certificate for foreign devices cannot be brought up to date: %s", failure)
                self._trouble = f"the certificate for foreign devices cannot be brought up to date: {failure}"


class Beside(ForeignFleets):
    """The same beside a real broker: with accounts, their watch and the count of refusals of its own."""

    def __init__(self, shared: Shared, environ: Mapping[str, str]) -> None:
        access = Access(shared.database, shared.system)
        self._tally = Tally(shared.database, shared.system)
        super().__init__(shared, access, self._tally, environ)
        self.watch = AccessWatch(access, self.listener.disconnect)

    def start(self) -> None:
        """Listen."""
        super().start()
        self._tally.start()

    def stop(self) -> None:
        """End their connections."""
        super().stop()
        self._tally.stop()
