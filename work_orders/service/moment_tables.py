"""Which entries of the audit chain are about a customer or his machines, so that his timeline is read by an index."""

import sqlalchemy as sa

from work_orders.service.tables import NAME, metadata, table

__all__ = ["metadata", "moments"]

moments = table(
    "moments",
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),  # of the entry
    sa.Column("asset_id", NAME, nullable=False),  # "" = about the customer, not one of his machines
    sa.Column("customer_id", NAME, nullable=False),  # whose the machine was then
    sa.Index("work_orders_moments_by_customer", "tenant", "customer_id", "seq"),
)
