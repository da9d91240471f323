"""What the service asks of its tables: one unit of work is one transaction."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from contracts.records import Alarm, AssetPlaced, FromWork, Prediction


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry of the log."""

    position: int
    tenant: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class BaselineLearned:
    """A baseline of a device, the `number`-th; `content` is plain data, see `domain.packing`."""

    number: int
    why: str
    learned_us: int
    content: Any


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A machine was found healthy: by whom and how."""

    tenant: str
    device: str
    number: int | None
    """Of the baseline that counts as healthy now; None = the newest that is on record."""
    at: datetime
    by: str
    how: str


@dataclass(frozen=True, slots=True)
class SensorNote:
    """A sensor became faulty or is well again; `signal` empty = the device."""

    tenant: str
    device: str
    signal: str
    kind: str
    since_us: int
    at_us: int
    faulty: bool
    text: str
    history: bool

    @property
    def id(self) -> str:
        """The same fault again has the same id."""
        return f"{self.device}/{self.signal or '*'}/{self.kind}/{self.since_us // 1_000_000}"


@dataclass(frozen=True, slots=True)
class QuietEntry:
    """Why a day of a machine raised no alarm, with the figures that it follows from."""

    tenant: str
    device: str
    day: str
    text: str
    figures: Any


@dataclass(frozen=True, slots=True)
class Saved:
    """A device's snapshot: plain data, see `domain.packing`."""

    tenant: str
    device: str
    model: str
    memory: Any
    picture: dict[str, Any]
    learned: BaselineLearned | None = None
    """A baseline that has not been written yet."""
    newest_baseline: int = -1
    """Number of the newest one that has been; -1 = none."""


@dataclass(frozen=True, slots=True)
class HealthPoint:
    """For the chart of the index."""

    tenant: str
    device: str
    at_us: int
    health: float
    score: float


@dataclass(frozen=True, slots=True)
class LateRows:
    """Rows that came too late to be judged in turn, scored afterwards; `peak` None = no score."""

    tenant: str
    device: str
    from_us: int
    to_us: int
    rows: int
    peak: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """An entry for the audit chain; `at` the tenant's clock."""

    tenant: str
    at: datetime
    action: str
    diff: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Label:
    """What a finding says about the readings of a device between two times."""

    tenant: str
    device: str
    finding_id: str
    case_id: str
    asset: str
    component: str
    mode: str
    verdict: str
    """`true`, `false`, `prevented`, `missed`, `unknown`."""
    from_at: datetime
    to_at: datetime
    as_found: str
    replaced: bool
    serial: str


@dataclass(frozen=True, slots=True)
class Missed:
    """A breakdown that nothing had called for, with the baseline that was in force: plain data, `domain.packing`."""

    tenant: str
    device: str
    finding_id: str
    asset: str
    component: str
    mode: str
    at: datetime
    state: Any
    """None = no baseline had been learned."""


@dataclass
class Results:
    """What one round has to write, beside snapshots and its place in the log."""

    predictions: list[Prediction] = field(default_factory=list)
    alarms: list[tuple[Alarm, bool]] = field(default_factory=list)
    """With whether it is about history."""
    told: list[Told] = field(default_factory=list)
    points: list[HealthPoint] = field(default_factory=list)
    late: list[LateRows] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    sensors: list[SensorNote] = field(default_factory=list)
    quiet: list[QuietEntry] = field(default_factory=list)
    confirmed: list[Confirmed] = field(default_factory=list)
    places: list[AssetPlaced] = field(default_factory=list)


class Behind(Exception):
    """Entries that were not read are gone; `oldest` is the first that is kept."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"the log begins at {oldest}")
        self.oldest = oldest


class Moved(Exception):
    """Another process has taken entries: what this one holds in memory is old."""


class Tables(Protocol):
    """The port to anomaly's tables, the log and the audit chain."""

    def register(self) -> None:
        """Put the consumer on record, so that the log keeps what it has not read."""
        ...

    def load(self) -> tuple[list[Saved], int, int]:
        """All snapshots, the position in `blocks` that they rest on, and the one up to which results were written."""
        ...

    def blocks(self, after: int, limit: int) -> list[Taken]:
        """The next blocks. Raises Behind."""
        ...

    def findings(self, limit: int) -> list[tuple[int, FromWork | None]]:
        """The next entries from work_orders; None for one that is not understood."""
        ...

    def write(
        self,
        results: Results,
        *,
        blocks_from: int,
        blocks_to: int,
        findings_to: int | None,
        saved: Iterable[Saved] | None,
    ) -> None:
        """One transaction: results, place in the log, snapshots (None = they are kept for later). Raises Moved."""
        ...
