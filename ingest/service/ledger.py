"""What became of every sample of a device."""

from dataclasses import dataclass, field

import sqlalchemy as sa

from ingest.domain.account import EARLIER, UNSEQUENCED, Account
from ingest.service.book import load
from ingest.service.expired import expired_of
from ingest.service.tables import outboxes
from plumbing.sql import Database


@dataclass(frozen=True, slots=True)
class Entry:
    """Account of one outbox: sent = stored + quarantined + discarded + lost + waiting, in samples.

    `moved` numbers are no part of `sent`: their samples have another number, too, by which they count (an outbox was
    damaged, and what could be read of it went on in a new one). `duplicate` (repeats) and `late` are counted apart;
    `refused` counts values by reason, `same_time` samples that overwrote an earlier one of the same time,
    `bad_messages` messages whose samples could not be counted. Of what comes without numbers (`unsequenced`) gaps
    cannot be seen. `through` is None there.
    """

    boot_id: str
    kind: str
    """`outbox`, `earlier` (the sum of outboxes no longer kept apart), `unsequenced` or `history` (imported)."""
    sent: int
    stored: int
    quarantined: int
    discarded: int
    lost: int
    waiting: int
    duplicate: int
    late: int
    same_time: int
    bad_messages: int
    refused: dict[str, int]
    through: int | None
    last: int | None
    moved: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    """The lowest ranges that are still waited for."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Account of one device. The sums leave imported history out; that stands in `history`."""

    tenant: str
    device: str
    outboxes: list[Entry]
    expired: int = 0
    """Samples that are counted as quarantined and can be replayed no more: their messages are kept no longer."""

    def total(self, name: str, *, history: bool = False) -> int:
        """Sum of one figure (`sent`, `stored`, …)."""
        return sum(int(getattr(e, name)) for e in self.outboxes if (e.kind == "history") is history)

    @property
    def refused(self) -> dict[str, int]:
        """Refused values by reason."""
        out: dict[str, int] = {}
        for entry in self.outboxes:
            if entry.kind != "history":
                for reason, n in entry.refused.items():
                    out[reason] = out.get(reason, 0) + n
        return out

    def sums(self, *, history: bool = False) -> dict[str, int]:
        """All figures in samples; `expired` are part of `quarantined`."""
        sums = {name: self.total(name, history=history) for name in FIGURES}
        return {**sums, EXPIRED: 0 if history else self.expired}


EXPIRED = "expired"
FIGURES = ("sent", "stored", "quarantined", "discarded", "lost", "waiting", "duplicate", "late", "same_time", "moved")


def _entry(a: Account) -> Entry:
    o = a.outbox
    common = (a.duplicate, a.late, a.same_time, a.bad_messages, a.refused)
    if a.boot_id == UNSEQUENCED:
        n = a.stored + a.quarantined
        return Entry("", "unsequenced", n, a.stored, a.quarantined, 0, 0, 0, *common, None, None)
    if a.boot_id == EARLIER:
        return Entry(
            EARLIER,
            "earlier",
            o.last - o.off_moved,
            a.stored,
            a.quarantined,
            o.off_discarded,
            o.off_lost,
            0,
            *common,
            None,
            None,
            o.off_moved,
        )
    kind = "history" if a.history else "outbox"
    missing = [] if o.replaced else o.ask(o.first, o.last)
    return Entry(
        a.boot_id, kind, o.last - o.elsewhere, a.stored, a.quarantined, o.discarded, o.lost, o.waiting, *common,
        o.through(), o.last, o.elsewhere, missing,
    )  # fmt: skip


def ledger(database: Database, tenant: str, device: str) -> Ledger:
    """The account of a device; empty where nothing ever came."""
    with database.read() as connection:
        return _of(connection, tenant, device)


def ledgers(database: Database, tenant: str | None = None) -> list[Ledger]:
    """The accounts of all devices that ever sent, of one tenant or of all."""
    query = sa.select(outboxes.c.tenant, outboxes.c.device).distinct().order_by(outboxes.c.tenant, outboxes.c.device)
    if tenant is not None:
        query = query.where(outboxes.c.tenant == tenant)
    with database.read() as connection:
        names = connection.execute(query).all()
        return [_of(connection, t, d) for t, d in names]


def _of(connection: sa.Connection, tenant: str, device: str) -> Ledger:
    accounts = load(connection, tenant, device)
    return Ledger(tenant, device, [_entry(a) for a in accounts], expired_of(connection, tenant, device))
