"""The registry of devices: commands that any process may call, each one transaction."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from contracts.asset_model import AssetModel
from contracts.names import NAME_RULE, is_name
from ingest.domain.passwords import SALT_BYTES, hashed
from ingest.domain.rights import SERVICES, account_of
from ingest.service.book import bump
from ingest.service.tables import EVERYONE, devices, service_accounts
from plumbing import audit
from plumbing.sql import Database, lock

REGISTRY = "registry"
SECRET_BYTES = 32
CREATED, ACTIVE, REVOKED = "created", "active", "revoked"
USERNAME_RULE = "1 to 128 visible ASCII characters without '/', ':', '+', '#' and '%', and not the name of a service"
_USERNAME = re.compile(r"[!-~]{1,128}")


class RegistryFault(Exception):
    """A command on the registry that cannot be done: which field, its value, and the rule."""

    def __init__(self, field: str, value: str, rule: str) -> None:
        super().__init__(f"{field} {value!r}: {rule}")
        self.field, self.value, self.rule = field, value, rule


class BadName(RegistryFault):
    """A name that cannot travel in topics and URLs."""


class DuplicateDevice(RegistryFault):
    """The tenant has this device, or the user name is taken."""


class UnknownModel(RegistryFault):
    """No asset model of that name."""


class UnknownDevice(RegistryFault):
    """The tenant has no such device."""


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device that was registered just now. `password` is shown once and kept nowhere."""

    tenant: str
    device: str
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Device:
    """A registered device. Times are the tenant's clock; `online` is None where it never said."""

    tenant: str
    device: str
    model: str
    username: str
    state: str
    created_at: datetime
    first_seen: datetime | None
    last_seen: datetime | None
    online: bool | None


def _fresh_secret() -> tuple[str, str]:
    """A secret of 256 random bits, and as it is kept."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return secret, hashed(secret, secrets.token_bytes(SALT_BYTES))


def add_device(
    database: Database,
    tenant: str,
    name: str,
    model: str,
    *,
    username: str | None = None,
    now: datetime,
    models: Callable[[str], AssetModel | None] | None = None,
    actor: str = "command line",
) -> NewDevice:
    """Register a device.

    Parameters
    ----------
    username
        A foreign device's own user name; `tenant/device` by default.
    now
        The tenant's clock.
    models
        Finds the asset model; None leaves the name unchecked.

    Raises
    ------
    BadName, DuplicateDevice, UnknownModel
    """
    for field, value in (("tenant", tenant), ("name", name)):
        if not is_name(value):
            raise BadName(field, value, f"must be {NAME_RULE}")
    if not is_name(model) or (models is not None and models(model) is None):
        raise UnknownModel("model", model, "there is no asset model of this name")
    user = account_of(tenant, name) if username is None else username
    if user != account_of(tenant, name) and (
        not _USERNAME.fullmatch(user) or set(user) & set("/:+#%") or user in SERVICES
    ):
        raise BadName("username", user, f"must be {USERNAME_RULE}")
    secret, kept = _fresh_secret()
    with database.write() as connection:
        lock(connection, "ingest:registry")
        if connection.execute(
            sa.select(devices.c.device).where(devices.c.tenant == tenant, devices.c.device == name)
        ).first():
            raise DuplicateDevice("name", name, f"tenant {tenant!r} has a device of this name")
        if connection.execute(sa.select(devices.c.device).where(devices.c.username == user)).first():
            raise DuplicateDevice("username", user, "another device has this user name")
        connection.execute(
            devices.insert().values(
                tenant=tenant, device=name, model=model, username=user, password=kept, state=CREATED, created_at=now
            )
        )
        bump(connection, REGISTRY)
        audit.append(
            connection, tenant, now, actor, "device_added",
            {"asset": name, "id": name, "text": f"Device {name} ({model}) was registered.", "model": model},
        )  # fmt: skip
    return NewDevice(tenant, name, user, secret)


def revoke_device(database: Database, tenant: str, name: str, *, now: datetime, actor: str = "command line") -> None:
    """Take a device's access away for good; its readings and its account stay. Raises UnknownDevice."""
    with database.write() as connection:
        lock(connection, "ingest:registry")
        where = (devices.c.tenant == tenant, devices.c.device == name)
        state = connection.execute(sa.select(devices.c.state).where(*where)).scalar()
        if state is None:
            raise UnknownDevice("name", name, f"tenant {tenant!r} has no device of this name")
        if state == REVOKED:
            return
        connection.execute(devices.update().where(*where).values(state=REVOKED, revoked_at=now, online=False))
        bump(connection, REGISTRY)
        audit.append(
            connection, tenant, now, actor, "device_revoked",
            {"asset": name, "id": name, "text": f"Device {name} was revoked.", "state": REVOKED},
        )  # fmt: skip


def list_devices(database: Database, tenant: str | None = None) -> list[Device]:
    """Devices by name, of one tenant or of all."""
    query = sa.select(*(devices.c[f] for f in Device.__dataclass_fields__)).order_by(devices.c.tenant, devices.c.device)
    if tenant is not None:
        query = query.where(devices.c.tenant == tenant)
    with database.read() as connection:
        return [Device(*row) for row in connection.execute(query)]


def find_device(database: Database, tenant: str, name: str) -> Device | None:
    """One device; None where there is none."""
    query = sa.select(*(devices.c[f] for f in Device.__dataclass_fields__)).where(
        devices.c.tenant == tenant, devices.c.device == name
    )
    with database.read() as connection:
        row = connection.execute(query).first()
        return Device(*row) if row else None


def new_secret(database: Database, tenant: str, name: str, *, now: datetime, actor: str = "command line") -> NewDevice:
    """Give a device another secret; the old one is void. Raises UnknownDevice."""
    secret, kept = _fresh_secret()
    with database.write() as connection:
        lock(connection, "ingest:registry")
        where = (devices.c.tenant == tenant, devices.c.device == name)
        row = connection.execute(sa.select(devices.c.username, devices.c.state).where(*where)).first()
        if row is None or row.state == REVOKED:
            raise UnknownDevice("name", name, f"tenant {tenant!r} has no device of this name that may sign in")
        connection.execute(devices.update().where(*where).values(password=kept))
        bump(connection, REGISTRY)
        audit.append(
            connection, tenant, now, actor, "device_secret_changed",
            {"asset": name, "id": name, "text": f"Device {name} has a new secret."},
        )  # fmt: skip
    return NewDevice(tenant, name, str(row.username), secret)


def set_service_account(database: Database, name: str, secret: str | None = None) -> str:
    """Give a service (`ingest`, `local`) its secret for the broker, a fresh one by default; returns it."""
    if name not in SERVICES:
        raise BadName("service", name, f"must be one of {', '.join(SERVICES)}")
    if secret is None:
        secret, kept = _fresh_secret()
    else:
        kept = hashed(secret, secrets.token_bytes(SALT_BYTES))
    with database.write() as connection:
        lock(connection, "ingest:registry")
        where = service_accounts.c.name == name
        if connection.execute(service_accounts.update().where(where).values(password=kept)).rowcount == 0:
            connection.execute(service_accounts.insert().values(tenant=EVERYONE, name=name, password=kept))
        bump(connection, REGISTRY)
    return secret
