"""The migration makes the tables that the code speaks of, on both databases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tests.work_orders.world import World
from work_orders.service.tables import metadata


def test_the_migration_and_the_tables_are_one(any_world: World) -> None:
    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or (name or "") in metadata.tables

    with any_world.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_every_table_has_its_prefix_and_a_tenant() -> None:
    for table in metadata.tables.values():
        assert table.name.startswith("work_orders_")
        assert "tenant" in table.primary_key.columns


def test_unique_indexes_hold_what_must_be_one(any_world: World) -> None:
    with any_world.database.read() as connection:
        found = {
            index["name"]
            for table in metadata.tables
            for index in sa.inspect(connection).get_indexes(table)
            if index["unique"]
        }
    assert found >= {
        "work_orders_one_open_case", "work_orders_one_open_order", "work_orders_one_notice",
        "work_orders_one_live_visit", "work_orders_no_double_booking",
    }  # fmt: skip
