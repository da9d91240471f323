"""Tables of preventive plans: the plans, their jobs, what meters showed."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, NAME, metadata, table

__all__ = ["jobs", "metadata", "plans", "readings"]

plans = table(
    "plans",
    sa.Column("id", ID, primary_key=True),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # active | paused | ended
    sa.Column("begins_at", UtcTime, nullable=False),
    sa.Column("done_at", UtcTime, nullable=True),  # when it was last done
    sa.Column("due_at", UtcTime, nullable=True),  # worked out from readings; None = cannot be told
    sa.Column("why", sa.String(300), nullable=False),
    sa.Column("next_at", UtcTime, nullable=True),  # when its job is opened, or looked at again
    sa.Column("made_at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "asset_id"], ["work_orders_assets.tenant", "work_orders_assets.id"]),
    sa.Index("work_orders_plans_by_asset", "tenant", "asset_id"),
    sa.Index("work_orders_plans_by_next", "tenant", "next_at"),
)
jobs = table(  # each time that a plan was due
    "plan_jobs",
    sa.Column("plan_id", ID, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("due_at", UtcTime, nullable=False),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("case_id", ID, nullable=True),  # its own case; None = it rides along
    sa.Column("order_id", ID, nullable=True),
    sa.Column("first_task", sa.Integer, nullable=True),  # of the order that it rides along with
    sa.Column("last_task", sa.Integer, nullable=True),
    sa.Column("sentence", sa.String(500), nullable=False),
    sa.Column("result", sa.String(16), nullable=False),  # "" while open, done, missed
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "plan_id"], ["work_orders_plans.tenant", "work_orders_plans.id"]),
    sa.Index(
        "work_orders_one_open_job", "tenant", "plan_id", unique=True,
        sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"),
    ),
    sa.Index("work_orders_plan_jobs_by_order", "tenant", "order_id"),
)  # fmt: skip
readings = table(  # what a meter showed: running hours, or another quantity that a person reads
    "meter_readings",
    sa.Column("asset_id", NAME, primary_key=True),
    sa.Column("meter", NAME, primary_key=True),
    sa.Column("at", UtcTime, primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.ForeignKeyConstraint(["tenant", "asset_id"], ["work_orders_assets.tenant", "work_orders_assets.id"]),
)
