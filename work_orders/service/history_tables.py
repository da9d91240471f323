"""Tables of what came along from other systems: people to talk to, and past jobs, which no forecast and no figure of
ours counts as its own."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, NAME, metadata, table

__all__ = ["history", "metadata", "people"]

people = table(  # of customers
    "people",
    sa.Column("id", NAME, primary_key=True),
    sa.Column("customer_id", NAME, nullable=False),
    sa.Column("site_id", NAME, nullable=True),  # None: for all of the customer's
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("role", sa.String(100), nullable=False),  # in his own company
    sa.Column("phone", sa.String(64), nullable=False),
    sa.Column("email", sa.String(320), nullable=False),
    sa.Column("notes", sa.String(1000), nullable=False),
    sa.ForeignKeyConstraint(["tenant", "customer_id"], ["work_orders_customers.tenant", "work_orders_customers.id"]),
    sa.ForeignKeyConstraint(["tenant", "site_id"], ["work_orders_sites.tenant", "work_orders_sites.id"]),
    sa.Index("work_orders_people_by_customer", "tenant", "customer_id"),
)
history = table(  # jobs that were done before Forewarn
    "history",
    sa.Column("id", ID, primary_key=True),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("component", NAME, nullable=False),  # "" = not said
    sa.Column("failure_mode", NAME, nullable=False),
    sa.Column("result", sa.String(16), nullable=False),  # as of a finding
    sa.Column("found", sa.Text, nullable=False),
    sa.Column("work", sa.String(1000), nullable=False),
    sa.Column("replaced", sa.Boolean, nullable=False),
    sa.Column("cost", sa.Float, nullable=True),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("technician", sa.String(200), nullable=False),
    sa.Column("minutes", sa.Integer, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "asset_id"], ["work_orders_assets.tenant", "work_orders_assets.id"]),
    sa.Index("work_orders_history_by_asset", "tenant", "asset_id", "at"),
)
