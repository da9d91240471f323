"""Guided diagnoses with their evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from work_orders.service import tables as t


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """What one check showed."""

    check: str
    command_id: str
    state: str
    value: float | None
    text: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class DiagnosisRow:
    """One diagnosis, newest evidence included. `seconds` is wall time, None while it runs."""

    id: str
    case_id: str
    asset_id: str
    model: str
    failure_mode: str
    verdict: str
    sentence: str
    prior: dict[str, float]
    posterior: dict[str, float]
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None
    evidence: tuple[EvidenceRow, ...]


def diagnoses(
    connection: sa.Connection, tenant: str, *, case_id: str = "", asset_id: str = "", limit: int = 50
) -> Sequence[DiagnosisRow]:
    """Diagnoses, newest first, of one case or asset or of all."""
    d, c, a, e = t.diagnoses, t.cases, t.assets, t.evidence
    query = (
        sa.select(d, c.c.asset_id, a.c.model)
        .join(c, sa.and_(c.c.tenant == d.c.tenant, c.c.id == d.c.case_id))
        .join(a, sa.and_(a.c.tenant == c.c.tenant, a.c.id == c.c.asset_id))
        .where(d.c.tenant == tenant)
    )
    if case_id:
        query = query.where(d.c.case_id == case_id)
    if asset_id:
        query = query.where(c.c.asset_id == asset_id)
    out = []
    for row in connection.execute(query.order_by(d.c.started_at.desc(), d.c.id).limit(limit)).all():
        found = connection.execute(
            sa.select(e.c.check, e.c.command_id, e.c.state, e.c.value, e.c.text, e.c.at)
            .where(e.c.tenant == tenant, e.c.diagnosis_id == row.id)
            .order_by(e.c.n)
        )
        seconds = (row.ended_wall - row.started_wall).total_seconds() if row.ended_wall else None
        before, after = (msgspec.json.decode(text, type=dict[str, float]) for text in (row.prior, row.posterior))
        out.append(
            DiagnosisRow(
                row.id, row.case_id, row.asset_id, row.model, row.failure_mode, row.verdict, row.sentence, before,
                after, row.started_at, row.ended_at, seconds, tuple(EvidenceRow(*r) for r in found),
            )
        )  # fmt: skip
    return out
