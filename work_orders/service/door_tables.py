"""Tables of the one door: requests, incidents and merges."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, NAME, metadata, table

__all__ = ["incident_cases", "incident_devices", "incidents", "merges", "metadata", "recalls", "requests"]

requests = table(  # everything that asked for service; nothing that anybody said is lost
    "requests",
    sa.Column("id", ID, primary_key=True),
    sa.Column("case_id", ID, nullable=True),  # None: nobody knows the machine yet
    sa.Column("asset_id", NAME, nullable=False),
    sa.Column("component", NAME, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("external_id", sa.String(200), nullable=False),  # "" = the source numbers nothing
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("contact", sa.String(200), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("cause", sa.String(300), nullable=False),  # requests of one cause make one incident; "" = none known
    sa.Column("said_at", UtcTime, nullable=False),
    sa.Column("taken_at", UtcTime, nullable=False),
    sa.Index(
        "work_orders_one_request_of_a_source", "tenant", "source", "external_id", unique=True,
        sqlite_where=sa.text("external_id <> ''"), postgresql_where=sa.text("external_id <> ''"),
    ),
    sa.Index("work_orders_requests_by_case", "tenant", "case_id", "taken_at"),
    sa.Index("work_orders_requests_by_cause", "tenant", "cause"),
    sa.Index("work_orders_requests_by_asset", "tenant", "asset_id", "taken_at"),
)  # fmt: skip
incidents = table(  # many cases that share a cause
    "incidents",
    sa.Column("id", ID, primary_key=True),
    sa.Column("cause", sa.String(300), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),  # group, recall, site, gateway, hand
    sa.Column("title", sa.String(300), nullable=False),
    sa.Column("cause_case_id", ID, nullable=True),  # the case that came first
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("released_at", UtcTime, nullable=True),  # a person let its orders go
    sa.Column("closed_at", UtcTime, nullable=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Index(
        "work_orders_one_open_incident", "tenant", "cause", unique=True,
        sqlite_where=sa.text("closed_at IS NULL"), postgresql_where=sa.text("closed_at IS NULL"),
    ),
    sa.Index("work_orders_incidents_by_time", "tenant", "opened_at", "id"),
)  # fmt: skip
incident_cases = table(
    "incident_cases",
    sa.Column("case_id", ID, primary_key=True),
    sa.Column("incident_id", ID, nullable=False),
    sa.Column("since", UtcTime, nullable=False),  # when the case's own trouble began
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.ForeignKeyConstraint(["tenant", "incident_id"], ["work_orders_incidents.tenant", "work_orders_incidents.id"]),
    sa.Index("work_orders_incident_cases_by_incident", "tenant", "incident_id", "since"),
)
incident_devices = table(  # of a dead gateway: itself and those behind it
    "incident_devices",
    sa.Column("incident_id", ID, primary_key=True),
    sa.Column("device", NAME, primary_key=True),
    sa.ForeignKeyConstraint(["tenant", "incident_id"], ["work_orders_incidents.tenant", "work_orders_incidents.id"]),
    sa.Index("work_orders_incident_devices_by_device", "tenant", "device"),
)
merges = table(
    "merges",
    sa.Column("id", ID, primary_key=True),
    sa.Column("case_id", ID, nullable=False),  # the one that went into the other
    sa.Column("into_id", ID, nullable=False),
    sa.Column("reason", sa.String(300), nullable=False),
    sa.Column("moved", sa.Text, nullable=False),  # JSON: what must go back
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("undone_at", UtcTime, nullable=True),
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.ForeignKeyConstraint(["tenant", "into_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
    sa.Index("work_orders_merges_by_case", "tenant", "case_id", "at"),
    sa.Index("work_orders_merges_into", "tenant", "into_id"),
)
recalls = table(  # of machines of a model; its cases are opened in portions, by the machines' ids in order
    "recalls",
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("model", NAME, nullable=False),
    sa.Column("serials", sa.Text, nullable=False),  # JSON: how serial numbers begin; [] = all
    sa.Column("component", NAME, nullable=False),
    sa.Column("failure_mode", NAME, nullable=False),
    sa.Column("asked_at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("incident_id", ID, nullable=True),  # None: no machine was new so far
    sa.Column("machines", sa.Integer, nullable=False),  # how many it is about
    sa.Column("seen", sa.Integer, nullable=False),  # of these
    sa.Column("new_cases", sa.Integer, nullable=False),
    sa.Column("through", NAME, nullable=False),  # id of the last machine that was seen
    sa.Column("finished_at", UtcTime, nullable=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Index(
        "work_orders_recalls_going_on", "tenant",
        sqlite_where=sa.text("finished_at IS NULL"), postgresql_where=sa.text("finished_at IS NULL"),
    ),
    sa.Index("work_orders_recalls_by_incident", "tenant", "incident_id"),
)  # fmt: skip
