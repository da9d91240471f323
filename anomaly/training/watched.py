"""How a learned model does on what happened since it began to speak: watched and shown, whoever acts on it."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa

from anomaly.service import tables as t
from anomaly.training.comparing import HOURS
from anomaly.training.lives import ends_of
from anomaly.training.registry import Learned
from plumbing.sql import Database, to_us


@dataclass(frozen=True, slots=True)
class Watched:
    """Figures since it began to speak; None = too little is known."""

    said: int
    failures: int
    coverage_90: float | None
    """Share of forecasts, of lives that have ended, whose 90 % interval holds the end; a sound model has about 0.9."""
    bias_hours: float | None
    """Median of what was said less what came, over the same: above 0 = it hopes, below = it fears. Drift shows here."""
    brier_7d: float | None
    """Mean square of chance against outcome within 7 days, lower is better."""


def watch(database: Database, tenant: str, of: Learned, now: datetime) -> Watched:
    """What a learned model said, held against what came."""
    s = t.said.c
    with database.read() as connection:
        rows = connection.execute(
            sa.select(s.device, s.at, s.p_7d, s.p05, s.p50, s.p95)
            .where(s.tenant == tenant, s.learned == of.id)
            .order_by(s.device, s.at)
        ).all()
    inside, away, square = [], [], []
    ended = set()
    for device in sorted({r.device for r in rows}):
        ends = ends_of(database, tenant, device)
        for r in (r for r in rows if r.device == device):
            at = to_us(r.at)
            end = next((e for e in ends if e.at_us > at), None)
            failed = end is not None and end.failed
            left = (end.at_us - at) / 3.6e9 if end is not None else np.inf
            watched = min(left, (to_us(now) - at) / 3.6e9)
            if failed or watched >= HOURS[1]:
                square.append((r.p_7d - float(failed and left <= HOURS[1])) ** 2)
            if end is not None and failed:
                ended.add((device, end.at_us))
                inside.append(r.p05 <= left <= r.p95)
                away.append(r.p50 - left)
    return Watched(
        len(rows), len(ended), float(np.mean(inside)) if inside else None,
        float(np.median(away)) if away else None, float(np.mean(square)) if square else None,
    )  # fmt: skip
