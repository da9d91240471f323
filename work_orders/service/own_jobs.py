"""What was found here, in the columns of past jobs: so that it goes out with them, and comes back as what it is."""

from typing import Any

import msgspec
import sqlalchemy as sa

from work_orders.service import tables as t
from work_orders.service import work_tables as w

MOST_TEXT = 4000


def own_jobs(connection: sa.Connection, tenant: str) -> list[dict[str, Any]]:
    """Findings in force, by id, with what their orders took."""
    f, o, x, c = t.findings.c, t.orders.c, w.actuals.c, t.cases.c
    rows = connection.execute(
        sa.select(t.findings, o.remedy, c.costs, x.parts_cost, x.other_cost, x.work_minutes)
        .join(t.cases, sa.and_(c.tenant == f.tenant, c.id == f.case_id))
        .outerjoin(t.orders, sa.and_(o.tenant == f.tenant, o.id == f.order_id))
        .outerjoin(w.actuals, sa.and_(x.tenant == f.tenant, x.order_id == f.order_id))
        .where(f.tenant == tenant, f.superseded_at.is_(None))
        .order_by(f.id)
    )
    return [_as_past(row) for row in rows]


def _as_past(row: sa.Row[Any]) -> dict[str, Any]:
    spent = [amount for amount in (row.parts_cost, row.other_cost) if amount is not None]
    return {
        "id": row.id, "asset_id": row.asset_id, "at": row.at, "component": row.component,
        "failure_mode": row.failure_mode, "result": row.result,
        "found": row.as_found.replace("\r", "").strip()[:MOST_TEXT], "work": row.remedy or "",
        "replaced": row.replaced, "cost": round(sum(spent), 2) if spent else None,
        "currency": msgspec.json.decode(row.costs).get("currency", "") if spent else "", "technician": row.actor,
        "minutes": row.work_minutes,
    }  # fmt: skip
