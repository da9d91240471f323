"""Certificates of devices: issued, listed, revoked. Validity is wall time; what is on record is the tenant's."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa

from ingest.domain.lifecycle import LET_IN, State
from ingest.service.book import bump
from ingest.service.registry import REGISTRY, RegistryFault, UnknownDevice
from ingest.service.tables import certificates, devices
from plumbing import audit
from plumbing.pki import Issued
from plumbing.sql import Database, lock

WARN_WITHIN = timedelta(days=30)
"""A device whose newest certificate ends within this is named by `forewarn doctor`."""


class Signs(Protocol):
    """Who signs certificates: plumbing.pki.Authority."""

    def for_client(self, name: str, now: datetime, life: timedelta, request: bytes | None = None) -> Issued:
        """A certificate of this name."""
        ...


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that was issued."""

    tenant: str
    device: str
    username: str
    serial: str
    fingerprint: str
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None

    def days_left(self, wall: datetime) -> int:
        """Whole days until it ends; below 0 when it has."""
        return (self.not_after - wall) // timedelta(days=1)


def issue_certificate(
    database: Database,
    authority: Signs,
    tenant: str,
    name: str,
    *,
    now: datetime,
    wall: datetime,
    life: timedelta,
    request: bytes | None = None,
    actor: str = "command line",
) -> Issued:
    """Issue a certificate in the device's user name; earlier ones stay good until they end or are revoked.

    Raises
    ------
    UnknownDevice
        There is none, or it is suspended or revoked.
    plumbing.pki.PkiFault
    """
    with database.write() as connection:
        lock(connection, "ingest:registry")
        row = connection.execute(
            sa.select(devices.c.username, devices.c.state).where(
                devices.c.tenant == tenant, devices.c.device == name
            )
        ).first()  # fmt: skip
        if row is None or State(row.state) not in LET_IN:
            raise UnknownDevice("name", name, f"tenant {tenant!r} has no device of this name that may sign in")
        made = authority.for_client(str(row.username), wall, life, request)
        connection.execute(
            certificates.insert().values(
                tenant=tenant, device=name, fingerprint=made.fingerprint, serial=made.serial, username=row.username,
                not_before=made.not_before, not_after=made.not_after, issued_at=wall,
            )
        )  # fmt: skip
        bump(connection, REGISTRY)
        until = f"{made.not_after:%Y-%m-%d}"
        audit.append(
            connection, tenant, now, actor, "certificate_issued",
            {
                "asset": name, "id": name, "text": f"Device {name} has a certificate until {until}.",
                "serial": made.serial, "until": until,
            },
        )  # fmt: skip
    return made


def revoke_certificates(
    database: Database, tenant: str, name: str, *, now: datetime, wall: datetime, keep: str = "", serial: str = "",
    actor: str = "command line",
) -> list[str]:  # fmt: skip
    """Revoke a device's certificates: the one with `serial`, else all but the one with the serial `keep`.

    Returns the serial numbers of those that were good until now. Raises RegistryFault for an unknown `serial`.
    """
    with database.write() as connection:
        lock(connection, "ingest:registry")
        of_device = (certificates.c.tenant == tenant, certificates.c.device == name)
        good = [
            str(row.serial)
            for row in connection.execute(
                sa.select(certificates.c.serial).where(*of_device, certificates.c.revoked_at.is_(None))
            )
        ]
        gone = [s for s in good if (s == serial if serial else s != keep)]
        if serial and not gone:
            raise RegistryFault("serial", serial, f"device {name!r} has no certificate of this number that is good")
        if not gone:
            return []
        connection.execute(
            certificates.update().where(*of_device, certificates.c.serial.in_(gone)).values(revoked_at=wall)
        )
        bump(connection, REGISTRY)
        audit.append(
            connection, tenant, now, actor, "certificate_revoked",
            {"asset": name, "id": name, "text": f"Certificates of device {name} were revoked.", "serials": gone},
        )  # fmt: skip
    return gone


def list_certificates(database: Database, tenant: str | None = None, name: str | None = None) -> list[Certificate]:
    """All that were issued: by device, the newest first."""
    query = sa.select(*(certificates.c[f] for f in Certificate.__dataclass_fields__)).order_by(
        certificates.c.tenant, certificates.c.device, certificates.c.not_after.desc()
    )
    if tenant is not None:
        query = query.where(certificates.c.tenant == tenant)
    if name is not None:
        query = query.where(certificates.c.device == name)
    with database.read() as connection:
        return [Certificate(*row) for row in connection.execute(query)]


def ending(database: Database, wall: datetime, within: timedelta = WARN_WITHIN) -> list[Certificate]:
    """The newest good certificate of each device that it leaves without one within this time."""
    newest: dict[tuple[str, str], Certificate] = {}
    for each in list_certificates(database):
        if each.revoked_at is None:
            newest.setdefault((each.tenant, each.device), each)
    return [c for c in newest.values() if c.not_after < wall + within]


def revoked_serials(database: Database, wall: datetime) -> list[tuple[str, datetime]]:
    """What a list of revoked certificates names: those that have not ended by themselves."""
    query = sa.select(certificates.c.serial, certificates.c.revoked_at).where(
        certificates.c.revoked_at.is_not(None), certificates.c.not_after > wall
    )
    with database.read() as connection:
        return [(str(row.serial), row.revoked_at) for row in connection.execute(query)]
