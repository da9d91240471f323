"""Claims: a device fetches credentials of its own with a one-time code. Times here are wall time.

A wrong code counts against the address that it came from; beyond the limit nothing from there is looked at for the
rest of the minute. A code that was used once is refused ever after, and the second use goes on record.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import SystemRandom

import sqlalchemy as sa

from ingest.domain import codes
from ingest.domain.lifecycle import LET_IN, Action, State, after
from ingest.service.registry import (
    NewDevice,
    RegistryFault,
    UnknownDevice,
    fresh_secret,
    move_device,
)
from ingest.service.tables import EVERYONE, claim_tries, claims, devices
from plumbing import audit
from plumbing.sql import Database, lock, to_us

KEPT_FOR = timedelta(days=90)
"""So long a code that is past stays known as expired or used."""
UNKNOWN, USED, EXPIRED, TOO_MANY, SHUT = "unknown", "used", "expired", "too_many", "shut_out"
WORDS = {
    UNKNOWN: "this claim code is not known",
    USED: "this claim code was used already; ask for a new one",
    EXPIRED: "this claim code has expired; ask for a new one",
    TOO_MANY: "too many wrong claim codes; wait a minute",
    SHUT: "the device of this claim code is suspended or revoked",
}


class ClaimRefused(Exception):
    """A claim that is not granted: `reason` is a key of WORDS. The code itself is never named."""

    def __init__(self, reason: str) -> None:
        super().__init__(WORDS[reason])
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ClaimCode:
    """A code that was made just now, shown once."""

    tenant: str
    device: str
    code: str = field(repr=False)
    expires_at: datetime


def make_code(
    database: Database,
    tenant: str,
    name: str,
    *,
    now: datetime,
    wall: datetime,
    life: timedelta = codes.DEFAULT_LIFE,
    rng: random.Random | None = None,
    actor: str = "command line",
) -> ClaimCode:
    """Make a one-time code for a device; an earlier one that was not used is void.

    Raises
    ------
    UnknownDevice, IllegalTransition
        The device is suspended or revoked.
    RegistryFault
        `life` is not above zero, or longer than LONGEST_LIFE.
    """
    if not timedelta() < life <= codes.LONGEST_LIFE:
        raise RegistryFault("life", str(life), f"must be above 0 and at most {codes.LONGEST_LIFE.days} days")
    code = codes.fresh(rng or SystemRandom())
    made = ClaimCode(tenant, name, code, wall + life)
    with database.write() as connection:
        lock(connection, "ingest:registry")
        where = (devices.c.tenant == tenant, devices.c.device == name)
        state = connection.execute(sa.select(devices.c.state).where(*where)).scalar()
        if state is None:
            raise UnknownDevice("name", name, f"tenant {tenant!r} has no device of this name")
        after(State(state), Action.CLAIM)
        open_ones = (claims.c.tenant == tenant, claims.c.device == name, claims.c.used_at.is_(None))
        connection.execute(claims.delete().where(*open_ones))
        connection.execute(claims.delete().where(claims.c.expires_at < wall - KEPT_FOR))
        connection.execute(
            claims.insert().values(
                tenant=tenant, device=name, code=codes.kept(codes.plain(code) or ""), made_at=wall,
                expires_at=made.expires_at,
            )
        )  # fmt: skip
        audit.append(
            connection, tenant, now, actor, "claim_code_made",
            {"asset": name, "id": name, "text": f"A claim code was made for device {name}."},
        )  # fmt: skip
    return made


def claim(
    database: Database, given: str, *, wall: datetime, now_of: Callable[[str], datetime], address: str
) -> NewDevice:
    """Exchange a code for credentials, once; the device's earlier secret is void.

    Parameters
    ----------
    wall
        Wall time: the code's life is measured by it.
    now_of
        The clock of a tenant.
    address
        Where the claim comes from.

    Raises
    ------
    ClaimRefused
    """
    code, address, minute = codes.plain(given), address[:64], to_us(wall) // (codes.TRIES_WINDOW_S * 1_000_000)
    secret, kept = fresh_secret()
    with database.write() as connection:
        lock(connection, "ingest:registry")
        if _too_many(connection, address, minute):
            raise ClaimRefused(TOO_MANY)
        row = connection.execute(sa.select(claims).where(claims.c.code == codes.kept(code or ""))).first()
        reason = _refusal(connection, row, wall)
        if row is None or reason:
            _count(connection, address, minute)
            if row is not None and reason == USED:
                audit.append(
                    connection, row.tenant, now_of(row.tenant), f"claim from {address}", "claim_replayed",
                    {"asset": row.device, "id": row.device, "text": f"A used claim code of {row.device} came again."},
                )  # fmt: skip
        else:
            connection.execute(claims.update().where(claims.c.code == row.code).values(used_at=wall))
            move_device(
                connection, row.tenant, row.device, Action.CLAIM, now_of(row.tenant), f"claim from {address}",
                f"Device {row.device} was claimed.",
            )  # fmt: skip
            where = (devices.c.tenant == row.tenant, devices.c.device == row.device)
            connection.execute(devices.update().where(*where).values(password=kept))
            username = str(connection.execute(sa.select(devices.c.username).where(*where)).scalar())
    if row is None or reason:
        raise ClaimRefused(reason or UNKNOWN)
    return NewDevice(row.tenant, row.device, username, secret)


def _refusal(connection: sa.Connection, row: sa.Row[tuple[object, ...]] | None, wall: datetime) -> str:
    if row is None:
        return UNKNOWN
    if row.used_at is not None:
        return USED
    if row.expires_at <= wall:
        return EXPIRED
    state = connection.execute(
        sa.select(devices.c.state).where(devices.c.tenant == row.tenant, devices.c.device == row.device)
    ).scalar()
    return "" if state in LET_IN else SHUT


def _too_many(connection: sa.Connection, address: str, minute: int) -> bool:
    connection.execute(claim_tries.delete().where(claim_tries.c.minute < minute))
    found = connection.execute(
        sa.select(claim_tries.c.address, claim_tries.c.count.label("wrong")).where(claim_tries.c.minute == minute)
    )
    counts = {str(row.address): int(row.wrong) for row in found}
    return counts.get(address, 0) >= codes.MAX_TRIES or sum(counts.values()) >= codes.MAX_TRIES_OF_ALL


def _count(connection: sa.Connection, address: str, minute: int) -> None:
    where = (claim_tries.c.address == address, claim_tries.c.minute == minute)
    done = connection.execute(claim_tries.update().where(*where).values(count=claim_tries.c.count + 1))
    if done.rowcount == 0:
        connection.execute(claim_tries.insert().values(tenant=EVERYONE, address=address, minute=minute, count=1))
