"""What foreign devices told of themselves and ask for again."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0009_attributes"
down_revision = "ingest_0008_moved"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ingest_attributes",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
