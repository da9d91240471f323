"""Kinds of learned models, and what hazards say of components by the way."""

import sqlalchemy as sa
from alembic import op

revision = "anomaly_0006_hazards"
down_revision = "anomaly_0005_groups"


def upgrade() -> None:
    """One live model of each kind; one table more."""
    op.add_column("anomaly_learned", sa.Column("kind", sa.String(16), nullable=False, server_default="life"))
    op.drop_index("anomaly_one_live", "anomaly_learned")
    op.create_index(
        "anomaly_one_live",
        "anomaly_learned",
        ["tenant", "asset_model", "kind"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "anomaly_hazard_said",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("learned", sa.String(80), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("component", sa.String(64), primary_key=True),
        sa.Column("at", sa.BigInteger(), primary_key=True),
        sa.Column("p_24h", sa.Float(), nullable=False),
        sa.Column("p_7d", sa.Float(), nullable=False),
        sa.Column("p_30d", sa.Float(), nullable=False),
    )
    op.create_index("anomaly_hazard_said_by_time", "anomaly_hazard_said", ["tenant", "learned", "at"])
