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
    hint: str = ""
    """Where it was refused: what lets the next one through."""


HINTS = {
    "guarded_off": "Switch these commands on for the machine here, and with guarded = true in its agent's file.",
    "not_approved": "Ask an engineer or administrator who did not issue it to approve it.",
    "on_hold": "Release the permit or the lock-out when the work is done, or wait until the visit is over.",
    "not_enabled": "Somebody at the machine enables it, by its switch or by `forewarn command enable` typed there; then"
    " send it anew within 15 minutes.",
    "no_key": "Put the platform's key (`forewarn command key`) into [commands] of the agent's file.",
    "signature": "The agent has another key: compare it with `forewarn command key`.",
    "expired": "Send it anew; give it a longer lifetime where the machine sleeps.",
    "busy": "Wait until the earlier ones are done, or cancel some.",
    "not_recorded": "Free some room on the machine's disk.",
}
"""What lets the next one through, by the reason of a refusal (contracts.commands.REFUSALS)."""


@dataclass(frozen=True, slots=True)
class Hold:
    """An open permit or a lock-out of a machine."""

    id: str
    kind: str
    note: str
    by: str
    since: datetime


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
