"""The factor by which a learned model's chances are corrected as outcomes arrive, from what it said by the way.

Once a week of the calendar what it said of the next 7 days counts, so that no failure counts twice; weeks that are not
over count nothing.
"""

from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa

from anomaly.domain.corrected import factor
from anomaly.domain.history import HOUR_US
from anomaly.domain.learned_states import Kind
from anomaly.service import tables as t
from anomaly.service.hazard_tables import hazard_said
from anomaly.training.comparing_hazards import Key, ends_of_component
from anomaly.training.hazard_job import outcome
from anomaly.training.lives import ends_of
from anomaly.training.registry import Learned
from plumbing.sql import Database, to_us

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
    for key, weeks in series.items():
        if events:
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


class Correction:
    """Factors of models, looked at anew every few hours of the tenant's clock. Not for several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[str, str], tuple[datetime, float]] = {}

    def of(self, tenant: str, of: Learned, now: datetime) -> float:
        """The factor now."""
        key = (tenant, of.id)
        if key not in self._known or abs(now - self._known[key][0]) >= AGAIN:
            self._known[key] = (now, factor(*came_and_expected(self._database, tenant, of, now)))
        return self._known[key][1]
