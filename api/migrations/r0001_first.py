"""Accounts, sessions, links, keys, attempts to sign in."""

import sqlalchemy as sa
from alembic import op

revision = "api_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "api_accounts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(200), nullable=True),
        sa.Column("password", sa.String(200), nullable=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger, nullable=True),
        sa.UniqueConstraint("tenant", "email", name="api_accounts_email"),
    )
    op.create_index("api_accounts_role", "api_accounts", ["tenant", "role", "subject"])
    for table in ("api_sessions", "api_links"):
        of_its_own = (
            sa.Column("csrf", sa.String(64), nullable=False)
            if table == "api_sessions"
            else sa.Column("used_at", sa.BigInteger, nullable=True)
        )
        op.create_table(
            table,
            sa.Column("hash", sa.String(64), primary_key=True),
            sa.Column("tenant", sa.String(64), nullable=False),
            sa.Column("account", sa.String(32), sa.ForeignKey("api_accounts.id"), nullable=False),
            of_its_own,
            sa.Column("expires_at", sa.BigInteger, nullable=False),
        )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger, nullable=True),
    )
    op.create_table(
        "api_sign_in_attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("who", sa.String(300), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("api_sign_in_attempts_who", "api_sign_in_attempts", ["who", "at"])
