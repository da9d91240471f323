"""SLA clocks with their policies and calendars; preventive plans with their jobs and meter readings."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0006_sla_and_plans"
down_revision = "work_orders_0005_messages"

_CASES = ["work_orders_cases.tenant", "work_orders_cases.id"]
_ASSETS = ["work_orders_assets.tenant", "work_orders_assets.id"]


def upgrade() -> None:
    """Add three columns, make eight tables."""
    for table, column, size in (("sites", "country", 16), ("sites", "calendar", 64), ("customers", "tier", 64)):
        op.add_column(
            f"work_orders_{table}",
            sa.Column(column, sa.String(size), nullable=False, server_default=sa.text("''")),
        )
    _settings()
    _clocks()
    _plans()


def _settings() -> None:
    op.create_table(
        "work_orders_sla_policies",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
    )
    op.create_table(
        "work_orders_calendars",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
    )


def _clocks() -> None:
    op.create_table(
        "work_orders_sla_clocks",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("asset_id", sa.String(64), nullable=False),
        sa.Column("metric", sa.String(16), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("tier", sa.String(64), nullable=False),
        sa.Column("priority", sa.String(16), nullable=False),
        sa.Column("policy_version", sa.Integer, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("stopped_at", sa.BigInteger, nullable=True),
        sa.Column("decided_at", sa.BigInteger, nullable=True),
        sa.Column("due_at", sa.BigInteger, nullable=True),
        sa.Column("next_at", sa.BigInteger, nullable=True),
        sa.Column("answered_at", sa.BigInteger, nullable=True),
        sa.Column("answered_by", sa.String(200), nullable=False),
        sa.Column("used_minutes", sa.Float, nullable=True),
        sa.ForeignKeyConstraint(["tenant", "case_id"], _CASES),
    )
    name = "work_orders_sla_clocks"
    op.create_index("work_orders_one_sla_clock", name, ["tenant", "case_id", "metric", "round"], unique=True)
    op.create_index("work_orders_sla_clocks_by_next", name, ["tenant", "next_at"])
    op.create_index("work_orders_sla_clocks_by_start", name, ["tenant", "started_at", "id"])
    op.create_table(
        "work_orders_sla_segments",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("case_id", sa.String(80), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("source", sa.String(96), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=True),
        sa.ForeignKeyConstraint(["tenant", "case_id"], _CASES),
    )
    lasting = sa.text('"end" IS NULL')
    op.create_index(
        "work_orders_one_open_segment", "work_orders_sla_segments", ["tenant", "case_id", "source"], unique=True,
        sqlite_where=lasting, postgresql_where=lasting,
    )  # fmt: skip
    op.create_table(
        "work_orders_sla_escalations",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("clock_id", sa.String(80), primary_key=True),
        sa.Column("step", sa.String(96), primary_key=True),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "clock_id"], [f"{name}.tenant", f"{name}.id"]),
    )
    op.create_index("work_orders_sla_escalations_by_case", "work_orders_sla_escalations", ["tenant", "case_id"])


def _plans() -> None:
    op.create_table(
        "work_orders_plans",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("asset_id", sa.String(64), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("begins_at", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger, nullable=True),
        sa.Column("due_at", sa.BigInteger, nullable=True),
        sa.Column("why", sa.String(300), nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=True),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "asset_id"], _ASSETS),
    )
    op.create_index("work_orders_plans_by_asset", "work_orders_plans", ["tenant", "asset_id"])
    op.create_index("work_orders_plans_by_next", "work_orders_plans", ["tenant", "next_at"])
    op.create_table(
        "work_orders_plan_jobs",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("plan_id", sa.String(80), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("case_id", sa.String(80), nullable=True),
        sa.Column("order_id", sa.String(80), nullable=True),
        sa.Column("first_task", sa.Integer, nullable=True),
        sa.Column("last_task", sa.Integer, nullable=True),
        sa.Column("sentence", sa.String(500), nullable=False),
        sa.Column("result", sa.String(16), nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.ForeignKeyConstraint(["tenant", "plan_id"], ["work_orders_plans.tenant", "work_orders_plans.id"]),
    )
    running = sa.text("ended_at IS NULL")
    op.create_index(
        "work_orders_one_open_job", "work_orders_plan_jobs", ["tenant", "plan_id"], unique=True,
        sqlite_where=running, postgresql_where=running,
    )  # fmt: skip
    op.create_index("work_orders_plan_jobs_by_order", "work_orders_plan_jobs", ["tenant", "order_id"])
    op.create_table(
        "work_orders_meter_readings",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("asset_id", sa.String(64), primary_key=True),
        sa.Column("meter", sa.String(64), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["tenant", "asset_id"], _ASSETS),
    )
