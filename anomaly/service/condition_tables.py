"""Tables about the state of machines beside their alarms: faulty sensors, quiet days, baselines."""

import sqlalchemy as sa

from anomaly.service.tables import metadata
from plumbing.sql import UtcTime

sensor_faults = sa.Table(
    "anomaly_sensor_faults",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("signal", sa.String(64), nullable=False),  # empty = the device as a whole
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("noted_at", UtcTime, nullable=False),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("history", sa.Boolean, nullable=False),  # found in imported history: nobody was told
    sa.Index("anomaly_sensor_faults_by_device", "tenant", "device", "since"),
)
quiet = sa.Table(  # the quiet log: at most one entry a machine and day
    "anomaly_quiet",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),  # YYYY-MM-DD, UTC
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("figures", sa.Text, nullable=False),  # JSON of domain.quiet.Day, from which the text follows
)
baselines = sa.Table(  # each baseline that was learned; a new one after a replacement keeps the old one
    "anomaly_baselines",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("learned_at", UtcTime, nullable=False),
    sa.Column("confirmed_at", UtcTime, nullable=True),
    sa.Column("confirmed_by", sa.String(200), nullable=True),
    sa.Column("how", sa.Text, nullable=True),
    sa.Column("content", sa.LargeBinary, nullable=False),  # msgpack of the packed baseline
)
