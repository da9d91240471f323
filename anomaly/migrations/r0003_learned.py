"""Learned models: registry, what became of them, what they say, and trainings."""

import sqlalchemy as sa
from alembic import op

revision = "anomaly_0003_learned"
down_revision = "anomaly_0002_labels"


def upgrade() -> None:
    """Make four tables."""
    op.create_table(
        "anomaly_learned",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("asset_model", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("card_sha256", sa.String(64), nullable=False),
        sa.Column("data_sha256", sa.String(64), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("trained_at", sa.BigInteger(), nullable=False),
        sa.Column("lives", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("metrics", sa.Text(), nullable=False),
        sa.Column("live_from", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "anomaly_one_live",
        "anomaly_learned",
        ["tenant", "asset_model"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "anomaly_learned_moves",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("n", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("comparison", sa.Text(), nullable=True),
    )
    op.create_table(
        "anomaly_said",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("learned", sa.String(80), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("at", sa.BigInteger(), primary_key=True),
        sa.Column("p_24h", sa.Float(), nullable=False),
        sa.Column("p_7d", sa.Float(), nullable=False),
        sa.Column("p_30d", sa.Float(), nullable=False),
        sa.Column("p05", sa.Float(), nullable=False),
        sa.Column("p50", sa.Float(), nullable=False),
        sa.Column("p95", sa.Float(), nullable=False),
    )
    op.create_index("anomaly_said_by_time", "anomaly_said", ["tenant", "learned", "at"])
    op.create_table(
        "anomaly_trainings",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("asset_model", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("learned", sa.String(80), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
    )
    op.create_index("anomaly_trainings_wanted", "anomaly_trainings", ["state", "tenant"])
