"""A Sparkplug B payload, by its field numbers, and the values of its metrics."""

import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum

from contracts.wire import MAX_BODY_BYTES
from ingest.domain.foreign.decoder import LONGEST_VALUE, Scalar
from ingest.domain.foreign.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    BadWire,
    fields,
    write_bytes,
    write_int,
)

MAX_METRICS = 20_000
"""More in one payload make it unreadable: 1 MB holds about as many of the smallest."""


COMPRESSED = b"SPBV1.0_COMPRESSED"
"""In place of the uuid: the body is another payload, by zlib or gzip. So do the JavaScript clients."""
_ZLIB_OR_GZIP = 47


class DataType(IntEnum):
    """Kinds of values, by their numbers on the wire; the numbers above are arrays."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19


_SIGNED = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
_UNSIGNED = {
    DataType.UINT8: 8,
    DataType.UINT16: 16,
    DataType.UINT32: 32,
    DataType.UINT64: 64,
    DataType.DATETIME: 64,
}
_TEXTS = (DataType.STRING, DataType.TEXT, DataType.UUID)
_INT, _LONG, _FLOAT, _DOUBLE, _BOOLEAN, _STRING, _BYTES, _DATASET, _TEMPLATE = range(10, 19)
_WIRE = {
    _INT: VARINT, _LONG: VARINT, _FLOAT: FIXED32, _DOUBLE: FIXED64, _BOOLEAN: VARINT, _STRING: BYTES, _BYTES: BYTES,
    _DATASET: BYTES, _TEMPLATE: BYTES,
}  # fmt: skip


class BadMetric(ValueError):
    """A metric that cannot be read; the text says why."""


@dataclass(slots=True)
class Metric:
    """One metric; `fault` says why it cannot be read."""

    name: str | None = None
    alias: int | None = None
    timestamp: int | None = None
    datatype: int | None = None
    is_historical: bool = False
    is_null: bool = False
    of: int = 0
    """Field number of the value; 0 = none."""
    raw: int | bytes = 0
    fault: str = ""


@dataclass(slots=True)
class Payload:
    """A payload."""

    timestamp: int | None = None
    seq: int | None = None
    metrics: list[Metric] = field(default_factory=list)


def read_payload(body: bytes) -> Payload:
    """Read a payload; a metric that cannot be read carries its fault. Raises BadWire when nothing can be read."""
    out = Payload()
    packed, uuid = b"", b""
    for number, kind, value in fields(body):
        if number == 1 and isinstance(value, int):
            out.timestamp = value
        elif number == 3 and isinstance(value, int):
            out.seq = value
        elif number == 2 and kind == BYTES and isinstance(value, bytes):
            if len(out.metrics) >= MAX_METRICS:
                raise BadWire("too many metrics")
            out.metrics.append(_read_metric(value))
        elif number in (1, 2, 3):
            raise BadWire("a field of another kind")
        elif number == 4 and isinstance(value, bytes):
            uuid = value
        elif number == 5 and isinstance(value, bytes):
            packed = value
    if uuid == COMPRESSED:
        inner = read_payload(_unpacked(packed))
        inner.seq = out.seq if inner.seq is None else inner.seq
        return inner
    return out


def _unpacked(packed: bytes) -> bytes:
    """What was compressed, once and within bounds."""
    reader = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        out = reader.decompress(packed, MAX_BODY_BYTES)
    except zlib.error as problem:
        raise BadWire("a compressed body that cannot be read") from problem
    if not reader.eof:
        raise BadWire("a compressed body that is too large, or ends early")
    if COMPRESSED in out[:100]:
        raise BadWire("a compressed body in a compressed body")
    return out


def _read_metric(data: bytes) -> Metric:
    out = Metric()
    try:
        for number, kind, value in fields(data):
            if number == 1 and isinstance(value, bytes):
                out.name = value.decode()
            elif number in (2, 3, 4, 5, 7) and isinstance(value, int):
                _take(out, number, value)
            elif number in _WIRE:
                if kind != _WIRE[number]:
                    raise BadWire("a value of another kind")
                out.of, out.raw = number, value
            elif number in (1, 2, 3, 4, 5, 7):
                raise BadWire("a field of another kind")
    except ValueError as problem:
        out.fault = "not UTF-8" if isinstance(problem, UnicodeDecodeError) else str(problem)
    return out


def _take(metric: Metric, number: int, value: int) -> None:
    match number:
        case 2:
            metric.alias = value
        case 3:
            metric.timestamp = value
        case 4:
            metric.datatype = value
        case 5:
            metric.is_historical = bool(value)
        case _:
            metric.is_null = bool(value)


def value_of(metric: Metric, datatype: int | None) -> Scalar:
    """The metric's value, read as `datatype` says. Raises BadMetric.

    What is no number stays text: acceptance says `wrong_type`.
    """
    if metric.is_null:
        return None
    if not metric.of:
        raise BadMetric("no value")
    raw = metric.raw
    if isinstance(raw, bytes):
        return _of_bytes(metric.of, raw, datatype)
    if metric.of == _BOOLEAN or datatype == DataType.BOOLEAN:
        return bool(raw)
    if datatype in _SIGNED:
        return _signed(raw, _SIGNED[DataType(datatype)])
    if datatype in _UNSIGNED:
        if raw >> _UNSIGNED[DataType(datatype)]:
            raise BadMetric(f"{raw} does not fit its type")
        return raw
    if datatype in (None, DataType.UNKNOWN, DataType.FLOAT, DataType.DOUBLE):
        return raw
    return f"integer of data type {datatype}"


def _signed(raw: int, bits: int) -> int:
    """Senders write a negative number in two's complement of its own size, of 32, or of 64 bits: all are read."""
    half = 1 << bits - 1
    if raw < half:
        return raw
    for width in {bits, 32, 64}:
        if width >= bits and (1 << width) - half <= raw < 1 << width:
            return raw - (1 << width)
    raise BadMetric(f"{raw} does not fit its type")


def _of_bytes(of: int, raw: bytes, datatype: int | None) -> Scalar:
    if of == _FLOAT:
        return float(struct.unpack("<f", raw)[0])
    if of == _DOUBLE:
        return float(struct.unpack("<d", raw)[0])
    if of == _STRING:
        try:
            return raw.decode()[:LONGEST_VALUE]
        except UnicodeDecodeError as problem:
            raise BadMetric("text that is not UTF-8") from problem
    if of == _DATASET:
        return "DataSet"
    if of == _TEMPLATE:
        return "Template"
    return f"{len(raw)} bytes of data type {datatype}"


def rebirth(at_ms: int) -> bytes:
    """The command by which a host asks an edge node to tell its births again."""
    metric = (
        write_bytes(1, b"Node Control/Rebirth")
        + write_int(3, at_ms)
        + write_int(4, DataType.BOOLEAN)
        + write_int(_BOOLEAN, 1)
    )
    return write_int(1, at_ms) + write_bytes(2, metric)
