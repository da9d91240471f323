"""Brings the tables of every owner to the newest revision, under a lock. Revisions are `<owner>/migrations/r*.py`."""

import ast
import hashlib
import importlib
import logging
from collections.abc import Callable, Sequence
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
            wanted = _views(owner, connection.dialect.name)
            kept = _kept_views(connection, owner)
            same = kept.keys() == wanted.keys() and _mark(connection, owner) == _fingerprint(owner, wanted)
            if not same:
                for name in kept:
                    connection.exec_driver_sql(f"DROP VIEW {name}")
            command.upgrade(_config(connection, owner), "head")
            if not same:
                _make_views(connection, owner, wanted)


def _views(owner: str, dialect: str) -> dict[str, str]:
    """The views on an owner's tables, by name: those that its package `migrations` tells of."""
    told: Callable[[str], dict[str, str]] = getattr(importlib.import_module(f"{owner}.migrations"), "views", _none)
    return told(dialect)


def _none(_dialect: str) -> dict[str, str]:
    return {}


def _fingerprint(owner: str, views: dict[str, str]) -> str:
    """Changes when a view, or the tables below it, do."""
    return hashlib.sha256(repr((newest(owner), sorted(views.items()))).encode()).hexdigest()


def _kept_views(connection: sa.Connection, owner: str) -> dict[str, None]:
    names = sa.inspect(connection).get_view_names()
    return dict.fromkeys(n for n in names if n.startswith(f"{owner}_figure_"))


def _mark(connection: sa.Connection, owner: str) -> str:
    """The fingerprint that the views were made with."""
    name = f"{owner}_views"
    if name not in sa.inspect(connection).get_view_names():
        return _fingerprint(owner, {})
    return str(connection.exec_driver_sql(f"SELECT fingerprint FROM {name}").scalar())


def _make_views(connection: sa.Connection, owner: str, views: dict[str, str]) -> None:
    connection.exec_driver_sql(f"DROP VIEW IF EXISTS {owner}_views")
    for name, text in views.items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {text.replace('%', '%%') if _percent(connection) else text}")
    mark = _fingerprint(owner, views)
    connection.exec_driver_sql(f"CREATE VIEW {owner}_views AS SELECT '{mark}' AS fingerprint")


def _percent(connection: sa.Connection) -> bool:
    """Whether the driver reads a percent sign as a place for a parameter."""
    return connection.dialect.paramstyle in ("pyformat", "format")


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
