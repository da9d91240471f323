"""What bad words of customers lead to: an owner, a day, what was done."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0016_feedback"
down_revision = "work_orders_0015_letters"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "work_orders_feedback_actions",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("source_id", sa.String(80), nullable=False),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("asset_id", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.String(64), nullable=True),
        sa.Column("why", sa.String(300), nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger, nullable=True),
        sa.Column("done_by", sa.String(200), nullable=False),
        sa.Column("done", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    )
    table, waiting = "work_orders_feedback_actions", sa.text("state = 'open'")
    op.create_index("work_orders_one_feedback_action", table, ["tenant", "source", "source_id"], unique=True)
    op.create_index("work_orders_feedback_actions_by_time", table, ["tenant", "opened_at", "id"])
    op.create_index(
        "work_orders_open_feedback_actions", table, ["tenant", "due_at"], sqlite_where=waiting,
        postgresql_where=waiting,
    )  # fmt: skip
