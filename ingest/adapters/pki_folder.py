"""The folder of certificates, `pki` in the home folder, and the files that brokers read.

`ca.crt` and `ca.key` are the product's own authority, made at the first need; a key in a secret of the environment
takes the file's place. `company-ca.crt` with `company.crl` beside it (both PEM, put there by hand) is a company's
authority, whose certificates are accepted besides. `server.crt` and `server.key` are the broker's; they are renewed by
themselves unless somebody put files of another issuer there.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from ingest.service.certificates import revoked_serials
from plumbing.pki import SERVER_LIFE, Authority, PkiFault, read, revocations_in, revoked_in, write_secret
from plumbing.sql import Database
from plumbing.tls import BrokerTls

CA, CA_KEY = "ca.crt", "ca.key"
SERVER, SERVER_KEY = "server.crt", "server.key"
COMPANY, COMPANY_CRL = "company-ca.crt", "company.crl"
CLIENTS, REVOKED = "clients.crt", "revoked.crl"
RENEW_LEFT = SERVER_LIFE / 3
BACKDATED = timedelta(hours=1)


class PkiFolder:
    """Certificates in a folder.

    Parameters
    ----------
    folder
        Made where there is none, for the owner alone.
    key
        The authority's key (PEM) where it is kept as a secret instead of in `ca.key`.
    """

    def __init__(self, folder: Path, key: str = "") -> None:
        self.folder, self._key = folder, key.encode()

    @property
    def certificate(self) -> Path:
        """The authority's certificate."""
        return self.folder / CA

    @property
    def has_company(self) -> bool:
        """Whether certificates of a company's authority are accepted, too."""
        return (self.folder / COMPANY).exists()

    def company_revoked(self) -> dict[int, datetime] | None:
        """Serial numbers that the company's list names, and since when; None without such an authority.

        Raises PkiFault, OSError.
        """
        if not self.has_company:
            return None
        at = self.folder / COMPANY_CRL
        return revocations_in(at.read_bytes()) if at.exists() else {}

    def stamp(self) -> tuple[int, ...]:
        """Changes with the files of a company's authority, and with the broker's certificate."""
        files = (self.folder / name for name in (COMPANY, COMPANY_CRL, SERVER))
        return tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files)

    def authority(self, now: datetime) -> Authority:
        """The product's authority. Raises PkiFault, OSError."""
        with self._held():
            certificate, key = self.folder / CA, self.folder / CA_KEY
            if not certificate.exists():
                if self._key:
                    made = Authority.fresh(now, self._key)
                else:
                    made = Authority.fresh(now)
                    write_secret(key, made.key)
                write_secret(certificate, made.certificate)
                certificate.chmod(0o644)
            secret = self._key or key.read_bytes()
            return Authority(certificate.read_bytes(), secret)

    def broker_files(
        self, database: Database, names: Sequence[str], now: datetime, to: Path | None = None
    ) -> tuple[BrokerTls, bool]:
        """Bring the broker's files up to date; returns them, and whether any changed. Raises PkiFault, OSError.

        Parameters
        ----------
        names
            Host names and addresses by which devices know the broker.
        to
            Where the broker reads them; this folder by default.
        """
        authority = self.authority(now)
        to = to or self.folder
        with self._held():
            changed = self._serve(authority, names, now)
            revoked = self._revoked(authority, revoked_serials(database, now), now, to / REVOKED)
            clients = authority.pem
            if self.has_company:
                if not (self.folder / COMPANY_CRL).exists():
                    raise PkiFault(COMPANY, f"needs {COMPANY_CRL} beside it, the list of what it revoked")
                clients += (self.folder / COMPANY).read_text()
                revoked += (self.folder / COMPANY_CRL).read_text()
            files = BrokerTls(to / SERVER, to / SERVER_KEY, to / CLIENTS, to / REVOKED)
            content = {
                files.clients: clients.encode(),
                files.revoked: revoked.encode(),
                files.key: (self.folder / SERVER_KEY).read_bytes(),
                files.certificate: (self.folder / SERVER).read_bytes(),
            }
            to.mkdir(parents=True, exist_ok=True)
            for path, new in content.items():
                if not path.exists() or path.read_bytes() != new:
                    write_secret(path, new)
                    changed = True
        return files, changed

    def _serve(self, authority: Authority, names: Sequence[str], now: datetime) -> bool:
        """The broker's certificate: renewed when a third of its life is left, or when it lacks a name."""
        certificate, key = self.folder / SERVER, self.folder / SERVER_KEY
        if certificate.exists() and key.exists():
            found = read(certificate.read_bytes())
            foreign = found.issuer != read(authority.pem.encode()).name
            if foreign or (found.not_after - now > RENEW_LEFT and set(names) <= set(found.names)):
                return False
        made = authority.for_server(names, now)
        write_secret(key, (made.key or "").encode())
        write_secret(certificate, (made.certificate + authority.pem).encode())
        return True

    def _revoked(self, authority: Authority, serials: Sequence[tuple[str, datetime]], now: datetime, path: Path) -> str:
        """The list of what was revoked: the one that is there unless it names others; a new one is newer.

        Brokers that read several lists go by the newest; lists are backdated, since a broker whose clock lags would
        take one from the future for none at all.
        """
        at = now - BACKDATED
        if path.exists():
            before = revoked_in(path.read_bytes(), authority.pem)
            if before is not None:
                if before.serials == {serial for serial, _ in serials}:
                    return before.pem
                at = max(at, before.at + timedelta(seconds=1))
        return authority.revocations(serials, at)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """One process at a time makes keys."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
