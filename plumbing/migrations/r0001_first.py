"""Log, audit chain, tenants."""

from alembic import op

from plumbing import audit, log, tenants

revision = "plumbing_0001"
down_revision = None


def upgrade() -> None:
    for metadata in (log.metadata, audit.metadata, tenants.metadata):
        metadata.create_all(op.get_bind())
