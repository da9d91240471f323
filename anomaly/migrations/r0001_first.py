"""First tables of anomaly."""

revision = "anomaly-0001"
down_revision = None


def upgrade() -> None:
    pass
