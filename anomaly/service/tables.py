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
    sa.Column("turn", sa.BigInteger, nullable=False, server_default="0"),  # transactions so far, whoever wrote them
)
troubles = sa.Table(  # machines that are set aside: taking their rows failed
    "anomaly_troubles",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("told_us", sa.BigInteger, nullable=False),  # these three: see service.port.Trouble
    sa.Column("live_us", sa.BigInteger, nullable=False),
    sa.Column("through_us", sa.BigInteger, nullable=False),
    sa.Column("boot_id", sa.String(64), nullable=False),
    sa.Column("next_seq", sa.BigInteger, nullable=False),
    sa.Column("unheard", sa.LargeBinary, nullable=False),  # msgpack: records from work_orders that wait
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
learned = sa.Table(  # registry of learned models; their files lie below the home folder
    "anomaly_learned",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("asset_model", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),  # of the manifest, and with it of all files
    sa.Column("card_sha256", sa.String(64), nullable=False),
    sa.Column("data_sha256", sa.String(64), nullable=False),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("trained_at", UtcTime, nullable=False),
    sa.Column("lives", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("metrics", sa.Text, nullable=False),  # JSON
    sa.Column("live_from", UtcTime, nullable=True),  # when it was made live last
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False, server_default="life"),  # life | events
    sa.Index(
        "anomaly_one_live", "tenant", "asset_model", "kind", unique=True,
        sqlite_where=sa.text("state = 'live'"), postgresql_where=sa.text("state = 'live'"),
    ),
)  # fmt: skip
learned_moves = sa.Table(  # what became of learned models, why, and by what comparison
    "anomaly_learned_moves",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("comparison", sa.Text, nullable=True),  # JSON
)
said = sa.Table(  # what learned models say by the way, live and shadow; outcomes are held against it
    "anomaly_said",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("learned", sa.String(80), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("at", UtcTime, primary_key=True),
    sa.Column("p_24h", sa.Float, nullable=False),
    sa.Column("p_7d", sa.Float, nullable=False),
    sa.Column("p_30d", sa.Float, nullable=False),
    sa.Column("p05", sa.Float, nullable=False),
    sa.Column("p50", sa.Float, nullable=False),
    sa.Column("p95", sa.Float, nullable=False),
    sa.Index("anomaly_said_by_time", "tenant", "learned", "at"),
)
trainings = sa.Table(
    "anomaly_trainings",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("asset_model", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # wanted | running | done | failed
    sa.Column("asked_at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("text", sa.Text, nullable=False),  # progress, then how it ended
    sa.Column("learned", sa.String(80), nullable=True),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Index("anomaly_trainings_wanted", "state", "tenant"),
)
