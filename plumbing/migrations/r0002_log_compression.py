"""Blocks in the log are packed with lz4: PostgreSQL's usual way takes longer than all the rest of a commit."""

import sqlalchemy as sa
from alembic import op

revision = "plumbing_0002"
down_revision = "plumbing_0001"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    try:
        with connection.begin_nested():
            connection.execute(sa.text("alter table log_entries alter column payload set compression lz4"))
    except sa.exc.DBAPIError:
        # a server that was built without lz4, or older than 14
        connection.execute(sa.text("alter table log_entries alter column payload set storage external"))
