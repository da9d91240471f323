"""Devices that went off line: one row an incident."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0010_outages"
down_revision = "ingest_0009_attributes"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ingest_outages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("behind", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ingest_outages_by_device", "ingest_outages", ["tenant", "device", "id"])
