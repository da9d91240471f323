"""Brings the tables of every owner to the newest revision, under a lock. Revisions are `<owner>/migrations/r*.py`."""

import ast
import hashlib
import importlib
import logging
from collections.abc import Callable, Sequence
from functools import cache
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


def upgrade(database: Database, owners: Sequence[str] = OWNERS, *, at_once: bool = True) -> None:
    """Run what is missing; other processes that call it at the same time wait.

    The tables of an owner who has none yet are made at once on SQLite, which a first start waits for; `at_once` False
    makes them revision by revision, as PostgreSQL's are. A test holds that both come to the same.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with database.write() as connection:
        lock(connection, "migrate")
        tables = set(sa.inspect(connection).get_table_names())
        for owner in owners:
            wanted = _views(owner, connection.dialect.name)
            kept = _kept_views(connection, owner)
            same = kept.keys() == wanted.keys() and _mark(connection, owner) == _fingerprint(owner, wanted)
            if not same:
                for name in kept:
                    connection.exec_driver_sql(f"DROP VIEW {name}")
            found = _revision(connection, owner, tables)
            if at_once and found is None and connection.dialect.name == "sqlite":
                _make(connection, owner)
            elif found != newest(owner):
                from alembic import command  # half a second and 11 MB, which a start without news does without

                command.upgrade(_config(connection, owner), "head")
            if not same:
                _make_views(connection, owner, wanted)


def tables_of(owner: str) -> list[sa.Table]:
    """The tables of an owner as they are now: those of the modules that its package `migrations` names."""
    modules = [importlib.import_module(name) for name in importlib.import_module(f"{owner}.migrations").TABLES]
    found = {table.key: table for module in modules for table in module.metadata.tables.values()}
    return list(found.values())


def _make(connection: sa.Connection, owner: str) -> None:
    for table in sa.schema.sort_tables(tables_of(owner)):
        table.create(connection)
    version = sa.Table(
        f"{owner}_alembic_version", sa.MetaData(),
        sa.Column("version_num", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("version_num", name=f"{owner}_alembic_version_pkc"),
    )  # fmt: skip
    version.create(connection)
    connection.execute(version.insert().values(version_num=newest(owner)))


def _revision(connection: sa.Connection, owner: str, tables: set[str]) -> str | None:
    """The revision that an owner's tables are at; None = there are none."""
    table = f"{owner}_alembic_version"
    if table not in tables:
        return None
    found = connection.execute(sa.select(sa.column("version_num")).select_from(sa.table(table))).scalar()
    return None if found is None else str(found)


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
        tables = set(sa.inspect(connection).get_table_names())
        for owner in owners:
            wanted, found = newest(owner), _revision(connection, owner, tables)
            if found != wanted:
                raise NotMigrated(
                    f"tables of {owner} are at revision {found or 'none'}, this program needs {wanted}:"
                    " run `forewarn migrate`"
                )


@cache
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
