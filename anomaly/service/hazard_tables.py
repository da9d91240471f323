"""The table of what hazards say of components by the way, live and shadow; outcomes are held against it."""

import sqlalchemy as sa

from anomaly.service.tables import metadata
from plumbing.sql import UtcTime

hazard_said = sa.Table(
    "anomaly_hazard_said",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("learned", sa.String(80), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("component", sa.String(64), primary_key=True),
    sa.Column("at", UtcTime, primary_key=True),
    sa.Column("p_24h", sa.Float, nullable=False),
    sa.Column("p_7d", sa.Float, nullable=False),
    sa.Column("p_30d", sa.Float, nullable=False),
    sa.Index("anomaly_hazard_said_by_time", "tenant", "learned", "at"),
)
