"""Who a device is in another system: commands on the registry, each one transaction."""

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from contracts.names import is_name
from ingest.domain.foreign.names import ALL_OTHERS
from ingest.service.book import bump
from ingest.service.registry import REGISTRY, RegistryFault, UnknownDevice
from ingest.service.tables import devices, foreign
from plumbing import audit
from plumbing.sql import Database, lock

SPARKPLUG, THINGSBOARD, INFLUX = "sparkplug", "thingsboard", "influx"
LONGEST_NAME = 200
TOKEN_RULE = "12 to 128 visible ASCII characters"
_TOKEN = re.compile(r"[!-~]{12,128}")
_LEVEL = re.compile(r"[^/+#\x00-\x1f]+")


class BadForeignName(RegistryFault):
    """A name in another system that cannot be, or that another device has already."""


@dataclass(frozen=True, slots=True)
class ForeignName:
    """Who a device is in another system. `signals` maps names there to signals."""

    tenant: str
    device: str
    protocol: str
    behind: str
    name: str
    has_token: bool
    signals: Mapping[str, str]


def token_mark(token: str) -> str:
    """As a token is kept: it has the strength of a secret, so a plain digest does."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def speak_sparkplug(
    database: Database, tenant: str, device: str, address: str, *, signals: Mapping[str, str] | None = None,
    now: datetime, actor: str = "command line",
) -> None:  # fmt: skip
    """The device is the Sparkplug edge node `group/node` and signs in with its own account.

    Raises
    ------
    UnknownDevice, BadForeignName
    """
    parts = address.split("/")
    if len(parts) != 2 or not all(_LEVEL.fullmatch(p) for p in parts) or len(address) > LONGEST_NAME:
        raise BadForeignName("sparkplug", address, "must be GROUP/NODE, each without '/', '+' and '#'")
    _put(database, ForeignName(tenant, device, SPARKPLUG, "", address, False, _checked(signals)), None, now, actor)


def speak_thingsboard(
    database: Database, tenant: str, device: str, *, token: str | None = None,
    signals: Mapping[str, str] | None = None, now: datetime, actor: str = "command line",
) -> str:  # fmt: skip
    """The device, or gateway, signs in with an access token as user name and nothing else; returns the token.

    `token` is the one that the device has already; None makes a fresh one.

    Raises
    ------
    UnknownDevice, BadForeignName
    """
    given = secrets.token_urlsafe(24) if token is None else token
    if not _TOKEN.fullmatch(given):
        raise BadForeignName("token", "…", f"must be {TOKEN_RULE}")
    name = ForeignName(tenant, device, THINGSBOARD, "", "", True, _checked(signals))
    _put(database, name, token_mark(given), now, actor)
    return given


def speak_influx(
    database: Database, tenant: str, device: str, *, signals: Mapping[str, str] | None = None, now: datetime,
    actor: str = "command line",
) -> None:  # fmt: skip
    """The device writes Influx line protocol and signs in with its own account.

    Raises
    ------
    UnknownDevice, BadForeignName
    """
    _put(database, ForeignName(tenant, device, INFLUX, "", "", False, _checked(signals)), None, now, actor)


def stand_behind(
    database: Database, tenant: str, device: str, gateway: str, name: str, *,
    signals: Mapping[str, str] | None = None, now: datetime, actor: str = "command line",
) -> None:  # fmt: skip
    """The connection of `gateway` speaks for the device, under a name of its own.

    Raises
    ------
    UnknownDevice, BadForeignName
    """
    if not 1 <= len(name) <= LONGEST_NAME:
        raise BadForeignName("name", name[:LONGEST_NAME], f"must be 1 to {LONGEST_NAME} characters")
    if gateway == device:
        raise BadForeignName("behind", gateway, "a device does not stand behind itself")
    _put(database, ForeignName(tenant, device, "", gateway, name, False, _checked(signals)), None, now, actor)


def forget_foreign(database: Database, tenant: str, device: str, *, now: datetime, actor: str = "command line") -> None:
    """The device has no name in another system any more. Raises UnknownDevice."""
    with database.write() as connection:
        lock(connection, "ingest:registry")
        gone = connection.execute(foreign.delete().where(foreign.c.tenant == tenant, foreign.c.device == device))
        if not gone.rowcount:
            raise UnknownDevice("name", device, f"tenant {tenant!r} has no device of this name in another system")
        bump(connection, REGISTRY)
        audit.append(
            connection, tenant, now, actor, "device_foreign_forgotten",
            {"asset": device, "id": device, "text": f"Device {device} has no name in another system any more."},
        )  # fmt: skip


def foreign_names(database: Database, tenant: str | None = None) -> list[ForeignName]:
    """All of them, of one tenant or of all."""
    query = sa.select(foreign).order_by(foreign.c.tenant, foreign.c.device)
    if tenant is not None:
        query = query.where(foreign.c.tenant == tenant)
    with database.read() as connection:
        return [
            ForeignName(r.tenant, r.device, r.protocol, r.behind, r.name, r.token is not None, read_table(r.signals))
            for r in connection.execute(query)
        ]


def read_table(text: str) -> dict[str, str]:
    """A table of signals as it is kept."""
    return msgspec.json.decode(text, type=dict[str, str])


def _checked(signals: Mapping[str, str] | None) -> dict[str, str]:
    table = dict(signals or {})
    for name, signal in table.items():
        if name == ALL_OTHERS and signal:
            raise BadForeignName("signal", f"{name}={signal}", "'*' stands for all others and can only be left out")
        if signal and not is_name(signal):
            raise BadForeignName("signal", f"{name}={signal}", "no signal can have this name")
    return table


def _put(database: Database, what: ForeignName, token: str | None, now: datetime, actor: str) -> None:
    with database.write() as connection:
        lock(connection, "ingest:registry")
        known = connection.execute(
            sa.select(devices.c.device).where(
                devices.c.tenant == what.tenant, devices.c.device.in_([what.device, what.behind])
            )
        ).scalars()
        missing = {what.device, what.behind} - {"", *known}
        for name in sorted(missing):
            raise UnknownDevice("name", name, f"tenant {what.tenant!r} has no device of this name")
        protocol = what.protocol or _protocol_of(connection, what)
        _refuse_taken(connection, what, token)
        connection.execute(foreign.delete().where(foreign.c.tenant == what.tenant, foreign.c.device == what.device))
        connection.execute(
            foreign.insert().values(
                tenant=what.tenant, device=what.device, protocol=protocol, behind=what.behind, name=what.name,
                token=token, signals=msgspec.json.encode(what.signals).decode(), made_at=now,
            )
        )  # fmt: skip
        bump(connection, REGISTRY)
        words = [f"Device {what.device} speaks {protocol}"]
        words += [f"behind {what.behind}"] if what.behind else []
        words += [f"as {what.name!r}"] if what.name else []
        audit.append(
            connection, what.tenant, now, actor, "device_foreign_named",
            {"asset": what.device, "id": what.device, "text": " ".join(words) + ".", "protocol": protocol,
             "behind": what.behind, "name": what.name},
        )  # fmt: skip


def _protocol_of(connection: sa.Connection, what: ForeignName) -> str:
    found = connection.execute(
        sa.select(foreign.c.protocol).where(
            foreign.c.tenant == what.tenant, foreign.c.device == what.behind, foreign.c.behind == ""
        )
    ).scalar()
    if found is None:
        raise BadForeignName("behind", what.behind, "this device is no gateway and no edge node yet")
    return str(found)


def _refuse_taken(connection: sa.Connection, what: ForeignName, token: str | None) -> None:
    """Names are unique where they are heard: nodes everywhere, those behind a gateway there, tokens everywhere."""
    conditions: Iterable[tuple[str, str, sa.ColumnElement[bool]]] = [
        ("token", "…", foreign.c.token == token) if token else
        ("name", what.name, sa.and_(foreign.c.tenant == what.tenant, foreign.c.behind == what.behind,
                                    foreign.c.name == what.name)) if what.behind else
        ("sparkplug", what.name, sa.and_(foreign.c.protocol == SPARKPLUG, foreign.c.behind == "",
                                         foreign.c.name == what.name)),
    ]  # fmt: skip
    for field, value, condition in conditions:
        other = connection.execute(sa.select(foreign.c.tenant, foreign.c.device).where(condition)).first()
        if other is not None and tuple(other) != (what.tenant, what.device):
            raise BadForeignName(field, value, "another device has it")
