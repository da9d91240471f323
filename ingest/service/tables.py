"""Ingest's tables."""

import sqlalchemy as sa

from plumbing.sql import UtcTime

EVERYONE = "*"
"""Tenant of rows that belong to the whole installation."""

metadata = sa.MetaData()
_big_key = sa.BigInteger().with_variant(sa.Integer, "sqlite")

marks = sa.Table(
    "ingest_marks",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), primary_key=True),  # owner | registry
    sa.Column("value", sa.BigInteger, nullable=False),
)
devices = sa.Table(
    "ingest_devices",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("username", sa.String(129), nullable=False, unique=True),
    sa.Column("password", sa.String(200), nullable=False),  # $7$101$salt$hash
    sa.Column("state", sa.String(16), nullable=False),  # ingest.domain.lifecycle.State
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("revoked_at", UtcTime, nullable=True),
    sa.Column("first_seen", UtcTime, nullable=True),
    sa.Column("last_seen", UtcTime, nullable=True),
    sa.Column("online", sa.Boolean, nullable=True),  # None = it never said
    sa.Column("state_at", UtcTime, nullable=True),  # of the last move by somebody; None = as it was registered
    sa.Column("state_by", sa.String(128), nullable=True),
    sa.Column("skew_us", sa.BigInteger, nullable=True),  # how far its clock is ahead
    sa.Column("backlog_us", sa.BigInteger, nullable=True),  # age of what arrives
    sa.Column("reported", sa.Text, nullable=True),  # JSON of ingest.domain.reported; None = it never said
)
service_accounts = sa.Table(
    "ingest_service_accounts",
    metadata,
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("password", sa.String(200), nullable=False),
)
outboxes = sa.Table(
    "ingest_outboxes",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("boot_id", sa.String(32), primary_key=True),  # "" = without numbers, "-" = the sum of earlier ones
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("history", sa.Boolean, nullable=False),
    sa.Column("replaced", sa.Boolean, nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("settled", sa.LargeBinary, nullable=False),  # msgpack of [a, b, a, b, …]
    sa.Column("dropped", sa.LargeBinary, nullable=False),
    sa.Column("off_lost", sa.BigInteger, nullable=False),
    sa.Column("off_discarded", sa.BigInteger, nullable=False),
    sa.Column("moved", sa.LargeBinary, nullable=True),  # as `settled`; None = none
    sa.Column("off_moved", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("stored", sa.BigInteger, nullable=False),
    sa.Column("quarantined", sa.BigInteger, nullable=False),
    sa.Column("duplicate", sa.BigInteger, nullable=False),
    sa.Column("late", sa.BigInteger, nullable=False),
    sa.Column("same_time", sa.BigInteger, nullable=False),
    sa.Column("bad_messages", sa.BigInteger, nullable=False),
    sa.Column("refused", sa.Text, nullable=False),  # JSON {reason: values}
)
quarantine = sa.Table(
    "ingest_quarantine",
    metadata,
    sa.Column("id", _big_key, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("boot_id", sa.String(32), nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=True),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Column("reason", sa.String(16), nullable=False),  # the first one
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("refusals", sa.Text, nullable=False),  # JSON [[path, reason], …], the first 100
    sa.Column("refused", sa.Integer, nullable=False),  # how many there were
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("samples", sa.Text, nullable=False, server_default=sa.text("''")),  # ingest.domain.refused_samples
    sa.Column("state", sa.String(16), nullable=False, server_default="kept"),  # kept | replayed | expired
    sa.Column("moved_at", UtcTime, nullable=True),  # of the last replay, or when it expired
    sa.Column("moved_by", sa.String(128), nullable=True),
    sa.Column("replayed", sa.BigInteger, nullable=False, server_default="0"),  # samples of it that are stored now
    sa.Index("ingest_quarantine_by_device", "tenant", "device", "id"),
    sa.Index("ingest_quarantine_by_age", "state", "received_at"),
    sqlite_autoincrement=True,
)
expired = sa.Table(
    "ingest_expired",  # what was quarantined and is kept no more
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("messages", sa.BigInteger, nullable=False),
    sa.Column("samples", sa.BigInteger, nullable=False),  # of those that are counted as quarantined
)
losses = sa.Table(
    "ingest_losses",
    metadata,
    sa.Column("id", _big_key, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("boot_id", sa.String(32), nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Index("ingest_losses_by_device", "tenant", "device", "id"),
    sqlite_autoincrement=True,
)
days = sa.Table(
    "ingest_days",  # sums of the account when the day began
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("day", sa.BigInteger, primary_key=True, autoincrement=False),  # since 1970
    sa.Column("stored", sa.BigInteger, nullable=False),
    sa.Column("quarantined", sa.BigInteger, nullable=False),
    sa.Column("duplicate", sa.BigInteger, nullable=False),
    sa.Column("late", sa.BigInteger, nullable=False),
    sa.Column("discarded", sa.BigInteger, nullable=False),
    sa.Column("lost", sa.BigInteger, nullable=False),
)
outages = sa.Table(
    "ingest_outages",  # devices that went off line, one row an incident
    metadata,
    sa.Column("id", _big_key, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("behind", sa.Text, nullable=False),  # JSON: devices that went with it
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Index("ingest_outages_by_device", "tenant", "device", "id"),
    sqlite_autoincrement=True,
)
mappings = sa.Table(
    "ingest_mappings",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("scope", sa.String(16), primary_key=True),  # device | model
    sa.Column("owner", sa.String(64), primary_key=True),  # name of the device or the asset model
    sa.Column("kind", sa.String(16), primary_key=True),  # signal | unit | factor
    sa.Column("name", sa.String(200), primary_key=True),  # of the signal, as it is sent
    sa.Column("target", sa.String(200), nullable=False),
    sa.Column("from_now_on", sa.Boolean, nullable=False),
    sa.Column("made_at", UtcTime, nullable=False),
    sa.Column("made_by", sa.String(128), nullable=False),
)
refused_publishes = sa.Table(
    "ingest_refused_publishes",
    metadata,
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("username", sa.String(129), primary_key=True),
    sa.Column("topic", sa.String(300), primary_key=True),  # "" = the sign-in itself
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("last_at", UtcTime, nullable=False),
)
claims = sa.Table(
    "ingest_claims",
    metadata,
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("code", sa.String(64), primary_key=True),  # SHA-256 of the code
    sa.Column("made_at", UtcTime, nullable=False),  # wall time, as all here
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.Column("used_at", UtcTime, nullable=True),
    sa.Index("ingest_claims_by_device", "tenant", "device"),
)
claim_tries = sa.Table(
    "ingest_claim_tries",
    metadata,
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("address", sa.String(64), primary_key=True),
    sa.Column("minute", sa.BigInteger, primary_key=True),  # since 1970
    sa.Column("count", sa.Integer, nullable=False),
)
certificates = sa.Table(
    "ingest_certificates",
    metadata,
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("fingerprint", sa.String(64), primary_key=True),  # SHA-256 of the certificate
    sa.Column("serial", sa.String(48), nullable=False),  # hexadecimal
    sa.Column("username", sa.String(129), nullable=False),
    sa.Column("not_before", UtcTime, nullable=False),  # wall time, as all here
    sa.Column("not_after", UtcTime, nullable=False),
    sa.Column("issued_at", UtcTime, nullable=False),
    sa.Column("revoked_at", UtcTime, nullable=True),
    sa.Index("ingest_certificates_by_device", "tenant", "device"),
)
attributes = sa.Table(
    "ingest_attributes",  # what foreign devices told of themselves
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),  # JSON
)
foreign = sa.Table(
    "ingest_foreign",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("protocol", sa.String(32), nullable=False),
    sa.Column("behind", sa.String(64), nullable=False),  # device whose connection speaks for it; "" = its own
    sa.Column("name", sa.String(200), nullable=False),  # name there; of a Sparkplug node: group/node
    sa.Column("token", sa.String(64), nullable=True, unique=True),  # SHA-256 of the user name that needs no secret
    sa.Column("signals", sa.Text, nullable=False),  # JSON {name there: signal}
    sa.Column("made_at", UtcTime, nullable=False),
)
