"""What Forewarn knows about a kind of machine. One YAML file each; `contracts.asset_model_text` parses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contracts.asset_model_plans import SuggestedPlan
from contracts.asset_model_steps import Step
from contracts.command_kinds import CommandKind
from contracts.diagnosis import Diagnosis
from contracts.efficiency import Loss


class Role(StrEnum):
    """What a signal tells about."""

    CONDITION = "condition"
    """Operating condition: load, speed, ambient. Explains symptoms, is never one."""
    SYMPTOM = "symptom"
    DEVICE_HEALTH = "device_health"
    """Battery, signal strength: about the sensor, never about the machine."""
    EVENT = "event"
    """An error, told by the machine itself: a flag (range [0, 1]) that rises, or a counter that goes up."""


class Bearer(StrEnum):
    """Who pays."""

    CUSTOMER = "customer"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Signal:
    """A measured quantity; `low` and `high` bound what the sensor can give, in `unit` (UCUM)."""

    name: str
    unit: str
    low: float
    high: float
    role: Role
    title: str


@dataclass(frozen=True, slots=True)
class Running:
    """The machine runs while `signal` `operator` `value` holds (operators: > >= < <=)."""

    signal: str
    operator: str
    value: float

    def holds(self, x: float) -> bool:
        """Whether it runs at a value of the signal."""
        match self.operator:
            case ">":
                return x > self.value
            case ">=":
                return x >= self.value
            case "<":
                return x < self.value
            case _:
                return x <= self.value


@dataclass(frozen=True, slots=True)
class Cost:
    """Money by bearer, in the model's currency."""

    customer: float
    provider: float

    @property
    def total(self) -> float:
        """What it costs all together."""
        return self.customer + self.provider


@dataclass(frozen=True, slots=True)
class Symptom:
    """A signal that moves when this failure mode grows: `up`, `down` or `any` direction."""

    signal: str
    direction: str


@dataclass(frozen=True, slots=True)
class Limit:
    """Where the failure stands: a value of a signal, or a health index in fleet sigmas; with its relative spread."""

    signal: str | None
    value: float
    spread: float


@dataclass(frozen=True, slots=True)
class RemoteFix:
    """What may mend a failure mode without a visit."""

    remedy: str
    works: float
    """Chance that it does, above 0 and at most 1."""
    cost: Cost
    hours: float
    """For so long it may be tried before somebody goes there."""


@dataclass(frozen=True, slots=True)
class ModeWords:
    """What a failure mode is called in another language, what is done about it, what happens if nobody acts."""

    title: str
    remedy: str
    consequence: str


@dataclass(frozen=True, slots=True)
class FailureMode:
    """One way in which a component fails, how it shows, and what to do about it."""

    name: str
    title: str
    component: str
    code: str
    """Class of the failure mode after ISO 14224."""
    kind: str
    """`breakdown`, or `efficiency` (costs money before it fails)."""
    symptoms: tuple[Symptom, ...]
    limit: Limit | None
    checks: tuple[str, ...]
    remedy: str
    part: str | None
    skill: str
    minutes: int
    failure: Cost
    """Cost when it fails unplanned."""
    planned: Cost
    """Cost when it is mended on a planned visit."""
    false_visit: Cost
    """Cost of a visit that finds nothing."""
    covered: bool
    """Whether the maintenance contract of this kind covers the planned visit."""
    consequence: str
    """What happens if nobody acts, in words for the customer."""
    loss: Loss | None = None
    """What it wastes before it fails; only of kind `efficiency`."""
    checklist: tuple[Step, ...] = ()
    """Steps that ask for a reading, a photo, a signature; `checks` ask for nothing."""
    remote: RemoteFix | None = None
    permits: tuple[str, ...] = ()
    """What must be granted before the work: names, `lockout` for one that is put on at the machine."""
    words: Mapping[str, ModeWords] = field(default_factory=dict, hash=False)
    """For customers who read another language, by its code (`zh`)."""


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the machine that is watched, diagnosed and replaced as one."""

    name: str
    title: str
    modes: tuple[FailureMode, ...]


@dataclass(frozen=True, slots=True)
class Detection:
    """Settings of state detection. Windows and holds count in time and in samples: both must be met."""

    methods: tuple[str, ...] = ()
    """What may raise an alarm (`contracts.detection_methods`); empty = by what the model has."""
    cusum_threshold: float = 1.0
    """Sums of so many limits (12 sigmas each) are an alarm."""
    seasonal_threshold: float = 6.0
    """A surprise of this size is an alarm: -log10 of chances, summed over four questions."""
    window_samples: int = 36
    window_hours: float = 6.0
    threshold: float = 1.8
    """Multiple of the block-wise calibrated 99 % quantile."""
    clear: float = 0.7
    """An alarm clears below this share of the threshold."""
    hold_hours: float = 3.0
    hold_samples: int = 12
    refractory_hours: float = 12.0
    learning_hours: float = 48.0
    """Running hours of a new baseline."""
    learning_samples: int = 100
    baseline_hours: float = 0.0
    """The baseline is fitted again whenever its record has grown fourfold, up to so many running hours; 0 = once."""
    adapt_hours: float = 0.0
    """Time constant of slow adaptation outside alarm, in hours and in samples; both 0 = frozen."""
    adapt_samples: float = 0.0
    adapt_below: float = 1.0
    """It adapts where the score is at most this share of the threshold."""
    quick_samples: float = 0.0
    """Time constant of a second mean, in samples, that follows quickly, so that small sudden changes stand out; 0 =
    there is none."""
    slow_share: float = 0.75
    """Beside a quick mean, the score against the slow one is multiplied by this; the larger of both counts."""
    steady_windows: float = 0.0
    """Signals that stay correlated for longer than so many windows while healthy are not judged, where others are;
    0 = all are."""
    settle_hours: float = 0.5
    """After a start nothing is scored for this long."""
    gap_hours: float = 0.0
    """A longer silence restarts windows and holds; 0 = the longer of window_hours and hold_hours."""
    lag_hours: float = 2.0
    """Time constant of the thermal lag: symptoms also follow the conditions low-passed by it."""
    compensate: bool = True
    """Predict symptoms from the operating conditions and watch the residual."""
    fleet: bool = False
    """Pool the baselines of all machines of this kind in the tenant (spread between them included)."""
    own_share: float = 0.5
    """Of a pooled baseline: share of the machine's own healthy mean that is taken off."""


@dataclass(frozen=True, slots=True)
class Prognosis:
    """Settings of the degradation path and its first passage."""

    every_hours: float = 1.0
    history_hours: float = 240.0
    """Length of the path that a trend is fitted to."""
    shortest_hours: float = 10.0
    longest_hours: float = 400.0
    """Bounds of the e-folding time of the degradation, running hours."""
    limit: float = 3.0
    """Health index at failure where a mode names no limit of its own."""
    spread: float = 0.2
    """Relative spread of that limit."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Settings of the decision by expected cost."""

    horizon_hours: float = 120.0
    """P(failure) within this time weighs against a visit."""
    consecutive: int = 6
    """Forecasts in a row for which acting must be the cheaper choice."""
    lead_hours: float = 24.0
    """Shortest time from decision to a visit."""
    act_latest: float = 0.1
    """The visit should take place before P(failure) passes this."""


@dataclass(frozen=True, slots=True)
class AssetModel:
    """A kind of machine."""

    name: str
    version: int
    title: str
    currency: str
    signals: dict[str, Signal]
    running_when: Running | None
    regimes: tuple[str, ...]
    """Operating conditions whose levels make separate regimes."""
    components: dict[str, Component]
    detection: Detection = field(default_factory=Detection)
    prognosis: Prognosis = field(default_factory=Prognosis)
    decision: Decision = field(default_factory=Decision)
    lifetime_unit: str = "h"
    """In what people count remaining life: `h`, or `cycles` (1 cycle = 1 hour of the tenant's clock)."""
    commands: dict[str, CommandKind] = field(default_factory=dict)
    """What may be asked of its devices."""
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    plans: dict[str, SuggestedPlan] = field(default_factory=dict)
    """Preventive jobs that it suggests."""

    def mode(self, name: str) -> FailureMode | None:
        """The failure mode of that name."""
        return next((m for c in self.components.values() for m in c.modes if m.name == name), None)

    def by_role(self, role: Role) -> tuple[str, ...]:
        """Names of the signals of one role, in the order of the file."""
        return tuple(s.name for s in self.signals.values() if s.role is role)
