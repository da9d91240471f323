"""Tables of what people bring along: files, labels on machines, permits, what a job really took."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, NAME, metadata, table

__all__ = ["actuals", "attachment_bytes", "attachments", "label_keys", "labels", "metadata", "permits", "report_tries"]

attachment_bytes = table(  # kept once, whoever attaches the same file
    "attachment_bytes",
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
attachments = table(
    "attachments",
    sa.Column("id", ID, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("media_type", sa.String(64), nullable=False),  # told by its content, never by who sent it
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("purpose", sa.String(16), nullable=False),  # photo, document, signature
    sa.Column("case_id", ID, nullable=True),  # None: with a request whose machine nobody knows yet
    sa.Column("request_id", ID, nullable=True),
    sa.Column("order_id", ID, nullable=True),
    sa.Column("step", sa.Integer, nullable=True),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.ForeignKeyConstraint(
        ["tenant", "sha256"], ["work_orders_attachment_bytes.tenant", "work_orders_attachment_bytes.sha256"]
    ),
    sa.Index("work_orders_attachments_by_case", "tenant", "case_id", "at"),
    sa.Index("work_orders_attachments_by_request", "tenant", "request_id"),
)
label_keys = table("label_keys", sa.Column("key", sa.LargeBinary, nullable=False))  # signs what is printed on labels
labels = table(  # which label of an asset counts; a new one makes the earlier ones void
    "labels",
    sa.Column("asset_id", NAME, primary_key=True),
    sa.Column("n", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "asset_id"], ["work_orders_assets.tenant", "work_orders_assets.id"]),
)
report_tries = table(  # wall time: how often a label or an address was used, and how much was sent
    "report_tries",
    sa.Column("who", sa.String(200), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False, server_default=sa.text("0")),  # of photos
)
permits = table(  # of one work order; each stands against guarded commands by its hold until it is given back
    "permits",
    sa.Column("id", ID, primary_key=True),
    sa.Column("order_id", ID, nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # permit, lockout
    sa.Column("note", sa.String(300), nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("released_at", UtcTime, nullable=True),
    sa.Column("released_by", sa.String(200), nullable=False),
    sa.Column("hold_id", ID, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "order_id"], ["work_orders_orders.tenant", "work_orders_orders.id"]),
    sa.Index("work_orders_permits_by_order", "tenant", "order_id"),
)
actuals = table(
    "actuals",
    sa.Column("order_id", ID, primary_key=True),
    sa.Column("work_minutes", sa.Integer, nullable=True),
    sa.Column("travel_minutes", sa.Integer, nullable=True),
    sa.Column("km", sa.Float, nullable=True),  # driven to the site and back
    sa.Column("parts_cost", sa.Float, nullable=True),
    sa.Column("other_cost", sa.Float, nullable=True),
    sa.Column("note", sa.String(300), nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "order_id"], ["work_orders_orders.tenant", "work_orders_orders.id"]),
)
