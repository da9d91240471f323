"""What a work order asks for, from the asset model: title, remedy, part, skill, time, steps, permits."""

from collections import Counter
from dataclasses import dataclass

from contracts.asset_model import AssetModel, FailureMode
from contracts.asset_model_steps import Step
from work_orders.domain.requests import COMPLAINT, RequestKind

LOCKOUT = "lockout"
MOST_CHECKS = 8
UNKNOWN_REMEDY = "Find the cause and put it right"
_TYPES = {  # EN 13306
    RequestKind.FORECAST: "predictive",
    RequestKind.PREVENTIVE: "preventive",
    RequestKind.RECALL: "improvement",
}


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its work order begins."""

    title: str
    remedy: str
    part: str | None
    skill: str
    minutes: int
    steps: tuple[Step, ...]
    permits: tuple[str, ...]


def type_of(kind: RequestKind, broke_down: bool) -> str:
    """The maintenance type after EN 13306; what broke down is corrective whatever it began as."""
    return "corrective" if broke_down else _TYPES.get(kind, "corrective")


def priority_of(broke_down: bool, urgent: bool, criticality: str) -> str:
    """How soon somebody must see to it; `urgent` = by what was said."""
    return "urgent" if broke_down or urgent else "high" if criticality == "A" else "normal"


def job_of(model: AssetModel, mode: FailureMode | None, asset: str, component: str, said: str) -> Job:
    """The job for a failure mode; without one (somebody reported something) an inspection of the component, or of the
    whole machine, with what the model's failure modes have to check."""
    if mode is not None:
        before = tuple(s for s in mode.checklist if s.before)
        after = tuple(s for s in mode.checklist if not s.before)
        steps = (*map(Step, mode.checks), *before, Step(mode.remedy), *after)
        return Job(f"{asset}: {mode.title}", mode.remedy, mode.part, mode.skill, mode.minutes, steps, mode.permits)
    parts = [c for c in model.components.values() if component in ("", COMPLAINT, c.name)]
    modes = [m for c in parts for m in c.modes]
    checks = list(dict.fromkeys(check for m in modes for check in m.checks))[:MOST_CHECKS]
    skills = Counter(m.skill for m in modes).most_common(1)
    permits = tuple(dict.fromkeys(p for m in modes for p in m.permits))
    words = " ".join(said.split()) or "reported fault"
    return Job(
        f"{asset}: {words}"[:300], UNKNOWN_REMEDY, None, skills[0][0] if skills else "mechanical",
        max((m.minutes for m in modes), default=60), (*map(Step, checks), Step(UNKNOWN_REMEDY)), permits,
    )  # fmt: skip
