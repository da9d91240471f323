"""Groups of alarms that most likely share a cause, the first machine first."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from anomaly.service.group_tables import groups, members
from plumbing.sql import Database

FEWEST = 2
"""An alarm alone is no group to people."""
LISTED = 100


@dataclass(frozen=True, slots=True)
class AlarmGroup:
    """Alarms of one site that rose within a minute of each other; `devices` are the first of them, in order."""

    id: str
    site: str
    first_at: datetime
    last_at: datetime
    cause: str
    alarms: int
    devices: list[str]


def alarm_groups(
    database: Database,
    tenant: str,
    *,
    since: datetime | None = None,
    before: tuple[datetime, str] | None = None,
    site: str | None = None,
    device: str | None = None,
    limit: int = 50,
) -> list[AlarmGroup]:
    """Groups of two alarms and more, the newest first; `before`: older than the one of that time and id; `device`:
    those that it belongs to."""
    c, m = groups.c, members.c
    query = sa.select(groups).where(c.tenant == tenant, c.alarms >= FEWEST)
    if since is not None:
        query = query.where(c.last_at >= since)
    if before is not None:
        at, id = before
        query = query.where(sa.or_(c.first_at < at, sa.and_(c.first_at == at, c.id > id)))
    if site is not None:
        query = query.where(c.site == site)
    if device is not None:
        query = query.where(c.id.in_(sa.select(m.group_id).where(m.tenant == tenant, m.device == device)))
    with database.read() as connection:
        found = connection.execute(query.order_by(c.first_at.desc(), c.id).limit(limit)).all()
        return [
            AlarmGroup(
                r.id, r.site, r.first_at, r.last_at, r.cause, r.alarms,
                [*connection.execute(
                    sa.select(m.device).where(m.tenant == tenant, m.group_id == r.id)
                    .order_by(m.raised_at, m.device).limit(LISTED)
                ).scalars()],
            )
            for r in found
        ]  # fmt: skip
