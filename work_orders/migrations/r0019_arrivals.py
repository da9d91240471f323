"""Where sites are, and when technicians arrive who are on the way."""

import sqlalchemy as sa
from alembic import op

revision = "work_orders_0019_arrivals"
down_revision = "work_orders_0018_outages"


def upgrade() -> None:
    """Add the columns, make the table."""
    for name in ("latitude", "longitude"):
        op.add_column("work_orders_sites", sa.Column(name, sa.Float, nullable=True))
    op.create_table(
        "work_orders_arrivals",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("order_id", sa.String(80), primary_key=True),
        sa.Column("earliest", sa.BigInteger, nullable=False),
        sa.Column("latest", sa.BigInteger, nullable=False),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "order_id"], ["work_orders_orders.tenant", "work_orders_orders.id"]),
    )
    op.create_index("work_orders_arrivals_by_end", "work_orders_arrivals", ["tenant", "until"])
