"""One statement with many rows of parameters, straight to the driver.

SQLAlchemy prepares each row of parameters by itself, which costs more than the database's own work on it. Values must
be what the driver takes: times as epoch microseconds.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.sql.dml import UpdateBase


class Bulk:
    """A statement whose values are bound parameters (or plain text and numbers), compiled once a dialect."""

    def __init__(self, statement: UpdateBase) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, list[str] | None, dict[str, object]]] = {}

    def execute(self, connection: sa.Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Run it for all rows (none is no fault)."""
        if not rows:
            return
        name = connection.dialect.name
        if name not in self._compiled:
            made = self._statement.compile(dialect=connection.dialect)
            fixed = {key: value for key, value in made.params.items() if value is not None}
            self._compiled[name] = (str(made), getattr(made, "positiontup", None), fixed)
        text, order, fixed = self._compiled[name]
        whole = [{**fixed, **row} for row in rows] if fixed else rows
        if order:
            connection.exec_driver_sql(text, [tuple([row[key] for key in order]) for row in whole])
        else:
            connection.exec_driver_sql(text, [dict(row) for row in whole])
