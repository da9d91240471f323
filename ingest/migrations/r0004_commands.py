"""The command ledger: commands, who may send guarded ones, and what stands against them."""

import sqlalchemy as sa
from alembic import op

revision = "ingest_0004_commands"
down_revision = "ingest_0003_foreign"


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def _time(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def upgrade() -> None:
    """Make three tables."""
    op.create_table(
        "ingest_commands",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        _text("device", 64),
        _text("name", 64),
        sa.Column("args", sa.Text, nullable=False),
        _text("risk", 16),
        _text("state", 16),
        _text("reason", 32),
        _text("text", 500),
        _text("progress", 500),
        sa.Column("result", sa.Text, nullable=False),
        _text("case_id", 80),
        _text("why", 300),
        _text("issued_by", 200),
        _time("issued_at"),
        _time("issued_wall"),
        _text("issued_boot", 80),
        sa.Column("issued_s", sa.Float, nullable=False),
        sa.Column("lifetime_s", sa.Float, nullable=False),
        _text("approved_by", 200),
        _text("approved_role", 16),
        _time("approved_at", True),
        _text("nonce", 80),
        _time("sent_at", True),
        _time("started_at", True),
        _time("ended_at", True),
    )
    op.create_index("ingest_commands_by_device", "ingest_commands", ["tenant", "device", "issued_at"])
    op.create_index("ingest_commands_by_case", "ingest_commands", ["tenant", "case_id"])
    live = sa.text("ended_at IS NULL")
    op.create_index("ingest_commands_live", "ingest_commands", ["issued_at"], sqlite_where=live, postgresql_where=live)
    op.create_table(
        "ingest_command_rights",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("guarded", sa.Boolean, nullable=False),
        _text("by", 200),
        _time("at"),
    )
    op.create_table(
        "ingest_holds",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        _text("kind", 16),
        _text("note", 300),
        _time("since"),
        _time("until", True),
        _time("released_at", True),
    )
