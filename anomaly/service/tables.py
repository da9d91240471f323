"""The tables that anomaly owns."""

import sqlalchemy as sa

from plumbing.sql import UtcTime

metadata = sa.MetaData()
states = sa.Table(
    "anomaly_states",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("memory", sa.LargeBinary, nullable=False),  # msgpack of the watch's memory and the device's ordering
    sa.Column("picture", sa.Text, nullable=False),  # JSON for pages
)
progress = sa.Table(
    "anomaly_progress",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),  # "" = all tenants: one log
    sa.Column("saved_through", sa.BigInteger, nullable=False),  # position in `blocks` that the states rest on
)
predictions = sa.Table(
    "anomaly_predictions",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("component", sa.String(64), nullable=False),
    sa.Column("alarm_id", sa.String(200), nullable=False),
    sa.Column("issued_at", UtcTime, nullable=False),
    sa.Column("measured_at", UtcTime, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),  # msgpack of contracts.records.Prediction
    sa.Index("anomaly_predictions_by_device", "tenant", "device", "measured_at"),
)
alarms = sa.Table(
    "anomaly_alarms",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("component", sa.String(64), nullable=False),
    sa.Column("raised_at", UtcTime, nullable=False),
    sa.Column("cleared_at", UtcTime, nullable=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("history", sa.Boolean, nullable=False),
    sa.Column("carriers", sa.Text, nullable=False),  # JSON
    sa.Index("anomaly_alarms_by_device", "tenant", "device", "raised_at"),
)
points = sa.Table(
    "anomaly_points",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("at", UtcTime, primary_key=True),
    sa.Column("health", sa.Float, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
)
late = sa.Table(
    "anomaly_late",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("from_at", UtcTime, primary_key=True),
    sa.Column("to_at", UtcTime, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("peak", sa.Float, nullable=True),  # highest score of the rows when scored afterwards; null = none
)
labels = sa.Table(  # what findings say about readings; the newest of a case is in force
    "anomaly_labels",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("finding_id", sa.String(80), primary_key=True),
    sa.Column("case_id", sa.String(80), nullable=False),
    sa.Column("asset", sa.String(64), nullable=False),
    sa.Column("component", sa.String(64), nullable=False),
    sa.Column("mode", sa.String(64), nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("from_at", UtcTime, nullable=False),
    sa.Column("to_at", UtcTime, nullable=False),
    sa.Column("as_found", sa.Text, nullable=False),
    sa.Column("replaced", sa.Boolean, nullable=False),
    sa.Column("serial", sa.String(100), nullable=False),
    sa.Column("corrected_by", sa.String(80), nullable=True),  # a later finding of the same case
    sa.Index("anomaly_labels_by_case", "tenant", "device", "case_id"),
    sa.Index("anomaly_labels_by_time", "tenant", "to_at", "finding_id"),
)
missed = sa.Table(  # breakdowns that nothing had called for, with the baseline of the time
    "anomaly_missed",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("finding_id", sa.String(80), primary_key=True),
    sa.Column("asset", sa.String(64), nullable=False),
    sa.Column("component", sa.String(64), nullable=False),
    sa.Column("mode", sa.String(64), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=True),  # msgpack of the detector's state; null = nothing learned
    sa.Index("anomaly_missed_by_asset", "tenant", "asset", "at"),
)
