"""Accounts of outboxes in the database, and who may write them."""

import secrets
from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from ingest.domain.account import EARLIER, UNSEQUENCED, Account
from ingest.domain.ranges import RangeSet
from ingest.domain.settlement import MAX_BOOTS, Outbox
from ingest.service.bulk import Bulk
from ingest.service.tables import EVERYONE, marks, outboxes

OWNER = "owner"
CHANGES = 1 << 20
"""Who keeps the accounts is a multiple of this; what is added to it counts the changes by others."""
AT_ONCE = 400
Key = tuple[str, str]


class Superseded(Exception):
    """Another ingest has taken over this database."""


class Altered(Exception):
    """Somebody else changed accounts (a replay): read them anew, hold `token` from now on."""

    def __init__(self, token: int) -> None:
        super().__init__("accounts were changed by somebody else")
        self.token = token


def bump(connection: sa.Connection, name: str, value: int | None = None) -> None:
    """Set a mark, or count it up."""
    where = (marks.c.tenant == EVERYONE, marks.c.name == name)
    new = marks.c.value + 1 if value is None else value
    if connection.execute(marks.update().where(*where).values(value=new)).rowcount == 0:
        connection.execute(marks.insert().values(tenant=EVERYONE, name=name, value=value or 1))


def mark(connection: sa.Connection, name: str) -> int:
    """The value of a mark; 0 where it was never set."""
    found = connection.execute(
        sa.select(marks.c.value).where(marks.c.tenant == EVERYONE, marks.c.name == name)
    ).scalar()
    return int(found or 0)


def new_token() -> int:
    """A token for who keeps the accounts from now on."""
    return (secrets.randbits(42) | 1) * CHANGES


def alter(connection: sa.Connection) -> None:
    """Change accounts in this transaction: nobody else does until it ends, and who has them in memory hears of it."""
    where = (marks.c.tenant == EVERYONE, marks.c.name == OWNER)
    connection.execute(marks.update().where(*where).values(value=marks.c.value + 1))


def hold(connection: sa.Connection, token: int) -> None:
    """Make sure that this process is still the one that keeps the accounts. Raises Superseded, Altered."""
    done = connection.execute(
        marks.update()
        .where(marks.c.tenant == EVERYONE, marks.c.name == OWNER, marks.c.value == token)
        .values(value=token)
    )
    if done.rowcount == 0:
        found = mark(connection, OWNER)
        if found // CHANGES == token // CHANGES:
            raise Altered(found)
        raise Superseded("another ingest has taken over this database")


def _account(row: sa.Row[tuple[object, ...]]) -> Account:
    r = row._mapping
    decode = msgspec.msgpack.decode
    return Account(
        r["tenant"], r["device"], r["boot_id"], r["number"], r["history"],
        Outbox(
            RangeSet.of_flat(decode(r["settled"], type=list[int])),
            RangeSet.of_flat(decode(r["dropped"], type=list[int])),
            r["first"], r["last"], r["replaced"], r["off_lost"], r["off_discarded"],
            moved=RangeSet.of_flat(decode(r["moved"], type=list[int]) if r["moved"] else []), off_moved=r["off_moved"],
        ),
        r["stored"], r["quarantined"], r["duplicate"], r["late"], r["same_time"], r["bad_messages"],
        msgspec.json.decode(r["refused"], type=dict[str, int]), exists=True,
    )  # fmt: skip


def load(connection: sa.Connection, tenant: str, device: str) -> list[Account]:
    """All accounts of a device, in the order in which they were first seen."""
    found = connection.execute(
        sa.select(outboxes).where(outboxes.c.tenant == tenant, outboxes.c.device == device).order_by(outboxes.c.number)
    )
    return [_account(row) for row in found]


def save(connection: sa.Connection, accounts: list[Account]) -> None:
    """Write accounts; marks them as existing (forget them if the transaction fails)."""
    rows: dict[bool, list[dict[str, object]]] = {True: [], False: []}
    encode = msgspec.msgpack.encode
    for a in accounts:
        o = a.outbox
        rows[a.exists].append({
            "tenant": a.tenant, "device": a.device, "boot_id": a.boot_id, "number": a.number,
            "history": a.history, "replaced": o.replaced, "first": o.first, "last": o.last,
            "settled": encode(o.settled.flat()), "dropped": encode(o.dropped.flat()), "off_lost": o.off_lost,
            "off_discarded": o.off_discarded, "moved": encode(o.moved.flat()) if o.moved.count else None,
            "off_moved": o.off_moved, "stored": a.stored, "quarantined": a.quarantined,
            "duplicate": a.duplicate, "late": a.late, "same_time": a.same_time, "bad_messages": a.bad_messages,
            "refused": msgspec.json.encode(a.refused).decode(),
        })  # fmt: skip
    _UPDATE.execute(connection, rows[True])
    _INSERT.execute(connection, rows[False])
    for a in accounts:
        a.exists = True


_COLUMNS = [column.name for column in outboxes.columns]
_UPDATE = Bulk(outboxes, _COLUMNS, ("tenant", "device", "boot_id"))
_INSERT = Bulk(outboxes, _COLUMNS)


class Book:
    """The accounts that this process holds in memory. Forget them after a transaction that failed."""

    MAX_DEVICES = 20_000

    def __init__(self) -> None:
        self._devices: dict[Key, dict[str, Account]] = {}
        self.folded: list[Account] = []
        """Accounts that were folded and whose losses nobody has written yet."""

    def find(self, connection: sa.Connection, tenant: str, device: str, boot_id: str) -> Account:
        """The account; a new one where there is none."""
        known = self.of_device(connection, tenant, device)
        found = known.get(boot_id)
        if found is None:
            number = max((a.number for a in known.values()), default=0) + 1
            found = known[boot_id] = Account(tenant, device, boot_id, number)
        return found

    def peek(self, tenant: str, device: str, boot_id: str) -> Account | None:
        """The account if it is in memory."""
        known = self._devices.get((tenant, device))
        return known.get(boot_id) if known else None

    def of_device(self, connection: sa.Connection, tenant: str, device: str) -> dict[str, Account]:
        """All accounts of a device by boot_id."""
        key = (tenant, device)
        if key not in self._devices:
            if len(self._devices) >= self.MAX_DEVICES:
                self._devices.clear()
            self._devices[key] = {a.boot_id: a for a in load(connection, tenant, device)}
        return self._devices[key]

    def fetch(self, connection: sa.Connection, keys: Iterable[Key]) -> None:
        """Have the accounts of many devices at hand: in a few queries, not in one a device."""
        wanted = [key for key in keys if key not in self._devices]
        if len(self._devices) + len(wanted) > self.MAX_DEVICES:
            self._devices.clear()
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            found: dict[Key, dict[str, Account]] = {key: {} for key in some}
            rows = connection.execute(
                sa.select(outboxes)
                .where(sa.tuple_(outboxes.c.tenant, outboxes.c.device).in_(some))
                .order_by(outboxes.c.number)
            )
            for row in rows:
                account = _account(row)
                found[account.tenant, account.device][account.boot_id] = account
            self._devices.update(found)

    def forget(self) -> None:
        """Read everything anew from the database when it is needed next."""
        self._devices.clear()
        self.folded.clear()

    def fold_oldest(self, connection: sa.Connection, tenant: str, device: str) -> list[Account]:
        """Keep at most MAX_BOOTS outboxes apart; returns the accounts that changed."""
        known = self.of_device(connection, tenant, device)
        live = sorted((a for a in known.values() if a.sequenced and not a.history), key=lambda a: a.number)
        if len(live) <= MAX_BOOTS:
            return []
        total = known.get(EARLIER)
        if total is None:
            total = known[EARLIER] = Account(tenant, device, EARLIER)
        for old in live[: len(live) - MAX_BOOTS]:
            total.fold(old)
            self.folded.append(old)
            del known[old.boot_id]
            connection.execute(
                outboxes.delete().where(
                    outboxes.c.tenant == tenant, outboxes.c.device == device, outboxes.c.boot_id == old.boot_id
                )
            )
        return [total]


__all__ = [
    "EARLIER", "UNSEQUENCED", "Altered", "Book", "Superseded", "alter", "bump", "hold", "load", "mark", "new_token",
    "save",
]  # fmt: skip
