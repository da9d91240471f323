"""Numbers whose samples have another number, too; and what agents say of themselves."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0008_moved"
down_revision = "ingest_0007_expired"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("ingest_outboxes", sa.Column("moved", sa.LargeBinary, nullable=True))
    op.add_column("ingest_outboxes", sa.Column("off_moved", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("ingest_devices", sa.Column("reported", sa.Text, nullable=True))
