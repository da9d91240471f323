"""What a change that carried an Idempotency-Key wrote first, kept with the change itself."""

import sqlalchemy as sa
from alembic import op

revision = "api_0003_made"
down_revision = "api_0002_answers"


def upgrade() -> None:
    """Add the column."""
    op.add_column("api_answers", sa.Column("seq", sa.BigInteger, nullable=True))
