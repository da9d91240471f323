"""What pages and the API show of how a machine is judged: parts of its score, faulty sensors, quiet days, baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from anomaly.queries.condition import BaselineRow, QuietEntry, SensorFault


@dataclass(frozen=True, slots=True)
class Part:
    """A signal's part of the score. Values are means over the window, in `unit`; None = not known."""

    signal: str
    title: str
    unit: str
    part: float
    share: float
    """Of all that speaks for an alarm, 0 to 1."""
    value: float | None
    expected: float | None
    enough: float | None
    """The value at which the score would be at its limit with all else as it is; None = none would do, or no need."""


@dataclass(frozen=True, slots=True)
class Suspected:
    """A failure mode that the pattern of deviations may be."""

    component: str
    mode: str
    title: str
    probability: float
    fits: bool
    """False: most of what moved is nothing that this mode would move."""


@dataclass(frozen=True, slots=True)
class Waste:
    """What a failure mode wastes against the healthy machine."""

    mode: str
    title: str
    kw: float
    error_kw: float
    """The true loss is that near, 19 times of 20; 0 = not known."""
    cost_a_day: float
    currency: str
    planned: float
    """Cost of the planned repair."""
    act_on: datetime | None
    """The cheapest day to act; None = the loss does not grow."""
    pays_back_days: float


@dataclass(frozen=True)
class FaultySensor(SensorFault):
    """A sensor that is or was faulty. It never leads to work on the machine, but to a check of the sensor."""

    asset: str


@dataclass(frozen=True, slots=True)
class PastLike:
    """A past case of a machine of this kind whose symptoms looked so."""

    case: str
    asset: str
    title: str
    """Of the failure mode as it was found."""
    verdict: str
    as_found: str
    replaced: bool
    found_at: datetime
    likeness: float


@dataclass(frozen=True, slots=True)
class Insight:
    """How a machine is judged now."""

    asset: str
    score: float | None
    threshold: float | None
    parts: Sequence[Part]
    """They sum to the score, the largest first."""
    nearer: float | None
    """By this share all signals would have to come back towards the expected for no alarm; None = no alarm now."""
    suspected: Sequence[Suspected]
    waste: Sequence[Waste]
    sensors: Sequence[FaultySensor]
    """That are faulty now."""
    baselines: Sequence[BaselineRow]
    """The one in force first."""
    quiet: Sequence[QuietEntry]
    """The newest days that were odd and raised nothing."""
    says: str = ""
    """Why the score is what it is, in words, where it is not by the baseline."""
    past: Sequence[PastLike] = ()
    """Cases that looked like the standing alarm, the most alike first, with what was found."""


@dataclass(frozen=True, slots=True)
class SharedCause:
    """Machines of one site that went into alarm one after the other within a minute: most likely for one cause."""

    id: str
    site: str
    first_at: datetime
    last_at: datetime
    machines: int
    """Alarms, of which the first hundred machines are named below."""
    cause: tuple[str, str]
    """The machine that was first: id and name. What happened to it may have happened to the others."""
    others: Sequence[tuple[str, str]]
    """Those that followed, in order."""
