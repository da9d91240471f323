"""Where devices stand, and which alarms belong together."""

import sqlalchemy as sa
from alembic import op

revision = "anomaly_0005_groups"
down_revision = "anomaly_0004_condition"


def upgrade() -> None:
    """Make three tables."""
    op.create_table(
        "anomaly_places",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("site", sa.String(64), nullable=False),
    )
    op.create_table(
        "anomaly_groups",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(300), primary_key=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("alarms", sa.Integer(), nullable=False),
    )
    op.create_index("anomaly_groups_by_time", "anomaly_groups", ["tenant", "last_at"])
    op.create_table(
        "anomaly_group_members",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("alarm_id", sa.String(200), primary_key=True),
        sa.Column("group_id", sa.String(300), nullable=False),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("anomaly_group_members_by_group", "anomaly_group_members", ["tenant", "group_id", "raised_at"])
