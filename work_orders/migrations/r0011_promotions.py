"""Who let the product do more or less, and what he saw."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0011_promotions"
down_revision = "work_orders_0010_reading"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "work_orders_promotions",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.String(64), nullable=False),
        sa.Column("from_mode", sa.String(16), nullable=False),
        sa.Column("to_mode", sa.String(16), nullable=False),
        sa.Column("seen", sa.Text, nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "work_orders_promotions_by_model", "work_orders_promotions", ["tenant", "model", "customer_id", "at"]
    )
