"""How much of what is counted as quarantined can be replayed no more, since its messages are gone."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0007_expired"
down_revision = "ingest_0006_ledger"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ingest_expired",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sa.Column("samples", sa.BigInteger, nullable=False),
    )
    op.create_index("ingest_quarantine_by_age", "ingest_quarantine", ["state", "received_at"])
