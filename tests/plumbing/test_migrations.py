"""What the migrations make is what the code works with."""

import importlib
import multiprocessing
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from plumbing import audit, migrate
from plumbing.migrate import OWNERS, NotMigrated, check, newest, upgrade
from plumbing.sql import Database

TABLES: dict[str, tuple[str, ...]] = {
    "plumbing": ("plumbing.log", "plumbing.audit", "plumbing.tenants"),
    "ingest": ("ingest.service.tables", "ingest.service.command_tables"),
    "anomaly": (
        "anomaly.service.tables",
        "anomaly.service.condition_tables",
        "anomaly.service.group_tables",
        "anomaly.service.hazard_tables",
    ),
    "work_orders": (
        "work_orders.service.tables",
        "work_orders.service.door_tables",
        "work_orders.service.work_tables",
        "work_orders.service.autonomy_tables",
        "work_orders.service.aftercare_tables",
        "work_orders.service.message_tables",
        "work_orders.service.sla_tables",
        "work_orders.service.plan_tables",
        "work_orders.service.webhook_tables",
        "work_orders.service.moment_tables",
    ),
    "api": ("api.tables",),
}
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PREFIXES = {"plumbing": ("plumbing_", "log_", "audit_")}


def metadata_of(owner: str) -> sa.MetaData:
    """All tables of an owner in one metadata."""
    together = sa.MetaData()
    for name in TABLES[owner]:
        for table in importlib.import_module(name).metadata.tables.values():
            if table.key not in together.tables:
                table.to_metadata(together)
    return together


def test_every_owner_is_compared() -> None:
    assert set(TABLES) == set(OWNERS)


@pytest.mark.parametrize("owner", OWNERS)
def test_migrated_tables_are_those_of_the_code(database: Database, owner: str) -> None:
    upgrade(database, [owner])
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
            audit.append(connection, "acme", NOON, "ann", "case_opened", {"id": f"c{n}"})
        audit.heads.drop(connection)
        audit.checkpoints.drop(connection)
        connection.execute(sa.text("update plumbing_alembic_version set version_num = 'plumbing_0002'"))
    upgrade(database)
    with database.read() as connection:
        assert audit.verify(connection, "acme") is None
        assert connection.execute(sa.select(audit.heads.c.seq)).scalars().all() == [3]


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
