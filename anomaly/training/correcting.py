"""The factor by which a learned model's chances are corrected as outcomes arrive, from what it said by the way.

Once a week of the calendar what it said of the next 7 days counts, so that no failure counts twice; weeks that are not
over count nothing.
"""

import hashlib
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa

from anomaly.domain.corrected import Ended, factor, width
from anomaly.domain.history import HOUR_US
from anomaly.domain.learned_states import Kind
from anomaly.service import tables as t
from anomaly.service.hazard_tables import hazard_said
from anomaly.training.comparing_hazards import Key, ends_of_component
from anomaly.training.hazard_job import outcome
from anomaly.training.lives import ends_of
from anomaly.training.registry import Learned
from plumbing.sql import Database, from_us, to_us

WEEK_US = 7 * 24 * HOUR_US
FIRST_US = 6 * HOUR_US
"""What was said in the first hours of a week."""
AGAIN = timedelta(hours=6)


def came_and_expected(database: Database, tenant: str, of: Learned, now: datetime) -> tuple[float, float]:
    """Failures that came within the weeks that are known, and the sum of their chances as said."""
    events = of.kind is Kind.EVENTS
    c = hazard_said.c if events else t.said.c
    component = hazard_said.c.component if events else sa.literal("").label("component")
    within = sa.type_coerce(c.at, sa.BigInteger) % WEEK_US < FIRST_US
    with database.read() as connection:
        rows = connection.execute(
            sa.select(c.device, component, c.at, c.p_7d)
            .where(c.tenant == tenant, c.learned == of.id, within)
            .order_by(c.device, c.at)
        ).all()
    series: dict[Key, dict[int, tuple[int, float]]] = {}
    for r in rows:
        at = to_us(r.at)
        series.setdefault((r.device, r.component), {}).setdefault(at // WEEK_US, (at, r.p_7d))
    came = expected = 0.0
    worked = _worked(database, tenant)
    for key, weeks in series.items():
        if key[0] not in worked:
            failed_us = ends_us = np.zeros(0, dtype=np.int64)
        elif events:
            failed_us, ends_us = ends_of_component(database, tenant, key)
        else:
            ends = ends_of(database, tenant, key[0])
            failed_us = np.array([e.at_us for e in ends if e.failed], dtype=np.int64)
            ends_us = np.array([e.at_us for e in ends], dtype=np.int64)
        at_us = np.array([at for at, _ in weeks.values()], dtype=np.int64)
        truth = outcome(failed_us, ends_us, at_us, to_us(now))[1]
        known = np.isfinite(truth)
        came += float(truth[known].sum())
        expected += float(np.array([p for _, p in weeks.values()])[known].sum())
    return came, expected


def _worked(database: Database, tenant: str) -> set[str]:
    """Devices with labels; of the others, most of a large fleet, nothing needs to be asked for."""
    with database.read() as connection:
        query = sa.select(t.labels.c.device).where(t.labels.c.tenant == tenant).distinct()
        return set(connection.execute(query).scalars())


def ended_lives(database: Database, tenant: str, of: Learned, now: datetime) -> list[Ended]:
    """Lives that ended in a failure while a learned life spoke of them, in the order of their ends, each as it was told
    at one time of it drawn by its name: rows of one life are alike."""
    s = t.said.c
    cap = of.metrics.get("cap_hours") or np.inf
    with database.read() as connection:
        devices = connection.execute(
            sa.select(s.device, sa.func.min(s.at)).where(s.tenant == tenant, s.learned == of.id).group_by(s.device)
        ).all()
    found = []
    worked = _worked(database, tenant)
    for device, first in devices:
        if device not in worked:
            continue
        before = to_us(first) - 1
        for end in ends_of(database, tenant, device):
            begin, before = before, max(before, end.at_us)
            if not end.failed or not begin < end.at_us <= to_us(now):
                continue
            with database.read() as connection:
                rows = connection.execute(
                    sa.select(s.at, s.p05, s.p50, s.p95)
                    .where(s.tenant == tenant, s.learned == of.id, s.device == device)
                    .where(s.at > from_us(begin), s.at < from_us(end.at_us))
                    .order_by(s.at)
                ).all()
            if rows:
                draw = int.from_bytes(hashlib.sha256(f"{device}/{end.at_us}".encode()).digest()[:8])
                r = rows[draw % len(rows)]
                left = (end.at_us - to_us(r.at)) / HOUR_US
                found.append((end.at_us, Ended(left, r.p05, r.p50, r.p95, r.p95 >= 0.999 * cap)))
    return [one for _, one in sorted(found, key=lambda x: x[0])]


class Correction:
    """Factors of models, looked at anew every few hours of the tenant's clock. Not for several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[str, str], tuple[datetime, float, float]] = {}

    def of(self, tenant: str, of: Learned, now: datetime) -> float:
        """By what the hazard is multiplied now."""
        return self._now(tenant, of, now)[1]

    def width(self, tenant: str, of: Learned, now: datetime) -> float:
        """By what intervals of lives are made wider now."""
        return self._now(tenant, of, now)[2]

    def _now(self, tenant: str, of: Learned, now: datetime) -> tuple[datetime, float, float]:
        key = (tenant, of.id)
        if key not in self._known or abs(now - self._known[key][0]) >= AGAIN:
            by = factor(*came_and_expected(self._database, tenant, of, now))
            wide = width(ended_lives(self._database, tenant, of, now)) if of.kind is Kind.LIFE else 1.0
            self._known[key] = (now, by, wide)
        return self._known[key]
