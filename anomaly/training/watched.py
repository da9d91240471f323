"""How a learned model does on what happened since it began to speak: watched and shown, whoever acts on it."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import sqlalchemy as sa

from anomaly.domain.corrected import factor, width
from anomaly.domain.learned_states import Kind
from anomaly.service import tables as t
from anomaly.training.comparing import HOURS
from anomaly.training.comparing_hazards import ends_of_component, said_by
from anomaly.training.correcting import came_and_expected, ended_lives
from anomaly.training.hazard_job import outcome
from anomaly.training.lives import ends_of
from anomaly.training.registry import Learned
from anomaly.training.warned import Warned, together, warned
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
    warnings: int = 0
    """Times that it gave a failure within 7 days more than an even chance, and the outcome is known."""
    precision: float | None = None
    """Share of the warnings that a failure followed within 7 days."""
    recall: float | None = None
    """Share of the failures that a warning went before."""
    lead_hours_p10: float | None = None
    lead_hours_p50: float | None = None
    """From the warning to the failure, nine of ten and every second one longer."""
    came_in_weeks: float = 0.0
    expected_in_weeks: float = 0.0
    """Failures in the weeks that are over, and how many the model had expected."""
    correction: float = 1.0
    """By this its hazard is multiplied before it is told."""
    width: float = 1.0
    """By this the 90 % interval of a life is made wider before it is told."""


def with_warnings(of: Watched, found: Warned) -> Watched:
    """With precision and lead time."""
    return replace(
        of, warnings=found.right + found.wrong, precision=found.precision, recall=found.recall,
        lead_hours_p10=found.lead(0.1), lead_hours_p50=found.lead(0.5),
    )  # fmt: skip


def watch(database: Database, tenant: str, of: Learned, now: datetime) -> Watched:
    """What a learned model said, held against what came."""
    came, expected = came_and_expected(database, tenant, of, now)
    found = (watch_hazard if of.kind is Kind.EVENTS else watch_life)(database, tenant, of, now)
    wide = width(ended_lives(database, tenant, of, now)) if of.kind is Kind.LIFE else 1.0
    return replace(
        found, came_in_weeks=came, expected_in_weeks=expected, correction=factor(came, expected), width=wide
    )  # fmt: skip


def watch_life(database: Database, tenant: str, of: Learned, now: datetime) -> Watched:
    """What a learned life said of machines, held against what came."""
    s = t.said.c
    with database.read() as connection:
        rows = connection.execute(
            sa.select(s.device, s.at, s.p_7d, s.p05, s.p50, s.p95)
            .where(s.tenant == tenant, s.learned == of.id)
            .order_by(s.device, s.at)
        ).all()
    inside, away, square = [], [], []
    ended, warnings = set(), []
    for device in sorted({r.device for r in rows}):
        ends, own = ends_of(database, tenant, device), [r for r in rows if r.device == device]
        warnings.append(
            warned([(to_us(r.at), r.p_7d) for r in own], [e.at_us for e in ends if e.failed],
                   [e.at_us for e in ends], to_us(now))
        )  # fmt: skip
        for r in own:
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
    found = Watched(
        len(rows), len(ended), float(np.mean(inside)) if inside else None,
        float(np.median(away)) if away else None, float(np.mean(square)) if square else None,
    )  # fmt: skip
    return with_warnings(found, together(warnings))


def watch_hazard(database: Database, tenant: str, of: Learned, now: datetime) -> Watched:
    """What a learned hazard said of components, held against what came."""
    rows, warnings, square = said_by(database, tenant, of.id), [], []
    for key, said in rows.items():
        failed_us, ends_us = ends_of_component(database, tenant, key)
        at = np.array([at_us for at_us, _ in said], dtype=np.int64)
        came = outcome(failed_us, ends_us, at, to_us(now))[1]
        p = np.array([chances[1] for _, chances in said])
        square.append((p - came)[np.isfinite(came)] ** 2)
        series = list(zip(at.tolist(), p.tolist(), strict=True))
        warnings.append(warned(series, failed_us.tolist(), ends_us.tolist(), to_us(now)))
    squares, found = np.concatenate(square) if square else np.zeros(0), together(warnings)
    brier = float(squares.mean()) if len(squares) else None
    return with_warnings(Watched(sum(map(len, rows.values())), found.failures, None, None, brier), found)
