"""A world for ingest: SQLite (or PostgreSQL), a store in memory, a clock that is set by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import msgspec
import pytest

from contracts import topics, wire
from contracts.asset_model import AssetModel, Role, Signal
from contracts.clock import Clock
from contracts.points import DeviceRows, Refused, StoreUnreachable
from contracts.units import Unit
from ingest.service.intake import Intake
from ingest.service.ledger import Entry, ledger
from ingest.service.quarantine import Quarantine, Quarantined, quarantine_page
from ingest.service.registry import add_device
from plumbing.sql import Database
from plumbing.system_clock import SystemClock

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
BOOT = "9f3c01aa"


@dataclass
class HandClock(SystemClock):
    """Wall, monotonic and tenant's clock in one."""

    at: datetime = NOW
    seconds: float = 1000.0
    rate: float = 1.0

    @property
    def factor(self) -> float:
        return self.rate

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def pass_(self, seconds: float) -> None:
        """Let time go by."""
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


@dataclass
class OneClock:
    """All tenants live on one clock."""

    clock: HandClock

    def of(self, tenant: str) -> Clock:
        return self.clock


@dataclass(frozen=True)
class Message:
    """A delivery."""

    topic: str
    body: bytes


class FewUnits:
    """A handful of units."""

    KNOWN: ClassVar[dict[str, Unit]] = {
        "Cel": Unit("Cel", "temperature", 1.0, 273.15),
        "K": Unit("K", "temperature", 1.0),
        "[degF]": Unit("[degF]", "temperature", 5 / 9, 459.67 * 5 / 9),
        "mm/s": Unit("mm/s", "speed", 0.001),
        "m/s": Unit("m/s", "speed", 1.0),
        "/min": Unit("/min", "rate", 1 / 60),
    }

    def resolve(self, code: str) -> Unit | None:
        return self.KNOWN.get(code)


@dataclass
class MemoryStore:
    """Keeps points by (tenant, device, t, signal); refuses and fails on demand."""

    points: dict[tuple[str, str, int, str], float] = field(default_factory=dict)
    down: bool = False
    refuse: Callable[[DeviceRows, int], list[str | None]] | None = None
    written_rows: int = 0

    def write(self, rows: list[DeviceRows]) -> list[Refused]:
        if self.down:
            raise StoreUnreachable("down")
        out: list[Refused] = []
        for d in rows:
            assert len(d.seq) == len(d.t_us) == len(d.values)
            for i, values in enumerate(d.values):
                no = self.refuse(d, i) if self.refuse else []
                out += [Refused(d.tenant, d.device, d.t_us[i], d.seq[i], d.boot_id, s, "no") for s in no]
                self.written_rows += 1
                assert len(values) == len(d.signals)
                for name, x in zip(d.signals, values, strict=True):
                    if x is not None and name not in no and None not in no:
                        assert type(x) is float
                        self.points[d.tenant, d.device, d.t_us[i], name] = x
        return out


def pump() -> AssetModel:
    """A model with three signals."""
    made = {
        name: Signal(name, unit, low, high, Role.SYMPTOM, name)
        for name, unit, low, high in (
            ("temp", "Cel", -40.0, 200.0),
            ("vibration", "mm/s", 0.0, 100.0),
            ("rpm", "/min", 0.0, 5000.0),
        )
    }
    return AssetModel("pump", 1, "Pump", "EUR", made, None, (), {})


@dataclass
class World:
    """Ingest and all that is around it."""

    database: Database
    clock: HandClock = field(default_factory=HandClock)
    store: MemoryStore = field(default_factory=MemoryStore)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    quarantine: Quarantine | None = None
    connected: bool = True

    def __post_init__(self) -> None:
        self.intake = self.fresh()

    def fresh(self) -> Intake:
        """Ingest after a restart."""
        self.intake = Intake(
            database=self.database, store=self.store, clocks=OneClock(self.clock), system=self.clock,
            models={"pump": pump()}.get, units=FewUnits(), publish=self.publish, quarantine=self.quarantine,
        )  # fmt: skip
        return self.intake

    def publish(self, topic: str, body: bytes) -> bool:
        if self.connected:
            self.sent.append((topic, body))
        return self.connected

    def device(self, name: str = "pump-1", tenant: str = "acme") -> str:
        return add_device(self.database, tenant, name, "pump", now=self.clock.now()).password

    def take(self, *bodies: bytes | str, device: str = "pump-1", tenant: str = "acme", kind: str = "telemetry") -> None:
        self.intake.take([
            Message(topics.topic(tenant, device, kind), b if isinstance(b, bytes) else b.encode()) for b in bodies
        ])  # fmt: skip

    def state(self, first: int, last: int, dropped: list[tuple[int, int, str]] | None = None, boot: str = BOOT) -> None:
        self.take(msgspec.json.encode(wire.State(1, boot, first, last, dropped or [])), kind="state")

    def heard(self) -> list[wire.Stored]:
        """What was told to devices since this was asked last."""
        out = [wire.decode_stored(body) for _, body in self.sent]
        self.sent.clear()
        return out

    def refusals(self) -> list[tuple[str, str]]:
        """(path, reason) of everything in quarantine, oldest first."""
        return [(p, r) for q in reversed(self.page()) for p, r in q.refusals]

    def page(self) -> list[Quarantined]:
        return quarantine_page(self.database, limit=1000)

    def entry(self, boot: str = BOOT, device: str = "pump-1") -> Entry:
        return next(e for e in ledger(self.database, "acme", device).outboxes if e.boot_id == boot)


def telemetry(
    values: str = '{"temp":1}', t: str = '"2026-11-22T10:00:00Z"', units: str = "{}", v: str = "1", seq: int = 1,
    boot: str = BOOT,
) -> str:  # fmt: skip
    """One message with one sample."""
    return f'{{"v":{v},"boot_id":"{boot}","seq":{seq},"samples":[{{"t":{t},"values":{values}}}],"units":{units}}}'


def batch(seq: int, n: int, boot: str = BOOT, start: datetime = NOW - timedelta(hours=1)) -> str:
    """One message with n good samples, a second apart by their number."""
    samples = [
        {"t": (start + timedelta(seconds=seq + i)).isoformat(), "values": {"temp": 20.0 + (seq + i) % 50}}
        for i in range(n)
    ]
    return msgspec.json.encode({"v": 1, "boot_id": boot, "seq": seq, "samples": samples}).decode()


@pytest.fixture
def world(database: Database) -> World:
    made = World(database)
    made.device()
    return made
