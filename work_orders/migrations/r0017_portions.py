"""Recalls that go on in portions, and clocks that are to be worked out again."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0017_portions"
down_revision = "work_orders_0016_feedback"


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "work_orders_recalls",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("serials", sa.Text(), nullable=False),
        sa.Column("component", sa.String(64), nullable=False),
        sa.Column("failure_mode", sa.String(64), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("incident_id", sa.String(80), nullable=True),
        sa.Column("machines", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("new_cases", sa.Integer(), nullable=False),
        sa.Column("through", sa.String(64), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
    )
    going_on, outdated = sa.text("finished_at IS NULL"), sa.text("outdated_at IS NOT NULL")
    op.create_index(
        "work_orders_recalls_going_on", "work_orders_recalls", ["tenant"], sqlite_where=going_on,
        postgresql_where=going_on,
    )  # fmt: skip
    op.create_index("work_orders_recalls_by_incident", "work_orders_recalls", ["tenant", "incident_id"])
    op.add_column("work_orders_sla_clocks", sa.Column("outdated_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "work_orders_sla_clocks_outdated", "work_orders_sla_clocks", ["tenant", "case_id"], sqlite_where=outdated,
        postgresql_where=outdated,
    )  # fmt: skip
