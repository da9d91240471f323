"""People to talk to, and past jobs of earlier systems."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0023_history"
down_revision = "work_orders_0022_urgent"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "work_orders_people",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("customer_id", sa.String(64), nullable=False),
        sa.Column("site_id", sa.String(64), nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(100), nullable=False),
        sa.Column("phone", sa.String(64), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("notes", sa.String(1000), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "customer_id"], ["work_orders_customers.tenant", "work_orders_customers.id"]
        ),
        sa.ForeignKeyConstraint(["tenant", "site_id"], ["work_orders_sites.tenant", "work_orders_sites.id"]),
    )
    op.create_index("work_orders_people_by_customer", "work_orders_people", ["tenant", "customer_id"])
    op.create_table(
        "work_orders_history",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("asset_id", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("component", sa.String(64), nullable=False),
        sa.Column("failure_mode", sa.String(64), nullable=False),
        sa.Column("result", sa.String(16), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("work", sa.String(1000), nullable=False),
        sa.Column("replaced", sa.Boolean(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("technician", sa.String(200), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["tenant", "asset_id"], ["work_orders_assets.tenant", "work_orders_assets.id"]),
    )
    op.create_index("work_orders_history_by_asset", "work_orders_history", ["tenant", "asset_id", "at"])
