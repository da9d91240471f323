"""The one door: requests, incidents, merges; what kind a case is."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0004_door"
down_revision = "work_orders_0003_serials"

_CASES = ["work_orders_cases.tenant", "work_orders_cases.id"]


def upgrade() -> None:
    """Add two columns, make four tables."""
    op.add_column(
        "work_orders_cases", sa.Column("kind", sa.String(16), nullable=False, server_default=sa.text("'forecast'"))
    )
    op.add_column("work_orders_cases", sa.Column("merged_into", sa.String(80), nullable=True))
    _requests()
    _incidents()
    op.create_table(
        "work_orders_merges",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("into_id", sa.String(80), nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("moved", sa.Text, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("undone_at", sa.BigInteger, nullable=True),
        sa.ForeignKeyConstraint(["tenant", "case_id"], _CASES),
        sa.ForeignKeyConstraint(["tenant", "into_id"], _CASES),
    )
    op.create_index("work_orders_merges_by_case", "work_orders_merges", ["tenant", "case_id", "at"])
    op.create_index("work_orders_merges_into", "work_orders_merges", ["tenant", "into_id"])


def _requests() -> None:
    op.create_table(
        "work_orders_requests",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("case_id", sa.String(80), nullable=True),
        sa.Column("asset_id", sa.String(64), nullable=False),
        sa.Column("component", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("external_id", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("contact", sa.String(200), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("cause", sa.String(300), nullable=False),
        sa.Column("said_at", sa.BigInteger, nullable=False),
        sa.Column("taken_at", sa.BigInteger, nullable=False),
    )
    numbered = sa.text("external_id <> ''")
    op.create_index(
        "work_orders_one_request_of_a_source", "work_orders_requests", ["tenant", "source", "external_id"],
        unique=True, sqlite_where=numbered, postgresql_where=numbered,
    )  # fmt: skip
    op.create_index("work_orders_requests_by_case", "work_orders_requests", ["tenant", "case_id", "taken_at"])
    op.create_index("work_orders_requests_by_cause", "work_orders_requests", ["tenant", "cause"])
    op.create_index("work_orders_requests_by_asset", "work_orders_requests", ["tenant", "asset_id", "taken_at"])


def _incidents() -> None:
    op.create_table(
        "work_orders_incidents",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("cause", sa.String(300), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("cause_case_id", sa.String(80), nullable=True),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("released_at", sa.BigInteger, nullable=True),
        sa.Column("closed_at", sa.BigInteger, nullable=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    running = sa.text("closed_at IS NULL")
    op.create_index(
        "work_orders_one_open_incident", "work_orders_incidents", ["tenant", "cause"], unique=True,
        sqlite_where=running, postgresql_where=running,
    )  # fmt: skip
    op.create_index("work_orders_incidents_by_time", "work_orders_incidents", ["tenant", "opened_at", "id"])
    op.create_table(
        "work_orders_incident_cases",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("case_id", sa.String(80), primary_key=True),
        sa.Column("incident_id", sa.String(80), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "case_id"], _CASES),
        sa.ForeignKeyConstraint(
            ["tenant", "incident_id"], ["work_orders_incidents.tenant", "work_orders_incidents.id"]
        ),
    )
    op.create_index(
        "work_orders_incident_cases_by_incident", "work_orders_incident_cases", ["tenant", "incident_id", "since"]
    )
