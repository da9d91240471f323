"""What pages and the JSON API show of the quarantine beyond `api.views.Refusal`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in quarantine. `refused` values are still refused, of which `refusals` lists (path, reason)."""

    id: str
    device: str
    state: str
    """kept, replayed (nothing of it is refused any more) or expired (its body is gone)."""
    reason: str
    path: str
    text: str
    remedy: str
    received_at: datetime
    topic: str
    boot_id: str
    seq: int | None
    size: int
    refused: int
    refusals: Sequence[tuple[str, str]]
    samples: int
    """Of its samples, stored by replay."""
    moved_at: datetime | None
    moved_by: str | None
    body: str
    """As text; what is no text is replaced."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay made of one entry: samples that are stored now and were not, values that are still refused."""

    id: str
    device: str
    state: str
    samples: int
    refused: int
    words: str


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a replay did. `next` = the last entry that was looked at, where more may follow; None = that was all."""

    items: Sequence[Outcome]
    samples: int
    replayed: int
    kept: int
    next: str | None
