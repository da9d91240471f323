"""Webhooks and what is on its way to them."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0012_webhooks"
down_revision = "work_orders_0011_promotions"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "work_orders_webhooks",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("old_secret", sa.String(64), nullable=False),
        sa.Column("old_until", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.String(300), nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    )
    op.create_table(
        "work_orders_webhook_deliveries",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("webhook_id", sa.String(80), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("aggregate", sa.String(80), nullable=False),
        sa.Column("type", sa.String(80), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.String(300), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant", "webhook_id"], ["work_orders_webhooks.tenant", "work_orders_webhooks.id"]),
    )
    for name, columns in (("due", ["state", "aggregate", "seq"]), ("done", ["done_at"])):
        op.create_index(
            f"work_orders_webhook_deliveries_{name}", "work_orders_webhook_deliveries",
            ["tenant", "webhook_id", *columns],
        )  # fmt: skip
