"""Sparkplug payloads for tests, and the stations that send them."""

from typing import Any

from ingest.domain.foreign.decoder import Station
from ingest.domain.foreign.protobuf import write_bytes, write_double, write_float, write_int
from ingest.domain.foreign.sparkplug_payload import DataType

AT_MS = 1_795_341_600_000
NODE = Station("acme", "gate", "Plant 1/Line 4", {"Pump": "pump-1", "Fan": "fan-1"}, {"pump-1": {"Motor/Temp": "temp"}})
GATE = Station("acme", "gate", "", {"Device A": "pump-1", "Device B": "fan-1"}, {"pump-1": {"Motor/Temp": "temp"}})


def metric(
    name: str | None = None,
    value: Any = None,
    kind: DataType | None = None,
    *,
    alias: int | None = None,
    t: int | None = None,
    null: bool = False,
    historical: bool = False,
    raw: bytes = b"",
) -> bytes:
    """One metric."""
    out = b""
    if name is not None:
        out += write_bytes(1, name.encode())
    if alias is not None:
        out += write_int(2, alias)
    if t is not None:
        out += write_int(3, t)
    if kind is not None:
        out += write_int(4, kind)
    if historical:
        out += write_int(5, 1)
    if null:
        out += write_int(7, 1)
    if isinstance(value, bool):
        out += write_int(14, value)
    elif isinstance(value, str):
        out += write_bytes(15, value.encode())
    elif kind == DataType.FLOAT:
        out += write_float(12, value)
    elif isinstance(value, float):
        out += write_double(13, value)
    elif isinstance(value, int):
        long = kind in (DataType.INT64, DataType.UINT64, DataType.DATETIME)
        out += write_int(11 if long else 10, value if long else value & 0xFFFFFFFF)
    return out + raw


def payload(*metrics: bytes, seq: int | None = None, t: int | None = AT_MS) -> bytes:
    """A payload."""
    out = b"" if t is None else write_int(1, t)
    out += b"".join(write_bytes(2, m) for m in metrics)
    return out if seq is None else out + write_int(3, seq)
