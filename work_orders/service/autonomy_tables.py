"""Table of who let the product do more or less, and what he saw."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, NAME, metadata, table

__all__ = ["metadata", "promotions"]

promotions = table(
    "promotions",
    sa.Column("id", ID, primary_key=True),
    sa.Column("model", NAME, nullable=False),
    sa.Column("customer_id", NAME, nullable=False),  # "" = every customer
    sa.Column("from_mode", sa.String(16), nullable=False),
    sa.Column("to_mode", sa.String(16), nullable=False),
    sa.Column("seen", sa.Text, nullable=False),  # JSON: the record that was on the screen
    sa.Column("reason", sa.String(300), nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Index("work_orders_promotions_by_model", "tenant", "model", "customer_id", "at"),
)
