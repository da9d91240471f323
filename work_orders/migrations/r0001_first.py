"""First tables of work_orders."""

revision = "work_orders_0001"
down_revision = None


def upgrade() -> None:
    pass
