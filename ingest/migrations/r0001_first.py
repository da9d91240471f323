"""First tables of ingest."""

revision = "ingest_0001"
down_revision = None


def upgrade() -> None:
    pass
