"""The ledger by day, what is lost for good by name, and how a device's clock and backlog stand."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0006_ledger"
down_revision = "ingest_0005_replay"


def upgrade() -> None:
    """Make two tables, add two columns to the registry."""
    op.create_table(
        "ingest_losses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("boot_id", sa.String(32), nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ingest_losses_by_device", "ingest_losses", ["tenant", "device", "id"])
    op.create_table(
        "ingest_days",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("day", sa.BigInteger, primary_key=True, autoincrement=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("stored", "quarantined", "duplicate", "late", "discarded", "lost")
        ),
    )
    op.add_column("ingest_devices", sa.Column("skew_us", sa.BigInteger, nullable=True))
    op.add_column("ingest_devices", sa.Column("backlog_us", sa.BigInteger, nullable=True))
