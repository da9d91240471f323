"""Tables of webhooks. Times are wall time: what is outside does not live on a tenant's scaled clock."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, metadata, table

__all__ = ["deliveries", "metadata", "webhooks"]

webhooks = table(
    "webhooks",
    sa.Column("id", ID, primary_key=True),
    sa.Column("url", sa.String(500), nullable=False),
    sa.Column("types", sa.Text, nullable=False),  # JSON list of patterns
    sa.Column("state", sa.String(16), nullable=False),  # active, paused, disabled
    sa.Column("secret", sa.String(64), nullable=False),
    sa.Column("old_secret", sa.String(64), nullable=False),
    sa.Column("old_until", UtcTime, nullable=True),
    sa.Column("position", sa.BigInteger, nullable=False),  # in the tenant's audit chain
    sa.Column("failures", sa.Integer, nullable=False),  # in a row
    sa.Column("failing_since", UtcTime, nullable=True),
    sa.Column("retry_at", UtcTime, nullable=True),
    sa.Column("last_error", sa.String(300), nullable=False),
    sa.Column("delivered_at", UtcTime, nullable=True),
    sa.Column("leased_until", UtcTime, nullable=True),  # one sender at a time
    sa.Column("made_at", UtcTime, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)
deliveries = table(
    "webhook_deliveries",
    sa.Column("webhook_id", ID, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),  # of the entry
    sa.Column("aggregate", sa.String(80), nullable=False),
    sa.Column("type", sa.String(80), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # pending, delivered, dead
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", UtcTime, nullable=False),
    sa.Column("last_error", sa.String(300), nullable=False),
    sa.Column("done_at", UtcTime, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "webhook_id"], ["work_orders_webhooks.tenant", "work_orders_webhooks.id"]),
    sa.Index("work_orders_webhook_deliveries_due", "tenant", "webhook_id", "state", "aggregate", "seq"),
    sa.Index("work_orders_webhook_deliveries_done", "tenant", "webhook_id", "done_at"),
)
