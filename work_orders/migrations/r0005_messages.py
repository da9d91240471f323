"""What is said between the company and its customers: contacts, consents, messages, deliveries, mail."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0005_messages"
down_revision = "work_orders_0004_door"


def upgrade() -> None:
    """Make ten tables."""
    _contacts()
    _contact_ways()
    _consents()
    _templates()
    _conversations()
    _messages()
    _deliveries()
    _case_notes()
    _mails()
    _mail_keys()


def _contacts() -> None:
    op.create_table(
        "work_orders_contacts",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("customer_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("quiet_from", sa.String(5), nullable=False),
        sa.Column("quiet_to", sa.String(5), nullable=False),
        sa.Column("cap_per_day", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "customer_id"], ["work_orders_customers.tenant", "work_orders_customers.id"]
        ),
    )


def _contact_ways() -> None:
    op.create_table(
        "work_orders_contact_ways",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("customer_id", sa.String(64), primary_key=True),
        sa.Column("channel", sa.String(32), primary_key=True),
        sa.Column("address", sa.String(400), nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("bounced_at", sa.BigInteger, nullable=True),
        sa.Column("bounced", sa.String(300), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "customer_id"], ["work_orders_customers.tenant", "work_orders_customers.id"]
        ),
    )


def _consents() -> None:
    op.create_table(
        "work_orders_consents",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("customer_id", sa.String(64), primary_key=True),
        sa.Column("purpose", sa.String(32), primary_key=True),
        sa.Column("channel", sa.String(32), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("given", sa.Boolean, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("note", sa.String(300), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "customer_id"], ["work_orders_customers.tenant", "work_orders_customers.id"]
        ),
    )


def _templates() -> None:
    op.create_table(
        "work_orders_templates",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("language", sa.String(8), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("subject", sa.String(500), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("html", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
    )


def _conversations() -> None:
    op.create_table(
        "work_orders_conversations",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("customer_id", sa.String(64), nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    )
    op.create_index("work_orders_one_conversation", "work_orders_conversations", ["tenant", "case_id"], unique=True)


def _messages() -> None:
    op.create_table(
        "work_orders_messages",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("conversation_id", sa.String(80), nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("customer_id", sa.String(64), nullable=False),
        sa.Column("notice_id", sa.String(80), nullable=True),
        sa.Column("incoming", sa.Boolean, nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(500), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("html", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("template", sa.String(32), nullable=False),
        sa.Column("template_version", sa.Integer, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("why", sa.String(300), nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=True),
        sa.Column("sent_at", sa.BigInteger, nullable=True),
        sa.Column("attachments", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "conversation_id"], ["work_orders_conversations.tenant", "work_orders_conversations.id"]
        ),
    )
    op.create_index("work_orders_messages_by_case", "work_orders_messages", ["tenant", "case_id", "n"])
    op.create_index("work_orders_messages_by_notice", "work_orders_messages", ["tenant", "notice_id"])
    op.create_index(
        "work_orders_messages_waiting",
        "work_orders_messages",
        ["tenant", "due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def _deliveries() -> None:
    op.create_table(
        "work_orders_deliveries",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("message_id", sa.String(80), primary_key=True),
        sa.Column("channel", sa.String(32), primary_key=True),
        sa.Column("customer_id", sa.String(64), nullable=False),
        sa.Column("address", sa.String(400), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("why", sa.String(300), nullable=False),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("try_at", sa.BigInteger, nullable=True),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.ForeignKeyConstraint(["tenant", "message_id"], ["work_orders_messages.tenant", "work_orders_messages.id"]),
    )
    op.create_index(
        "work_orders_deliveries_by_customer", "work_orders_deliveries", ["tenant", "customer_id", "decided_at"]
    )
    op.create_index(
        "work_orders_deliveries_open",
        "work_orders_deliveries",
        ["try_at"],
        sqlite_where=sa.text("try_at IS NOT NULL"),
        postgresql_where=sa.text("try_at IS NOT NULL"),
    )


def _case_notes() -> None:
    op.create_table(
        "work_orders_case_notes",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("case_id", sa.String(80), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    )


def _mails() -> None:
    op.create_table(
        "work_orders_mails",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("mail_id", sa.String(500), nullable=False),
        sa.Column("sender", sa.String(400), nullable=False),
        sa.Column("subject", sa.String(500), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("attachments", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.String(80), nullable=True),
        sa.Column("why", sa.String(300), nullable=False),
        sa.Column("handled_at", sa.BigInteger, nullable=True),
        sa.Column("actor", sa.String(200), nullable=False),
    )
    op.create_index("work_orders_mails_by_time", "work_orders_mails", ["tenant", "at"])


def _mail_keys() -> None:
    op.create_table(
        "work_orders_mail_keys",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
    )
