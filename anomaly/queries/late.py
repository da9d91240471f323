"""Rows that came after their turn: stored and scored afterwards, in time order; nobody is told of them."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from anomaly.service import tables as t
from plumbing.sql import Database


@dataclass(frozen=True, slots=True)
class LateStretch:
    """Late rows of one device that came together; `peak` is their highest score, None = none of them has one."""

    device: str
    from_at: datetime
    to_at: datetime
    rows: int
    peak: float | None


def late_rows(
    database: Database, tenant: str, *, device: str | None = None, since: datetime | None = None, limit: int = 100
) -> list[LateStretch]:
    """Late rows, the newest by their own time first; `since` leaves out what was measured before it."""
    c = t.late.c
    query = sa.select(t.late).where(c.tenant == tenant)
    if device is not None:
        query = query.where(c.device == device)
    if since is not None:
        query = query.where(c.to_at >= since)
    with database.read() as connection:
        rows = connection.execute(query.order_by(c.from_at.desc(), c.device).limit(limit)).all()
    return [LateStretch(r.device, r.from_at, r.to_at, r.rows, r.peak) for r in rows]
