"""Alembic's entry: runs on the connection that `plumbing.migrate` hands over."""

from alembic import context

options = context.config.attributes
context.configure(
    connection=options["connection"], version_table=options["version_table"], target_metadata=options.get("metadata")
)
context.run_migrations()
