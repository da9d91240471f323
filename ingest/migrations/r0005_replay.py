"""What of a message in quarantine was counted, what became of it, and the mappings that mend it."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0005_replay"
down_revision = "ingest_0004_commands"


def upgrade() -> None:
    """Add columns to the quarantine, and one table."""
    for column in (
        sa.Column("samples", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("state", sa.String(16), nullable=False, server_default="kept"),
        sa.Column("moved_at", sa.BigInteger, nullable=True),
        sa.Column("moved_by", sa.String(128), nullable=True),
        sa.Column("replayed", sa.BigInteger, nullable=False, server_default="0"),
    ):
        op.add_column("ingest_quarantine", column)
    op.execute("update ingest_quarantine set samples = 'null' where reason = 'unknown_device'")
    op.create_table(
        "ingest_mappings",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("scope", sa.String(16), primary_key=True),
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("from_now_on", sa.Boolean, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("made_by", sa.String(128), nullable=False),
    )
