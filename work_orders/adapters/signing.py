"""Lets the audit chains' checkpoints be signed when they are due, and once more at a clean end."""

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from plumbing import audit_key
from plumbing.audit_signing import AuditSigner
from plumbing.runtime import Shared

LOOK_SECONDS = 2.0
logger = logging.getLogger(__name__)


class Signing:
    """A plumbing.runtime.Service. Any number of processes may run one: the database orders them."""

    name = "signing"

    def __init__(self, shared: Shared, key: str = "") -> None:
        self._shared, self._given = shared, key
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="signing", daemon=True)
        self._trouble = ""

    def start(self) -> None:
        """Begin; the key is made if there is none."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is on record is signed."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def healthy(self) -> str:
        """Empty when well."""
        return self._trouble or ("" if self._thread.is_alive() or self._stopping.is_set() else "not running")

    def _run(self) -> None:
        shared = self._shared
        try:
            environ = {audit_key.SETTING: self._given} if self._given else {}
            key = audit_key.load(environ, shared.home)
        except (audit_key.BadKey, OSError) as bad:
            self._trouble = f"the audit chain is not signed: {bad}"
            logger.error("%s", self._trouble)
            return
        signer = AuditSigner(shared.database, key, shared.system.now, shared.home)
        ending = False
        while not ending:
            ending = self._stopping.wait(LOOK_SECONDS)
            try:
                if ending:
                    signer.sign_all()
                else:
                    signer.sign_due()
                self._trouble = ""
            except (SQLAlchemyError, OSError) as failure:
                self._trouble = f"the audit chain is not signed: {str(failure).splitlines()[0]}"
                logger.warning("%s", self._trouble)
