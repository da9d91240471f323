"""Answers kept by Idempotency-Key."""

import sqlalchemy as sa
from alembic import op

revision = "api_0002_answers"
down_revision = "api_0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "api_answers",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(80), primary_key=True),
        sa.Column("key", sa.String(160), primary_key=True),
        sa.Column("print", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("body", sa.LargeBinary, nullable=True),
        sa.Column("media_type", sa.String(100), nullable=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("api_answers_by_time", "api_answers", ["at"])
