"""First tables of anomaly."""

import sqlalchemy as sa
from alembic import op

revision = "anomaly_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "anomaly_states",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("memory", sa.LargeBinary(), nullable=False),
        sa.Column("picture", sa.Text(), nullable=False),
    )
    op.create_table(
        "anomaly_progress",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("saved_through", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "anomaly_predictions",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("component", sa.String(64), nullable=False),
        sa.Column("alarm_id", sa.String(200), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("measured_at", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
    )
    op.create_index("anomaly_predictions_by_device", "anomaly_predictions", ["tenant", "device", "measured_at"])
    op.create_table(
        "anomaly_alarms",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("component", sa.String(64), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("cleared_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("history", sa.Boolean(), nullable=False),
        sa.Column("carriers", sa.Text(), nullable=False),
    )
    op.create_index("anomaly_alarms_by_device", "anomaly_alarms", ["tenant", "device", "raised_at"])
    op.create_table(
        "anomaly_points",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("at", sa.BigInteger(), primary_key=True),
        sa.Column("health", sa.Float(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
    )
    op.create_table(
        "anomaly_late",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("from_at", sa.BigInteger(), primary_key=True),
        sa.Column("to_at", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("peak", sa.Float(), nullable=True),
    )
