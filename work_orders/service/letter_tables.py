"""Tables of addresses that wait to be confirmed, and of letters: mail that belongs to no conversation."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, NAME, metadata, table

__all__ = ["letters", "metadata", "way_requests"]

way_requests = table(  # what a customer entered himself; nothing but the link that asks leaves for it
    "way_requests",
    sa.Column("customer_id", NAME, primary_key=True),
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("address", sa.String(400), nullable=False),
    sa.Column("asked_at", UtcTime, nullable=False),  # of the tenant's clock
    sa.Column("until", UtcTime, nullable=False),  # wall time, as of every link
    sa.ForeignKeyConstraint(["tenant", "customer_id"], ["work_orders_customers.tenant", "work_orders_customers.id"]),
)
letters = table(  # an outbox of its own: to colleagues, or to an address that is not confirmed yet
    "letters",
    sa.Column("id", ID, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),  # confirm, escalation
    sa.Column("whom", sa.String(200), nullable=False),  # a customer's id, or whom a chain names
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("address", sa.String(400), nullable=False),
    sa.Column("subject", sa.String(500), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("html", sa.Text, nullable=False),
    sa.Column("language", sa.String(8), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # queued, claimed, delivered, bounced, withdrawn
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("why", sa.String(300), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),  # from here on wall time
    sa.Column("try_at", UtcTime, nullable=True),  # not before; of a claimed one when the claim is void; None = over
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Index(
        "work_orders_letters_open", "try_at",
        sqlite_where=sa.text("try_at IS NOT NULL"), postgresql_where=sa.text("try_at IS NOT NULL"),
    ),
)  # fmt: skip
