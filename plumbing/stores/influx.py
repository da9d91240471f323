"""Telemetry in InfluxDB 2: raw line protocol through influxdb-client, hot reads by InfluxQL."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from contracts.points import MEASUREMENT, Band, DeviceRows, Readings, Refused, StoreUnreachable

LINES = 5_000
"""Most lines of one write."""
TIMEOUT_MS = 10_000
NARROWED = (400, 413, 422)
"""What the store says of points that it will never take; everything else may pass another time."""

_ESCAPE = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\=", "\\": r"\\"})
_DROPPED = re.compile(r"dropped=(\d+)")


class _Declined(Exception):
    """The store will not have something in this write."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        found = _DROPPED.search(detail)
        self.detail = detail
        self.dropped = int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class _Point:
    """Row `i` of `rows`, or one of its values."""

    rows: DeviceRows
    i: int
    numbers: tuple[tuple[int, float], ...]
    """Which signal (its place in `rows.signals`), and its value."""


class _Problem(msgspec.Struct):
    message: str


class _Series(msgspec.Struct):
    columns: list[str]
    values: list[list[Any]]


class _Result(msgspec.Struct):
    series: list[_Series] = []
    error: str = ""


class _Answer(msgspec.Struct):
    results: list[_Result]


_decode = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.Encoder().encode
_Piece = tuple[DeviceRows, int, int]
"""Rows from the first number up to the second."""


class InfluxStore:
    """Telemetry store on an InfluxDB 2 bucket. Thread-safe; each thread at work has one keep-alive connection."""

    def __init__(self, url: str, token: str, org: str, bucket: str) -> None:
        from influxdb_client.client.influxdb_client import InfluxDBClient
        from influxdb_client.client.write_api import SYNCHRONOUS
        from influxdb_client.rest import ApiException
        from urllib3 import PoolManager, Timeout
        from urllib3.exceptions import HTTPError

        self._client: Any = InfluxDBClient(url=url, token=token, org=org, timeout=TIMEOUT_MS, enable_gzip=False)
        self._write_api: Any = self._client.write_api(write_options=SYNCHRONOUS)
        self._http = PoolManager(timeout=Timeout(TIMEOUT_MS / 1000), retries=False)
        self._url, self._headers = url.rstrip("/"), {"Authorization": f"Token {token}"}
        self._org, self._bucket = org, bucket
        self._refusal: Any = ApiException
        self._failures: tuple[type[Exception], ...] = (HTTPError, OSError)
        self._heads: dict[tuple[str, str], bytes] = {}
        self._templates: dict[tuple[str, ...], bytes] = {}

    def write(self, rows: list[DeviceRows]) -> list[Refused]:
        """Write all rows, at most `LINES` at once; one bad point never loses the others."""
        return self.prepared(rows)()

    def prepared(self, rows: list[DeviceRows]) -> Callable[[], list[Refused]]:
        """A write of all rows that has its lines at hand already."""
        refused: list[Refused] = []
        writes: list[tuple[bytes, list[_Piece]]] = []
        lines: list[bytes] = []
        pieces: list[_Piece] = []
        for given in rows:
            part = _without_time(given, refused) if "time" in given.signals else given
            start, end = 0, len(part.t_us)
            while start < end:
                until = min(end, start + LINES - len(lines))
                lines += self._lines(part, start, until)
                pieces.append((part, start, until))
                if len(lines) == LINES:
                    writes.append((b"\n".join(lines), pieces))
                    lines, pieces = [], []
                start = until
        if lines:
            writes.append((b"\n".join(lines), pieces))

        def write() -> list[Refused]:
            return [*refused, *(point for body, of in writes for point in self._send(body, of))]

        return write

    def _send(self, body: bytes, pieces: list[_Piece]) -> list[Refused]:
        try:
            self._post(body)
        except _Declined:
            points = [_point(part, i) for part, start, until in pieces for i in range(start, until)]
            return _whole_rows(self._narrow([p for p in points if p.numbers]))
        return []

    def _post(self, body: bytes) -> None:
        """One write. Raises _Declined or StoreUnreachable."""
        try:
            self._write_api.write(self._bucket, self._org, body, write_precision="us")
        except self._refusal as answer:
            detail = _message(answer.body) or f"{answer.status} {answer.reason}"
            if answer.status in NARROWED:
                raise _Declined(detail) from answer
            raise StoreUnreachable(f"InfluxDB answers {answer.status}: {detail}") from answer
        except self._failures as failure:
            raise StoreUnreachable(f"InfluxDB does not answer: {failure}") from failure

    def _narrow(self, points: Sequence[_Point]) -> list[tuple[_Point, str]]:
        """Write the points in ever smaller parts; returns the single values that stay refused, each with the reason."""
        try:
            self._post(b"\n".join(self._one_line(p) for p in points))
        except _Declined as declined:
            alone = all(len(p.numbers) == 1 for p in points)
            all_refused = declined.dropped == len(points)
            if alone and (len(points) == 1 or all_refused):
                return [(p, declined.detail) for p in points]
            out: list[tuple[_Point, str]] = []
            if len(points) == 1 or all_refused:
                by_signal: dict[str, list[_Point]] = {}
                for p in points:
                    for j, x in p.numbers:
                        by_signal.setdefault(p.rows.signals[j], []).append(_Point(p.rows, p.i, ((j, x),)))
                for single in by_signal.values():
                    out += self._narrow(single)
                return out
            half = len(points) // 2
            return self._narrow(points[:half]) + self._narrow(points[half:])
        return []

    def _lines(self, part: DeviceRows, start: int, until: int) -> list[bytes]:
        """The lines of these rows; none of a row without a number."""
        values = part.values[start:until]
        numbers = _encode(values)
        if not part.signals or b"null" in numbers or b"true" in numbers or b"false" in numbers:
            points = [_point(part, i) for i in range(start, until)]
            return [self._one_line(p) for p in points if p.numbers]
        names = tuple(part.signals)
        template = self._templates.get(names)
        if template is None:
            fields = b",".join(name.translate(_ESCAPE).encode().replace(b"%", b"%%") + b"=%b" for name in names)
            template = self._templates[names] = b"%b " + fields + b" %d"
        head, times = self._head(part), part.t_us[start:until]
        # [[1.5,2.0],[…]]: one pass of the encoder writes all numbers, and they are cut apart again
        rows = numbers[2:-2].split(b"],[")
        return [template % (head, *row.split(b","), t) for row, t in zip(rows, times, strict=True)]

    def _one_line(self, point: _Point) -> bytes:
        part = point.rows
        fields = ",".join(f"{part.signals[j].translate(_ESCAPE)}={x!r}" for j, x in point.numbers)
        return b"%b %b %d" % (self._head(part), fields.encode(), part.t_us[point.i])

    def _head(self, part: DeviceRows) -> bytes:
        key = (part.tenant, part.device)
        head = self._heads.get(key)
        if head is None:
            tenant, device = (name.translate(_ESCAPE) for name in key)
            head = self._heads[key] = f"{MEASUREMENT},device={device},tenant={tenant}".encode()
        return head

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
        asked = None if signals is None else [name for name in signals if name != "time"]
        if signals is not None and not asked:
            return Readings(tuple(signals), np.empty(0, np.int64), np.empty((0, len(signals))))
        wanted = "*::field" if asked is None else ",".join(map(_field, asked))
        query = f"select {wanted} from {MEASUREMENT} where {_where(tenant, device, from_us, to_us)} order by time"
        query += " desc" if newest_first else " asc"
        if limit is not None:
            query += f" limit {int(limit)}"
        columns, rows = self._query(query)
        t_us = np.array([row[0] for row in rows], dtype=np.int64)
        held: dict[str, list[float]] = {}
        for j, name in enumerate(columns[1:], 1):
            column = [row[j] if isinstance(row[j], int | float) else np.nan for row in rows]
            held[name] = column
        if signals is None:
            signals = sorted(name for name, column in held.items() if not np.all(np.isnan(column)))
        values = np.full((len(rows), len(signals)), np.nan)
        for j, name in enumerate(signals):
            if name in held:
                values[:, j] = held[name]
        if newest_first:
            t_us, values = t_us[::-1].copy(), values[::-1].copy()
        return Readings(tuple(signals), t_us, values)

    def band(self, tenant: str, device: str, signal: str, from_us: int, to_us: int, buckets: int) -> Band:
        """The signal in equal time buckets."""
        width = max(1, -(-(to_us - from_us) // buckets))
        name = _field(signal)
        _, rows = self._query(
            f"select mean({name}), min({name}), max({name}) from {MEASUREMENT}"
            f" where {_where(tenant, device, from_us, to_us)} group by time({width}u, {from_us % width}u) fill(none)"
        )
        found = np.array(rows, dtype=np.float64).reshape(-1, 4)
        t_us = np.array([row[0] for row in rows], dtype=np.int64)
        return Band(t_us, found[:, 1], found[:, 2], found[:, 3])

    def counts(self, tenant: str, device: str, from_us: int, to_us: int, width_us: int) -> list[tuple[str, int, int]]:
        """Values in equal time buckets: (signal, begin, how many)."""
        columns, rows = self._query(
            f"select count(*::field) from {MEASUREMENT} where {_where(tenant, device, from_us, to_us)}"
            f" group by time({width_us}u, {from_us % width_us}u) fill(none)"
        )
        names = [name.removeprefix("count_") for name in columns]
        return sorted((names[j], int(row[0]), int(row[j])) for row in rows for j in range(1, len(names)) if row[j])

    def _query(self, query: str) -> tuple[list[str], list[list[Any]]]:
        """Columns and rows of an InfluxQL query; times are epoch microseconds."""
        fields = {"db": self._bucket, "q": query, "epoch": "u"}
        try:
            answer = self._http.request(
                "POST", f"{self._url}/query", fields=fields, encode_multipart=False, headers=self._headers
            )
        except self._failures as failure:
            raise StoreUnreachable(f"InfluxDB does not answer: {failure}") from failure
        if answer.status != 200:
            raise StoreUnreachable(f"InfluxDB answers {answer.status}: {_message(answer.data)}")
        result = _decode(answer.data).results[0]
        if result.error:
            raise StoreUnreachable(f"InfluxDB answers: {result.error}")
        return (result.series[0].columns, result.series[0].values) if result.series else ([], [])

    def ready(self) -> bool:
        """Whether the server says that it is well."""
        try:
            answer = self._http.request("GET", f"{self._url}/health", timeout=2.0)
        except self._failures:
            return False
        return bool(answer.status == 200)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._http.clear()


def _point(part: DeviceRows, i: int) -> _Point:
    return _Point(part, i, tuple((j, float(v)) for j, v in enumerate(part.values[i]) if v is not None))


def _without_time(part: DeviceRows, refused: list[Refused]) -> DeviceRows:
    """The rows without a signal named `time`, which InfluxDB would leave out without a word."""
    j = part.signals.index("time")
    for i, row in enumerate(part.values):
        if row[j] is not None:
            detail = "InfluxDB keeps no field of the name 'time'"
            refused.append(Refused(part.tenant, part.device, part.t_us[i], part.seq[i], part.boot_id, "time", detail))
    return msgspec.structs.replace(
        part,
        signals=part.signals[:j] + part.signals[j + 1 :],
        values=[row[:j] + row[j + 1 :] for row in part.values],
    )


def _whole_rows(refused: list[tuple[_Point, str]]) -> list[Refused]:
    """One `Refused` a value, or one for the whole row where the store takes none of its several values."""
    by_row: dict[tuple[int, int], list[tuple[_Point, str]]] = {}
    for point, detail in refused:
        by_row.setdefault((id(point.rows), point.i), []).append((point, detail))
    out: list[Refused] = []
    for found in by_row.values():
        part, i = found[0][0].rows, found[0][0].i
        whole = 1 < len(found) == len(_point(part, i).numbers)
        for point, detail in found[:1] if whole else found:
            signal = None if whole else part.signals[point.numbers[0][0]]
            out.append(Refused(part.tenant, part.device, part.t_us[i], part.seq[i], part.boot_id, signal, detail))
    return out


def _field(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"::field'


def _where(tenant: str, device: str, from_us: int | None, to_us: int | None) -> str:
    parts = []
    for tag, text in (("tenant", tenant), ("device", device)):
        escaped = text.replace("\\", "\\\\").replace("'", "\\'")
        parts.append(f"{tag}::tag = '{escaped}'")
    for operator, t_us in ((">=", from_us), ("<", to_us)):
        if t_us is not None:
            parts.append(f"time {operator} {t_us * 1000}")
    return " and ".join(parts)


def _message(body: str | bytes | None) -> str:
    """What the server says went wrong."""
    try:
        return msgspec.json.decode(body or b"", type=_Problem).message
    except msgspec.MsgspecError:
        return str(body or "")[:300]
