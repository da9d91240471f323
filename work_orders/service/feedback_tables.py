"""The table of what bad words of customers lead to."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, NAME, metadata, table

__all__ = ["feedback_actions", "metadata"]

feedback_actions = table(
    "feedback_actions",
    sa.Column("id", ID, primary_key=True),
    sa.Column("source", sa.String(16), nullable=False),  # survey | complaint
    sa.Column("source_id", ID, nullable=False),  # the order of the survey, the case of the complaint
    sa.Column("case_id", ID, nullable=False),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("customer_id", NAME, nullable=True),
    sa.Column("why", sa.String(300), nullable=False),
    sa.Column("words", sa.Text, nullable=False),  # the customer's
    sa.Column("owner", sa.String(200), nullable=False),  # "" = nobody yet
    sa.Column("due_at", UtcTime, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("done_at", UtcTime, nullable=True),
    sa.Column("done_by", sa.String(200), nullable=False),
    sa.Column("done", sa.Text, nullable=False),  # what was done; the customer reads it
    sa.Column("version", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.Index("work_orders_one_feedback_action", "tenant", "source", "source_id", unique=True),
    sa.Index("work_orders_feedback_actions_by_time", "tenant", "opened_at", "id"),
    sa.Index(
        "work_orders_open_feedback_actions", "tenant", "due_at",
        sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"),
    ),
)  # fmt: skip
