"""Brings the tables of every owner to the newest revision, under a lock. Revisions are `<owner>/migrations/r*.py`."""

import importlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from plumbing.sql import Database, lock

OWNERS = ("plumbing", "ingest", "anomaly", "work_orders", "api")


class NotMigrated(Exception):
    """The database's tables are older (or newer) than this program."""


def _config(connection: sa.Connection, owner: str) -> Any:
    from alembic.config import Config

    folder = Path(str(importlib.import_module(f"{owner}.migrations").__file__)).parent
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migration_env").replace("%", "%%"))
    config.set_main_option("version_locations", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes.update(connection=connection, version_table=f"{owner}_alembic_version")
    return config


def upgrade(database: Database, owners: Sequence[str] = OWNERS) -> None:
    """Run what is missing; other processes that call it at the same time wait."""
    from alembic import command

    logging.getLogger("alembic").setLevel(logging.WARNING)
    with database.write() as connection:
        lock(connection, "migrate")
        for owner in owners:
            command.upgrade(_config(connection, owner), "head")


def check(database: Database, owners: Sequence[str] = OWNERS) -> None:
    """Raises NotMigrated when a table is not at the revision of this program."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with database.read() as connection:
        for owner in owners:
            wanted = ScriptDirectory.from_config(_config(connection, owner)).get_current_head()
            context = MigrationContext.configure(connection, opts={"version_table": f"{owner}_alembic_version"})
            found = context.get_current_revision()
            if found != wanted:
                raise NotMigrated(
                    f"tables of {owner} are at revision {found or 'none'}, this program needs {wanted}:"
                    " run `forewarn migrate`"
                )
