"""The service on a database, with hands to feed its log."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from anomaly.adapters.sql import SqlTables
from anomaly.service.rounds import Rounds
from anomaly.service.watching import Watching
from contracts.asset_model import AssetModel
from contracts.clock import Clock
from contracts.points import Band, Block, DeviceRows, Readings, Refused, encode_block
from contracts.records import BLOCKS, FINDINGS, PREDICTIONS, Alarm, FromWork, Prediction, decode_from_anomaly, encode
from plumbing import audit, log, migrate
from plumbing.sql import Database, from_us
from plumbing.system_clock import SystemClock
from tests.anomaly.machines import MODEL, SIGNALS

WALL = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAILS_AT = 300.0


class StillClock:
    """A tenant's clock that stands where the test puts it."""

    factor = 1.0

    def __init__(self) -> None:
        self.at = WALL

    def now(self) -> datetime:
        return self.at


class StillClocks:
    def __init__(self) -> None:
        self.clock = StillClock()

    def of(self, tenant: str) -> Clock:
        return self.clock


class MemoryStore:
    """A telemetry store that holds what it is given."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def write(self, rows: list[DeviceRows]) -> list[Refused]:
        raise NotImplementedError

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
        t_us, values = self.rows.get(device, (np.zeros(0, dtype=np.int64), np.zeros((0, len(SIGNALS)))))
        low, high = -(2**62) if from_us is None else from_us, 2**62 if to_us is None else to_us
        wanted = (t_us >= low) & (t_us < high)
        return Readings(tuple(SIGNALS), t_us[wanted], values[wanted])

    def band(self, tenant: str, device: str, signal: str, from_us: int, to_us: int, buckets: int) -> Band:
        raise NotImplementedError

    def ready(self) -> bool:
        return True

    def close(self) -> None: ...


class Bench:
    """A database with the service on it, and hands to feed the log."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder}/test.db")
        migrate.upgrade(self.database, ["plumbing", "anomaly"])
        self.clocks, self.store, self.monotonic = StillClocks(), MemoryStore(), 0.0
        self.rounds = self.started()

    def started(self, batch: int = 10, save_seconds: float = 1.0, model: AssetModel = MODEL) -> Rounds:
        def models(name: str) -> AssetModel | None:
            return model if name == model.name else None

        return Rounds(
            SqlTables(self.database, SystemClock()),
            lambda: Watching(models, self.clocks, self.store),
            lambda: self.monotonic,
            save_seconds,
            batch,
        )

    def put(
        self,
        device: str,
        t_us: np.ndarray,
        values: np.ndarray,
        *,
        first: int = 0,
        boot: str = "",
        history: bool = False,
        signals: Sequence[str] = SIGNALS,
    ) -> None:
        seq = list(range(first, first + len(t_us))) if first else [0] * len(t_us)
        rows = DeviceRows(
            "acme", device, MODEL.name, boot, list(signals), seq, t_us.tolist(), values.tolist(), int(t_us[-1]) + 1
        )
        self.clocks.clock.at = max(self.clocks.clock.at, from_us(int(t_us[-1]) + 1))
        with self.database.write() as connection:
            log.append(connection, "acme", BLOCKS, device, encode_block(Block(1, "acme", [rows], history)), WALL)

    def tell(self, record: FromWork) -> None:
        with self.database.write() as connection:
            log.append(connection, "acme", FINDINGS, record.device, encode(record), WALL)

    def run(self) -> None:
        while self.rounds.round():
            pass

    def said(self) -> list[Prediction | Alarm]:
        with self.database.read() as connection:
            return [decode_from_anomaly(e.payload) for e in log.read(connection, PREDICTIONS, 0, 10_000)]

    def told(self) -> list[audit.AuditEntry]:
        with self.database.read() as connection:
            return list(audit.read(connection, "acme"))
