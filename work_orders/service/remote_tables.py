"""The table of what was tried from afar."""

import sqlalchemy as sa

from plumbing.sql import UtcTime
from work_orders.service.tables import ID, metadata, table

__all__ = ["metadata", "remote_fixes"]

remote_fixes = table(
    "remote_fixes",
    sa.Column("case_id", ID, primary_key=True),  # one a case: what did not work is not tried again
    sa.Column("remedy", sa.Text, nullable=False),
    sa.Column("begun_at", UtcTime, nullable=False),
    sa.Column("until", UtcTime, nullable=False),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Column("how", sa.String(16), nullable=False),  # worked, failed, late, cleared; "" = it is being tried
    sa.ForeignKeyConstraint(["tenant", "case_id"], ["work_orders_cases.tenant", "work_orders_cases.id"]),
)
