"""One statement for many rows, straight to the driver.

SQLAlchemy (and psycopg's executemany) prepare each row of parameters by itself, which costs more than the database's
own work on it. SQLite is given rows; PostgreSQL one array a column. Values must be what the driver takes: times as
epoch microseconds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

_TYPES: tuple[tuple[type, str], ...] = (
    (sa.Boolean, "boolean"),
    (sa.LargeBinary, "bytea"),
    (sa.String, "text"),
)


def _pg_type(column: sa.Column[Any]) -> str:
    return next((name for kind, name in _TYPES if isinstance(column.type, kind)), "bigint")


class Bulk:
    """Inserts rows, or updates them by `keys`.

    Parameters
    ----------
    table, columns
        Rows are mappings with these columns' names.
    keys
        Empty = insert. Else the columns that name the row to update.
    how
        What to set where it is not just the new value: column -> SQL in which `{old}` and `{new}` are the values.
    """

    def __init__(
        self, table: sa.Table, columns: Sequence[str], keys: Sequence[str] = (), how: Mapping[str, str] | None = None
    ) -> None:
        self._keys, self._plain = list(keys), [name for name in columns if name not in keys]
        how, name = how or {}, table.name
        order = [*self._plain, *self._keys]
        arrays = ", ".join(f"unnest(%({c})s::{_pg_type(table.c[c])}[]) as {c}" for c in order)
        if not keys:
            into = f"insert into {name} ({', '.join(order)})"
            self._sqlite = f"{into} values ({', '.join(f':{c}' for c in order)})"
            self._postgres = f"{into} select {arrays}"
            return

        def sets(old: str, new: str) -> str:
            rules = {c: how.get(c, "{new}") for c in self._plain}
            return ", ".join(f"{c} = {rule.format(old=old + c, new=new + c)}" for c, rule in rules.items())

        self._sqlite = f"update {name} set {sets('', ':')} where " + " and ".join(f"{c} = :{c}" for c in self._keys)
        self._postgres = f"update {name} as t set {sets('t.', 'd.')} from (select {arrays}) as d where " + " and ".join(
            f"t.{c} = d.{c}" for c in self._keys
        )

    def execute(self, connection: sa.Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Run it for all rows (none is no fault)."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(self._sqlite, [dict(row) for row in rows])
        else:
            names = [*self._plain, *self._keys]
            connection.exec_driver_sql(self._postgres, {name: [row[name] for row in rows] for name in names})
