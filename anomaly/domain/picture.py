"""What pages show of a machine now: state in words, health, score, and each symptom plain and compensated."""

from dataclasses import dataclass, field

import numpy as np

from anomaly.domain.carried import ranked
from anomaly.domain.efficiency import Wasted, wasted
from anomaly.domain.explaining import Explanation, explain
from anomaly.domain.following import Why
from anomaly.domain.sensor_faults import KINDS, SAYS
from anomaly.domain.watch import Watch

WORDS = {
    Why.SCORED: "normal",
    Why.LEARNING: "learning",
    Why.NOT_RUNNING: "not running",
    Why.SETTLING: "starting",
    Why.OUTSIDE_REGIMES: "outside known regimes",
    Why.FILLING: "collecting readings",
    Why.NO_SIGNAL: "no readings",
}
ERRORS_ALONE = "tells of errors alone"


@dataclass(frozen=True, slots=True)
class Deviation:
    """A symptom's window mean: deviation from its usual value in sigmas, plain and compensated, with usual bands."""

    signal: str
    value: float | None
    expected: float | None
    plain: float | None
    plain_low: float
    plain_high: float
    compensated: float | None
    low: float
    high: float

    @property
    def plain_outside(self) -> bool:
        """Whether the plain value has left its usual band."""
        return self.plain is not None and not self.plain_low <= self.plain <= self.plain_high

    @property
    def outside(self) -> bool:
        """Whether the compensated value has left its band."""
        return self.compensated is not None and not self.low <= self.compensated <= self.high


@dataclass(frozen=True, slots=True)
class Suspect:
    """A failure mode that the pattern of deviations may be, among those of the model."""

    component: str
    mode: str
    probability: float
    fit: float
    """Cosine, -1 to 1, between what moved and what the mode would move."""


LIKELY = 0.05
"""Failure modes below this probability are left out."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One machine now; None = not known."""

    state: str
    """`learning`, `normal`, `alarm`, `shelved`, `not running`, `outside known regimes`, ..."""
    note: str
    learning_hours_left: float
    learned: bool
    health: float | None
    score: float | None
    threshold: float
    alarm_since_us: int | None
    component: str
    shelved_until_us: int | None
    shelved_why: str
    newest_us: int
    deviations: tuple[Deviation, ...]
    explanation: Explanation | None = None
    """None while there is no score."""
    suspects: tuple[Suspect, ...] = ()
    """While an alarm stands: likely failure modes, the most probable first."""
    faults: dict[str, str] = field(default_factory=dict)
    """Faulty sensors (empty = the device) and the kind of fault."""
    wasted: tuple[Wasted, ...] = ()


def picture_of(watch: Watch) -> Picture:
    """The picture of a watched machine."""
    m, base, alarm = watch.memory, watch.detector.baseline, watch.memory.alarm
    left = watch.detector.hours_left() if watch.layout.symptoms else 0.0
    shelved = alarm.shelved(m.newest_us)
    state = WORDS[Why(m.why)]
    if base is None and m.why == Why.SCORED:
        state = WORDS[Why.LEARNING]
    if not watch.layout.symptoms:
        state = ERRORS_ALONE
    if alarm.raised:
        state = "alarm"
    if shelved:
        state = "shelved"
    if state == "normal" and left:
        state = WORDS[Why.LEARNING]
    return Picture(
        state, _note(watch, state, left), left, base is not None, watch.health(), m.score,
        watch.layout.settings.threshold, alarm.raised_us, m.component if alarm.raised else "",
        alarm.shelved_until_us if shelved else None, alarm.shelved_why if shelved else "", m.newest_us,
        _deviations(watch), explain(watch), _suspects(watch), dict(m.faults), wasted(watch),
    )  # fmt: skip


def _suspects(watch: Watch) -> tuple[Suspect, ...]:
    m = watch.memory
    if not m.alarm.raised or (len(m.means) == 0 and watch.told() is None):
        return ()
    found = ranked(watch, m.means)
    return tuple(
        Suspect(d.mode.component, d.mode.name, d.probability, d.fit) for d in found if d.probability >= LIKELY
    )  # fmt: skip


def _note(watch: Watch, state: str, left: float) -> str:
    if state == "learning":
        return f"learning, about {max(1.0, left):.0f} h left"
    if state == "shelved":
        return f"shelved: {watch.memory.alarm.shelved_why}"
    if watch.memory.faults and state in ("normal", "no readings"):
        says = {KINDS[fault]: words for fault, words in SAYS.items()}
        told = (f"{name or 'the device'} {says[kind]}" for name, kind in watch.memory.faults.items())
        return "check the sensor: " + ", ".join(told).replace("_", " ")
    return "" if state in ("normal", "alarm") else state


def _deviations(watch: Watch) -> tuple[Deviation, ...]:
    m, base = watch.memory, watch.detector.baseline
    if base is None or not len(m.recent):
        return ()
    value, expected, plain = (_mean(m.recent.rows[:, i]) for i in range(3))
    out = []
    for j, name in enumerate(watch.layout.symptoms):
        if not base.usable[j]:
            continue
        compensated = m.means[j] if len(m.means) else np.nan
        out.append(
            Deviation(
                name, _number(value[j]), _number(expected[j]),
                _number(plain[j]), float(base.plain_band[0, j]), float(base.plain_band[1, j]),
                _number(compensated), float(base.band[0, j]), float(base.band[1, j]),
            )
        )  # fmt: skip
    return tuple(out)


def _mean(x: np.ndarray) -> np.ndarray:
    ok = np.isfinite(x)
    counts = ok.sum(0)
    return np.where(counts > 0, np.where(ok, x, 0.0).sum(0) / np.maximum(counts, 1), np.nan)


def _number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None
