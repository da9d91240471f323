"""The environment that Alembic runs all owners' migrations in."""
