"""Machines that are set aside, and which transaction was the newest."""

import sqlalchemy as sa
from alembic import op

revision = "anomaly_0007_troubles"
down_revision = "anomaly_0006_hazards"


def upgrade() -> None:
    """One table, one column."""
    op.add_column("anomaly_progress", sa.Column("turn", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "anomaly_troubles",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("told_us", sa.BigInteger(), nullable=False),
        sa.Column("live_us", sa.BigInteger(), nullable=False),
        sa.Column("through_us", sa.BigInteger(), nullable=False),
        sa.Column("boot_id", sa.String(64), nullable=False),
        sa.Column("next_seq", sa.BigInteger(), nullable=False),
        sa.Column("unheard", sa.LargeBinary(), nullable=False),
    )
