"""The revisions make the tables that the code names."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from ingest.service import command_tables, tables
from plumbing.sql import Database

metadata = sa.MetaData()
for part in (tables, command_tables):
    for table in part.metadata.tables.values():
        table.to_metadata(metadata)


def test_the_revisions_make_the_tables_of_the_code(database: Database) -> None:
    def ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        return kind != "table" or (str(name).startswith("ingest_") and str(name) != "ingest_alembic_version")

    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": False})
        assert compare_metadata(context, metadata) == []
        names = set(sa.inspect(connection).get_table_names())
    assert set(metadata.tables) <= names
    assert all("tenant" in table.columns for table in metadata.tables.values())
