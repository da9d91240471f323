"""How often warnings that led to a visit were right, from what technicians found."""

import sqlalchemy as sa

from work_orders.domain.letter import Record
from work_orders.service import tables as t

RIGHT = ("true", "prevented")


def track_record(connection: sa.Connection, tenant: str, customer_id: str, model: str, failure_mode: str) -> Record:
    """On the customer's machines, and for this failure mode of this asset model; what cannot be said is left out."""
    f, c, a = t.findings.c, t.cases.c, t.assets.c
    here, kind = a.customer_id == customer_id, sa.and_(a.model == model, c.failure_mode == failure_mode)

    def count(*where: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.count(sa.case((sa.and_(*where), 1)))

    right = f.result.in_(RIGHT)
    row = connection.execute(
        sa.select(count(here, right), count(here), count(kind, right), count(kind))
        .select_from(t.findings)
        .join(t.cases, sa.and_(c.tenant == f.tenant, c.id == f.case_id))
        .join(t.assets, sa.and_(a.tenant == f.tenant, a.id == f.asset_id))
        .where(
            f.tenant == tenant, f.superseded_at.is_(None), f.order_id.is_not(None), c.prediction_id.is_not(None),
            f.result.in_((*RIGHT, "false")), sa.or_(here, kind),
        )
    ).one()  # fmt: skip
    return Record(*(int(n) for n in row))
