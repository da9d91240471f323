"""History that did not come over the broker: through the same checks, straight to store, account and log.

Every source is an outbox of its own (its boot_id is made from what is in it), every row a number of it: a source that
is loaded again stores nothing twice, one that was broken off goes on. Nobody is paged for what comes this way.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import sqlalchemy as sa

from contracts.units import Units
from ingest.domain.acceptance import Refusal
from ingest.domain.account import Account
from ingest.domain.batch import Batch, Rows, Times
from ingest.domain.message import LooseSample, Message, Sample
from ingest.domain.refused_samples import written
from ingest.domain.signals import Signals
from ingest.service.book import load, save
from ingest.service.expired import FROM_FILE
from ingest.service.quarantine import Quarantine, Refused
from ingest.service.reading import DEFAULT_LIMITS, Limits
from ingest.service.registry import UnknownDevice, find_device
from ingest.service.settling import append_blocks, apply, take_back
from ingest.service.tables import outboxes
from plumbing.runtime import Shared
from plumbing.sql import from_us, lock, to_us

BLOCK_ROWS = 5_000
LISTED_FAULTS = 100
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class RowFault:
    """A cell (or row) that was refused: line of the file (or number of the row, from 1), column, value, rule."""

    line: int
    column: str
    value: str
    rule: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column or 'row'}: {self.value!r}: {self.rule}"


@dataclass(slots=True)
class Imported:
    """What became of a source. `faults` lists the first 100 of `refused` values."""

    boot_id: str
    rows: int = 0
    stored: int = 0
    quarantined: int = 0
    repeated: int = 0
    refused: int = 0
    faults: list[RowFault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One row: `typed` where its cells are numbers and its time is one, else `loose`. `line` is where it stands."""

    line: int
    typed: Sample | None
    loose: LooseSample | None = None


def import_rows(
    shared: Shared,
    tenant: str,
    device: str,
    signals: Sequence[str],
    t_us: Sequence[int] | Any,
    values: Sequence[Sequence[float | None]] | Any,
    *,
    progress: Progress | None = None,
    faults: list[RowFault] | None = None,
    units: Units | None = None,
) -> int:
    """Load rows that are in memory; returns how many were stored (0 when all of them were loaded before).

    Parameters
    ----------
    t_us
        Epoch microseconds, UTC, of each row.
    values
        (rows, signals); None or NaN = no reading.
    faults
        Is given what was refused.

    Raises
    ------
    UnknownDevice, StoreUnreachable
    """
    table = np.asarray(values, dtype=np.float64)
    times = np.asarray(t_us, dtype=np.int64)
    names = list(signals)
    digest = hashlib.sha256(msgspec.json.encode([tenant, device, names]))
    digest.update(times.tobytes())
    digest.update(np.ascontiguousarray(table).tobytes())

    def rows() -> Iterable[HistoryRow]:
        for i, (us, row) in enumerate(zip(times.tolist(), table.tolist(), strict=True)):
            kept = {name: x if x == x else None for name, x in zip(names, row, strict=True)}
            yield HistoryRow(i + 1, Sample(kept, from_us(us)))

    boot_id = digest.hexdigest()[:32]
    done = load_rows(shared, tenant, device, boot_id, rows(), len(times), progress=progress, units=units)
    if faults is not None:
        faults.extend(done.faults)
    return done.stored


def load_rows(
    shared: Shared,
    tenant: str,
    device: str,
    boot_id: str,
    rows: Iterable[HistoryRow],
    total: int,
    *,
    progress: Progress | None = None,
    limits: Limits = DEFAULT_LIMITS,
    units: Units | None = None,
) -> Imported:
    """Load a source block by block. `boot_id` names it; `total` is for `progress(done, total)` alone."""
    found = find_device(shared.database, tenant, device)
    if found is None:
        raise UnknownDevice("name", device, f"tenant {tenant!r} has no device of this name")
    if units is None:
        from plumbing.ucum import UcumUnits

        units = UcumUnits()
    signals = Signals(shared.models(found.model), units)
    out = Imported(boot_id)
    block: list[HistoryRow] = []
    for row in rows:
        block.append(row)
        if len(block) == BLOCK_ROWS:
            _load_block(shared, tenant, device, signals, block, out, limits)
            block = []
            if progress:
                progress(out.rows, total)
    if block or not out.rows:
        _load_block(shared, tenant, device, signals, block, out, limits)
    if progress:
        progress(out.rows, total)
    return out


def _load_block(
    shared: Shared,
    tenant: str,
    device: str,
    signals: Signals,
    block: list[HistoryRow],
    out: Imported,
    limits: Limits,
) -> None:
    clock = shared.clocks.of(tenant)
    now = clock.now()
    future_us = int(limits.future_s * max(clock.factor, 1.0) * 1_000_000)
    times = Times(to_us(now), to_us(now) + future_us, -(1 << 63))
    with shared.database.read() as connection:
        account = _account(connection, tenant, device, out.boot_id)
    batch = Batch()
    delta = batch.delta(account, signals, times)
    for number, message in enumerate(_messages(out.boot_id, out.rows + 1, block)):
        batch.add(number, message, delta)
    rows = batch.check()
    refused = shared.store.write([r.rows for r in rows]) if rows else []
    if refused:
        rows = take_back(batch, rows, refused)
    _commit(shared, tenant, device, batch, rows, now)
    out.rows += len(block)
    out.stored += delta.stored
    out.quarantined += delta.quarantined
    out.repeated += delta.duplicate
    out.refused += sum(delta.refused.values())
    before = out.rows - len(block) + 1
    named = [
        _fault(refusal, batch.messages[aside.message].seq - before, block)
        for aside in batch.asides.values()
        for refusal in aside.refusals
    ]
    out.faults += sorted(named, key=lambda f: f.line)[: LISTED_FAULTS - len(out.faults)]


def _commit(shared: Shared, tenant: str, device: str, batch: Batch, rows: list[Rows], now: datetime) -> None:
    with shared.database.write() as connection:
        lock(connection, f"ingest:history:{tenant}/{device}")
        for (_, _, boot_id), delta in batch.deltas.items():
            # the account as it is now, should the same source be loaded twice at the same time
            fresh = _account(connection, tenant, device, boot_id)
            if fresh.outbox.settled != delta.account.outbox.settled:
                raise SourceBusy(f"this source is being loaded for {tenant}/{device} by somebody else")
            apply(delta)
            save(connection, [delta.account])
        Quarantine().put(connection, [
            Refused(
                tenant, device, aside.delta.account.boot_id, aside.seq, now, aside.refusals, FROM_FILE, 0, b"",
                written(aside.marks),
            )
            for aside in batch.asides.values()
            if aside.delta is not None
        ])  # fmt: skip
        append_blocks(connection, [r.rows for r in rows], shared.system.now(), history=True)


class SourceBusy(Exception):
    """The same source is being loaded by somebody else at this moment."""


def _account(connection: sa.Connection, tenant: str, device: str, boot_id: str) -> Account:
    known = load(connection, tenant, device)
    for account in known:
        if account.boot_id == boot_id:
            return account
    highest = connection.execute(
        sa.select(sa.func.max(outboxes.c.number)).where(outboxes.c.tenant == tenant, outboxes.c.device == device)
    ).scalar()
    return Account(tenant, device, boot_id, int(highest or 0) + 1, history=True)


def _messages(boot_id: str, seq: int, block: list[HistoryRow]) -> Iterable[Message]:
    """Rows as messages: typed ones together, each that is not by itself."""
    typed: list[Sample] = []
    for i, row in enumerate(block):
        if row.typed is not None:
            typed.append(row.typed)
            continue
        if typed:
            yield Message(boot_id, seq + i - len(typed), len(typed), typed)
            typed = []
        assert row.loose is not None
        yield Message(boot_id, seq + i, 1, None, [row.loose])
    if typed:
        yield Message(boot_id, seq + len(block) - len(typed), len(typed), typed)


def _fault(refusal: Refusal, first: int, block: list[HistoryRow]) -> RowFault:
    """Where in the source a refusal of `samples[i]…` stands."""
    head, _, tail = refusal.path.partition("]")
    i = first + int(head.removeprefix("samples["))
    row = block[i]
    sample: Sample | LooseSample | None = row.typed if row.typed is not None else row.loose
    column = tail.removeprefix(".values").removeprefix(".") if tail != ".t" else "t"
    value: object = sample.t if sample is not None and tail == ".t" else None
    if sample is not None and isinstance(sample.values, dict) and tail.startswith(".values."):
        value = sample.values.get(column)
    return RowFault(row.line, column, str(value), refusal.reason)


__all__ = ["HistoryRow", "Imported", "RowFault", "SourceBusy", "import_rows", "load_rows"]
