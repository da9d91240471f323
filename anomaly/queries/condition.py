"""Faulty sensors, the quiet log, and baselines with their confirmation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from anomaly.service import condition_tables as t
from plumbing.sql import Database


@dataclass(frozen=True, slots=True)
class SensorFault:
    """A sensor that is or was faulty; `signal` empty = the device as a whole; `ended_at` None = it still is."""

    id: str
    device: str
    signal: str
    kind: str
    since: datetime
    noted_at: datetime
    ended_at: datetime | None
    text: str
    """What is wrong and which check is proposed."""
    history: bool


@dataclass(frozen=True, slots=True)
class QuietEntry:
    """Why an odd day raised no alarm; `figures` is what the text follows from (`anomaly.domain.quiet.Day`)."""

    day: str
    text: str
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """What a machine is compared with. It counts as healthy once it is confirmed."""

    number: int
    why: str
    state: str
    """`confirmed`, or `learned, not confirmed`."""
    learned_at: datetime
    confirmed_at: datetime | None
    confirmed_by: str
    how: str


def sensor_faults(
    database: Database, tenant: str, *, device: str | None = None, standing: bool = False, limit: int = 50
) -> list[SensorFault]:
    """Faults of sensors, newest first; `standing`: only those that have not ended."""
    c = t.sensor_faults.c
    query = sa.select(t.sensor_faults).where(c.tenant == tenant)
    if device is not None:
        query = query.where(c.device == device)
    if standing:
        query = query.where(c.ended_at.is_(None))
    with database.read() as connection:
        rows = connection.execute(query.order_by(c.since.desc(), c.id).limit(limit)).all()
    return [
        SensorFault(r.id, r.device, r.signal, r.kind, r.since, r.noted_at, r.ended_at, r.text, r.history) for r in rows
    ]


def quiet_log(
    database: Database, tenant: str, device: str, *, before: str | None = None, limit: int = 50
) -> Sequence[QuietEntry]:
    """The quiet log of a machine, newest day first; `before` leaves out that day and later ones."""
    c = t.quiet.c
    query = sa.select(t.quiet).where(c.tenant == tenant, c.device == device)
    if before is not None:
        query = query.where(c.day < before)
    with database.read() as connection:
        rows = connection.execute(query.order_by(c.day.desc()).limit(limit)).all()
    return [QuietEntry(r.day, r.text, msgspec.json.decode(r.figures)) for r in rows]


def baselines(database: Database, tenant: str, device: str) -> list[BaselineRow]:
    """The baselines of a machine, the one in force first."""
    c = t.baselines.c
    columns = (c.number, c.why, c.learned_at, c.confirmed_at, c.confirmed_by, c.how)
    query = sa.select(*columns).where(c.tenant == tenant, c.device == device).order_by(c.number.desc())
    with database.read() as connection:
        rows = connection.execute(query).all()
    return [
        BaselineRow(
            r.number, r.why, "confirmed" if r.confirmed_at else "learned, not confirmed", r.learned_at, r.confirmed_at,
            r.confirmed_by or "", r.how or "",
        )
        for r in rows
    ]  # fmt: skip


def confirmed(database: Database, tenant: str, device: str) -> bool:
    """Whether the baseline in force counts as healthy."""
    found = baselines(database, tenant, device)
    return bool(found) and found[0].confirmed_at is not None
