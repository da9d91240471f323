"""What happened around an asset: its entries of the audit chain."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from plumbing.audit import assets, entries


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
