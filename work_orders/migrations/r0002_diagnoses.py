"""Guided diagnosis with its evidence, and what stands against guarded commands."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0002_diagnoses"
down_revision = "work_orders_0001"


def upgrade() -> None:
    """Make three tables."""
    op.create_table(
        "work_orders_diagnoses",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("prediction_id", sa.String(80), nullable=False),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("failure_mode", sa.String(64), nullable=False),
        sa.Column("prior", sa.Text, nullable=False),
        sa.Column("posterior", sa.Text, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("found_mode", sa.String(64), nullable=False),
        sa.Column("factor", sa.Float, nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("measured_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("started_wall", sa.BigInteger, nullable=False),
        sa.Column("wait_s", sa.Float, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.Column("ended_wall", sa.BigInteger, nullable=True),
        sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    )
    op.create_index("work_orders_diagnoses_by_case", "work_orders_diagnoses", ["tenant", "case_id", "started_at"])
    running = sa.text("ended_at IS NULL")
    op.create_index(
        "work_orders_running_diagnoses", "work_orders_diagnoses", ["started_wall"], sqlite_where=running,
        postgresql_where=running,
    )  # fmt: skip
    op.create_table(
        "work_orders_evidence",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("diagnosis_id", sa.String(80), primary_key=True),
        sa.Column("check", sa.String(64), primary_key=True),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("command_id", sa.String(80), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("value", sa.Float, nullable=True),
        sa.Column("text", sa.String(500), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "diagnosis_id"], ["work_orders_diagnoses.tenant", "work_orders_diagnoses.id"]
        ),
    )
    op.create_index("work_orders_evidence_by_command", "work_orders_evidence", ["tenant", "command_id"])
    op.create_table(
        "work_orders_holds",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("asset_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("note", sa.String(300), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("released_at", sa.BigInteger, nullable=True),
        sa.ForeignKeyConstraint(["tenant", "asset_id"], ["work_orders_assets.tenant", "work_orders_assets.id"]),
    )
    op.create_index("work_orders_holds_by_asset", "work_orders_holds", ["tenant", "asset_id"])
