"""Devices of other systems: who they are there."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0003_foreign"
down_revision = "ingest_0002_identity"


def upgrade() -> None:
    """Make the table of foreign names."""
    op.create_table(
        "ingest_foreign",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("protocol", sa.String(32), nullable=False),
        sa.Column("behind", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("token", sa.String(64), nullable=True, unique=True),
        sa.Column("signals", sa.Text, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
    )
