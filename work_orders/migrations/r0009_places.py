"""Which devices' places were told: those on record before are told once, on the first round after the upgrade."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0009_places"
down_revision = "work_orders_0008_moments"


def upgrade() -> None:
    """Add a column, and an index over those that are still to be told."""
    op.add_column("work_orders_asset_devices", sa.Column("told_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "work_orders_places_untold", "work_orders_asset_devices", ["tenant"],
        sqlite_where=sa.text("told_at IS NULL"), postgresql_where=sa.text("told_at IS NULL"),
    )  # fmt: skip
