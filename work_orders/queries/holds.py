"""Open permits and lock-outs of a machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from work_orders.service import tables as t


@dataclass(frozen=True, slots=True)
class HoldRow:
    """What stands against guarded commands: `kind` is permit or lockout."""

    id: str
    asset_id: str
    kind: str
    note: str
    actor: str
    since: datetime


def open_holds(connection: sa.Connection, tenant: str, asset_id: str) -> Sequence[HoldRow]:
    """Those that nobody has released yet, oldest first."""
    h = t.holds.c
    where = (h.tenant == tenant, h.asset_id == asset_id, h.released_at.is_(None))
    rows = connection.execute(sa.select(t.holds).where(*where).order_by(h.since, h.id)).all()
    return [HoldRow(r.id, r.asset_id, r.kind, r.note, r.actor, r.since) for r in rows]


def hold_of(connection: sa.Connection, tenant: str, id: str) -> str | None:
    """The machine of a hold; None where there is none."""
    found = connection.execute(sa.select(t.holds.c.asset_id).where(t.holds.c.tenant == tenant, t.holds.c.id == id))
    return found.scalar()
