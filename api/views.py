"""What pages and the JSON API show: read models, filled by `api.owners` from the services' own queries."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class Health(StrEnum):
    """State of a machine in the words of NAMUR NE 107."""

    NORMAL = "normal"
    FAILURE = "failure"
    CHECK = "check function"
    OUT_OF_SPEC = "out of specification"
    MAINTENANCE = "maintenance required"
    UNKNOWN = "not known yet"


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """A signal of an asset model; `role` is condition, symptom or device_health."""

    name: str
    title: str
    unit: str
    role: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """A prediction in words and numbers; None where there is no trend yet."""

    id: str
    asset: str
    component: str
    mode: str
    issued_at: datetime
    health: float
    p_fail: dict[str, float] | None
    remaining: tuple[float, float, float] | None
    """Hours until failure: 5 %, 50 %, 95 % quantile."""
    chance: str
    """P(failure) in plain words."""
    life: str
    """Remaining life in plain words."""
    carriers: Sequence[tuple[str, str, float, float | None, float | None]]
    """Signal, direction, share, value, expected value."""
    quality: str
    measured_at: datetime | None = None
    """Time of the newest sample that it rests on."""
    evidence: Sequence[str] = ()
    """What speaks for the failure mode, strongest first, in words; empty = several signals together."""


@dataclass(frozen=True, slots=True)
class Money:
    """What something costs, by bearer, with the formula."""

    title: str
    customer: float
    provider: float
    currency: str
    formula: str

    @property
    def total(self) -> float:
        """Both bearers."""
        return self.customer + self.provider


@dataclass(frozen=True, slots=True)
class Asset:
    """A machine with its present state; `health` is 0 to 100, None while it is not known."""

    id: str
    name: str
    model: str
    model_title: str
    customer_id: str
    customer: str
    site: str
    state: Health
    why: str
    """The state in one sentence."""
    health: float | None
    score: float | None
    threshold: float | None
    learning_hours_left: float | None
    last_seen: datetime | None
    devices: Sequence[str]
    signals: Sequence[SignalInfo]
    forecast: Forecast | None
    spark: Sequence[float]
    """Health in equal steps, oldest first."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a timeline or decision log."""

    at: datetime
    kind: str
    text: str
    who: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """What can be done now; `needs_reason` asks for words or one of `reasons`."""

    name: str
    title: str
    needs_reason: bool = False
    reasons: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Promise:
    """An SLA clock; `due_at` is None while it is paused, `paused` says by what."""

    metric: str
    state: str
    due_at: datetime | None
    used_minutes: float
    target_minutes: float
    paused: str
    answered_by: str = ""
    told: Sequence[str] = ()
    by_hand: bool = False
    stopped_at: datetime | None = None
    recomputing: bool = False
    """What it follows from has changed; what is shown is still that of before."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case with its newest decision."""

    id: str
    asset: str
    asset_name: str
    customer: str
    component: str
    mode: str
    state: str
    outcome: str
    opened_at: datetime
    closed_at: datetime | None
    sentence: str
    would_have_opened_at: datetime | None = None
    order: str = ""
    notice: str = ""
    decisions: Sequence[Line] = ()
    bills: Sequence[Money] = ()
    actions: Sequence[Action] = ()
    forecast: Forecast | None = None
    evidence_from: datetime | None = None
    sla: Sequence[Promise] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A step of the checklist."""

    n: int
    text: str
    state: str


@dataclass(frozen=True, slots=True)
class Order:
    """A work order."""

    id: str
    case: str
    asset: str
    asset_name: str
    customer: str
    customer_id: str
    site: str
    address: str
    access_notes: str
    component: str
    mode: str
    title: str
    remedy: str
    part: str
    skill: str
    minutes: int
    priority: str
    type: str
    state: str
    reason: str
    technician_id: str
    technician: str
    visit_start: datetime | None
    visit_end: datetime | None
    opened_at: datetime
    tasks: Sequence[Task] = ()
    actions: Sequence[Action] = ()
    finding: str = ""
    """Result of the finding: true, false, prevented, missed, unknown; empty before."""
    as_found: str = ""
    modes: Sequence[tuple[str, str]] = ()
    """Failure modes that a finding can name: (name, title)."""
    decided_on: datetime | None = None
    """Time of the newest sample behind the decision to open it."""
    version: int = 0
    bookable: bool = False
    """Whether its visit can be booked, or moved, by whoever looks at it."""
    sla: Sequence[Promise] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """A half day that the customer can choose; `key` goes back with the answer."""

    key: str
    words: str
    start: datetime
    end: datetime
    then: str = ""
    """What is to be expected with a visit in it, in words."""
    pick: str = ""
    """Names it in a link: `2026-11-24-am`."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice to a customer."""

    id: str
    case: str
    order: str
    asset: str
    asset_name: str
    customer_id: str
    customer: str
    state: str
    title: str
    reason: str
    chance: str
    life: str
    cost: str
    waiting: str
    sent_at: datetime | None
    send_after: datetime | None
    answer: str
    """What was answered, in words; empty while it waits."""
    open: bool
    """Whether it can still be answered."""
    slots: Sequence[Slot] = ()
    only_one_left: bool = False
    stoppable: bool = False
    booked: str = ""
    movable: bool = False
    """Whether the agreed visit may still be moved or called off."""
    left: str = ""
    """How many half days are still free in time, in words."""
    company: str = ""
    phone: str = ""
    gone: str = ""
    """Why it was withdrawn or corrected."""
    given_up: bool = False
    """Nobody answered in time: it went to a dispatcher as `no reply`. It can still be answered while it is open."""
    version: int = 0

    @property
    def stands(self) -> str:
        """Where it stands, for people: what it waits for rather than how far the message has come."""
        if not self.open:
            return self.state
        return "no_reply" if self.given_up else "waits_for_an_answer"


@dataclass(frozen=True, slots=True)
class Chore:
    """One thing that waits for the dispatcher: a link, and what one key does (method POST)."""

    kind: str
    id: str
    title: str
    text: str
    link: str
    post: str
    fields: dict[str, str]
    button: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Device:
    """A registered device."""

    tenant: str
    device: str
    model: str
    state: str
    username: str
    last_seen: datetime | None
    online: bool | None
    sequenced: bool = True
    outage: Any = None
    """The incident (ingest.service.presence.Outage) that it is off line by, its own or its gateway's; None = none."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of every sample of a device."""

    sent: int
    stored: int
    quarantined: int
    discarded: int
    lost: int
    waiting: int
    duplicate: int
    refused_values: int
    unsequenced: int
    same_time: int
    refused: dict[str, int] = field(default_factory=dict)
    """Refused values by reason."""
    history: dict[str, int] = field(default_factory=dict)
    """The same figures of imported history, which the others leave out."""
    missing: Sequence[tuple[str, int, int]] = ()
    """Ranges (boot_id, first, last) that are asked for again."""
    losses: Sequence[Any] = ()
    """What is lost for good: ingest.service.losses.Loss."""
    days: Sequence[Any] = ()
    """Figures by day of receipt, newest first: ingest.service.days.Day."""
    silent_s: float | None = None
    skew_s: float | None = None
    """How far the device's clock is ahead."""
    backlog_s: float | None = None
    """Age of what arrives."""
    signals: Sequence[Any] = ()
    signal_days: Sequence[Any] = ()
    """Where asked for: ingest.service.ledger_report.SignalNow and SignalDay."""
    moved: int = 0
    """Numbers that are no part of `sent`: their samples have another number, too, by which they count."""
    moved_ranges: Sequence[Any] = ()
    """Such ranges: ingest.service.losses.Loss with reason moved or stored_before."""
    expired: int = 0
    """Of `quarantined`: their messages are kept no more."""
    agent: Any = None
    """What the agent says of itself: ingest.domain.reported.Reported; None where it never did."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A quarantined value or message."""

    id: str
    device: str
    reason: str
    path: str
    text: str
    at: datetime
    body: str
    remedy: str
    state: str = "kept"
    """kept, replayed or expired."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart: times in epoch seconds, values with None for gaps, with an optional band around."""

    name: str
    unit: str
    t: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """What the browser draws; `spans` are shaded (from, to, words), `limits` are lines across (value, words), `late`
    are hatched: readings that came after their turn (from, to, words)."""

    title: str
    series: Sequence[Series]
    spans: Sequence[tuple[float, float, str]] = ()
    limits: Sequence[tuple[float, str]] = ()
    note: str = ""
    late: Sequence[tuple[float, float, str]] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A story of the demo: what happens to which machine, told by links, bills and a chart."""

    name: str
    title: str
    asset: str
    outcome: str
    sentences: Sequence[str]
    links: Sequence[tuple[str, str]] = ()
    """(words, address on this site); for the office."""
    bills: Sequence[Money] = ()
    chart: Chart | None = None


class StoryBook(Protocol):
    """Where the demo's stories come from."""

    def cards(self) -> Sequence[Card]:
        """The stories as they stand now."""
        ...


@dataclass(frozen=True)
class Page:
    """Items of a list, and the cursor of the next ones (None = no more)."""

    items: Sequence[Any]
    next: str | None = field(default=None)
