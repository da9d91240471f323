"""What ingest knows of one outbox of one device: its numbers, its counts, what it is owed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ingest.domain.settlement import Outbox, Rejections

UNSEQUENCED = ""
"""boot_id of what comes without numbers."""
EARLIER = "-"
"""boot_id of the sum of the outboxes that are no longer kept apart."""
REMEMBERED_TIMES = 1000


@dataclass(slots=True)
class Account:
    """One row of the ledger. Counts are of samples, but `refused` (values, by reason) and `bad_messages`."""

    tenant: str
    device: str
    boot_id: str
    number: int = 0
    """Order in which the device's outboxes were first seen."""
    history: bool = False
    """Rows of an imported file."""
    outbox: Outbox = field(default_factory=Outbox)
    stored: int = 0
    quarantined: int = 0
    duplicate: int = 0
    late: int = 0
    same_time: int = 0
    bad_messages: int = 0
    """Refused before their samples could be counted."""
    refused: dict[str, int] = field(default_factory=dict)
    exists: bool = False
    """Whether the database has a row of it."""
    newest_us: int = -(1 << 63)
    recent: dict[int, None] = field(default_factory=dict)
    told_at: float = -1e9
    """Monotonic clock."""
    rejections: Rejections = field(default_factory=Rejections)
    asked: tuple[int, int] | None = None
    """first..last of a `state` that waits for its answer."""

    @property
    def sequenced(self) -> bool:
        """Whether its samples carry numbers."""
        return self.boot_id not in (UNSEQUENCED, EARLIER)

    def remember(self, times: Iterable[int]) -> None:
        """Note times of an unsequenced device, to see which come again."""
        self.recent.update(dict.fromkeys(times))
        for old in list(self.recent)[: max(0, len(self.recent) - REMEMBERED_TIMES)]:
            del self.recent[old]

    def refuse(self, reason: str, n: int = 1) -> None:
        """Count refused values."""
        self.refused[reason] = self.refused.get(reason, 0) + n

    def fold(self, other: "Account") -> None:
        """Take another account's figures into this one, the sum of earlier ones; what waits there is lost."""
        o = other.outbox
        o.replace()
        self.outbox.last += o.last
        self.outbox.off_lost += o.lost
        self.outbox.off_discarded += o.discarded
        self.outbox.off_moved += o.elsewhere
        for name in ("stored", "quarantined", "duplicate", "late", "same_time", "bad_messages"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, n in other.refused.items():
            self.refuse(reason, n)
