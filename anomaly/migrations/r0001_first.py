"""First tables of anomaly."""

revision = "anomaly_0001"
down_revision = None


def upgrade() -> None:
    pass
