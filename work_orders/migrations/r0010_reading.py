"""Indexes by which orders and visits of a case are found, also the ended ones."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0010_reading"
down_revision = "work_orders_0009_places"


def upgrade() -> None:
    """Make three indexes."""
    op.create_index("work_orders_orders_by_case", "work_orders_orders", ["tenant", "case_id"])
    op.create_index(
        "work_orders_orders_that_follow", "work_orders_orders", ["tenant", "follows"],
        sqlite_where=sa.text("follows IS NOT NULL"), postgresql_where=sa.text("follows IS NOT NULL"),
    )  # fmt: skip
    op.create_index("work_orders_visits_by_order", "work_orders_visits", ["tenant", "order_id"])
