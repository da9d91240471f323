"""What was quarantined and is kept no more: counted by device, whether it grew old, was given up, or had no room.

It stays counted as quarantined in the account; this says how much of that no replay can bring back.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from ingest.domain.refused_samples import read_marks
from ingest.service.tables import expired

FROM_FILE = "history import"
"""Topic in quarantine of what no device sent; its body is the file's row."""
_ADD = sa.text(
    "insert into ingest_expired (tenant, device, messages, samples) values (:tenant, :device, :messages, :samples)"
    " on conflict (tenant, device) do update set messages = ingest_expired.messages + excluded.messages,"
    " samples = ingest_expired.samples + excluded.samples"
)


@dataclass(frozen=True, slots=True)
class Gone:
    """A message that is kept no more: `samples` as the quarantine has it (ingest.domain.refused_samples)."""

    tenant: str
    device: str
    topic: str
    samples: str


def count_expired(connection: sa.Connection, messages: Iterable[Gone]) -> None:
    """Add messages up. Rows of an imported file are counted nowhere: nothing of them could be replayed."""
    sums: dict[tuple[str, str], list[int]] = {}
    for m in messages:
        if m.topic != FROM_FILE:
            sum_ = sums.setdefault((m.tenant, m.device), [0, 0])
            sum_[0] += 1
            sum_[1] += sum(mark.whole for mark in (read_marks(m.samples) or {}).values())
    if sums:
        rows = [{"tenant": t, "device": d, "messages": m, "samples": n} for (t, d), (m, n) in sorted(sums.items())]
        connection.execute(_ADD, rows)


def expired_of(connection: sa.Connection, tenant: str, device: str) -> int:
    """Samples of a device that are counted as quarantined and can be replayed no more."""
    query = sa.select(expired.c.samples).where(expired.c.tenant == tenant, expired.c.device == device)
    return int(connection.execute(query).scalar() or 0)
