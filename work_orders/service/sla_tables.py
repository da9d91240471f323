"""Tables of the SLA clock: policies in versions, calendars, clocks, what was waited for, who was told."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, NAME, metadata, table

__all__ = ["calendars", "clocks", "escalations", "metadata", "policies", "waits"]

policies = table(  # the newest version holds; none = the default
    "sla_policies",
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
)
calendars = table(
    "calendars",
    sa.Column("name", NAME, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
)
clocks = table(
    "sla_clocks",
    sa.Column("id", ID, primary_key=True),
    sa.Column("case_id", ID, nullable=False),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("metric", sa.String(16), nullable=False),
    sa.Column("round", sa.Integer, nullable=False),  # counted up when the case is opened again, or breaks down
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("tier", NAME, nullable=False),
    sa.Column("priority", sa.String(16), nullable=False),
    sa.Column("policy_version", sa.Integer, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("stopped_at", UtcTime, nullable=True),
    sa.Column("decided_at", UtcTime, nullable=True),  # met, breached or withdrawn since; never changed
    sa.Column("due_at", UtcTime, nullable=True),  # worked out from the segments; None = cannot be told
    sa.Column("next_at", UtcTime, nullable=True),  # when something is due next: a step of the chain, the breach
    sa.Column("answered_at", UtcTime, nullable=True),  # somebody sees to it: nobody else is told any more
    sa.Column("answered_by", sa.String(200), nullable=False),
    sa.Column("used_minutes", sa.Float, nullable=True),  # in the end
    sa.Column("outdated_at", UtcTime, nullable=True),  # since when what it follows from is no longer what it was
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.Index("work_orders_one_sla_clock", "tenant", "case_id", "metric", "round", unique=True),
    sa.Index("work_orders_sla_clocks_by_next", "tenant", "next_at"),
    sa.Index("work_orders_sla_clocks_by_start", "tenant", "started_at", "id"),
    sa.Index(
        "work_orders_sla_clocks_outdated", "tenant", "case_id",
        sqlite_where=sa.text("outdated_at IS NOT NULL"), postgresql_where=sa.text("outdated_at IS NOT NULL"),
    ),
)  # fmt: skip
waits = table(  # segments of a case in which something was waited for; what of it pauses a clock, the policy says
    "sla_segments",
    sa.Column("case_id", ID, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("source", sa.String(96), nullable=False),  # order:ID, notice:ID, desk
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("start", UtcTime, nullable=False),
    sa.Column("end", UtcTime, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.Index(
        "work_orders_one_open_segment", "tenant", "case_id", "source", unique=True,
        sqlite_where=sa.text('"end" IS NULL'), postgresql_where=sa.text('"end" IS NULL'),
    ),
)  # fmt: skip
escalations = table(
    "sla_escalations",
    sa.Column("clock_id", ID, primary_key=True),
    sa.Column("step", sa.String(96), primary_key=True),  # who and when, so that nobody is told the same twice
    sa.Column("case_id", ID, nullable=False),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("due_at", UtcTime, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "clock_id"], ["work_orders_sla_clocks.tenant", "work_orders_sla_clocks.id"]),
    sa.Index("work_orders_sla_escalations_by_case", "tenant", "case_id"),
)
