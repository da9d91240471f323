"""Addresses that wait to be confirmed, and letters."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0015_letters"
down_revision = "work_orders_0014_saved"

_CUSTOMERS = ["work_orders_customers.tenant", "work_orders_customers.id"]


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "work_orders_way_requests",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("customer_id", sa.String(64), primary_key=True),
        sa.Column("channel", sa.String(32), primary_key=True),
        sa.Column("address", sa.String(400), nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "customer_id"], _CUSTOMERS),
    )
    op.create_table(
        "work_orders_letters",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("whom", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("address", sa.String(400), nullable=False),
        sa.Column("subject", sa.String(500), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("html", sa.Text, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("why", sa.String(300), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("try_at", sa.BigInteger, nullable=True),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
    )
    waiting = sa.text("try_at IS NOT NULL")
    op.create_index(
        "work_orders_letters_open", "work_orders_letters", ["try_at"], sqlite_where=waiting, postgresql_where=waiting
    )
