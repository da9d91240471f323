"""Which machines entries of the audit chain name that are about a work order."""

import sqlalchemy as sa

from work_orders.service import plan_tables as p
from work_orders.service import tables as t


def assets_of(connection: sa.Connection, tenant: str, order_id: str) -> list[str]:
    """The machine of a work order, its devices, and machines whose jobs rode along: what entries about it name."""
    o, d, j, k = t.orders.c, t.asset_devices.c, p.jobs.c, p.plans.c
    its = sa.select(o.asset_id).where(o.tenant == tenant, o.id == order_id)
    devices = sa.select(d.device).where(d.tenant == tenant, d.asset_id.in_(its))
    rode = (
        sa.select(k.asset_id)
        .join(p.jobs, sa.and_(j.tenant == k.tenant, j.plan_id == k.id))
        .where(j.tenant == tenant, j.order_id == order_id)
    )
    return list(connection.execute(sa.union(its, devices, rode)).scalars())
