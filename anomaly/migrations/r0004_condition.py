"""Faulty sensors, the quiet log, and baselines with their confirmation."""

import sqlalchemy as sa
from alembic import op

revision = "anomaly_0004_condition"
down_revision = "anomaly_0003_learned"


def upgrade() -> None:
    """Make three tables."""
    op.create_table(
        "anomaly_sensor_faults",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("signal", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("history", sa.Boolean(), nullable=False),
    )
    op.create_index("anomaly_sensor_faults_by_device", "anomaly_sensor_faults", ["tenant", "device", "since"])
    op.create_table(
        "anomaly_quiet",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
    )
    op.create_table(
        "anomaly_baselines",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("learned_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_by", sa.String(200), nullable=True),
        sa.Column("how", sa.Text(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
