"""What ingest lets go by age, a little at a time: messages in quarantine, and rows of the ledger by day.

Ages are of the tenant's clock. Each portion is a transaction of its own, so that readings wait for none of it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from contracts.clock import Clocks
from ingest.service.days import day_of
from ingest.service.presence import forget_outages
from ingest.service.quarantine import expire, forget_settled
from ingest.service.tables import days, quarantine
from plumbing.sql import Database, to_us

AT_ONCE = 500
MOST_PORTIONS = 20
"""Of each tenant in one round; what is left waits for the next one."""
ACTOR = "forewarn"


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long things are kept, in days of the tenant's clock."""

    quarantine_days: float = 30.0
    ledger_days: float = 400.0


@dataclass(frozen=True, slots=True)
class Tidied:
    """What a round let go: messages that expired, entries that went after that, days of the ledger."""

    expired: int = 0
    entries: int = 0
    days: int = 0


def keep_house(database: Database, clocks: Clocks, keeping: Keeping) -> Tidied:
    """One round over all tenants."""
    expired = entries = gone = 0
    for tenant in _tenants(database):
        now = clocks.of(tenant).now()
        before = _earlier(now, keeping.quarantine_days)
        for _ in range(MOST_PORTIONS):
            some = expire(
                database, tenant, before=before, now=now, actor=ACTOR, most=AT_ONCE,
                why=f"after {keeping.quarantine_days:g} days",
            )  # fmt: skip
            expired += some
            if some < AT_ONCE:
                break
        entries += forget_settled(database, tenant, before, AT_ONCE)
        old = _earlier(now, keeping.ledger_days)
        gone += _prune_days(database, tenant, day_of(to_us(old)))
        forget_outages(database, tenant, old)
    return Tidied(expired, entries, gone)


def _earlier(now: datetime, days_: float) -> datetime:
    try:
        return now - timedelta(days=days_)
    except OverflowError:
        return datetime.min.replace(tzinfo=now.tzinfo)


def _tenants(database: Database) -> list[str]:
    with database.read() as connection:
        found = connection.execute(sa.union(sa.select(quarantine.c.tenant), sa.select(days.c.tenant))).scalars()
        return sorted(str(tenant) for tenant in found)


def _prune_days(database: Database, tenant: str, before: int) -> int:
    where = (days.c.tenant == tenant, days.c.day < before)
    with database.read() as connection:
        if connection.execute(sa.select(days.c.day).where(*where).limit(1)).first() is None:
            return 0
    with database.write() as connection:
        return int(connection.execute(days.delete().where(*where)).rowcount)
