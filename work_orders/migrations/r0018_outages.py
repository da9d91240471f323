"""Which devices are off line with a dead gateway."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0018_outages"
down_revision = "work_orders_0017_portions"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "work_orders_incident_devices",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("incident_id", sa.String(80), primary_key=True),
        sa.Column("device", sa.String(64), primary_key=True),
        sa.ForeignKeyConstraint(
            ["tenant", "incident_id"], ["work_orders_incidents.tenant", "work_orders_incidents.id"]
        ),
    )  # fmt: skip
    op.create_index(
        "work_orders_incident_devices_by_device", "work_orders_incident_devices", ["tenant", "device"]
    )  # fmt: skip
