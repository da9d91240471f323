"""Messages in quarantine, mended and judged once more: what is good now is stored and moves in the account.

The store is written first, then one transaction takes in account, quarantine, log and audit; whoever dies between
repeats the store's write, which overwrites itself. An entry is changed only if it is as it was read, so a sample moves
once, however often and by however many it is replayed. What is replayed is history: nobody is paged for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa

from contracts import topics
from contracts.points import DeviceRows
from contracts.points import Refused as PointRefused
from contracts.units import Units
from ingest.domain.account import EARLIER, Account
from ingest.domain.batch import Batch, Delta, Rows, Times
from ingest.domain.foreign.names import as_name
from ingest.domain.mapping import NONE, Mapping
from ingest.domain.message import Message, read
from ingest.domain.refused_samples import NOT_KNOWN, Marks, read_marks, reasons_of, written
from ingest.domain.signals import Signals
from ingest.service.book import alter, load, save
from ingest.service.expired import FROM_FILE
from ingest.service.foreign_names import read_table
from ingest.service.mappings import mapping_of
from ingest.service.quarantine import KEPT, REPLAYED, Quarantined, changed_entry, quarantined
from ingest.service.reading import DEFAULT_LIMITS, Limits
from ingest.service.settling import append_blocks, apply, take_back
from ingest.service.tables import devices, foreign
from ingest.service.tables import quarantine as entries
from plumbing import audit
from plumbing.runtime import Shared
from plumbing.sql import lock, to_us

PORTION = 50
PORTION_BYTES = 4_000_000
MOST = 10_000
TRIES = 5


class ReplayBusy(Exception):
    """Others change the same entries or accounts all the time; nothing of this portion was done, try again."""


class _Changed(Exception):
    """Something is not as it was read: read it anew."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one entry: its state, samples that are stored now and were not, values that are still refused."""

    id: int
    device: str
    state: str
    samples: int
    refused: int
    words: str


@dataclass(slots=True)
class _Entry:
    """An entry on its way."""

    kept: Quarantined
    device: str = ""
    words: str = ""
    """Why it cannot be replayed."""
    batch: Batch = field(default_factory=Batch)
    delta: Delta | None = None
    before: Marks | None = None
    """None = no account counts it yet."""
    rows: list[Rows] = field(default_factory=list)

    @property
    def after(self) -> Marks:
        """What is refused now; what is stored in part already stays so."""
        aside = self.batch.asides.get(0)
        found: Marks = aside.marks if aside else {}
        if self.before is not None:
            for i, mark in found.items():
                mark.whole = mark.whole and self.before[i].whole
        return found

    @property
    def moved(self) -> int:
        """Samples that are stored now and were not."""
        assert self.delta is not None
        if self.before is None:
            return self.delta.stored
        after = self.after
        return sum(mark.whole and not (i in after and after[i].whole) for i, mark in self.before.items())


def replay(
    shared: Shared,
    tenant: str,
    *,
    ids: Sequence[int] | None = None,
    device: str | None = None,
    reason: str | None = None,
    after: int = 0,
    most: int = MOST,
    units: Units | None = None,
    limits: Limits = DEFAULT_LIMITS,
    actor: str = "command line",
) -> list[Replayed]:
    """Replay what is kept: these entries, or all of a device, of a reason, of the tenant.

    The oldest `most` whose id is above `after`.

    Raises
    ------
    StoreUnreachable, ReplayBusy
        What was done before stays; call it again.
    """
    if units is None:
        from plumbing.ucum import UcumUnits

        units = UcumUnits()
    query = sa.select(entries.c.id, sa.func.length(entries.c.body)).where(
        entries.c.tenant == tenant, entries.c.state == KEPT, entries.c.id > after
    )
    if ids is not None:
        query = query.where(entries.c.id.in_(list(ids)[:MOST]))
    if device is not None:
        query = query.where(entries.c.device == device)
    if reason is not None:
        query = query.where(entries.c.reason == reason)
    with shared.database.read() as connection:
        chosen = [(int(row[0]), int(row[1])) for row in connection.execute(query.order_by(entries.c.id).limit(most))]
    out: list[Replayed] = []
    portion: list[int] = []
    room = PORTION_BYTES
    for id, size in chosen:
        if portion and (len(portion) == PORTION or size > room):
            out += _portion(shared, tenant, portion, units, limits, actor)
            portion, room = [], PORTION_BYTES
        portion.append(id)
        room -= size
    if portion:
        out += _portion(shared, tenant, portion, units, limits, actor)
    return out


def _portion(shared: Shared, tenant: str, ids: list[int], units: Units, limits: Limits, actor: str) -> list[Replayed]:
    for _ in range(TRIES):
        now = shared.clocks.of(tenant).now()
        work = _read(shared, tenant, ids, units, limits, now)
        rows = [r for e in work for r in e.rows]
        refused = shared.store.write([r.rows for r in rows]) if rows else []
        if refused:
            _take_back(work, refused)
        try:
            return _commit(shared, tenant, work, now, actor)
        except _Changed:
            continue
    raise ReplayBusy(f"entries or accounts of tenant {tenant!r} are being changed by others; try again")


def _read(shared: Shared, tenant: str, ids: list[int], units: Units, limits: Limits, now: datetime) -> list[_Entry]:
    """Mend and judge, without changing anything."""
    factor = max(shared.clocks.of(tenant).factor, 1.0)
    future_us, late_us = (int(s * factor * 1_000_000) for s in (limits.future_s, limits.late_s))
    work: list[_Entry] = []
    accounts: dict[tuple[str, str], Account] = {}
    signals: dict[str, Signals] = {}
    with shared.database.read() as connection:
        rows = connection.execute(
            sa.select(entries).where(entries.c.id.in_(ids), entries.c.state == KEPT).order_by(entries.c.id)
        ).all()
        for row in rows:
            entry = _Entry(quarantined(row))
            work.append(entry)
            found = _whose(connection, entry)
            if found is None:
                continue
            entry.device, model, mapping = found
            if model not in signals:
                signals[model] = Signals(shared.models(model), units)
            message = mapping.apply(read(entry.kept.body))
            received_us = to_us(entry.kept.received_at)
            times = Times(received_us, to_us(now) + future_us, received_us - late_us)
            account = _stand_in(connection, entry, message, accounts)
            if entry.before is not None and not message.seq:
                message = replace(message, seq=1)
            entry.delta = entry.batch.delta(account, signals[model], times)
            entry.batch.add(0, message, entry.delta)
            entry.rows = entry.batch.check()
            if entry.before is None:
                account.outbox.settled.update(entry.delta.fresh)
            elif not account.sequenced:
                entry.rows = [_without_numbers(r) for r in entry.rows]
    return work


def _whose(connection: sa.Connection, entry: _Entry) -> tuple[str, str, Mapping] | None:
    """Device, model and rules of an entry; None, and the words that say why, where it cannot be replayed."""
    kept = entry.kept
    entry.words = _why_not(kept)
    if entry.words:
        return None
    address, name, table = topics.parse(kept.topic), kept.device, NONE
    if address is None:
        behind = connection.execute(
            sa.select(foreign).where(foreign.c.tenant == kept.tenant, foreign.c.behind == kept.device)
        ).all()
        found = [r for r in behind if kept.topic.endswith(f" {r.name}")]
        if not found:
            entry.words = (
                "it names a device that does not stand behind this one yet: forewarn device foreign … --behind"
            )
            return None
        longest = max(found, key=lambda r: len(r.name))
        name = longest.device
        table = Mapping({as_name(there): signal for there, signal in read_table(longest.signals).items()})
    elif address.kind != "telemetry":
        entry.words = f"it is no telemetry but {address.kind}: the device sends it anew by itself"
        return None
    model = connection.execute(
        sa.select(devices.c.model).where(devices.c.tenant == kept.tenant, devices.c.device == name)
    ).scalar()
    if model is None:
        entry.words = f"no device {name!r} is registered: forewarn device add {name} --model MODEL"
        return None
    own = mapping_of(connection, kept.tenant, name, model)
    return name, model, Mapping({**table.signals, **own.signals}, own.units, own.factors)


def _why_not(kept: Quarantined) -> str:
    if kept.topic == FROM_FILE:
        return "it is a row of a file: mend the file and load it again"
    if len(kept.body) < kept.size:
        return f"of {kept.size} bytes only the first {len(kept.body)} are kept: the device must send it anew, in parts"
    if kept.samples == NOT_KNOWN:
        return "it was put aside by an older version, which did not note what of it was counted"
    if read_marks(kept.samples) == {}:
        return "no sample can be read in it: the sender must be mended"
    return ""


def _stand_in(
    connection: sa.Connection, entry: _Entry, message: Message, accounts: dict[tuple[str, str], Account]
) -> Account:
    """An account to judge by: of a counted entry one for which all is settled but the samples that were refused."""
    tenant = entry.kept.tenant
    entry.before = read_marks(entry.kept.samples)
    if entry.before is not None:
        account = Account(tenant, entry.device, message.boot_id)
        first = message.seq or 1
        for i in range(message.count):
            if i not in entry.before:
                account.outbox.settled.add(first + i, first + i)
        return account
    key = (entry.device, message.boot_id)
    if key not in accounts:
        known = {a.boot_id: a for a in load(connection, tenant, entry.device)}
        accounts[key] = known.get(message.boot_id) or Account(tenant, entry.device, message.boot_id)
    return accounts[key]


def _without_numbers(one: Rows) -> Rows:
    d = one.rows
    bare = DeviceRows(
        d.tenant, d.device, d.model, d.boot_id, d.signals, [0] * len(d.seq), d.t_us, d.values, d.received_us
    )
    return Rows(one.delta, bare, one.origin)


def _take_back(work: list[_Entry], refused: list[PointRefused]) -> None:
    for entry in work:
        entry.rows = take_back(entry.batch, entry.rows, refused)


def _commit(shared: Shared, tenant: str, work: list[_Entry], now: datetime, actor: str) -> list[Replayed]:
    out: list[Replayed] = []
    books: dict[str, dict[str, Account]] = {}
    changed: dict[tuple[str, str], Account] = {}
    told: dict[str, list[tuple[int, int]]] = {}
    with shared.database.write() as connection:
        lock(connection, "ingest:replay")
        alter(connection)
        ids = [entry.kept.id for entry in work]
        as_it_is = connection.execute(
            sa.select(entries.c.id, entries.c.samples).where(entries.c.id.in_(ids), entries.c.state == KEPT)
        )
        if {row[0]: row[1] for row in as_it_is} != {entry.kept.id: entry.kept.samples for entry in work}:
            raise _Changed
        rows: list[DeviceRows] = []
        for entry in work:
            if entry.delta is None:
                out.append(_said(entry, KEPT, 0, entry.kept.refused, entry.words))
                continue
            if entry.device not in books:
                books[entry.device] = {a.boot_id: a for a in load(connection, tenant, entry.device)}
            after, moved = entry.after, entry.moved
            if entry.before is not None and after == entry.before:
                out.append(_said(entry, KEPT, 0, entry.kept.refused, _still(entry)))
                continue
            account = _account_for(entry, books[entry.device])
            changed[entry.device, account.boot_id] = account
            _move(entry, account, after, moved)
            aside = entry.batch.asides.get(0)
            state = KEPT if aside else REPLAYED
            changed_entry(
                connection, entry.kept, state=state, refusals=aside.refusals if aside else [],
                samples=written(after), moved=moved, now=now, actor=actor,
            )  # fmt: skip
            rows += [r.rows for r in entry.rows]
            told.setdefault(entry.device, []).append((entry.kept.id, moved))
            left = sum(reasons_of(after).values())
            out.append(_said(entry, state, moved, left, _still(entry) if aside else ""))
        save(connection, list(changed.values()))
        append_blocks(connection, rows, shared.system.now(), history=True)
        for device, done in sorted(told.items()):
            samples = sum(moved for _, moved in done)
            text = f"Of {len(done)} messages of {device} in quarantine, {samples} samples were replayed and are stored."
            audit.append(
                connection, tenant, now, actor, "quarantine_replayed",
                {"asset": device, "id": device, "entries": [id for id, _ in done], "samples": samples, "text": text},
            )  # fmt: skip
    return out


def _account_for(entry: _Entry, known: dict[str, Account]) -> Account:
    assert entry.delta is not None
    boot_id = entry.delta.account.boot_id
    account = known.get(boot_id)
    if account is None and entry.before is not None:
        # its outbox is no longer kept apart
        account = known.get(EARLIER)
    if account is None:
        number = max((a.number for a in known.values()), default=0) + 1
        account = known[boot_id] = Account(entry.kept.tenant, entry.device, boot_id, number)
    return account


def _move(entry: _Entry, account: Account, after: Marks, moved: int) -> None:
    """Change the account as the entry demands."""
    delta = entry.delta
    assert delta is not None
    if entry.before is None:
        if account.sequenced and any(account.outbox.settled.overlaps(a, b) for a, b in delta.fresh):
            raise _Changed
        delta.account = account
        apply(delta)
        return
    account.quarantined -= moved
    account.stored += moved
    late_us = delta.times.late_us
    account.late += sum(
        entry.before[i].whole and t_us < late_us
        for rows in entry.rows
        for t_us, (_, i) in zip(rows.rows.t_us, rows.origin, strict=True)
    )
    for reason, n in reasons_of(entry.before).items():
        account.refuse(reason, -n)
    for reason, n in reasons_of(after).items():
        account.refuse(reason, n)
    account.refused = {reason: n for reason, n in account.refused.items() if n}


def _still(entry: _Entry) -> str:
    aside = entry.batch.asides.get(0)
    first = aside.refusals[0] if aside else None
    return f"still refused: {first.reason} at {first.path or 'the message'}" if first else ""


def _said(entry: _Entry, state: str, samples: int, refused: int, words: str) -> Replayed:
    return Replayed(entry.kept.id, entry.device or entry.kept.device, state, samples, refused, words)


__all__ = ["ReplayBusy", "Replayed", "replay"]
