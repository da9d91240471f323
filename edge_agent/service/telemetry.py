"""Telemetry messages of samples that are encoded already."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from contracts import wire
from edge_agent.service.ports import Row

ENVELOPE_BYTES = 500


class _Message(msgspec.Struct, omit_defaults=True):
    """wire.Telemetry."""

    v: int
    boot_id: str
    seq: int
    sent_at: str
    samples: list[msgspec.Raw]
    units: msgspec.Raw = msgspec.Raw(b"")


def telemetry(boot_id: str, rows: Sequence[Row], now: datetime) -> tuple[bytes, int]:
    """The message of the leading rows that fit into one, and the last number in it: numbers without a gap, one set of
    units."""
    first = rows[0]
    size = ENVELOPE_BYTES + len(first.units or b"")
    run: list[msgspec.Raw] = []
    for i, row in enumerate(rows):
        size += len(row.body) + 1
        if row.seq != first.seq + i or row.units != first.units or (run and size > wire.MAX_SENT_BYTES):
            break
        run.append(msgspec.Raw(row.body))
    sent_at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    message = _Message(wire.VERSION, boot_id, first.seq, sent_at, run)
    if first.units:
        message.units = msgspec.Raw(first.units)
    return wire.encode(message), first.seq + len(run) - 1
