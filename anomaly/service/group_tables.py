"""Tables of where devices stand and which alarms belong together."""

import sqlalchemy as sa

from anomaly.service.tables import metadata
from plumbing.sql import UtcTime

places = sa.Table(  # from work_orders' installed base
    "anomaly_places",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("site", sa.String(64), nullable=False),
)
groups = sa.Table(
    "anomaly_groups",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(300), primary_key=True),
    sa.Column("site", sa.String(64), nullable=False),
    sa.Column("first_at", UtcTime, nullable=False),
    sa.Column("last_at", UtcTime, nullable=False),
    sa.Column("cause", sa.String(64), nullable=False),  # device of the first alarm
    sa.Column("alarms", sa.Integer, nullable=False),
    sa.Index("anomaly_groups_by_time", "tenant", "last_at"),
)
members = sa.Table(
    "anomaly_group_members",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("alarm_id", sa.String(200), primary_key=True),
    sa.Column("group_id", sa.String(300), nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("raised_at", UtcTime, nullable=False),
    sa.Index("anomaly_group_members_by_group", "tenant", "group_id", "raised_at"),
)
