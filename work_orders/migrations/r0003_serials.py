"""The serial number of the part that a visit put in."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0003_serials"
down_revision = "work_orders_0002_diagnoses"


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "work_orders_findings",
        sa.Column("serial", sa.String(100), nullable=False, server_default=sa.text("''")),
    )
