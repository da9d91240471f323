"""Who may sign in at the embedded broker, and what they may do there: the registry, kept in memory."""

import hashlib
import threading
from collections.abc import Callable

import sqlalchemy as sa

from ingest.domain import rights
from ingest.domain.passwords import matches
from ingest.domain.rights import SERVICES, account_of
from ingest.service.book import mark
from ingest.service.registry import REGISTRY, SHUT_OUT
from ingest.service.tables import certificates, devices, service_accounts
from plumbing.sql import Database
from plumbing.system_clock import SystemClock

LOOK_EVERY_S = 1.0
LOOK_UNKNOWN_S = 0.2


class Access:
    """Thread-safe. A new device is let in at once, a revoked one is refused within LOOK_EVERY_S.

    `company` tells whether certificates that the product did not issue may be good (TLS has verified them).
    """

    def __init__(self, database: Database, system: SystemClock, company: Callable[[], bool] = lambda: False) -> None:
        self._database, self._system, self._company = database, system, company
        self._lock = threading.Lock()
        self._looked = -LOOK_EVERY_S
        self._version = -1
        self._passwords: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._good: dict[str, str] = {}
        self._revoked: frozenset[str] = frozenset()
        self._told_revoked: frozenset[str] = frozenset()
        self._owner: dict[str, str] = {}
        self._accounts: dict[str, str] = {}
        self._proven: dict[str, bytes] = {}

    def verify(self, username: str, password: str) -> bool:
        """Whether this is an account's secret."""
        self._refresh(LOOK_EVERY_S if username in self._passwords else LOOK_UNKNOWN_S)
        kept = self._passwords.get(username)
        if kept is None:
            return False
        mark = hashlib.sha256(f"{kept}\n{password}".encode("utf-8", "surrogatepass")).digest()
        if self._proven.get(username) == mark:
            return True
        if not matches(password, kept):
            self._refresh(LOOK_UNKNOWN_S)
            kept = self._passwords.get(username, "")
            if not matches(password, kept):
                return False
            mark = hashlib.sha256(f"{kept}\n{password}".encode("utf-8", "surrogatepass")).digest()
        self._proven[username] = mark
        return True

    def certified(self, username: str, fingerprint: str) -> bool:
        """Whether a certificate that TLS has verified, in this name, lets its owner in: a device, never a service."""
        self._refresh(LOOK_UNKNOWN_S)
        if username in SERVICES or username not in self._passwords:
            return False
        if fingerprint in self._good:
            return self._good[fingerprint] == username
        return fingerprint not in self._revoked and self._company()

    def issued(self, fingerprint: str) -> bool:
        """Whether the product issued this certificate, as far as was read; from memory."""
        return fingerprint in self._owner

    def known(self, username: str) -> bool:
        """Whether the account exists and is not revoked."""
        self._refresh(LOOK_EVERY_S)
        return username in self._passwords

    def may_publish(self, username: str, topic: str) -> bool:
        """Whether the account may publish there."""
        self._refresh(LOOK_EVERY_S)
        return username in self._accounts and rights.may_publish(self._accounts[username], topic)

    def may_receive(self, username: str, filter_: str) -> bool:
        """Whether the account may subscribe to (or be sent) that."""
        self._refresh(LOOK_EVERY_S)
        return username in self._accounts and rights.may_receive(self._accounts[username], filter_)

    def refresh(self) -> set[str]:
        """Look at the registry now; accounts that lost access, a secret or a certificate since the last call."""
        self._refresh(0.0)
        before, self._told = self._told, self._passwords
        shown, self._told_revoked = self._told_revoked, self._revoked
        without = {self._owner[each] for each in self._told_revoked - shown}
        return without | {name for name, kept in before.items() if self._told.get(name) != kept}

    def _refresh(self, after_s: float) -> None:
        if self._system.monotonic() - self._looked < after_s:
            return
        with self._lock:
            now = self._system.monotonic()
            if now - self._looked < after_s:
                return
            with self._database.read() as connection:
                version = mark(connection, REGISTRY)
                if version != self._version:
                    self._load(connection)
            self._version, self._looked = version, now

    def _load(self, connection: sa.Connection) -> None:
        passwords: dict[str, str] = {}
        accounts: dict[str, str] = {}
        rows = connection.execute(
            sa.select(devices.c.tenant, devices.c.device, devices.c.username, devices.c.password).where(
                devices.c.state.not_in(SHUT_OUT)
            )
        )
        for tenant, device, username, password in rows:
            passwords[username], accounts[username] = password, account_of(tenant, device)
        for name, password in connection.execute(sa.select(service_accounts.c.name, service_accounts.c.password)):
            if name in SERVICES:
                passwords[name], accounts[name] = password, name
        good: dict[str, str] = {}
        owner: dict[str, str] = {}
        revoked: set[str] = set()
        columns = (certificates.c.fingerprint, certificates.c.username, certificates.c.revoked_at)
        for fingerprint, username, revoked_at in connection.execute(sa.select(*columns)):
            owner[fingerprint] = username
            if revoked_at is None:
                good[fingerprint] = username
            else:
                revoked.add(fingerprint)
        self._passwords, self._accounts = passwords, accounts
        self._good, self._owner, self._revoked = good, owner, frozenset(revoked)
        self._proven = {u: m for u, m in self._proven.items() if u in passwords}
