"""Files, labels on machines, checklists with readings and limits, permits, what a job really took."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0007_work"
down_revision = "work_orders_0006_sla_and_plans"

_ORDERS = ["work_orders_orders.tenant", "work_orders_orders.id"]


def upgrade() -> None:
    """Add columns to tasks and orders, make seven tables."""
    nothing = sa.text("''")
    for column in (
        sa.Column("needs", sa.String(16), nullable=False, server_default=nothing),
        sa.Column("required", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("unit", sa.String(32), nullable=False, server_default=nothing),
        sa.Column("low", sa.Float, nullable=True),
        sa.Column("high", sa.Float, nullable=True),
        sa.Column("value", sa.Float, nullable=True),
        sa.Column("at", sa.BigInteger, nullable=True),
        sa.Column("actor", sa.String(200), nullable=False, server_default=nothing),
    ):
        op.add_column("work_orders_tasks", column)
    op.add_column("work_orders_orders", sa.Column("permits", sa.Text, nullable=False, server_default=sa.text("'[]'")))
    _files()
    _labels()
    op.create_table(
        "work_orders_permits",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("order_id", sa.String(80), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("note", sa.String(300), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("released_at", sa.BigInteger, nullable=True),
        sa.Column("released_by", sa.String(200), nullable=False),
        sa.Column("hold_id", sa.String(80), nullable=False),
        sa.ForeignKeyConstraint(["tenant", "order_id"], _ORDERS),
    )
    op.create_index("work_orders_permits_by_order", "work_orders_permits", ["tenant", "order_id"])
    op.create_table(
        "work_orders_actuals",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("order_id", sa.String(80), primary_key=True),
        sa.Column("work_minutes", sa.Integer, nullable=True),
        sa.Column("travel_minutes", sa.Integer, nullable=True),
        sa.Column("parts_cost", sa.Float, nullable=True),
        sa.Column("other_cost", sa.Float, nullable=True),
        sa.Column("note", sa.String(300), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "order_id"], _ORDERS),
    )


def _files() -> None:
    op.create_table(
        "work_orders_attachment_bytes",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "work_orders_attachments",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("case_id", sa.String(80), nullable=True),
        sa.Column("request_id", sa.String(80), nullable=True),
        sa.Column("order_id", sa.String(80), nullable=True),
        sa.Column("step", sa.Integer, nullable=True),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "sha256"], ["work_orders_attachment_bytes.tenant", "work_orders_attachment_bytes.sha256"]
        ),
    )
    op.create_index("work_orders_attachments_by_case", "work_orders_attachments", ["tenant", "case_id", "at"])
    op.create_index("work_orders_attachments_by_request", "work_orders_attachments", ["tenant", "request_id"])


def _labels() -> None:
    op.create_table(
        "work_orders_label_keys",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("key", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "work_orders_labels",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("asset_id", sa.String(64), primary_key=True),
        sa.Column("n", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "asset_id"], ["work_orders_assets.tenant", "work_orders_assets.id"]),
    )
    op.create_table(
        "work_orders_report_tries",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("who", sa.String(200), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
