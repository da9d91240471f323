"""How much was sent from labels, for a budget a day."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0020_budget"
down_revision = "work_orders_0019_arrivals"


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "work_orders_report_tries", sa.Column("bytes", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
