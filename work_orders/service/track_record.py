"""How often warnings that led to a visit were right, from what technicians found."""

import sqlalchemy as sa

from work_orders.domain.letter import Record
from work_orders.service import tables as t

RIGHT = ("true", "prevented")


def track_record(connection: sa.Connection, tenant: str, customer_id: str, model: str, failure_mode: str) -> Record:
    """On the customer's machines, and for this failure mode of this asset model; what cannot be said is left out."""
    f, c, a = t.findings.c, t.cases.c, t.assets.c
    rows = connection.execute(
        sa.select(f.result, (a.customer_id == customer_id).label("here"),
                  sa.and_(a.model == model, c.failure_mode == failure_mode).label("kind"), sa.func.count().label("n"))
        .join(t.cases, sa.and_(c.tenant == f.tenant, c.id == f.case_id))
        .join(t.assets, sa.and_(a.tenant == f.tenant, a.id == f.asset_id))
        .where(
            f.tenant == tenant, f.superseded_at.is_(None), f.order_id.is_not(None), c.prediction_id.is_not(None),
            f.result.in_((*RIGHT, "false")),
        )
        .group_by(f.result, "here", "kind")
    ).all()  # fmt: skip
    here = [r for r in rows if r.here]
    kind = [r for r in rows if r.kind]
    return Record(
        sum(r.n for r in here if r.result in RIGHT), sum(r.n for r in here),
        sum(r.n for r in kind if r.result in RIGHT), sum(r.n for r in kind),
    )  # fmt: skip
