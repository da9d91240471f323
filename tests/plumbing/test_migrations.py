"""What the migrations make is what the code works with."""

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from plumbing import audit, migrate
from plumbing.migrate import OWNERS, NotMigrated, check, newest, tables_of, upgrade
from plumbing.sql import Database

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PREFIXES = {"plumbing": ("plumbing_", "log_", "audit_")}


def metadata_of(owner: str) -> sa.MetaData:
    """All tables of an owner in one metadata."""
    together = sa.MetaData()
    for table in tables_of(owner):
        table.to_metadata(together)
    return together


@pytest.mark.parametrize("owner", OWNERS)
def test_migrated_tables_are_those_of_the_code(database: Database, owner: str) -> None:
    upgrade(database, [owner], at_once=False)
    ours = PREFIXES.get(owner, (f"{owner}_",))

    def include(_object: Any, name: str | None, kind: str, _reflected: bool, _to: Any) -> bool:
        return kind != "table" or (bool(name) and name != f"{owner}_alembic_version")

    with database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": include, "compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata_of(owner)) == []
        made = set(sa.inspect(connection).get_table_names())
    assert all(name.startswith(ours) for name in made)


def shape(connection: sa.Connection) -> dict[str, object]:
    """Every table of a SQLite database with all that its rows are held to, whatever the order of its columns."""
    found = sa.inspect(connection)
    texts: dict[str | None, str | None] = dict(
        connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").tuples().all()
    )
    return {
        name: {
            "columns": {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(name)},
            "key": found.get_pk_constraint(name)["constrained_columns"],
            "refers": sorted(
                (k["constrained_columns"], k["referred_table"], k["referred_columns"])
                for k in found.get_foreign_keys(name)
            ),
            "unique": sorted(u["column_names"] for u in found.get_unique_constraints(name)),
            "checks": sorted(c["sqltext"] for c in found.get_check_constraints(name)),
            "indexes": {i["name"]: " ".join(str(texts[i["name"]]).split()) for i in found.get_indexes(name)},
            "counts on": "AUTOINCREMENT" in str(texts[name]),
        }
        for name in found.get_table_names()
    }


def test_a_new_database_is_the_same_at_once_as_revision_by_revision(tmp_path: Path) -> None:
    shapes, versions = [], []
    for at_once in (True, False):
        made = Database(f"sqlite:///{tmp_path}/{at_once}.db")
        upgrade(made, at_once=at_once)
        check(made)
        with made.read() as connection:
            shapes.append(shape(connection))
            told = [f"{owner}_alembic_version" for owner in OWNERS]
            versions.append([connection.exec_driver_sql(f"SELECT * FROM {t}").all() for t in told])
        made.close()
    assert shapes[0] == shapes[1]
    assert versions[0] == versions[1]


def test_where_nothing_is_to_do_alembic_is_not_asked(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(database)

    def asked(*_: object) -> None:
        raise AssertionError("Alembic was asked")

    monkeypatch.setattr("plumbing.migrate._config", asked)
    upgrade(database)
    check(database)


def test_every_table_of_a_tenants_data_names_the_tenant() -> None:
    without = {"log_consumers"}
    for owner in OWNERS:
        for table in metadata_of(owner).tables.values():
            assert "tenant" in table.c or table.name in without, table.name


def test_migrating_twice_changes_nothing(database: Database) -> None:
    upgrade(database)
    upgrade(database)
    check(database)


@pytest.mark.parametrize("owner", OWNERS)
def test_the_newest_revision_is_that_of_alembic(owner: str, database: Database) -> None:
    with database.read() as connection:
        script = ScriptDirectory.from_config(migrate._config(connection, owner))
    assert newest(owner) == script.get_current_head()


def test_an_unmigrated_database_is_named(database: Database) -> None:
    with pytest.raises(NotMigrated, match="forewarn migrate"):
        check(database)


def test_tables_of_a_newer_program_are_named(database: Database) -> None:
    upgrade(database)
    with database.write() as connection:
        connection.execute(sa.text("update plumbing_alembic_version set version_num = 'plumbing_9999'"))
    with pytest.raises(NotMigrated, match="plumbing_9999"):
        check(database)


def test_chains_from_before_their_heads_were_kept_stay_whole(database: Database) -> None:
    upgrade(database)
    with database.write() as connection:
        for n in range(3):
            audit.append(connection, "acme", NOON, "ann", "case_opened", {"id": f"c{n}", "asset": "p1" * (n > 0)})
        audit.assets.drop(connection)
        audit.heads.drop(connection)
        audit.checkpoints.drop(connection)
        connection.execute(sa.text("update plumbing_alembic_version set version_num = 'plumbing_0002'"))
    upgrade(database)
    with database.read() as connection:
        assert audit.verify(connection, "acme") is None
        assert connection.execute(sa.select(audit.heads.c.seq)).scalars().all() == [3]
        named = connection.execute(sa.select(audit.assets).order_by(audit.assets.c.seq)).all()
        assert [tuple(row) for row in named] == [("acme", "p1", 2), ("acme", "p1", 3)]


def _migrate(url: str, start: Any, results: Any) -> None:
    database = Database(url)
    start.wait()
    upgrade(database)
    results.put("done")


def test_two_processes_may_migrate_at_once(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_migrate, args=(url, start, results)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [p.exitcode for p in processes] == [0, 0]
    database = Database(url)
    check(database)
    database.close()
