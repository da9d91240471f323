"""When technicians arrive who are on the way: one row an order, written over, deleted when he arrives or it is old."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, metadata, table

__all__ = ["arrivals", "metadata"]

arrivals = table(  # no position: times alone
    "arrivals",
    sa.Column("order_id", ID, primary_key=True),
    sa.Column("earliest", UtcTime, nullable=False),
    sa.Column("latest", UtcTime, nullable=False),
    sa.Column("shared", sa.Boolean, nullable=False),  # by his phone; else he said it
    sa.Column("until", UtcTime, nullable=False),  # then it is forgotten
    sa.ForeignKeyConstraint(["tenant", "order_id"], ["work_orders_orders.tenant", "work_orders_orders.id"]),
    sa.Index("work_orders_arrivals_by_end", "tenant", "until"),
)
