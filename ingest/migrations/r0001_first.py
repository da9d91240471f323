"""First tables of ingest."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0001"
down_revision = None


def upgrade() -> None:
    """Make registry, ledger and quarantine."""
    op.create_table(
        "ingest_marks",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ingest_devices",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("username", sa.String(129), nullable=False, unique=True),
        sa.Column("password", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger, nullable=True),
        sa.Column("first_seen", sa.BigInteger, nullable=True),
        sa.Column("last_seen", sa.BigInteger, nullable=True),
        sa.Column("online", sa.Boolean, nullable=True),
    )
    op.create_table(
        "ingest_service_accounts",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("password", sa.String(200), nullable=False),
    )
    op.create_table(
        "ingest_outboxes",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("boot_id", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("history", sa.Boolean, nullable=False),
        sa.Column("replaced", sa.Boolean, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("settled", sa.LargeBinary, nullable=False),
        sa.Column("dropped", sa.LargeBinary, nullable=False),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in (
                "off_lost", "off_discarded", "stored", "quarantined", "duplicate", "late", "same_time", "bad_messages",
            )
        ),
        sa.Column("refused", sa.Text, nullable=False),
    )  # fmt: skip
    op.create_table(
        "ingest_quarantine",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("boot_id", sa.String(32), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=True),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("refusals", sa.Text, nullable=False),
        sa.Column("refused", sa.Integer, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ingest_quarantine_by_device", "ingest_quarantine", ["tenant", "device", "id"])
    op.create_table(
        "ingest_refused_publishes",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("username", sa.String(129), primary_key=True),
        sa.Column("topic", sa.String(300), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
    )
