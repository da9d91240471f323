"""What happened around an asset: its entries of the audit chain."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from plumbing.audit import assets, entries
from work_orders.service import plan_tables as p
from work_orders.service import tables as t


@dataclass(frozen=True, slots=True)
class Moment:
    """One event in one sentence."""

    seq: int
    at: datetime
    actor: str
    action: str
    id: str
    text: str


def timeline(
    connection: sa.Connection, tenant: str, asset_id: str, *, before: int | None = None, limit: int = 100
) -> list[Moment]:
    """Events of an asset, newest first; `before` = the seq that the last page ended with."""
    page = sa.select(assets.c.seq).where(assets.c.tenant == tenant, assets.c.asset == asset_id)
    if before is not None:
        page = page.where(assets.c.seq < before)
    mine = page.order_by(assets.c.seq.desc()).limit(limit).subquery()
    chosen = sa.select(entries).where(entries.c.tenant == tenant, entries.c.seq == mine.c.seq)
    out = []
    for row in connection.execute(chosen.order_by(entries.c.seq.desc())):
        diff = msgspec.json.decode(row.diff)
        out.append(Moment(row.seq, row.at, row.actor, row.action, diff.get("id", ""), diff.get("text", "")))
    return out


def assets_of(connection: sa.Connection, tenant: str, order_id: str) -> list[str]:
    """The machine of a work order, its devices, and machines whose jobs rode along: what entries about it name."""
    o, d, j, k = t.orders.c, t.asset_devices.c, p.jobs.c, p.plans.c
    its = sa.select(o.asset_id).where(o.tenant == tenant, o.id == order_id)
    devices = sa.select(d.device).where(d.tenant == tenant, d.asset_id.in_(its))
    rode = (
        sa.select(k.asset_id)
        .join(p.jobs, sa.and_(j.tenant == k.tenant, j.plan_id == k.id))
        .where(j.tenant == tenant, j.order_id == order_id)
    )
    return list(connection.execute(sa.union(its, devices, rode)).scalars())
