"""Telemetry in a DuckDB file, for the product in one process: one connection, a cursor a thread."""

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from contracts.points import Band, DeviceRows, Readings, Refused, StoreUnreachable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_LIMIT = "200MB"

_TABLE = """
    create table if not exists telemetry(
        tenant text, device text, measured_at timestamp_ns, signal text, value double,
        boot_id text, seq bigint, received_at timestamp_ns,
        primary key (tenant, device, measured_at, signal)
    )
"""
# values travel as columns; names as numbers into short lists, so that no text is repeated
_INSERT = """
    insert or replace into telemetry
    select ?, ?, make_timestamp_ns(t_us * 1000), (?::text[])[signal], value, ?, seq, make_timestamp_ns(? * 1000)
    from block
"""


class DuckStore:
    """Telemetry store on a DuckDB file, made where there is none.

    While one process holds the file no other can open it, not even to read. Raises StoreUnreachable then.
    """

    def __init__(self, path: str) -> None:
        import duckdb

        self._error: type[Exception] = duckdb.Error
        try:
            self._connection = duckdb.connect(path, config={"memory_limit": MEMORY_LIMIT})
            self._connection.execute(_TABLE)
        except duckdb.Error as problem:
            raise StoreUnreachable(f"{path} cannot be opened: {problem}") from problem
        self._writing = threading.Lock()
        self._local = threading.local()

    def write(self, rows: list[DeviceRows]) -> list[Refused]:
        """Write all rows in one transaction; values that are not finite are refused."""
        refused: list[Refused] = []
        with self._writing:
            cursor = self._cursor()
            try:
                cursor.execute("begin")
                try:
                    for part in rows:
                        self._write_device(cursor, part, refused)
                    cursor.execute("commit")
                except self._error:
                    cursor.execute("rollback")
                    raise
            except self._error as problem:
                raise StoreUnreachable(f"the telemetry file did not take a block: {problem}") from problem
        return refused

    def _write_device(self, cursor: "DuckDBPyConnection", part: DeviceRows, refused: list[Refused]) -> None:
        if not part.t_us or not part.signals:
            return
        values = np.array(part.values, dtype=np.float64)
        t_us = np.array(part.t_us, dtype=np.int64)
        good = np.isfinite(values)
        for i, j in zip(*np.nonzero(~good), strict=True):
            if part.values[i][j] is not None:
                detail = f"{values[i, j]} is no finite number"
                signal = part.signals[j]
                refused.append(
                    Refused(part.tenant, part.device, part.t_us[i], part.seq[i], part.boot_id, signal, detail)
                )
        row, column = np.nonzero(good)
        if len(set(part.t_us)) < len(part.t_us):
            row, column = _last_of_each(t_us, row, column, len(part.signals))
        if not len(row):
            return
        block: Any = {
            "t_us": t_us[row],
            "signal": (column + 1).astype(np.int32),
            "value": values[row, column],
            "seq": np.array(part.seq, dtype=np.int64)[row],
        }
        cursor.register("block", block)
        cursor.execute(_INSERT, [part.tenant, part.device, part.signals, part.boot_id, part.received_us])
        cursor.unregister("block")

    def read(
        self,
        tenant: str,
        device: str,
        *,
        signals: list[str] | None = None,
        from_us: int | None = None,
        to_us: int | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Readings:
        """Readings with from_us <= t < to_us; without `signals` those that occur, by name."""
        where, given = _where(tenant, device, from_us, to_us)
        if signals is not None:
            where += " and signal in (select unnest(?::text[]))"
            given.append(signals)
        if limit is not None:
            order = "desc" if newest_first else "asc"
            where += (
                f" and measured_at in (select distinct measured_at from telemetry where {where}"
                f" order by measured_at {order} limit {int(limit)})"
            )
            given += given
        found = self._fetch(
            f"select epoch_ns(measured_at) // 1000 as t, signal, value from telemetry where {where}", given
        )
        names = found["signal"]
        if signals is None:
            signals = sorted(set(names.tolist()))
        t_us, row = np.unique(found["t"].astype(np.int64), return_inverse=True)
        place = {name: j for j, name in enumerate(signals)}
        column = np.fromiter((place[name] for name in names), dtype=np.intp, count=len(names))
        values = np.full((len(t_us), len(signals)), np.nan)
        values[row, column] = found["value"]
        return Readings(tuple(signals), t_us, values)

    def band(self, tenant: str, device: str, signal: str, from_us: int, to_us: int, buckets: int) -> Band:
        """The signal in equal time buckets."""
        width = max(1, -(-(to_us - from_us) // buckets))
        where, given = _where(tenant, device, from_us, to_us)
        found = self._fetch(
            "select (epoch_ns(measured_at) // 1000 - ?) // ? as bucket, avg(value) as mean, min(value) as low,"
            f" max(value) as high from telemetry where {where} and signal = ? group by bucket order by bucket",
            [from_us, width, *given, signal],
        )
        t_us = found["bucket"].astype(np.int64) * width + from_us
        return Band(t_us, *(found[name].astype(np.float64) for name in ("mean", "low", "high")))

    def ready(self) -> bool:
        """Whether the file answers."""
        try:
            self._cursor().execute("select 1")
        except (self._error, StoreUnreachable):
            return False
        return True

    def close(self) -> None:
        """Write everything into the file and let it go."""
        with self._writing:
            self._connection.close()

    def _cursor(self) -> "DuckDBPyConnection":
        cursor: DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if cursor is None:
            try:
                cursor = self._local.cursor = self._connection.cursor()
            except self._error as problem:
                raise StoreUnreachable(f"the telemetry file is closed: {problem}") from problem
        return cursor

    def _fetch(self, query: str, given: list[Any]) -> dict[str, NDArray[Any]]:
        try:
            return {k: np.asarray(v) for k, v in self._cursor().execute(query, given).fetchnumpy().items()}
        except self._error as problem:
            raise StoreUnreachable(f"the telemetry file gave nothing: {problem}") from problem


def _where(tenant: str, device: str, from_us: int | None, to_us: int | None) -> tuple[str, list[Any]]:
    where, given = "tenant = ? and device = ?", [tenant, device]
    bounds: list[Any] = []
    for operator, t_us in ((">=", from_us), ("<", to_us)):
        if t_us is not None:
            where += f" and measured_at {operator} make_timestamp_ns(?)"
            bounds.append(t_us * 1000)
    return where, given + bounds


def _last_of_each(
    t_us: NDArray[np.int64], row: NDArray[np.intp], column: NDArray[np.intp], width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of values with the same time and signal the last one: one statement must not write a key twice."""
    _, same = np.unique(t_us, return_inverse=True)
    keys = (same[row] * width + column)[::-1]
    _, first = np.unique(keys, return_index=True)
    kept = np.sort(len(row) - 1 - first)
    return row[kept], column[kept]
