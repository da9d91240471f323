"""The newest entry of each audit chain is kept apart, so that a cut at the end is missed."""

import sqlalchemy as sa
from alembic import op

revision = "plumbing_0003"
down_revision = "plumbing_0002"


def upgrade() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.execute(
        "insert into audit_heads (tenant, seq, hash) select e.tenant, e.seq, e.hash from audit_entries e"
        " where e.seq = (select max(l.seq) from audit_entries l where l.tenant = e.tenant)"
    )
