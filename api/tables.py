"""Tables of people: accounts, sessions, one-time links, API keys. Secrets are kept as SHA-256 of 256 random bits."""

import sqlalchemy as sa

from plumbing.sql import UtcTime

metadata = sa.MetaData()

accounts = sa.Table(
    "api_accounts",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("email", sa.String(200), nullable=True),
    sa.Column("password", sa.String(200), nullable=True),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("closed_at", UtcTime, nullable=True),
    sa.UniqueConstraint("tenant", "email", name="api_accounts_email"),
    sa.Index("api_accounts_role", "tenant", "role", "subject"),
)
sessions = sa.Table(
    "api_sessions",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("account", sa.String(32), sa.ForeignKey("api_accounts.id"), nullable=False),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
)
links = sa.Table(
    "api_links",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("account", sa.String(32), sa.ForeignKey("api_accounts.id"), nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.Column("used_at", UtcTime, nullable=True),
)
keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("subject", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("revoked_at", UtcTime, nullable=True),
)
attempts = sa.Table(
    "api_sign_in_attempts",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("who", sa.String(300), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Index("api_sign_in_attempts_who", "who", "at"),
)
answers = sa.Table(  # to changes that carried an Idempotency-Key; status None = still being worked on
    "api_answers",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("account", sa.String(80), primary_key=True),
    sa.Column("key", sa.String(160), primary_key=True),
    sa.Column("print", sa.String(64), nullable=False),
    sa.Column("status", sa.Integer, nullable=True),
    sa.Column("body", sa.LargeBinary, nullable=True),
    sa.Column("media_type", sa.String(100), nullable=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=True),  # first entry of the change in the chain, written with it
    sa.Index("api_answers_by_time", "at"),
)
