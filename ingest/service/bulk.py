"""One statement for many rows, straight to the driver.

SQLAlchemy (and psycopg's executemany) prepare each row of parameters by itself, which costs more than the database's
own work on it. SQLite is given rows; PostgreSQL one array a column, as text: psycopg's own arrays are made element by
element, which costs ten times as much. Values must be what the driver takes: times as epoch microseconds.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

_ESCAPE = str.maketrans({"\\": "\\\\", '"': '\\"'})


def _text(value: Any) -> str:
    return f'"{value.translate(_ESCAPE)}"'


def _bytes(value: Any) -> str:
    return f'"\\\\x{value.hex()}"'


_TYPES: tuple[tuple[type, str, Callable[[Any], str]], ...] = (
    (sa.Boolean, "boolean", str),
    (sa.LargeBinary, "bytea", _bytes),
    (sa.String, "text", _text),
)


def _pg_type(column: sa.Column[Any]) -> tuple[str, Callable[[Any], str]]:
    """PostgreSQL's name of the column's type, and how a value of it is written in an array."""
    return next(((name, write) for kind, name, write in _TYPES if isinstance(column.type, kind)), ("bigint", str))


def _pg_array(values: Sequence[Any], write: Callable[[Any], str]) -> str:
    return "{" + ",".join(["NULL" if v is None else write(v) for v in values]) + "}"


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
        types = {c: _pg_type(table.c[c]) for c in order}
        self._writers = {c: write for c, (_, write) in types.items()}
        arrays = ", ".join(f"unnest(%({c})s::{kind}[]) as {c}" for c, (kind, _) in types.items())
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
            columns = {c: _pg_array([row[c] for row in rows], write) for c, write in self._writers.items()}
            connection.exec_driver_sql(self._postgres, columns)
