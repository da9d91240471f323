"""First tables of api."""

revision = "api-0001"
down_revision = None


def upgrade() -> None:
    pass
