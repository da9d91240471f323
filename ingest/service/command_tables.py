"""Tables of the command ledger. `issued_boot`, `issued_s`: contracts.commands says why no wall clock is trusted."""

import sqlalchemy as sa

from plumbing.sql import UtcTime

metadata = sa.MetaData()
_NAME = sa.String(64)
_ID = sa.String(80)
_ACTOR = sa.String(200)

commands = sa.Table(
    "ingest_commands",
    metadata,
    sa.Column("tenant", _NAME, primary_key=True),
    sa.Column("id", _ID, primary_key=True),
    sa.Column("device", _NAME, nullable=False),
    sa.Column("name", _NAME, nullable=False),
    sa.Column("args", sa.Text, nullable=False),  # JSON
    sa.Column("risk", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("text", sa.String(500), nullable=False),
    sa.Column("progress", sa.String(500), nullable=False),
    sa.Column("result", sa.Text, nullable=False),  # JSON, "" before
    sa.Column("case_id", _ID, nullable=False),
    sa.Column("why", sa.String(300), nullable=False),
    sa.Column("issued_by", _ACTOR, nullable=False),
    sa.Column("issued_at", UtcTime, nullable=False),  # tenant's clock
    sa.Column("issued_wall", UtcTime, nullable=False),
    sa.Column("issued_boot", sa.String(80), nullable=False),
    sa.Column("issued_s", sa.Float, nullable=False),
    sa.Column("lifetime_s", sa.Float, nullable=False),
    sa.Column("approved_by", _ACTOR, nullable=False),
    sa.Column("approved_role", sa.String(16), nullable=False),
    sa.Column("approved_at", UtcTime, nullable=True),
    sa.Column("nonce", sa.String(80), nullable=False),
    sa.Column("sent_at", UtcTime, nullable=True),
    sa.Column("started_at", UtcTime, nullable=True),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Index("ingest_commands_by_device", "tenant", "device", "issued_at"),
    sa.Index("ingest_commands_by_case", "tenant", "case_id"),
    sa.Index(
        "ingest_commands_live", "issued_at",
        sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"),
    ),
)  # fmt: skip
rights = sa.Table(  # guarded commands are off where there is no row
    "ingest_command_rights",
    metadata,
    sa.Column("tenant", _NAME, primary_key=True),
    sa.Column("device", _NAME, primary_key=True),
    sa.Column("guarded", sa.Boolean, nullable=False),
    sa.Column("by", _ACTOR, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)
holds = sa.Table(  # what stands against guarded commands
    "ingest_holds",
    metadata,
    sa.Column("tenant", _NAME, primary_key=True),
    sa.Column("device", _NAME, primary_key=True),
    sa.Column("id", _ID, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),  # visit | permit | lockout
    sa.Column("note", sa.String(300), nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("until", UtcTime, nullable=True),
    sa.Column("released_at", UtcTime, nullable=True),
)
