"""Whether somebody's own words made a case urgent."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0022_urgent"
down_revision = "work_orders_0021_remote_fixes"


def upgrade() -> None:
    """Add the column."""
    op.add_column("work_orders_cases", sa.Column("urgent", sa.String(16), nullable=False, server_default=sa.text("''")))
