"""What findings say about readings, and breakdowns that nothing had called for."""

import sqlalchemy as sa
from alembic import op

revision = "anomaly_0002_labels"
down_revision = "anomaly_0001"


def upgrade() -> None:
    """Make two tables."""
    op.create_table(
        "anomaly_labels",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("finding_id", sa.String(80), primary_key=True),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("asset", sa.String(64), nullable=False),
        sa.Column("component", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("from_at", sa.BigInteger(), nullable=False),
        sa.Column("to_at", sa.BigInteger(), nullable=False),
        sa.Column("as_found", sa.Text(), nullable=False),
        sa.Column("replaced", sa.Boolean(), nullable=False),
        sa.Column("serial", sa.String(100), nullable=False),
        sa.Column("corrected_by", sa.String(80), nullable=True),
    )
    op.create_index("anomaly_labels_by_case", "anomaly_labels", ["tenant", "device", "case_id"])
    op.create_index("anomaly_labels_by_time", "anomaly_labels", ["tenant", "to_at", "finding_id"])
    op.create_table(
        "anomaly_missed",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("finding_id", sa.String(80), primary_key=True),
        sa.Column("asset", sa.String(64), nullable=False),
        sa.Column("component", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=True),
    )
    op.create_index("anomaly_missed_by_asset", "anomaly_missed", ["tenant", "asset", "at"])
