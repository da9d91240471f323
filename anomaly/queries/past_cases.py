"""Past cases like this one: what was found at machines of the same kind when their symptoms looked so."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from anomaly.domain.likeness import nearest, pattern_of
from anomaly.service import tables as t
from contracts.records import Prediction
from plumbing.sql import Database

LOOKED_AT = 200
"""So many of the newest findings are compared."""
KNOWN = ("true", "prevented", "false")
"""Findings that say what it was, or that it was nothing."""
_decode = msgspec.msgpack.Decoder(Prediction).decode


@dataclass(frozen=True, slots=True)
class PastCase:
    """A case that a technician has looked at."""

    case: str
    device: str
    asset: str
    component: str
    mode: str
    """As it was found."""
    verdict: str
    as_found: str
    replaced: bool
    found_at: datetime
    likeness: float
    """Cosine between the patterns of symptoms, up to 1."""


def past_cases(database: Database, tenant: str, prediction: Prediction, most: int = 3) -> list[PastCase]:
    """The cases of the same asset model, found before a prediction was made, whose symptoms were most alike.

    Each is known by its newest prediction before the finding. The case of the prediction itself is none of them: it
    has no finding yet.
    """
    mine = pattern_of((c.signal, c.share, c.direction) for c in prediction.carriers)
    c, s = t.labels.c, t.states.c
    query = (
        sa.select(t.labels)
        .join(t.states, sa.and_(s.tenant == c.tenant, s.device == c.device))
        .where(c.tenant == tenant, s.model == prediction.model, c.corrected_by.is_(None), c.verdict.in_(KNOWN))
        .where(c.to_at < prediction.measured_at)
        .order_by(c.to_at.desc(), c.finding_id)
        .limit(LOOKED_AT)
    )
    found = []
    with database.read() as connection:
        for label in connection.execute(query).all():
            newest = _newest(connection, tenant, label.device, label.component, label.from_at, label.to_at)
            if newest is not None and newest.alarm_id != prediction.alarm_id:
                pattern = pattern_of((x.signal, x.share, x.direction) for x in newest.carriers)
                found.append((pattern, label))
    return [
        PastCase(
            x.case_id, x.device, x.asset, x.component, x.mode, x.verdict, x.as_found, x.replaced, x.to_at, alike
        )
        for alike, x in nearest(mine, found, most)
    ]  # fmt: skip


def like_now(database: Database, tenant: str, device: str, most: int = 3) -> list[PastCase]:
    """Past cases like the standing alarm of a machine with the newest prediction; none where no alarm stands."""
    p, a = t.predictions.c, t.alarms.c
    with database.read() as connection:
        payload = connection.execute(
            sa.select(p.payload)
            .join(t.alarms, sa.and_(a.tenant == p.tenant, a.id == p.alarm_id, a.cleared_at.is_(None)))
            .where(p.tenant == tenant, p.device == device)
            .order_by(p.measured_at.desc())
            .limit(1)
        ).scalar()
    return [] if payload is None else past_cases(database, tenant, _decode(payload), most)


def _newest(
    connection: sa.Connection, tenant: str, device: str, component: str, begin: datetime, end: datetime
) -> Prediction | None:
    p = t.predictions.c
    payload = connection.execute(
        sa.select(p.payload)
        .where(p.tenant == tenant, p.device == device, p.measured_at >= begin, p.measured_at <= end)
        .order_by(p.measured_at.desc(), (p.component == component).desc())
        .limit(1)
    ).scalar()
    return None if payload is None else _decode(payload)
