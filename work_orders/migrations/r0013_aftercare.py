"""Whether it stayed fixed, and what the customer says of it."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0013_aftercare"
down_revision = "work_orders_0012_webhooks"

_ORDERS = ["work_orders_orders.tenant", "work_orders_orders.id"]


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "work_orders_verify_checks",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("order_id", sa.String(80), primary_key=True),
        sa.Column("days", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("asset_id", sa.String(64), nullable=False),
        sa.Column("component", sa.String(64), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger, nullable=True),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("text", sa.String(300), nullable=False),
        sa.ForeignKeyConstraint(["tenant", "order_id"], _ORDERS),
    )
    op.create_index("work_orders_verify_checks_by_case", "work_orders_verify_checks", ["tenant", "case_id"])
    pending = sa.text("done_at IS NULL")
    op.create_index(
        "work_orders_due_verify_checks", "work_orders_verify_checks", ["tenant", "due_at"], sqlite_where=pending,
        postgresql_where=pending,
    )  # fmt: skip
    op.create_table(
        "work_orders_surveys",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("order_id", sa.String(80), primary_key=True),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("customer_id", sa.String(64), nullable=False),
        sa.Column("technician_id", sa.String(64), nullable=True),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("answered_at", sa.BigInteger, nullable=True),
        sa.Column("satisfied", sa.Integer, nullable=True),
        sa.Column("recommends", sa.Integer, nullable=True),
        sa.Column("effort", sa.Integer, nullable=True),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["tenant", "order_id"], _ORDERS),
    )
    op.create_index("work_orders_surveys_by_customer", "work_orders_surveys", ["tenant", "customer_id", "asked_at"])
