"""Predictions, alarms, and the chart of the health index with its forecast band."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from anomaly.service import tables as t
from contracts.records import Prediction
from plumbing.sql import Database

_decode = msgspec.msgpack.Decoder(Prediction).decode


@dataclass(frozen=True, slots=True)
class Page:
    """Some predictions, newest first; `next` continues, None = that was all."""

    items: Sequence[Prediction]
    next: str | None


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm; `cleared_at` None = it stands."""

    id: str
    device: str
    component: str
    raised_at: datetime
    cleared_at: datetime | None
    reason: str
    score: float
    history: bool
    """Found in imported history: nobody was told."""
    carriers: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class IndexChart:
    """Health over time (0..100), and when the failure is expected: between `fails_early` and `fails_late`."""

    at: Sequence[datetime]
    health: Sequence[float]
    score: Sequence[float]
    fails_early: datetime | None
    fails_middle: datetime | None
    fails_late: datetime | None


def predictions(
    database: Database, tenant: str, *, device: str | None = None, before: str | None = None, limit: int = 50
) -> Page:
    """Predictions, newest first; `before` is the `next` of the page before."""
    p = t.predictions.c
    query = sa.select(p.id, p.measured_at, p.payload).where(p.tenant == tenant)
    if device is not None:
        query = query.where(p.device == device)
    if before is not None:
        at = sa.select(p.measured_at).where(p.tenant == tenant, p.id == before).scalar_subquery()
        query = query.where(sa.or_(p.measured_at < at, sa.and_(p.measured_at == at, p.id < before)))
    with database.read() as connection:
        rows = connection.execute(query.order_by(p.measured_at.desc(), p.id.desc()).limit(limit + 1)).all()
    return Page([_decode(r.payload) for r in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None)


def prediction(database: Database, tenant: str, prediction_id: str) -> Prediction | None:
    """One prediction; None = there is none of that id."""
    p = t.predictions.c
    with database.read() as connection:
        payload = connection.execute(sa.select(p.payload).where(p.tenant == tenant, p.id == prediction_id)).scalar()
    return None if payload is None else _decode(payload)


def alarms(
    database: Database, tenant: str, *, device: str | None = None, standing: bool = False, limit: int = 50
) -> list[AlarmRow]:
    """Alarms, newest first; `standing`: only those that have not been cleared."""
    a = t.alarms.c
    query = sa.select(t.alarms).where(a.tenant == tenant)
    if device is not None:
        query = query.where(a.device == device)
    if standing:
        query = query.where(a.cleared_at.is_(None))
    with database.read() as connection:
        rows = connection.execute(query.order_by(a.raised_at.desc(), a.id.desc()).limit(limit)).all()
    return [
        AlarmRow(
            r.id, r.device, r.component, r.raised_at, r.cleared_at, r.reason, r.score, r.history,
            msgspec.json.decode(r.carriers),
        )
        for r in rows
    ]  # fmt: skip


def index_chart(database: Database, tenant: str, device: str, since: datetime, until: datetime) -> IndexChart:
    """The health index of a machine, and the forecast of its standing alarm."""
    c, p, a = t.points.c, t.predictions.c, t.alarms.c
    with database.read() as connection:
        rows = connection.execute(
            sa.select(c.at, c.health, c.score)
            .where(c.tenant == tenant, c.device == device, c.at >= since, c.at < until)
            .order_by(c.at)
        ).all()
        payload = connection.execute(
            sa.select(p.payload)
            .join(t.alarms, sa.and_(a.tenant == p.tenant, a.id == p.alarm_id, a.cleared_at.is_(None)))
            .where(p.tenant == tenant, p.device == device)
            .order_by(p.measured_at.desc())
            .limit(1)
        ).scalar()
    early = middle = late = None
    if payload is not None:
        made = _decode(payload)
        if made.remaining is not None:
            early, middle, late = (
                made.measured_at + timedelta(hours=x)
                for x in (made.remaining.p05, made.remaining.p50, made.remaining.p95)
            )
    return IndexChart([r.at for r in rows], [r.health for r in rows], [r.score for r in rows], early, middle, late)
