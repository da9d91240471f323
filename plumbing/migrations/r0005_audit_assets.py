"""Entries of the audit chain are found by the machine that they are about."""

import sqlalchemy as sa
from alembic import op

from plumbing.audit import asset_of

revision = "plumbing_0005"
down_revision = "plumbing_0004"

_AT_ONCE = 5000


def upgrade() -> None:
    """Make the table, fill it from what the entries say."""
    op.create_table(
        "audit_assets",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("asset", sa.String(200), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
    )
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    page = sa.text(
        "SELECT tenant, seq, diff FROM audit_entries WHERE tenant = :tenant AND seq > :after ORDER BY seq LIMIT :most"
    )
    put = sa.text("INSERT INTO audit_assets (tenant, asset, seq) VALUES (:tenant, :asset, :seq)")
    for tenant in connection.execute(sa.text("SELECT DISTINCT tenant FROM audit_entries")).scalars().all():
        after = -(2**62)
        while some := connection.execute(page, {"tenant": tenant, "after": after, "most": _AT_ONCE}).all():
            after = some[-1].seq
            found = [{"tenant": tenant, "seq": e.seq, "asset": asset} for e in some if (asset := asset_of(e.diff))]
            if found:
                connection.execute(put, found)
