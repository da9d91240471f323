"""Tables of what comes after the job."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, NAME, metadata, table

__all__ = ["metadata", "surveys", "verify_checks"]

verify_checks = table(
    "verify_checks",
    sa.Column("order_id", ID, primary_key=True),
    sa.Column("days", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("case_id", ID, nullable=False),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("component", NAME, nullable=False),
    sa.Column("since", UtcTime, nullable=False),  # when it was repaired
    sa.Column("due_at", UtcTime, nullable=False),
    sa.Column("done_at", UtcTime, nullable=True),
    sa.Column("verdict", sa.String(16), nullable=False),  # "" = not yet
    sa.Column("text", sa.String(300), nullable=False),
    sa.Column("wasted_kw", sa.Float, nullable=True),  # before the repair, by its forecast; None = none was told
    sa.ForeignKeyConstraint(["tenant", "order_id"], ["work_orders_orders.tenant", "work_orders_orders.id"]),
    sa.Index("work_orders_verify_checks_by_case", "tenant", "case_id"),
    sa.Index(
        "work_orders_due_verify_checks", "tenant", "due_at",
        sqlite_where=sa.text("done_at IS NULL"), postgresql_where=sa.text("done_at IS NULL"),
    ),
)  # fmt: skip
surveys = table(
    "surveys",
    sa.Column("order_id", ID, primary_key=True),  # one a job
    sa.Column("case_id", ID, nullable=False),
    sa.Column("customer_id", NAME, nullable=False),
    sa.Column("technician_id", NAME, nullable=True),
    sa.Column("asked_at", UtcTime, nullable=False),
    sa.Column("until", UtcTime, nullable=False),
    sa.Column("answered_at", UtcTime, nullable=True),
    sa.Column("satisfied", sa.Integer, nullable=True),  # 1 to 5 (CSAT)
    sa.Column("recommends", sa.Integer, nullable=True),  # 0 to 10 (NPS)
    sa.Column("effort", sa.Integer, nullable=True),  # 1 (a lot) to 7 (none)
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.ForeignKeyConstraint(["tenant", "order_id"], ["work_orders_orders.tenant", "work_orders_orders.id"]),
    sa.Index("work_orders_surveys_by_customer", "tenant", "customer_id", "asked_at"),
)
