"""What a visit and a loss of efficiency saved: kilometres driven, power wasted before the repair."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0014_saved"
down_revision = "work_orders_0013_aftercare"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("work_orders_actuals", sa.Column("km", sa.Float, nullable=True))
    op.add_column("work_orders_verify_checks", sa.Column("wasted_kw", sa.Float, nullable=True))
