"""Accept, store, account for, then answer: one block of messages at a time.

The store is written first, then one transaction takes in the account, the quarantine and the block's row in the log;
a crash between repeats the store's write, which overwrites itself. (On PostgreSQL its statements may run while the
last rows are written; it is committed when all are.) Memory changes only with the transaction: what failed is read
anew from the database.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import sqlalchemy as sa

from contracts import topics, wire
from contracts.asset_model import AssetModel
from contracts.clock import Clocks
from contracts.points import DeviceRows, Preparing
from contracts.points import Refused as PointRefused
from contracts.units import Units
from ingest.domain.acceptance import Refusal
from ingest.domain.account import Account
from ingest.domain.batch import Aside, Rows
from ingest.domain.refused_samples import UNCOUNTED, written
from ingest.domain.times import OLDEST_US
from ingest.service.book import OWNER, Altered, Book, bump, hold, new_token, save
from ingest.service.bulk import Bulk
from ingest.service.command_ledger import hear
from ingest.service.days import begin_day, day_of
from ingest.service.links import Links
from ingest.service.losses import note_losses
from ingest.service.quarantine import Quarantine, Refused
from ingest.service.reading import DEFAULT_LIMITS, Delivery, Limits, Reading, Work
from ingest.service.registry import ACTIVE
from ingest.service.reports import note_reports
from ingest.service.settling import append_blocks, apply, take_back
from ingest.service.tables import devices
from plumbing.sql import Database, from_us
from plumbing.system_clock import SystemClock

STORED_EVERY_S = 0.5
TOUCH_EVERY_S = 1.0
KEPT_OF_TOO_LARGE = 1000
FIRST_PORTION_BYTES, PORTION_BYTES = 300_000, 1_000_000
"""A larger block is read and written in portions of these sizes, the next one being read while one is written."""


class Store(Protocol):
    """The part of contracts.points.TelemetryStore that ingest uses."""

    def write(self, rows: list[DeviceRows]) -> list[PointRefused]:
        """Write all rows; returns what the store refuses for ever. Raises StoreUnreachable."""
        ...


class Publish(Protocol):
    """Sends to a device; False when there is no connection."""

    def __call__(self, topic: str, body: bytes) -> bool: ...


class _TooEarly(Exception):
    """The store refused something of a block whose account was made up already."""


class Intake:
    """Takes blocks of messages. One thread calls it; one process a database (the newest one wins)."""

    def __init__(
        self,
        *,
        database: Database,
        store: Store,
        clocks: Clocks,
        system: SystemClock,
        models: Callable[[str], AssetModel | None],
        units: Units,
        publish: Publish,
        limits: Limits = DEFAULT_LIMITS,
        quarantine: Quarantine | None = None,
    ) -> None:
        self._database, self._store, self._clocks, self._system = database, store, clocks, system
        self._publish = publish
        self._book = Book()
        self._reading = Reading(
            database=database, clocks=clocks, system=system, models=models, units=units, limits=limits, book=self._book
        )
        self._quarantine = quarantine or Quarantine()
        self._writer = ThreadPoolExecutor(1, "ingest store")
        self._owed: dict[tuple[str, str, str], Account] = {}
        self._links = Links()
        self._days: dict[tuple[str, str], int] = {}
        self._told_online: dict[tuple[str, str], tuple[float, bool | None]] = {}
        self._stale = False
        self._token = 0
        self.taken_messages = self.taken_values = 0

    def take(self, block: Sequence[Delivery]) -> None:
        """Store and account for a block.

        Raises
        ------
        StoreUnreachable
            Nothing has changed; try again.
        Superseded
            Another ingest keeps the accounts now.
        """
        if not self._token:
            self.claim()
        with collector_paused():
            # a transaction of SQLite keeps everybody else from writing: it does not wait for the store
            ahead = self._database.dialect == "postgresql"
            while True:
                try:
                    return self._take(block, ahead=ahead)
                except _TooEarly:
                    ahead = False
                except Altered as altered:
                    self._token = altered.token

    def _take(self, block: Sequence[Delivery], *, ahead: bool) -> None:
        """Take a block; `ahead` = put the statements of the commit to the database while the store still writes."""
        work = Work(block)
        writing: list[Future[list[PointRefused]]] = []
        try:
            rows = self._begin_to_write(work, writing)
            ahead = ahead and len(writing) > 1
            if not ahead and (refused := _refused_by(writing)):
                rows = take_back(work.batch, rows, refused)
            try:
                with self._database.write() as connection:
                    hold(connection, self._token)
                    self._commit(connection, work, rows)
                    if ahead and _refused_by(writing):
                        raise _TooEarly
            except BaseException:
                self._forget()
                raise
        finally:
            # whoever comes next writes after these
            wait(writing)
        self._committed(work, rows)

    def _begin_to_write(self, work: Work, writing: list[Future[list[PointRefused]]]) -> list[Rows]:
        """Read the block; a large one goes to the store in portions, of which one is read while another is written."""
        rows: list[Rows] = []
        with self._database.read() as connection:
            self._reading.prepare(connection, work)
            room = FIRST_PORTION_BYTES
            for number, message in enumerate(work.block):
                self._reading.read(connection, work, number, message)
                room -= len(message.body)
                if room < 0 and (portion := work.batch.check()):
                    rows += portion
                    writing.append(self._writer.submit(self._write_of(portion)))
                    room = PORTION_BYTES
        if portion := work.batch.check():
            rows += portion
            write = self._write_of(portion)
            writing.append(self._writer.submit(write) if writing else _done(write()))
        return rows

    def _write_of(self, portion: list[Rows]) -> Callable[[], list[PointRefused]]:
        rows = [r.rows for r in portion]
        # what can be done before the store is asked is done while it is busy with an earlier portion
        return self._store.prepared(rows) if isinstance(self._store, Preparing) else partial(self._store.write, rows)

    def close(self) -> None:
        """End the thread."""
        self._writer.shutdown()

    def claim(self) -> None:
        """Become the one that keeps the accounts of this database."""
        token = new_token()
        with self._database.write() as connection:
            bump(connection, OWNER, token)
        self._token = token
        self._forget()

    def quarantine_alone(self, message: Delivery, why: str) -> None:
        """Put a message aside that could not be taken at all, without a look at what is in it."""
        address = self._reading.address(message.topic)
        tenant, device = (address.tenant, address.device) if address else ("", "")
        at = self._clocks.of(tenant).now()
        refusal = Refusal(why[:200], "malformed")
        with self._database.write() as connection:
            try:
                hold(connection, self._token)
            except Altered as altered:
                self._token = altered.token
                self._forget()
            self._quarantine.put(connection, [_refused(tenant, device, "", 0, at, [refusal], message, UNCOUNTED)])

    def _forget(self) -> None:
        self._book.forget()
        self._quarantine.forget()
        self._told_online.clear()
        self._days.clear()
        self._stale = True

    def _commit(self, connection: sa.Connection, work: Work, rows: list[Rows]) -> None:
        changed: dict[tuple[str, str, str], Account] = {}
        crowded: set[tuple[str, str]] = set()
        self._begin_days(connection, work)
        for key, delta in work.batch.deltas.items():
            if not delta.account.exists:
                crowded.add(key[:2])
            apply(delta)
            changed[key] = delta.account
        for account, state in work.states:
            key = (account.tenant, account.device, account.boot_id)
            if not account.exists:
                crowded.add(key[:2])
            account.outbox.report(state)
            changed[key] = account
            for other in self._book.of_device(connection, account.tenant, account.device).values():
                if other is not account and other.sequenced and not other.history and not other.outbox.replaced:
                    other.outbox.replace()
                    changed[other.tenant, other.device, other.boot_id] = other
        for tenant, device in crowded:
            totals = self._book.fold_oldest(connection, tenant, device)
            if not totals:
                continue
            for total in totals:
                changed[total.tenant, total.device, total.boot_id] = total
            kept = self._book.of_device(connection, tenant, device)
            for key in [k for k in changed if k[:2] == (tenant, device) and k[2] not in kept]:
                del changed[key]
        note_losses(connection, [*changed.values(), *self._book.folded], self._system.now())
        self._book.folded.clear()
        save(connection, list(changed.values()))
        self._quarantine.put(connection, self._put_aside(work))
        self._touch(connection, work)
        note_reports(connection, work.states)
        append_blocks(connection, [r.rows for r in rows], self._system.now(), history=False)
        for tenant, device, body, at in work.results:
            hear(connection, tenant, device, body, at, self._system.now())

    def _begin_days(self, connection: sa.Connection, work: Work) -> None:
        due: dict[tuple[str, str], int] = {}
        for (tenant, device, _), delta in work.batch.deltas.items():
            day = day_of(delta.times.received_us)
            if self._days.get((tenant, device)) != day:
                due[tenant, device] = day
        if due:
            begin_day(connection, [
                (*key, day, self._book.of_device(connection, *key).values()) for key, day in due.items()
            ])  # fmt: skip
            self._days |= due

    def _put_aside(self, work: Work) -> list[Refused]:
        out: list[Refused] = []
        for number in sorted(work.batch.asides.keys() | work.strangers.keys()):
            message = work.block[number]
            if number in work.strangers:
                tenant, device, at, refusal = work.strangers[number]
                out.append(_refused(tenant, device, "", 0, at, [refusal], message, UNCOUNTED))
                continue
            aside: Aside = work.batch.asides[number]
            if aside.delta is None:
                continue
            account = aside.delta.account
            at = from_us(aside.delta.times.received_us)
            out.append(
                _refused(
                    account.tenant, account.device, account.boot_id, aside.seq, at, aside.refusals, message,
                    written(aside.marks),
                )
            )  # fmt: skip
        return out

    def _touch(self, connection: sa.Connection, work: Work) -> None:
        """Note when devices were heard, at most once a second each unless something else changed."""
        now = self._system.monotonic()
        rows: list[dict[str, Any]] = []
        for key, moment in work.heard.items():
            told_at, told = self._told_online.get(key, (-TOUCH_EVERY_S, None))
            online = work.online.get(key, told)
            if online == told and now - told_at < TOUCH_EVERY_S:
                continue
            self._told_online[key] = (now, online)
            skew_us = backlog_us = None
            if key in work.seen:
                body, delta = work.seen[key]
                newest_us = delta.newest_us if delta.newest_us > OLDEST_US else None
                skew_us, backlog_us = self._links.note(key, moment.times.received_us, body, newest_us)
            rows.append({
                "skew_us": skew_us, "backlog_us": backlog_us,
                "tenant": key[0], "device": key[1], "last_seen": moment.times.received_us,
                "first_seen": moment.times.received_us, "online": online, "state": ACTIVE,
            })  # fmt: skip
        _TOUCH.execute(connection, rows)

    def _committed(self, work: Work, rows: list[Rows]) -> None:
        for key, delta in work.batch.deltas.items():
            self.taken_values += delta.stored
            if delta.account.sequenced and (len(delta.fresh) or delta.duplicate):
                self._owed[key] = delta.account
        self.taken_messages += len(work.block)
        for account, state in work.states:
            account.asked = (state.first, state.last)
            self._owed[account.tenant, account.device, account.boot_id] = account
        self.answer()

    def answer(self) -> None:
        """Tell devices what is settled: those that reported at once, the others at most twice a second."""
        if not self._owed:
            return
        if self._stale:
            self._find_owed()
        now = self._system.monotonic()
        for key, account in list(self._owed.items()):
            if account.asked is None and now - account.told_at < STORED_EVERY_S:
                continue
            outbox = account.outbox
            through = outbox.through()
            body = wire.Stored(
                wire.VERSION,
                account.boot_id,
                through,
                outbox.listed(through),
                account.rejections.ranges,
                outbox.ask(*account.asked) if account.asked else [],
            )
            if not self._publish(topics.topic(account.tenant, account.device, "stored"), wire.encode(body)):
                continue
            account.rejections.take()
            account.told_at, account.asked = now, None
            del self._owed[key]

    def _find_owed(self) -> None:
        """After a failure accounts are read anew; what is owed stays owed."""
        with self._database.read() as connection:
            for key, old in self._owed.items():
                account = self._owed[key] = self._book.find(connection, *key)
                if account is not old:
                    account.asked, account.told_at = old.asked, old.told_at
        self._stale = False


_TOUCH = Bulk(
    devices,
    ("tenant", "device", "last_seen", "first_seen", "online", "state", "skew_us", "backlog_us"),
    ("tenant", "device"),
    {
        "first_seen": "coalesce({old}, {new})",
        "skew_us": "coalesce({new}, {old})",
        "backlog_us": "coalesce({new}, {old})",
        # a device that never said whether it is online stays so
        "online": "coalesce({new}, {old})",
        "state": "case when {old} in ('suspended', 'revoked') then {old} else {new} end",
    },
)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Without the cyclic garbage collector for the moment: a block makes many objects and no cycles among them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _done(refused: list[PointRefused]) -> Future[list[PointRefused]]:
    made: Future[list[PointRefused]] = Future()
    made.set_result(refused)
    return made


def _refused_by(writing: list[Future[list[PointRefused]]]) -> list[PointRefused]:
    return [point for portion in writing for point in portion.result()]


def _refused(
    tenant: str, device: str, boot_id: str, seq: int, at: datetime, refusals: list[Refusal], message: Delivery,
    samples: str,
) -> Refused:  # fmt: skip
    size = len(message.body)
    body = message.body if size <= wire.MAX_BODY_BYTES else message.body[:KEPT_OF_TOO_LARGE]
    return Refused(tenant, device, boot_id, seq, at, refusals, message.topic, size, bytes(body), samples)
