"""First tables of api."""

revision = "api_0001"
down_revision = None


def upgrade() -> None:
    pass
