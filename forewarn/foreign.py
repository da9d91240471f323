"""Devices of other systems: beside the embedded broker on its own port, or on a port of their own.

`FOREWARN_FOREIGN_PORT` opens that port (0 = any free one), on the address `FOREWARN_FOREIGN_LISTEN`; it speaks plain
MQTT, so it belongs into a network of machines. In one process the broker's ports take such devices without it.
"""

import logging
from collections.abc import Mapping

from forewarn.environment import Failed, WrongUse
from ingest.service.access import Access
from ingest.service.foreign import Fleets
from ingest.service.tally import Tally
from ingest.wiring import AccessWatch
from plumbing.foreign_listener import ForeignListener, NotListening
from plumbing.runtime import Shared

FOREIGN_PORT, FOREIGN_LISTEN = "FOREWARN_FOREIGN_PORT", "FOREWARN_FOREIGN_LISTEN"
log = logging.getLogger(__name__)


def port_of(environ: Mapping[str, str]) -> int | None:
    """The port of their own that foreign devices have; None = they have none. Raises WrongUse."""
    text = environ.get(FOREIGN_PORT, "")
    if not text:
        return None
    if not text.isdigit() or int(text) > 65535:
        raise WrongUse(f"{FOREIGN_PORT}: {text!r} must be a port, 0 to 65535")
    return int(text)


class ForeignFleets:
    """What foreign devices speak to: plumbing.runtime.Service. `access` knows the accounts' secrets."""

    name = "foreign fleets"

    def __init__(self, shared: Shared, access: Access, tally: Tally, environ: Mapping[str, str]) -> None:
        self._port = port_of(environ)
        self.fleets = Fleets(shared.database, shared.system, verify=access.verify, refused=tally.add)
        self.listener = ForeignListener(environ.get(FOREIGN_LISTEN) or "127.0.0.1", self._port or 0, self.fleets)
        self.fleets.answer_by(self.listener.send)

    def start(self) -> None:
        """Listen, where there is a port of their own."""
        if self._port is None:
            return
        try:
            self.listener.start()
        except NotListening as problem:
            raise Failed(str(problem)) from problem
        log.info("foreign devices are taken on port %d", self.listener.port)

    def stop(self) -> None:
        """End their connections."""
        self.listener.stop()

    def healthy(self) -> str:
        """It lives in this process."""
        return ""


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
