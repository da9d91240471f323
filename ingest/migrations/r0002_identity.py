"""Who moved a device's state, one-time claim codes, certificates."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0002_identity"
down_revision = "ingest_0001"


def upgrade() -> None:
    """Add columns to the registry, and three tables."""
    op.add_column("ingest_devices", sa.Column("state_at", sa.BigInteger, nullable=True))
    op.add_column("ingest_devices", sa.Column("state_by", sa.String(128), nullable=True))
    op.create_table(
        "ingest_claims",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("code", sa.String(64), primary_key=True),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=True),
    )
    op.create_index("ingest_claims_by_device", "ingest_claims", ["tenant", "device"])
    op.create_table(
        "ingest_claim_tries",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_table(
        "ingest_certificates",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), primary_key=True),
        sa.Column("serial", sa.String(48), nullable=False),
        sa.Column("username", sa.String(129), nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
        sa.Column("not_after", sa.BigInteger, nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger, nullable=True),
    )
    op.create_index("ingest_certificates_by_device", "ingest_certificates", ["tenant", "device"])
