"""Messages between device and platform, version 1 (JSON)."""

from typing import Any, Literal, get_args

import msgspec

VERSION = 1
MAX_BODY_BYTES = 1_000_000
"""A larger message is `too_large`: counted, never decoded, never settled."""
MAX_SENT_BYTES = 256_000
"""An agent cuts its messages at this size."""
WINDOW = 1000
"""Default number of unsettled samples in flight of one device."""
LISTED = 50
"""Most ranges in `settled` or `ask` of one message."""

Value = float | bool | None
Reason = Literal[
    "malformed",
    "wrong_type",
    "not_finite",
    "unknown_device",
    "unknown_signal",
    "unknown_unit",
    "wrong_unit",
    "out_of_range",
    "future",
    "too_large",
    "schema_version",
    "store_refused",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
Range = tuple[int, int]
Dropped = tuple[int, int, str]


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reading of all signals at one time; `t` as RFC 3339 text or epoch milliseconds."""

    values: dict[str, Value]
    t: str | int | None = None


class Telemetry(msgspec.Struct, frozen=True, omit_defaults=True):
    """Samples seq, seq+1, ... of one outbox."""

    v: int
    samples: list[Sample]
    boot_id: str | None = None
    seq: int | None = None
    sent_at: str | None = None
    units: dict[str, str] = {}


class State(msgspec.Struct, frozen=True):
    """What the agent holds: oldest and newest number in its outbox (empty: first = last + 1) and what it gave up."""

    v: int
    boot_id: str | None = None
    first: int = 1
    last: int = 0
    dropped: list[Dropped] = []
    agent: str = ""
    uptime_s: float = 0.0
    online: bool = True
    health: dict[str, Any] = {}


class Stored(msgspec.Struct, frozen=True):
    """What the platform has settled of one outbox; `ask` only in the answer to a `State`."""

    v: int
    boot_id: str
    through: int
    settled: list[Range] = []
    rejected: list[tuple[int, int, Reason]] = []
    ask: list[Range] = []


OFFLINE = b'{"v":1,"online":false}'
"""Body of the will and of the clean stop."""

encode = msgspec.json.encode
decode_telemetry = msgspec.json.Decoder(Telemetry).decode
decode_state = msgspec.json.Decoder(State).decode
decode_stored = msgspec.json.Decoder(Stored).decode
