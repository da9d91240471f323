"""First tables of work_orders."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0001"
down_revision = None


def upgrade() -> None:
    #
    op.create_table(
        "work_orders_autonomy",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "model", "customer_id"),
    )
    op.create_table(
        "work_orders_customers",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("contact", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "work_orders_policies",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant"),
    )
    op.create_table(
        "work_orders_prediction_intake",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("prediction_id", sa.String(length=80), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("component", sa.String(length=64), nullable=False),
        sa.Column("failure_mode", sa.String(length=64), nullable=False),
        sa.Column("alarm_id", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=True),
        sa.Column("label", sa.String(length=16), nullable=True),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("measured_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "prediction_id"),
    )
    op.create_index(
        "work_orders_prediction_intake_by_alarm", "work_orders_prediction_intake", ["tenant", "alarm_id"], unique=False
    )
    op.create_index(
        "work_orders_prediction_intake_by_asset",
        "work_orders_prediction_intake",
        ["tenant", "asset_id", "issued_at"],
        unique=False,
    )
    op.create_index(
        "work_orders_prediction_intake_by_case",
        "work_orders_prediction_intake",
        ["tenant", "case_id", "issued_at"],
        unique=False,
    )
    op.create_table(
        "work_orders_technicians",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=64), nullable=False),
        sa.Column("skills", sa.Text(), nullable=False),
        sa.Column("weekdays", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "work_orders_half_days",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("technician_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("half", sa.String(length=2), nullable=False),
        sa.Column("order_id", sa.String(length=80), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "technician_id"],
            ["work_orders_technicians.tenant", "work_orders_technicians.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "technician_id", "day", "half"),
    )
    op.create_index("work_orders_half_days_by_order", "work_orders_half_days", ["tenant", "order_id"], unique=False)
    op.create_table(
        "work_orders_sites",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=400), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("access_notes", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "customer_id"],
            ["work_orders_customers.tenant", "work_orders_customers.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "work_orders_assets",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("site_id", sa.String(length=64), nullable=True),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("serial", sa.String(length=100), nullable=False),
        sa.Column("criticality", sa.String(length=1), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "customer_id"],
            ["work_orders_customers.tenant", "work_orders_customers.id"],
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "site_id"],
            ["work_orders_sites.tenant", "work_orders_sites.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "work_orders_asset_devices",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "asset_id"],
            ["work_orders_assets.tenant", "work_orders_assets.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "device"),
    )
    op.create_index(
        "work_orders_asset_devices_by_asset", "work_orders_asset_devices", ["tenant", "asset_id"], unique=False
    )
    op.create_table(
        "work_orders_asset_work",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=80), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "asset_id"],
            ["work_orders_assets.tenant", "work_orders_assets.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index(
        "work_orders_asset_work_by_asset", "work_orders_asset_work", ["tenant", "asset_id", "start"], unique=False
    )
    op.create_table(
        "work_orders_cases",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("component", sa.String(length=64), nullable=False),
        sa.Column("failure_mode", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("prediction_id", sa.String(length=80), nullable=True),
        sa.Column("alarm_id", sa.String(length=80), nullable=False),
        sa.Column("alarm_cleared_at", sa.BigInteger(), nullable=True),
        sa.Column("in_row", sa.Integer(), nullable=False),
        sa.Column("p_horizon", sa.Float(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.Column("path", sa.String(length=16), nullable=True),
        sa.Column("would_have_opened_at", sa.BigInteger(), nullable=True),
        sa.Column("earliest", sa.BigInteger(), nullable=True),
        sa.Column("latest", sa.BigInteger(), nullable=True),
        sa.Column("at_most", sa.BigInteger(), nullable=True),
        sa.Column("broke_down_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("costs", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "asset_id"],
            ["work_orders_assets.tenant", "work_orders_assets.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index(
        "work_orders_cases_by_asset", "work_orders_cases", ["tenant", "asset_id", "opened_at"], unique=False
    )
    op.create_index("work_orders_cases_by_time", "work_orders_cases", ["tenant", "opened_at", "id"], unique=False)
    op.create_index(
        "work_orders_one_open_case",
        "work_orders_cases",
        ["tenant", "asset_id", "component"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "work_orders_decisions",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("prediction_id", sa.String(length=80), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("path", sa.String(length=16), nullable=True),
        sa.Column("p", sa.Float(), nullable=True),
        sa.Column("would_have_opened", sa.Boolean(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "case_id"],
            ["work_orders_cases.tenant", "work_orders_cases.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "prediction_id"),
    )
    op.create_index("work_orders_decisions_by_case", "work_orders_decisions", ["tenant", "case_id", "at"], unique=False)
    op.create_table(
        "work_orders_findings",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("order_id", sa.String(length=80), nullable=True),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("component", sa.String(length=64), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=False),
        sa.Column("failure_mode", sa.String(length=64), nullable=False),
        sa.Column("as_found", sa.Text(), nullable=False),
        sa.Column("replaced", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("superseded_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "case_id"],
            ["work_orders_cases.tenant", "work_orders_cases.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index(
        "work_orders_findings_by_asset", "work_orders_findings", ["tenant", "asset_id", "component", "at"], unique=False
    )
    op.create_index("work_orders_findings_by_case", "work_orders_findings", ["tenant", "case_id", "at"], unique=False)
    op.create_table(
        "work_orders_notices",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("order_id", sa.String(length=80), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("refused", sa.String(length=300), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("send_after", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("reminded_at", sa.BigInteger(), nullable=True),
        sa.Column("no_reply_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "case_id"],
            ["work_orders_cases.tenant", "work_orders_cases.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index(
        "work_orders_notices_by_customer", "work_orders_notices", ["tenant", "customer_id", "queued_at"], unique=False
    )
    op.create_index("work_orders_notices_by_state", "work_orders_notices", ["state", "tenant"], unique=False)
    op.create_index("work_orders_one_notice", "work_orders_notices", ["tenant", "case_id", "purpose"], unique=True)
    op.create_table(
        "work_orders_orders",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("component", sa.String(length=64), nullable=False),
        sa.Column("failure_mode", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("held_from", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("remedy", sa.String(length=500), nullable=False),
        sa.Column("part", sa.String(length=100), nullable=True),
        sa.Column("skill", sa.String(length=64), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("earliest", sa.BigInteger(), nullable=True),
        sa.Column("latest", sa.BigInteger(), nullable=True),
        sa.Column("technician_id", sa.String(length=64), nullable=True),
        sa.Column("visit_start", sa.BigInteger(), nullable=True),
        sa.Column("visit_end", sa.BigInteger(), nullable=True),
        sa.Column("prediction_id", sa.String(length=80), nullable=True),
        sa.Column("measured_at", sa.BigInteger(), nullable=True),
        sa.Column("follows", sa.String(length=80), nullable=True),
        sa.Column("agreed", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "case_id"],
            ["work_orders_cases.tenant", "work_orders_cases.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index(
        "work_orders_one_open_order",
        "work_orders_orders",
        ["tenant", "case_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "work_orders_orders_by_asset", "work_orders_orders", ["tenant", "asset_id", "opened_at"], unique=False
    )
    op.create_index(
        "work_orders_orders_by_technician",
        "work_orders_orders",
        ["tenant", "technician_id", "visit_start"],
        unique=False,
    )
    op.create_index("work_orders_orders_by_time", "work_orders_orders", ["tenant", "opened_at", "id"], unique=False)
    op.create_table(
        "work_orders_notice_answers",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("notice_id", sa.String(length=80), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("half", sa.String(length=2), nullable=True),
        sa.Column("handled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "notice_id"],
            ["work_orders_notices.tenant", "work_orders_notices.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "notice_id", "n"),
    )
    op.create_table(
        "work_orders_notice_slots",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("notice_id", sa.String(length=80), nullable=False),
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("half", sa.String(length=2), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "notice_id"],
            ["work_orders_notices.tenant", "work_orders_notices.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "notice_id", "generation", "n"),
    )
    op.create_table(
        "work_orders_tasks",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=80), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("result", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "order_id"],
            ["work_orders_orders.tenant", "work_orders_orders.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "order_id", "n"),
    )
    op.create_table(
        "work_orders_visits",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("order_id", sa.String(length=80), nullable=False),
        sa.Column("technician_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("half", sa.String(length=2), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("agreed_by", sa.String(length=200), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "order_id"],
            ["work_orders_orders.tenant", "work_orders_orders.id"],
        ),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index(
        "work_orders_no_double_booking",
        "work_orders_visits",
        ["tenant", "technician_id", "day", "half"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "work_orders_one_live_visit",
        "work_orders_visits",
        ["tenant", "order_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
