"""The registry of devices: commands that any process may call, each one transaction."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from contracts.asset_model import AssetModel
from contracts.names import NAME_RULE, is_name
from ingest.domain.lifecycle import LET_IN, Action, State, after
from ingest.domain.passwords import SALT_BYTES, hashed
from ingest.domain.rights import SERVICES, account_of, service_of
from ingest.service.book import bump
from ingest.service.tables import EVERYONE, certificates, devices, service_accounts
from plumbing import audit
from plumbing.sql import Database, lock

REGISTRY = "registry"
SECRET_BYTES = 32
CREATED, ACTIVE, REVOKED = str(State.CREATED), str(State.ACTIVE), str(State.REVOKED)
SHUT_OUT = tuple(str(state) for state in State if state not in LET_IN)
"""States in which no broker lets the device in."""
MOVED = {
    Action.CLAIM: "device_claimed",
    Action.SUSPEND: "device_suspended",
    Action.RESUME: "device_resumed",
    Action.REVOKE: "device_revoked",
}
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
    state_at: datetime | None = None
    """When somebody moved its state last; None as it was registered."""
    state_by: str | None = None


def fresh_secret() -> tuple[str, str]:
    """A secret of 256 random bits, and as it is kept."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    return secret, hashed(secret, secrets.token_bytes(SALT_BYTES))


def check_new(
    tenant: str, name: str, model: str, username: str | None, models: Callable[[str], AssetModel | None] | None
) -> str:
    """Whether a device may be called so; returns its user name. Raises BadName, UnknownModel."""
    for field, value in (("tenant", tenant), ("name", name)):
        if not is_name(value):
            raise BadName(field, value, f"must be {NAME_RULE}")
    if not is_name(model) or (models is not None and models(model) is None):
        raise UnknownModel("model", model, "there is no asset model of this name")
    user = account_of(tenant, name) if username is None else username
    if user != account_of(tenant, name) and (
        not _USERNAME.fullmatch(user) or set(user) & set("/:+#%") or service_of(user)
    ):
        raise BadName("username", user, f"must be {USERNAME_RULE}")
    return user


def check_free(connection: sa.Connection, tenant: str, name: str, user: str) -> None:
    """Whether names are free. Raises DuplicateDevice."""
    if connection.execute(
        sa.select(devices.c.device).where(devices.c.tenant == tenant, devices.c.device == name)
    ).first():
        raise DuplicateDevice("name", name, f"tenant {tenant!r} has a device of this name")
    if connection.execute(sa.select(devices.c.device).where(devices.c.username == user)).first():
        raise DuplicateDevice("username", user, "another device has this user name")


def insert_device(
    connection: sa.Connection, tenant: str, name: str, model: str, user: str, kept: str, now: datetime, actor: str
) -> None:
    """Put a device that was checked into the registry."""
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
    user = check_new(tenant, name, model, username, models)
    secret, kept = fresh_secret()
    with database.write() as connection:
        lock(connection, "ingest:registry")
        check_free(connection, tenant, name, user)
        insert_device(connection, tenant, name, model, user, kept, now, actor)
    return NewDevice(tenant, name, user, secret)


def move_device(
    connection: sa.Connection, tenant: str, name: str, action: Action, now: datetime, actor: str, text: str
) -> State:
    """Take a device to its next state in the caller's transaction; audited. Raises UnknownDevice, IllegalTransition."""
    lock(connection, "ingest:registry")
    where = (devices.c.tenant == tenant, devices.c.device == name)
    found = connection.execute(sa.select(devices.c.state).where(*where)).scalar()
    if found is None:
        raise UnknownDevice("name", name, f"tenant {tenant!r} has no device of this name")
    state = after(State(found), action)
    values: dict[str, object] = {"state": str(state), "state_at": now, "state_by": actor[:128]}
    if state not in LET_IN:
        values["online"] = False
    if state is State.REVOKED:
        values["revoked_at"] = now
    connection.execute(devices.update().where(*where).values(values))
    bump(connection, REGISTRY)
    audit.append(
        connection, tenant, now, actor, MOVED[action],
        {"asset": name, "id": name, "text": text, "state": str(state), "before": found},
    )  # fmt: skip
    return state


def suspend_device(database: Database, tenant: str, name: str, *, now: datetime, actor: str = "command line") -> None:
    """Let a device in no more until it is resumed. Raises UnknownDevice, IllegalTransition."""
    with database.write() as connection:
        move_device(connection, tenant, name, Action.SUSPEND, now, actor, f"Device {name} was suspended.")


def resume_device(database: Database, tenant: str, name: str, *, now: datetime, actor: str = "command line") -> None:
    """Let a suspended device in again, with the secret that it has. Raises UnknownDevice, IllegalTransition."""
    with database.write() as connection:
        move_device(connection, tenant, name, Action.RESUME, now, actor, f"Device {name} was resumed.")


def revoke_device(
    database: Database, tenant: str, name: str, *, now: datetime, actor: str = "command line",
    wall: datetime | None = None,
) -> None:  # fmt: skip
    """Take a device's access away for good; its readings and its account stay. A second time it changes nothing.

    Its certificates are revoked at `wall`, by default `now`. Raises UnknownDevice.
    """
    with database.write() as connection:
        where = (devices.c.tenant == tenant, devices.c.device == name)
        if connection.execute(sa.select(devices.c.state).where(*where)).scalar() == REVOKED:
            return
        move_device(connection, tenant, name, Action.REVOKE, now, actor, f"Device {name} was revoked.")
        connection.execute(
            certificates.update()
            .where(certificates.c.tenant == tenant, certificates.c.device == name, certificates.c.revoked_at.is_(None))
            .values(revoked_at=wall or now)
        )


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


@dataclass(frozen=True, slots=True)
class Link:
    """How a device's connection stands; None = not known."""

    tenant: str
    device: str
    last_seen: datetime | None
    skew_us: int | None
    backlog_us: int | None


def links(database: Database) -> list[Link]:
    """Those of all devices."""
    with database.read() as connection:
        return [Link(*row) for row in connection.execute(sa.select(*(devices.c[f] for f in Link.__slots__)))]


def new_secret(database: Database, tenant: str, name: str, *, now: datetime, actor: str = "command line") -> NewDevice:
    """Give a device another secret; the old one is void. Raises UnknownDevice."""
    secret, kept = fresh_secret()
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
    """Give a service's account (`ingest`, `local`) its secret for the broker, a fresh one by default; returns it."""
    if not service_of(name):
        raise BadName("service", name, f"must be one of {', '.join(SERVICES)}")
    if secret is None:
        secret, kept = fresh_secret()
    else:
        kept = hashed(secret, secrets.token_bytes(SALT_BYTES))
    with database.write() as connection:
        lock(connection, "ingest:registry")
        where = service_accounts.c.name == name
        if connection.execute(service_accounts.update().where(where).values(password=kept)).rowcount == 0:
            connection.execute(service_accounts.insert().values(tenant=EVERYONE, name=name, password=kept))
        bump(connection, REGISTRY)
    return secret


def usernames(database: Database) -> set[str]:
    """User names of all devices that are let in."""
    with database.read() as connection:
        return set(connection.execute(sa.select(devices.c.username).where(devices.c.state.not_in(SHUT_OUT))).scalars())


def hidden_account(database: Database, service: str) -> str:
    """The service's account whose name nobody can guess; made once, and let in when it is given a secret.

    On Mosquitto the client id is the user name, and whoever shows a certificate of a trusted authority in a name ends
    the connection of that name. No authority signs a name that it does not know.
    """
    with database.write() as connection:
        lock(connection, "ingest:registry")
        for name in connection.execute(sa.select(service_accounts.c.name)).scalars():
            if name != service and service_of(name) == service:
                return str(name)
        name = f"{service}.{secrets.token_hex(16)}"
        _, kept = fresh_secret()
        connection.execute(service_accounts.insert().values(tenant=EVERYONE, name=name, password=kept))
        bump(connection, REGISTRY)
    return name
