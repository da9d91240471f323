"""Rows of telemetry, column-wise, as they go to the store and into the log."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

MEASUREMENT = "telemetry"


class DeviceRows(msgspec.Struct, frozen=True):
    """Accepted samples of one device. `values[i][j]` is signal `signals[j]` at `t_us[i]`, in the asset model's unit.

    None = no reading. `seq` is 0 where the sender gives no numbers. Times are epoch microseconds, UTC.
    """

    tenant: str
    device: str
    model: str
    boot_id: str
    signals: list[str]
    seq: list[int]
    t_us: list[int]
    values: list[list[float | None]]
    received_us: int


class Block(msgspec.Struct, frozen=True):
    """Payload of the log topic `blocks`: one commit of ingest for one tenant (msgpack).

    `history` is True for rows that came through history import; nobody is paged for them.
    """

    v: int
    tenant: str
    devices: list[DeviceRows]
    history: bool = False


encode_block = msgspec.msgpack.Encoder().encode
decode_block = msgspec.msgpack.Decoder(Block).decode


@dataclass(frozen=True, slots=True)
class Refused:
    """A value or a row that the store will never take."""

    tenant: str
    device: str
    t_us: int
    seq: int
    boot_id: str
    signal: str | None
    """None = the whole row."""
    detail: str


@dataclass(frozen=True)
class Readings:
    """What the store holds of one device: times (n,) int64 microseconds, values (n, k) float64 with NaN for none."""

    signals: tuple[str, ...]
    t_us: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Band:
    """A signal for a chart: per bucket the time at which it begins, mean, lowest and highest value."""

    t_us: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class StoreUnreachable(Exception):
    """The telemetry store did not take or give the block; nothing is known to be written, try again."""


@runtime_checkable
class Counting(Protocol):
    """A telemetry store that can count."""

    def counts(self, tenant: str, device: str, from_us: int, to_us: int, width_us: int) -> list[tuple[str, int, int]]:
        """Values in equal time buckets from `from_us` on: (signal, begin of the bucket, how many), none without any."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A telemetry store whose writes begin with work of our own: it can be done while an earlier write waits."""

    def prepared(self, rows: list[DeviceRows]) -> Callable[[], list[Refused]]:
        """What `write` does, without what happens before the server is asked."""
        ...


class TelemetryStore(Protocol):
    """The telemetry port. Writes are idempotent by (tenant, device, time, signal): the last one wins."""

    def write(self, rows: list[DeviceRows]) -> list[Refused]:
        """Write all rows; returns what the store refuses for ever. Raises StoreUnreachable."""
        ...

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
        """Readings with from_us <= t < to_us in time order (the newest `limit` ones where `newest_first`)."""
        ...

    def band(self, tenant: str, device: str, signal: str, from_us: int, to_us: int, buckets: int) -> Band:
        """The signal in equal time buckets; empty buckets are left out."""
        ...

    def ready(self) -> bool:
        """Whether the store answers now."""
        ...

    def close(self) -> None: ...
