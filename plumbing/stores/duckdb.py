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
    select (?::text[])[part], (?::text[])[part], make_timestamp_ns(t_us * 1000), (?::text[])[signal], value,
        (?::text[])[part], seq, make_timestamp_ns((?::bigint[])[part] * 1000)
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
        block, heads = _columns(rows, refused)
        if not len(block["value"]):
            return refused
        with self._writing:
            cursor = self._cursor()
            try:
                cursor.register("block", block)
                cursor.execute(_INSERT, heads).fetchall()
                cursor.unregister("block")
            except self._error as problem:
                raise StoreUnreachable(f"the telemetry file did not take a block: {problem}") from problem
        return refused

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

    def counts(self, tenant: str, device: str, from_us: int, to_us: int, width_us: int) -> list[tuple[str, int, int]]:
        """Values in equal time buckets: (signal, begin, how many)."""
        where, given = _where(tenant, device, from_us, to_us)
        found = self._fetch(
            "select signal, (epoch_ns(measured_at) // 1000 - ?) // ? as bucket, count(*) as n"
            f" from telemetry where {where} group by signal, bucket order by signal, bucket",
            [from_us, width_us, *given],
        )
        begin = found["bucket"].astype(np.int64) * width_us + from_us
        return list(zip(found["signal"].tolist(), begin.tolist(), found["n"].astype(np.int64).tolist(), strict=True))

    def ready(self) -> bool:
        """Whether the file answers."""
        try:
            self._cursor().execute("select 1").fetchall()
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


def _columns(rows: list[DeviceRows], refused: list[Refused]) -> tuple[dict[str, Any], list[list[Any]]]:
    """One column each of part, time, signal, value and number of all finite values, and the lists of names.

    Parts and signals count from 1. Values that are not finite go to `refused`.
    """
    names: dict[str, int] = {}
    columns: list[list[NDArray[Any]]] = [[], [], [], [], []]
    twice = len({(part.tenant, part.device) for part in rows}) < len(rows)
    for k, part in enumerate(rows, 1):
        if not part.t_us or not part.signals:
            continue
        values = np.array(part.values, dtype=np.float64)
        row, column = np.nonzero(np.isfinite(values))
        if len(row) < values.size:
            _refuse(part, values, refused)
        signal = np.array([names.setdefault(name, len(names) + 1) for name in part.signals], dtype=np.int32)
        t_us, seq = np.array(part.t_us, dtype=np.int64), np.array(part.seq, dtype=np.int64)
        twice = twice or len(set(part.t_us)) < len(part.t_us)
        of_part: tuple[NDArray[Any], ...] = (
            np.full(len(row), k, dtype=np.int32),
            t_us[row],
            signal[column],
            values[row, column],
            seq[row],
        )
        for to, new in zip(columns, of_part, strict=True):
            to.append(new)
    block = {
        name: np.concatenate(column) if column else np.empty(0)
        for name, column in zip(("part", "t_us", "signal", "value", "seq"), columns, strict=True)
    }
    if twice and len(block["value"]):
        block = _last_of_each(block, rows)
    heads = [[p.tenant for p in rows], [p.device for p in rows], list(names), [p.boot_id for p in rows]]
    return block, [*heads, [p.received_us for p in rows]]


def _refuse(part: DeviceRows, values: NDArray[np.float64], refused: list[Refused]) -> None:
    """Name the values that are there and not finite."""
    for i, j in zip(*np.nonzero(~np.isfinite(values)), strict=True):
        if part.values[i][j] is not None:
            detail = f"{values[i, j]} is no finite number"
            refused.append(
                Refused(part.tenant, part.device, part.t_us[i], part.seq[i], part.boot_id, part.signals[j], detail)
            )


def _last_of_each(block: dict[str, NDArray[Any]], rows: list[DeviceRows]) -> dict[str, NDArray[Any]]:
    """Of values with the same device, time and signal the last one: one statement must not write a key twice."""
    devices: dict[tuple[str, str], int] = {}
    device = np.array([devices.setdefault((p.tenant, p.device), len(devices)) for p in rows], dtype=np.int64)
    keys = np.stack([device[block["part"] - 1], block["t_us"], block["signal"].astype(np.int64)])
    order = np.lexsort(keys)
    same = np.all(keys[:, order[1:]] == keys[:, order[:-1]], axis=0)
    kept = np.sort(order[np.append(~same, True)])
    return {name: column[kept] for name, column in block.items()}
