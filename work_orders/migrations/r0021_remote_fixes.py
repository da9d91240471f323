"""What is tried from afar before somebody is sent."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0021_remote_fixes"
down_revision = "work_orders_0020_budget"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "work_orders_remote_fixes",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("case_id", sa.String(80), primary_key=True),
        sa.Column("remedy", sa.Text, nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.Column("how", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    )
