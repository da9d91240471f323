"""The ledger by day: the account's sums as they stood when a device was first heard on a day, written once a day.

What became of a day's samples is the difference to the next row, so the hot path counts nothing more. A replay moves
samples on the day on which it is done.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from ingest.domain.account import Account
from ingest.domain.times import DAY_US
from ingest.service.book import load
from ingest.service.tables import days
from plumbing.sql import EPOCH, Database

FIGURES = ("stored", "quarantined", "duplicate", "late", "discarded", "lost")
_INSERT = sa.text(
    f"insert into ingest_days (tenant, device, day, {', '.join(FIGURES)})"
    f" values (:tenant, :device, :day, {', '.join(f':{f}' for f in FIGURES)}) on conflict do nothing"
)


@dataclass(frozen=True, slots=True)
class Day:
    """What was taken of a device on one day (UTC, of the tenant's clock, by the time of receipt)."""

    day: date
    stored: int
    quarantined: int
    duplicate: int
    late: int
    discarded: int
    lost: int


def sums_of(accounts: Iterable[Account]) -> dict[str, int]:
    """The figures of a device's live accounts."""
    out = dict.fromkeys(FIGURES, 0)
    for a in accounts:
        if a.history:
            continue
        for name in ("stored", "quarantined", "duplicate", "late"):
            out[name] += getattr(a, name)
        out["discarded"] += a.outbox.discarded if a.sequenced else a.outbox.off_discarded
        out["lost"] += a.outbox.lost if a.sequenced else a.outbox.off_lost
    return out


def begin_day(connection: sa.Connection, began: Iterable[tuple[str, str, int, Iterable[Account]]]) -> None:
    """Note how accounts stand before anything of a day is taken in: (tenant, device, day, accounts)."""
    rows = [{"tenant": t, "device": d, "day": day, **sums_of(accounts)} for t, d, day, accounts in began]
    if rows:
        connection.execute(_INSERT, rows)


def days_of(database: Database, tenant: str, device: str, newest: int) -> list[Day]:
    """The newest days on which something came, newest first."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(days)
            .where(days.c.tenant == tenant, days.c.device == device)
            .order_by(days.c.day.desc())
            .limit(newest)
        ).all()
        after = sums_of(load(connection, tenant, device)) if rows else {}
    out = []
    for r in rows:
        before = {name: int(getattr(r, name)) for name in FIGURES}
        out.append(Day(EPOCH.date() + timedelta(days=int(r.day)), **{n: after[n] - before[n] for n in FIGURES}))
        after = before
    return out


def day_of(received_us: int) -> int:
    """The number of a day since 1970."""
    return received_us // DAY_US
