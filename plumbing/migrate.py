"""Brings the tables of every owner to the newest revision, under a lock. Revisions are `<owner>/migrations/r*.py`."""

import ast
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

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migration_env").replace("%", "%%"))
    config.set_main_option("version_locations", str(_revisions(owner)).replace("%", "%%"))
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
    """Raises NotMigrated when a table is not at the revision of this program.

    Every service asks this when it starts, so it does without Alembic, which would cost each of them 11 MB.
    """
    with database.read() as connection:
        kept = set(sa.inspect(connection).get_table_names())
        for owner in owners:
            wanted, table = newest(owner), f"{owner}_alembic_version"
            found = (
                connection.execute(sa.select(sa.column("version_num")).select_from(sa.table(table))).scalar()
                if table in kept
                else None
            )
            if found != wanted:
                raise NotMigrated(
                    f"tables of {owner} are at revision {found or 'none'}, this program needs {wanted}:"
                    " run `forewarn migrate`"
                )


def newest(owner: str) -> str:
    """The revision of an owner that no other one follows."""
    names: set[str] = set()
    followed: set[str] = set()
    for file in _revisions(owner).glob("r*.py"):
        told = _assigned(file)
        names.add(str(told["revision"]))
        followed.add(str(told["down_revision"]))
    (head,) = names - followed
    return head


def _assigned(file: Path) -> dict[str, object]:
    """The constants that a module gives names to."""
    return {
        target.id: line.value.value
        for line in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant)
        for target in line.targets
        if isinstance(target, ast.Name)
    }


def _revisions(owner: str) -> Path:
    return Path(str(importlib.import_module(f"{owner}.migrations").__file__)).parent
