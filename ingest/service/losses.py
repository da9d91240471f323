"""What is lost for good, by name: which numbers of which outbox, when that became known, and why.

Written when a range is given up by the outbox, falls below its oldest, goes down with a replaced outbox, or is written
off because there are too many gaps. Settled wins: numbers that arrive after all are no loss any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from contracts.wire import Range
from ingest.domain.account import Account
from ingest.domain.settlement import Outbox
from ingest.service.book import load
from ingest.service.tables import losses
from plumbing.sql import Database

MAX_A_DEVICE = 1000
"""Beyond, the oldest are forgotten (the sums of the account stay)."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A range that will not come. `reason` is the outbox's own (given up), `gone`, `replaced` or `too_many_gaps`."""

    boot_id: str
    first: int
    last: int
    reason: str
    at: datetime


def note_losses(connection: sa.Connection, accounts: Iterable[Account], at: datetime) -> None:
    """Write what accounts lost since they were saved last."""
    rows = []
    for a in accounts:
        if a.outbox.losses and not a.history:
            rows += [
                {"tenant": a.tenant, "device": a.device, "boot_id": a.boot_id, "first": first, "last": last,
                 "reason": reason[:32], "at": at}
                for first, last, reason in a.outbox.losses
            ]  # fmt: skip
            a.outbox.losses.clear()
    if not rows:
        return
    connection.execute(losses.insert(), rows)
    for tenant, device in {(str(r["tenant"]), str(r["device"])) for r in rows}:
        where = (losses.c.tenant == tenant, losses.c.device == device)
        oldest = connection.execute(
            sa.select(losses.c.id).where(*where).order_by(losses.c.id.desc()).offset(MAX_A_DEVICE).limit(1)
        ).scalar()
        if oldest is not None:
            connection.execute(losses.delete().where(*where, losses.c.id <= oldest))


def losses_of(database: Database, tenant: str, device: str) -> list[Loss]:
    """What a device lost for good, newest first, without what has arrived after all."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(losses).where(losses.c.tenant == tenant, losses.c.device == device).order_by(losses.c.id.desc())
        ).all()
        known = {a.boot_id: a for a in load(connection, tenant, device)} if rows else {}
    left: dict[int, list[Range]] = {}
    for boot_id in {r.boot_id for r in rows}:
        of_boot = [r for r in rows if r.boot_id == boot_id]
        # of an outbox that is no longer kept apart nothing can arrive
        outbox = known[boot_id].outbox if boot_id in known else Outbox(replaced=True)
        pieces = outbox.still_lost([(r.first, r.last, r.reason) for r in of_boot])
        left |= {r.id: ranges for r, ranges in zip(of_boot, pieces, strict=True)}
    return [Loss(r.boot_id, a, b, r.reason, r.at) for r in rows for a, b in left[r.id]]
