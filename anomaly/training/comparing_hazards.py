"""Whether a shadow hazard was better than what was acted on: as for lives, but component by component."""

from datetime import datetime

import numpy as np
import sqlalchemy as sa

from anomaly.domain.history import Times
from anomaly.service.hazard_tables import hazard_said
from anomaly.training.comparing import PATH, Comparison, acted_on, judge
from anomaly.training.hazard_job import outcome
from anomaly.training.histories import worked_on
from anomaly.training.registry import Learned
from plumbing.sql import Database, from_us, to_us

Key = tuple[str, str]
"""Device and component."""
Rows = dict[Key, list[tuple[int, tuple[float, ...]]]]


def said_by(database: Database, tenant: str, id: str) -> Rows:
    """What a hazard said by the way, in time order: when, and P(failure) within 24 h, 7 d, 30 d."""
    s = hazard_said.c
    with database.read() as connection:
        rows = connection.execute(
            sa.select(s.device, s.component, s.at, s.p_24h, s.p_7d, s.p_30d)
            .where(s.tenant == tenant, s.learned == id)
            .order_by(s.device, s.component, s.at)
        ).all()
    out: Rows = {}
    for r in rows:
        out.setdefault((r.device, r.component), []).append((to_us(r.at), (r.p_24h, r.p_7d, r.p_30d)))
    return out


def ends_of_component(database: Database, tenant: str, key: Key) -> tuple[Times, Times]:
    """When a component failed, and when its lives ended for whatever reason."""
    mine = [w for w in worked_on(database, tenant, key[0]) if w.component == key[1]]
    failed = np.array([w.at_us for w in mine if w.failed], dtype=np.int64)
    return failed, np.array([w.at_us for w in mine], dtype=np.int64)


def compare_hazards(
    database: Database, tenant: str, shadow: Learned, live: Learned | None, now: datetime
) -> Comparison:
    """Hold a shadow against the live hazard, or against the forecasts that were acted on where none is live."""
    mine = said_by(database, tenant, shadow.id)
    theirs = said_by(database, tenant, live.id) if live is not None else {}
    said, other, came, life = [], [], [], []
    ended: set[tuple[str, int]] = set()
    for key, rows in mine.items():
        failed_us, ends_us = ends_of_component(database, tenant, key)
        beside = dict(theirs.get(key, []))
        told = acted_on(database, tenant, *key) if live is None else None
        at = np.array([at_us for at_us, _ in rows], dtype=np.int64)
        truth = outcome(failed_us, ends_us, at, to_us(now))
        following = np.searchsorted(ends_us, at, side="right")
        for i, (at_us, chances) in enumerate(rows):
            against = told.at(from_us(at_us)) if told is not None else beside.get(at_us)
            if against is None or np.isnan(truth[:, i]).all():
                continue
            end = int(ends_us[following[i]]) if following[i] < len(ends_us) else -1
            one = (f"{key[0]}/{key[1]}", end)
            said.append(chances)
            other.append(against)
            came.append(truth[:, i])
            life.append(one)
            if end in failed_us:
                ended.add(one)
    against_what = live.id if live is not None else PATH
    return judge(shadow.id, against_what, said, other, came, life, len(ended))
