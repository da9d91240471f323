"""What the service asks of its tables: one unit of work is one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Protocol

from anomaly.service.times import us
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
class Trouble:
    """A machine that is set aside: taking its rows failed. They stay in the telemetry store, to be taken again."""

    tenant: str
    device: str
    model: str
    since: datetime
    """The tenant's clock."""
    error: str
    tries: int
    told_us: int
    """What came of rows up to here was told: they are taken again in silence."""
    live_us: int
    """Rows before this are history, of which nobody is told."""
    through_us: int
    """The newest row that has come."""
    boot_id: str
    next_seq: int
    """See `domain.ordering`."""
    unheard: list[tuple[int, bytes]]
    """Records from work_orders, each with the newest row that had come before it."""
    retry_at: float = 0.0
    """Monotonic seconds; not written."""
    replayed: bool = False
    """It failed on rows that are taken anew after a restart: what came of those after them was told. Not written."""

    @property
    def key(self) -> tuple[str, str]:
        """Tenant and device."""
        return self.tenant, self.device


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
    troubles: list[Trouble] = field(default_factory=list)
    well: list[tuple[str, str]] = field(default_factory=list)
    """Machines that were set aside and are not any more: tenant and device."""

    def add(self, more: "Results") -> None:
        """Put others behind these."""
        for one in fields(self):
            getattr(self, one.name).extend(getattr(more, one.name))

    def by_machine(self) -> dict[tuple[str, str], "Results"]:
        """The same, apart for each machine."""
        out: dict[tuple[str, str], Results] = {}
        for one in fields(self):
            for x in getattr(self, one.name):
                getattr(out.setdefault(_machine(x), Results()), one.name).append(x)
        return out

    def first_us(self) -> int | None:
        """When the first of what rows have brought happened; None = they brought nothing."""
        times = [us(alarm.at) for alarm, _ in self.alarms] + [us(made.measured_at) for made in self.predictions]
        return min([*times, *(x.at_us for x in self.points), *(x.at_us for x in self.sensors)], default=None)


def _machine(x: Any) -> tuple[str, str]:
    """The tenant and the device that something written is about."""
    if isinstance(x, tuple):
        return (x[0].tenant, x[0].device) if isinstance(x[0], Alarm) else x
    return x.tenant, x.diff["asset"] if isinstance(x, Told) else x.device


class Behind(Exception):
    """Entries that were not read are gone; `oldest` is the first that is kept."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"the log begins at {oldest}")
        self.oldest = oldest


class Moved(Exception):
    """Another process has taken entries: what this one holds in memory is old."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a process begins with."""

    saved: list[Saved]
    troubles: list[Trouble]
    through: int
    """Position in `blocks` that the snapshots rest on."""
    written: int
    """And the one up to which results were written."""
    turn: int
    """Number of the newest transaction: whoever writes next must know it."""


class Tables(Protocol):
    """The port to anomaly's tables, the log and the audit chain."""

    def register(self) -> None:
        """Put the consumer on record, so that the log keeps what it has not read."""
        ...

    def load(self) -> "Loaded":
        """All snapshots, and what they rest on."""
        ...

    def snapshots(self, tenant: str, devices: Sequence[str]) -> tuple[list[Saved], int]:
        """Those of some machines, and the position in `blocks` that they rest on."""
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
        turn: int,
        blocks_from: int,
        blocks_to: int,
        findings_to: int | None,
        saved: Iterable[Saved] | None,
    ) -> None:
        """One transaction, the `turn`-th: results, place in the log, snapshots (None = they are kept for later).

        Raises Moved where another process has written since.
        """
        ...

    def check(self, results: Results) -> None:
        """Raises what writing these would raise, and writes nothing."""
        ...
