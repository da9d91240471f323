"""Tables of what is said between the company and its customers, and of how it travels.

Internal notes are a table of their own: what a customer reads comes from `messages`, never from `case_notes`.
"""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, NAME, metadata, table

contacts = table(  # how a customer wants to be told; without a row see `contacts.DEFAULT`
    "contacts",
    sa.Column("customer_id", NAME, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("language", sa.String(8), nullable=False),
    sa.Column("time_zone", sa.String(64), nullable=False),
    sa.Column("quiet_from", sa.String(5), nullable=False),  # 22:00
    sa.Column("quiet_to", sa.String(5), nullable=False),
    sa.Column("cap_per_day", sa.Integer, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "customer_id"], ["work_orders_customers.tenant", "work_orders_customers.id"]),
)
contact_ways = table(
    "contact_ways",
    sa.Column("customer_id", NAME, primary_key=True),
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("address", sa.String(400), nullable=False),  # "" = no more
    sa.Column("n", sa.Integer, nullable=False),  # the smallest is preferred
    sa.Column("bounced_at", UtcTime, nullable=True),
    sa.Column("bounced", sa.String(300), nullable=False),
    sa.ForeignKeyConstraint(["tenant", "customer_id"], ["work_orders_customers.tenant", "work_orders_customers.id"]),
)
consents = table(  # never changed, the newest counts
    "consents",
    sa.Column("customer_id", NAME, primary_key=True),
    sa.Column("purpose", sa.String(32), primary_key=True),
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("given", sa.Boolean, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("note", sa.String(300), nullable=False),
    sa.ForeignKeyConstraint(["tenant", "customer_id"], ["work_orders_customers.tenant", "work_orders_customers.id"]),
)
templates = table(
    "templates",
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("language", sa.String(8), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("subject", sa.String(500), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("html", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
)
conversations = table(  # one a case, whatever the channel
    "conversations",
    sa.Column("id", ID, primary_key=True),
    sa.Column("case_id", ID, nullable=False),
    sa.Column("customer_id", NAME, nullable=False),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.Index("work_orders_one_conversation", "tenant", "case_id", unique=True),
)
messages = table(  # what was said to a customer or by him; all of it is his to read
    "messages",
    sa.Column("id", ID, primary_key=True),
    sa.Column("conversation_id", ID, nullable=False),
    sa.Column("n", sa.Integer, nullable=False),  # in the conversation
    sa.Column("case_id", ID, nullable=False),
    sa.Column("customer_id", NAME, nullable=False),
    sa.Column("notice_id", ID, nullable=True),
    sa.Column("incoming", sa.Boolean, nullable=False),
    sa.Column("purpose", sa.String(32), nullable=False),
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("channel", sa.String(32), nullable=False),  # "" = not decided yet
    sa.Column("subject", sa.String(500), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("html", sa.Text, nullable=False),
    sa.Column("words", sa.Text, nullable=False),  # what a person wrote, without what a template put around it
    sa.Column("template", sa.String(32), nullable=False),
    sa.Column("template_version", sa.Integer, nullable=False),
    sa.Column("language", sa.String(8), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("why", sa.String(300), nullable=False),  # why it is held, or not sent by another channel
    sa.Column("due_at", UtcTime, nullable=True),  # of the tenant's clock; while it is queued or held
    sa.Column("sent_at", UtcTime, nullable=True),
    sa.Column("attachments", sa.Text, nullable=False),  # JSON, names of what came with it
    sa.ForeignKeyConstraint(
        ["tenant", "conversation_id"], ["work_orders_conversations.tenant", "work_orders_conversations.id"]
    ),
    sa.Index("work_orders_messages_by_case", "tenant", "case_id", "n"),
    sa.Index("work_orders_messages_by_notice", "tenant", "notice_id"),
    sa.Index(
        "work_orders_messages_waiting", "tenant", "due_at",
        sqlite_where=sa.text("due_at IS NOT NULL"), postgresql_where=sa.text("due_at IS NOT NULL"),
    ),
)  # fmt: skip
deliveries = table(  # the outbox: one row a message and channel. Times here are wall time, as servers keep it
    "deliveries",
    sa.Column("message_id", ID, primary_key=True),
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("customer_id", NAME, nullable=False),
    sa.Column("address", sa.String(400), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # queued, claimed, delivered, bounced, withdrawn
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("why", sa.String(300), nullable=False),
    sa.Column("decided_at", UtcTime, nullable=False),  # of the tenant's clock: what quiet hours and the cap count
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("try_at", UtcTime, nullable=True),  # not before; of a claimed one when the claim is void; None = over
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "message_id"], ["work_orders_messages.tenant", "work_orders_messages.id"]),
    sa.Index(
        "work_orders_deliveries_open", "try_at",
        sqlite_where=sa.text("try_at IS NOT NULL"), postgresql_where=sa.text("try_at IS NOT NULL"),
    ),
    sa.Index("work_orders_deliveries_by_customer", "tenant", "customer_id", "decided_at"),
)  # fmt: skip
case_notes = table(  # among colleagues
    "case_notes",
    sa.Column("case_id", ID, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
)
mails = table(  # mail that came in; by its Message-ID, so that the same mail counts once
    "mails",
    sa.Column("id", ID, primary_key=True),
    sa.Column("mail_id", sa.String(500), nullable=False),
    sa.Column("sender", sa.String(400), nullable=False),
    sa.Column("subject", sa.String(500), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("attachments", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("message_id", ID, nullable=True),  # what it became; None = it belongs to no case yet
    sa.Column("why", sa.String(300), nullable=False),
    sa.Column("handled_at", UtcTime, nullable=True),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Index("work_orders_mails_by_time", "tenant", "at"),
)
mail_keys = table("mail_keys", sa.Column("key", sa.String(64), nullable=False))  # signs reply tokens

__all__ = [
    "case_notes", "consents", "contact_ways", "contacts", "conversations", "deliveries", "mail_keys", "mails",
    "messages", "metadata", "templates",
]  # fmt: skip
