"""Tables that work_orders owns. Times are of the tenant's clock; JSON is text."""

import sqlalchemy as sa

from plumbing.sql import UtcTime

metadata = sa.MetaData()

NAME = sa.String(64)
ID = sa.String(80)


def table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    """A table of this owner; its first key column is the tenant."""
    return sa.Table(f"work_orders_{name}", metadata, sa.Column("tenant", NAME, primary_key=True), *columns)


customers = table(
    "customers",
    sa.Column("id", NAME, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("contact", sa.String(200), nullable=False),
    sa.Column("phone", sa.String(64), nullable=False),
    sa.Column("locale", sa.String(16), nullable=False),
    sa.Column("tier", NAME, nullable=False, server_default=sa.text("''")),  # of service; "" = as everybody
)
sites = table(
    "sites",
    sa.Column("id", NAME, primary_key=True),
    sa.Column("customer_id", NAME, nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("address", sa.String(400), nullable=False),
    sa.Column("time_zone", sa.String(64), nullable=False),
    sa.Column("access_notes", sa.Text, nullable=False),
    sa.Column("country", sa.String(16), nullable=False, server_default=sa.text("''")),  # DE, DE-BY: for its holidays
    sa.Column("calendar", NAME, nullable=False, server_default=sa.text("''")),  # hours of its own; "" = standard
    sa.Column("latitude", sa.Float, nullable=True),  # degrees; None = not on record
    sa.Column("longitude", sa.Float, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "customer_id"], ["work_orders_customers.tenant", "work_orders_customers.id"]),
)
assets = table(
    "assets",
    sa.Column("id", NAME, primary_key=True),
    sa.Column("customer_id", NAME, nullable=True),
    sa.Column("site_id", NAME, nullable=True),
    sa.Column("model", NAME, nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("serial", sa.String(100), nullable=False),
    sa.Column("criticality", sa.String(1), nullable=False),
    sa.Column("added_at", UtcTime, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "customer_id"], ["work_orders_customers.tenant", "work_orders_customers.id"]),
    sa.ForeignKeyConstraint(["tenant", "site_id"], ["work_orders_sites.tenant", "work_orders_sites.id"]),
)
asset_devices = table(
    "asset_devices",
    sa.Column("device", NAME, primary_key=True),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("told_at", UtcTime, nullable=True),  # others heard of its place; None = they are still to be told
    sa.ForeignKeyConstraint(["tenant", "asset_id"], ["work_orders_assets.tenant", "work_orders_assets.id"]),
    sa.Index("work_orders_asset_devices_by_asset", "tenant", "asset_id"),
    sa.Index(
        "work_orders_places_untold",
        "tenant",
        sqlite_where=sa.text("told_at IS NULL"),
        postgresql_where=sa.text("told_at IS NULL"),
    ),
)
technicians = table(
    "technicians",
    sa.Column("id", NAME, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("phone", sa.String(64), nullable=False),
    sa.Column("skills", sa.Text, nullable=False),
    sa.Column("weekdays", sa.Text, nullable=False),
)
half_days = table(  # taken half days of technicians: visits and absences in one table, so neither overlaps the other
    "half_days",
    sa.Column("technician_id", NAME, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("half", sa.String(2), primary_key=True),
    sa.Column("order_id", ID, nullable=True),
    sa.Column("reason", sa.String(200), nullable=False),
    sa.ForeignKeyConstraint(
        ["tenant", "technician_id"], ["work_orders_technicians.tenant", "work_orders_technicians.id"]
    ),
    sa.Index("work_orders_half_days_by_order", "tenant", "order_id"),
)
autonomy = table(
    "autonomy",
    sa.Column("model", NAME, primary_key=True),
    sa.Column("customer_id", NAME, primary_key=True),
    sa.Column("mode", sa.String(16), nullable=False),
)
policies = table("policies", sa.Column("body", sa.Text, nullable=False))
intake = table(
    "prediction_intake",
    sa.Column("prediction_id", ID, primary_key=True),
    sa.Column("device", NAME, nullable=False),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("component", NAME, nullable=False),
    sa.Column("failure_mode", NAME, nullable=False),
    sa.Column("alarm_id", ID, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(300), nullable=False),
    sa.Column("case_id", ID, nullable=True),
    sa.Column("label", sa.String(16), nullable=True),
    sa.Column("issued_at", UtcTime, nullable=False),
    sa.Column("measured_at", UtcTime, nullable=False),
    sa.Column("taken_at", UtcTime, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("work_orders_prediction_intake_by_asset", "tenant", "asset_id", "issued_at"),
    sa.Index("work_orders_prediction_intake_by_case", "tenant", "case_id", "issued_at"),
    sa.Index("work_orders_prediction_intake_by_alarm", "tenant", "alarm_id"),
)
cases = table(
    "cases",
    sa.Column("id", ID, primary_key=True),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("customer_id", NAME, nullable=True),
    sa.Column("component", NAME, nullable=False),
    sa.Column("failure_mode", NAME, nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("closed_at", UtcTime, nullable=True),
    sa.Column("prediction_id", ID, nullable=True),
    sa.Column("alarm_id", ID, nullable=False),
    sa.Column("alarm_cleared_at", UtcTime, nullable=True),
    sa.Column("in_row", sa.Integer, nullable=False),
    sa.Column("p_horizon", sa.Float, nullable=True),
    sa.Column("decided_at", UtcTime, nullable=True),
    sa.Column("decided_by", ID, nullable=True),
    sa.Column("path", sa.String(16), nullable=True),
    sa.Column("would_have_opened_at", UtcTime, nullable=True),
    sa.Column("earliest", UtcTime, nullable=True),
    sa.Column("latest", UtcTime, nullable=True),
    sa.Column("at_most", UtcTime, nullable=True),
    sa.Column("broke_down_at", UtcTime, nullable=True),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("costs", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False, server_default=sa.text("'forecast'")),  # of its first request
    sa.Column("merged_into", ID, nullable=True),
    sa.Column("urgent", sa.String(16), nullable=False, server_default=sa.text("''")),  # by what was said
    sa.ForeignKeyConstraint(["tenant", "asset_id"], ["work_orders_assets.tenant", "work_orders_assets.id"]),
    sa.Index(
        "work_orders_one_open_case", "tenant", "asset_id", "component", unique=True,
        sqlite_where=sa.text("closed_at IS NULL"), postgresql_where=sa.text("closed_at IS NULL"),
    ),
    sa.Index(
        "work_orders_open_cases_by_customer", "tenant", "customer_id",
        sqlite_where=sa.text("closed_at IS NULL"), postgresql_where=sa.text("closed_at IS NULL"),
    ),
    sa.Index("work_orders_cases_by_time", "tenant", "opened_at", "id"),
    sa.Index("work_orders_cases_by_asset", "tenant", "asset_id", "opened_at"),
)  # fmt: skip
decisions = table(
    "decisions",
    sa.Column("prediction_id", ID, primary_key=True),
    sa.Column("case_id", ID, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("path", sa.String(16), nullable=True),
    sa.Column("p", sa.Float, nullable=True),
    sa.Column("would_have_opened", sa.Boolean, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("inputs", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.Index("work_orders_decisions_by_case", "tenant", "case_id", "at"),
)
orders = table(
    "orders",
    sa.Column("id", ID, primary_key=True),
    sa.Column("case_id", ID, nullable=False),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("customer_id", NAME, nullable=True),
    sa.Column("component", NAME, nullable=False),
    sa.Column("failure_mode", NAME, nullable=False),
    sa.Column("type", sa.String(32), nullable=False),  # EN 13306: predictive, corrective
    sa.Column("priority", sa.String(16), nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("held_from", sa.String(32), nullable=True),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("title", sa.String(300), nullable=False),
    sa.Column("remedy", sa.String(500), nullable=False),
    sa.Column("part", sa.String(100), nullable=True),
    sa.Column("skill", sa.String(64), nullable=False),
    sa.Column("minutes", sa.Integer, nullable=False),
    sa.Column("model_version", sa.Integer, nullable=False),
    sa.Column("earliest", UtcTime, nullable=True),
    sa.Column("latest", UtcTime, nullable=True),
    sa.Column("technician_id", NAME, nullable=True),
    sa.Column("visit_start", UtcTime, nullable=True),
    sa.Column("visit_end", UtcTime, nullable=True),
    sa.Column("prediction_id", ID, nullable=True),
    sa.Column("measured_at", UtcTime, nullable=True),  # newest sample behind the decision
    sa.Column("follows", ID, nullable=True),
    sa.Column("agreed", sa.Boolean, nullable=False),  # somebody said yes to it
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.Column("started_at", UtcTime, nullable=True),
    sa.Column("finished_at", UtcTime, nullable=True),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("permits", sa.Text, nullable=False, server_default=sa.text("'[]'")),  # JSON: names of what it needs
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.Index(
        "work_orders_one_open_order", "tenant", "case_id", unique=True,
        sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"),
    ),
    sa.Index(
        "work_orders_open_orders_by_customer", "tenant", "customer_id",
        sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"),
    ),
    sa.Index("work_orders_orders_by_time", "tenant", "opened_at", "id"),
    sa.Index("work_orders_orders_by_case", "tenant", "case_id"),
    sa.Index(
        "work_orders_orders_that_follow", "tenant", "follows",
        sqlite_where=sa.text("follows IS NOT NULL"), postgresql_where=sa.text("follows IS NOT NULL"),
    ),
    sa.Index("work_orders_orders_by_asset", "tenant", "asset_id", "opened_at"),
    sa.Index("work_orders_orders_by_technician", "tenant", "technician_id", "visit_start"),
)  # fmt: skip
tasks = table(
    "tasks",
    sa.Column("order_id", ID, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.String(500), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("result", sa.String(500), nullable=False),
    sa.Column("needs", sa.String(16), nullable=False, server_default=sa.text("''")),  # reading, photo or signature
    sa.Column("required", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("unit", sa.String(32), nullable=False, server_default=sa.text("''")),
    sa.Column("low", sa.Float, nullable=True),  # limits of a reading
    sa.Column("high", sa.Float, nullable=True),
    sa.Column("value", sa.Float, nullable=True),
    sa.Column("at", UtcTime, nullable=True),
    sa.Column("actor", sa.String(200), nullable=False, server_default=sa.text("''")),
    sa.ForeignKeyConstraint(["tenant", "order_id"], ["work_orders_orders.tenant", "work_orders_orders.id"]),
)
visits = table(
    "visits",
    sa.Column("id", ID, primary_key=True),
    sa.Column("order_id", ID, nullable=False),
    sa.Column("technician_id", NAME, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("half", sa.String(2), nullable=False),
    sa.Column("start", UtcTime, nullable=False),
    sa.Column("end", UtcTime, nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("agreed_by", sa.String(200), nullable=False),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "order_id"], ["work_orders_orders.tenant", "work_orders_orders.id"]),
    sa.Index("work_orders_visits_by_order", "tenant", "order_id"),
    sa.Index(
        "work_orders_one_live_visit", "tenant", "order_id", unique=True,
        sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"),
    ),
    sa.Index(
        "work_orders_no_double_booking", "tenant", "technician_id", "day", "half", unique=True,
        sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"),
    ),
)  # fmt: skip
notices = table(
    "notices",
    sa.Column("id", ID, primary_key=True),
    sa.Column("case_id", ID, nullable=False),
    sa.Column("order_id", ID, nullable=False),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("customer_id", NAME, nullable=False),
    sa.Column("purpose", sa.String(32), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(300), nullable=False),
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("refused", sa.String(300), nullable=False),  # why another channel was not used
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("queued_at", UtcTime, nullable=False),
    sa.Column("send_after", UtcTime, nullable=False),
    sa.Column("sent_at", UtcTime, nullable=True),
    sa.Column("asked_at", UtcTime, nullable=True),  # since when an answer is awaited
    sa.Column("read_at", UtcTime, nullable=True),
    sa.Column("reminded_at", UtcTime, nullable=True),
    sa.Column("no_reply_at", UtcTime, nullable=True),
    sa.Column("answered_at", UtcTime, nullable=True),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.Index("work_orders_one_notice", "tenant", "case_id", "purpose", unique=True),
    sa.Index("work_orders_notices_by_customer", "tenant", "customer_id", "queued_at"),
    sa.Index("work_orders_notices_by_state", "state", "tenant"),
)
notice_slots = table(
    "notice_slots",
    sa.Column("notice_id", ID, primary_key=True),
    sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("half", sa.String(2), nullable=False),
    sa.Column("start", UtcTime, nullable=False),
    sa.Column("end", UtcTime, nullable=False),
    sa.ForeignKeyConstraint(["tenant", "notice_id"], ["work_orders_notices.tenant", "work_orders_notices.id"]),
)
answers = table(
    "notice_answers",
    sa.Column("notice_id", ID, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),  # accept, decline, propose, call_me
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("day", sa.Date, nullable=True),
    sa.Column("half", sa.String(2), nullable=True),
    sa.Column("handled_at", UtcTime, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "notice_id"], ["work_orders_notices.tenant", "work_orders_notices.id"]),
)
findings = table(
    "findings",
    sa.Column("id", ID, primary_key=True),
    sa.Column("case_id", ID, nullable=False),
    sa.Column("order_id", ID, nullable=True),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("component", NAME, nullable=False),
    sa.Column("result", sa.String(16), nullable=False),
    sa.Column("failure_mode", NAME, nullable=False),
    sa.Column("as_found", sa.Text, nullable=False),
    sa.Column("replaced", sa.Boolean, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("superseded_at", UtcTime, nullable=True),
    sa.Column("serial", sa.String(100), nullable=False, server_default=sa.text("''")),  # of the part that was put in
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.Index("work_orders_findings_by_case", "tenant", "case_id", "at"),
    sa.Index("work_orders_findings_by_asset", "tenant", "asset_id", "component", "at"),
)
asset_work = table(  # "being worked on": alarms of the asset wait
    "asset_work",
    sa.Column("id", ID, primary_key=True),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("order_id", ID, nullable=True),
    sa.Column("reason", sa.String(300), nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("start", UtcTime, nullable=False),
    sa.Column("until", UtcTime, nullable=False),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "asset_id"], ["work_orders_assets.tenant", "work_orders_assets.id"]),
    sa.Index("work_orders_asset_work_by_asset", "tenant", "asset_id", "start"),
)
diagnoses = table(  # the read checks that ran for a suspicion
    "diagnoses",
    sa.Column("id", ID, primary_key=True),
    sa.Column("case_id", ID, nullable=False),
    sa.Column("prediction_id", ID, nullable=False),
    sa.Column("device", NAME, nullable=False),
    sa.Column("failure_mode", NAME, nullable=False),  # the suspected one
    sa.Column("prior", sa.Text, nullable=False),  # JSON {mode: p}
    sa.Column("posterior", sa.Text, nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),  # "" while it runs
    sa.Column("found_mode", NAME, nullable=False),
    sa.Column("factor", sa.Float, nullable=False),  # on P(failure)
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("measured_at", UtcTime, nullable=False),  # newest sample of the forecast
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("started_wall", UtcTime, nullable=False),
    sa.Column("wait_s", sa.Float, nullable=False),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Column("ended_wall", UtcTime, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.Index("work_orders_diagnoses_by_case", "tenant", "case_id", "started_at"),
    sa.Index(
        "work_orders_running_diagnoses", "started_wall",
        sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"),
    ),
)  # fmt: skip
evidence = table(
    "evidence",
    sa.Column("diagnosis_id", ID, primary_key=True),
    sa.Column("check", NAME, primary_key=True),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("command_id", ID, nullable=False),  # "" = a look at stored telemetry
    sa.Column("state", sa.String(16), nullable=False),  # asked | answered | no_answer
    sa.Column("value", sa.Float, nullable=True),
    sa.Column("text", sa.String(500), nullable=False),
    sa.Column("at", UtcTime, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "diagnosis_id"], ["work_orders_diagnoses.tenant", "work_orders_diagnoses.id"]),
    sa.Index("work_orders_evidence_by_command", "tenant", "command_id"),
)
holds = table(  # open permits and lock-outs: they stand against guarded commands
    "holds",
    sa.Column("id", ID, primary_key=True),
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # permit | lockout
    sa.Column("note", sa.String(300), nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("released_at", UtcTime, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "asset_id"], ["work_orders_assets.tenant", "work_orders_assets.id"]),
    sa.Index("work_orders_holds_by_asset", "tenant", "asset_id"),
)
