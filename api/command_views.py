"""What pages and the JSON API show of commands to devices and of guided diagnosis."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class DeviceCommand:
    """A command of the ledger."""

    id: str
    device: str
    name: str
    args: dict[str, Any]
    risk: str
    state: str
    reason: str
    text: str
    progress: str
    result: dict[str, Any]
    case: str
    why: str
    issued_by: str
    issued_at: datetime
    lifetime_s: float
    approved_by: str
    approved_at: datetime | None
    sent_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    can: Sequence[str] = ()
    """What this principal may do with it now: approve, cancel."""


@dataclass(frozen=True, slots=True)
class CommandChoice:
    """A command that a device's asset model declares."""

    name: str
    title: str
    risk: str
    args: Sequence[dict[str, Any]]
    may: bool = True
    """Whether this principal's role may send it."""


@dataclass(frozen=True, slots=True)
class Remote:
    """What may be asked of a device, and what stands against guarded commands."""

    device: str
    choices: Sequence[CommandChoice]
    guarded: bool
    holds: Sequence[str]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check of a guided diagnosis and what it showed; `factor` on the suspected mode, None without an answer."""

    check: str
    title: str
    state: str
    value: float | None
    unit: str
    says: str
    factor: float | None
    source: str
    at: datetime | None
    command: str


@dataclass(frozen=True, slots=True)
class Examination:
    """A guided diagnosis with its evidence; `before` and `after` are probabilities by failure mode's title."""

    id: str
    case: str
    asset: str
    mode: str
    verdict: str
    sentence: str
    before: dict[str, float]
    after: dict[str, float]
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None
    """Wall seconds from the suspicion to the answer."""
    checks: Sequence[CheckResult]
