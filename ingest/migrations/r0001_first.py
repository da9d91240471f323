"""First tables of ingest."""

revision = "ingest-0001"
down_revision = None


def upgrade() -> None:
    pass
