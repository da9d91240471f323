"""What services tell each other through the log. Tagged unions (msgpack); fields are only added."""

from datetime import datetime
from typing import Any

import msgspec

PREDICTIONS = "predictions"
FINDINGS = "findings"
BLOCKS = "blocks"
DEVICE_COMMANDS = "device_commands"
NOTICES = "notices"
COMMAND_RESULTS = "command_results"
PRESENCE = "presence"
TOPICS = (BLOCKS, PREDICTIONS, FINDINGS, DEVICE_COMMANDS, NOTICES, COMMAND_RESULTS, PRESENCE)

RESULTS = ("true", "false", "prevented", "missed", "unknown")


class Carrier(msgspec.Struct, frozen=True):
    """A signal that carries a score: its share of the distance (shares sum to 1) and where it went."""

    signal: str
    share: float
    direction: str
    """`up` or `down` against what was expected."""
    value: float | None = None
    expected: float | None = None
    """Window mean and what the healthy baseline expects under these conditions, in the signal's unit."""
    usual: tuple[float, float] | None = None
    """From where to where 99 % of the healthy window means lie under these conditions; None = not known."""


class Remaining(msgspec.Struct, frozen=True):
    """Remaining life, hours of the tenant's clock: quantiles."""

    p05: float
    p50: float
    p95: float


class Prediction(msgspec.Struct, frozen=True, tag="prediction"):
    """A forecast for one component of one device. Immutable."""

    v: int
    id: str
    tenant: str
    device: str
    model: str
    model_version: str
    component: str
    failure_mode: str
    mode_probability: float
    issued_at: datetime
    """Tenant's clock."""
    measured_at: datetime
    """Time of the newest sample that it rests on."""
    alarm_id: str
    alarm_since: datetime
    score: float
    threshold: float
    health: float
    """0 (failed) to 100 (as new)."""
    p_fail: dict[str, float] | None
    """P(failure) within `24h`, `7d`, `30d`; None = no trend yet."""
    risk_hours: list[float]
    risk: list[float]
    """P(failure within risk_hours[i]); empty = no trend yet."""
    remaining: Remaining | None
    """None = no trend yet."""
    evidence_from: datetime
    carriers: list[Carrier]
    quality: str
    """`good`, or what limits it, in words."""
    pageable: bool
    """False when the alarm does not hold on the device's newest data: nobody may be paged for it."""
    group: str = ""
    """Alarms of one site that rose within a minute of each other share one; empty = of no known site."""
    baseline: int = -1
    """Number of the baseline that it rests on; -1 = of none."""
    baseline_confirmed: bool = True
    """Whether a person confirmed that baseline as healthy, or an inspection found nothing while it was in force."""
    method: str = "baseline"
    """What the score is by (`contracts.detection_methods`)."""
    wasted_kw: float = 0.0
    """What the failure mode wastes against the healthy machine, mean over the day, standing still counted; 0 = it is
    of no kind that wastes, or it cannot be told from nothing."""


class Alarm(msgspec.Struct, frozen=True, tag="alarm"):
    """An alarm of one device changed its state."""

    v: int
    id: str
    tenant: str
    device: str
    change: str
    """`raised`, `cleared`, `shelved`, `unshelved`."""
    at: datetime
    raised_at: datetime
    reason: str = ""
    component: str = ""
    score: float = 0.0
    carriers: list[Carrier] = []


class Finding(msgspec.Struct, frozen=True, tag="finding"):
    """What the technician found: the label of a case."""

    v: int
    id: str
    tenant: str
    device: str
    component: str
    case_id: str
    work_order_id: str
    result: str
    failure_mode: str
    as_found: str
    replaced: bool
    at: datetime
    asset: str = ""
    serial: str = ""
    """Of the part that was put in; empty = not said."""
    since: datetime | None = None
    """When the first alarm of the case began; None = no alarm had called."""
    history: bool = False
    """Taken in from an earlier system: a label, and nothing else follows from it now."""


class Shelve(msgspec.Struct, frozen=True, tag="shelve"):
    """Somebody works on the machine: its alarms wait, with a reason and an end."""

    v: int
    tenant: str
    device: str
    reason: str
    start: datetime
    until: datetime


class Unshelve(msgspec.Struct, frozen=True, tag="unshelve"):
    """The work is over before its time."""

    v: int
    tenant: str
    device: str
    at: datetime


class SensorChecked(msgspec.Struct, frozen=True, tag="sensor_checked"):
    """A person looked at a sensor that was called faulty: what it shows is right from now on."""

    v: int
    tenant: str
    device: str
    signal: str
    at: datetime
    by: str


class AssetPlaced(msgspec.Struct, frozen=True, tag="asset_placed"):
    """A device watches this asset, which stands at this site; empty = at none."""

    v: int
    tenant: str
    device: str
    asset: str
    site: str


class NoticeChanged(msgspec.Struct, frozen=True, tag="notice_changed"):
    """A message to a customer changed its state."""

    v: int
    id: str
    tenant: str
    case_id: str
    customer: str
    state: str
    at: datetime


class CommandWanted(msgspec.Struct, frozen=True, tag="command_wanted"):
    """A command that a rule wants a device to do: `read` ones only. The same id again is the same command."""

    v: int
    id: str
    tenant: str
    device: str
    name: str
    args: dict[str, Any]
    lifetime_s: float
    """Wall seconds."""
    case_id: str
    why: str


class HoldSet(msgspec.Struct, frozen=True, tag="hold_set"):
    """Something stands against guarded commands: `visit`, `permit` or `lockout`; `until` None = until released."""

    v: int
    id: str
    tenant: str
    device: str
    kind: str
    note: str
    since: datetime
    until: datetime | None = None


class HoldReleased(msgspec.Struct, frozen=True, tag="hold_released"):
    """It stands no more."""

    v: int
    id: str
    tenant: str
    device: str
    at: datetime


class CommandEnded(msgspec.Struct, frozen=True, tag="command_ended"):
    """How a command ended: `done`, `failed`, `refused`, `expired`, `no_answer`, `cancelled`."""

    v: int
    id: str
    tenant: str
    device: str
    name: str
    state: str
    reason: str
    text: str
    data: dict[str, Any]
    at: datetime


class Outage(msgspec.Struct, frozen=True, tag="outage"):
    """A device is off line, told when it begins, when others go or come with it, and when it is over."""

    v: int
    tenant: str
    device: str
    behind: list[str]
    """Devices that are off line because it is."""
    since: datetime
    ended_at: datetime | None = None


FromAnomaly = Prediction | Alarm
FromWork = Finding | Shelve | Unshelve | SensorChecked | AssetPlaced
ForDevices = CommandWanted | HoldSet | HoldReleased

encode = msgspec.msgpack.Encoder().encode
decode_from_anomaly = msgspec.msgpack.Decoder(FromAnomaly).decode
decode_from_work = msgspec.msgpack.Decoder(FromWork).decode
decode_for_devices = msgspec.msgpack.Decoder(ForDevices).decode
decode_command_ended = msgspec.msgpack.Decoder(CommandEnded).decode
decode_outage = msgspec.msgpack.Decoder(Outage).decode
