"""Labels: what findings say about readings, for engineers and for training."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from anomaly.service import tables as t
from plumbing.sql import Database, from_us, to_us


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A finding as a label of a device's readings between two times."""

    finding: str
    device: str
    asset: str
    case: str
    component: str
    mode: str
    verdict: str
    from_at: datetime
    to_at: datetime
    as_found: str
    replaced: bool
    serial: str
    corrected_by: str | None
    """A later finding of the same case, whose label counts; None = this one counts."""


@dataclass(frozen=True, slots=True)
class LabelPage:
    """Some labels, newest first; `next` continues, None = that was all."""

    items: Sequence[LabelRow]
    next: str | None


def labels(
    database: Database, tenant: str, *, device: str | None = None, asset: str | None = None,
    verdict: str | None = None, corrected: bool = False, after: str | None = None, limit: int = 50,
) -> LabelPage:  # fmt: skip
    """Labels, newest first; `corrected`: with those that a later finding of the same case took the place of."""
    c = t.labels.c
    query = sa.select(
        c.finding_id, c.device, c.asset, c.case_id, c.component, c.mode, c.verdict, c.from_at, c.to_at, c.as_found,
        c.replaced, c.serial, c.corrected_by,
    ).where(c.tenant == tenant)  # fmt: skip
    for column, wanted in ((c.device, device), (c.asset, asset), (c.verdict, verdict)):
        if wanted is not None:
            query = query.where(column == wanted)
    if not corrected:
        query = query.where(c.corrected_by.is_(None))
    if after is not None:
        us, _, last = after.partition("_")
        when = from_us(int(us))
        query = query.where(sa.or_(c.to_at < when, sa.and_(c.to_at == when, c.finding_id < last)))
    with database.read() as connection:
        rows = connection.execute(query.order_by(c.to_at.desc(), c.finding_id.desc()).limit(limit + 1)).all()
    found = [LabelRow(*tuple(row)) for row in rows[:limit]]
    following = f"{to_us(found[-1].to_at)}_{found[-1].finding}" if len(rows) > limit else None
    return LabelPage(found, following)
