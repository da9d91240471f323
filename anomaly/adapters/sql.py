"""The service's tables, its place in the log and its audit entries, in SQL."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any

import msgspec
import sqlalchemy as sa

from anomaly.adapters.sql_condition import (
    confirm,
    keep_baseline,
    keep_quiet,
    keep_sensor,
    newest_baselines,
    with_confirmation,
)
from anomaly.adapters.sql_groups import AT_ONCE, groups_of, keep_groups, keep_place
from anomaly.adapters.sql_troubles import forget_trouble, keep_trouble, troubles_of
from anomaly.service import tables as t
from anomaly.service.port import Behind, Label, Loaded, Missed, Moved, Results, Saved, Taken
from contracts.records import BLOCKS, FINDINGS, PREDICTIONS, Alarm, FromWork, Prediction, decode_from_work, encode
from plumbing import audit, log
from plumbing.sql import Database, from_us, lock
from plumbing.system_clock import SystemClock

CONSUMER = "anomaly"
ACTOR = "anomaly"
ALL = ""
logger = logging.getLogger(__name__)


class _TakenBack(Exception):
    """Nothing is to be written."""


class SqlTables:
    """service.port.Tables on SQLite and PostgreSQL."""

    def __init__(self, database: Database, system: SystemClock) -> None:
        self._database, self._system = database, system

    def register(self) -> None:
        """Put the consumer on record."""
        with self._database.write() as connection:
            for topic in (BLOCKS, FINDINGS):
                log.advance(connection, CONSUMER, topic, 0)

    def load(self) -> Loaded:
        """Snapshots, what they rest on, what was written."""
        with self._database.read() as connection:
            saved = _saved(connection, sa.true())
            troubles = troubles_of(connection)
            row = connection.execute(sa.select(t.progress).where(t.progress.c.tenant == ALL)).first()
            written = log.position(connection, CONSUMER, BLOCKS)
        through, turn = (row.saved_through, row.turn) if row is not None else (0, 0)
        return Loaded(saved, troubles, int(through), written, int(turn))

    def snapshots(self, tenant: str, devices: Sequence[str]) -> tuple[list[Saved], int]:
        """Those of some machines, and what they rest on."""
        with self._database.read() as connection:
            saved: list[Saved] = []
            for start in range(0, len(devices), AT_ONCE):
                some = t.states.c.device.in_(devices[start : start + AT_ONCE])
                saved += _saved(connection, sa.and_(t.states.c.tenant == tenant, some))
            through = connection.execute(
                sa.select(t.progress.c.saved_through).where(t.progress.c.tenant == ALL)
            ).scalar()
        return saved, int(through or 0)

    def blocks(self, after: int, limit: int) -> list[Taken]:
        """The next blocks."""
        with self._database.read() as connection:
            removed = log.position(connection, "(removed)", BLOCKS)
            if after < removed:
                raise Behind(removed + 1)
            return [Taken(e.position, e.tenant, e.payload) for e in log.read(connection, BLOCKS, after, limit)]

    def findings(self, limit: int) -> list[tuple[int, FromWork | None]]:
        """The next entries from work_orders."""
        with self._database.read() as connection:
            entries = log.read(connection, FINDINGS, log.position(connection, CONSUMER, FINDINGS), limit)
        return [(e.position, _understood(e)) for e in entries]

    def write(
        self,
        results: Results,
        *,
        turn: int,
        blocks_from: int,
        blocks_to: int,
        findings_to: int | None,
        saved: Iterable[Saved] | None,
    ) -> None:
        """One transaction."""
        with self._database.write() as connection:
            lock(connection, f"consumer:{CONSUMER}")
            if log.position(connection, CONSUMER, BLOCKS) != blocks_from:
                raise Moved
            self._take_turn(connection, turn)
            self._results(connection, results)
            log.advance(connection, CONSUMER, BLOCKS, blocks_to)
            if findings_to is not None:
                log.advance(connection, CONSUMER, FINDINGS, findings_to)
            if saved is not None:
                for one in saved:
                    _save(connection, one)
                _put(connection, t.progress, {"tenant": ALL}, {"saved_through": blocks_to})
            for done in results.confirmed:  # after the snapshots, which put new baselines on record
                confirm(connection, done)

    def _take_turn(self, connection: sa.Connection, turn: int) -> None:
        """Whoever wrote last knows the number: not every transaction moves the place in the log."""
        c = t.progress.c
        mine = t.progress.update().where(c.tenant == ALL, c.turn == turn).values(turn=turn + 1)
        if connection.execute(mine).rowcount:
            return
        if turn or connection.execute(sa.select(c.turn).where(c.tenant == ALL)).first() is not None:
            raise Moved
        connection.execute(t.progress.insert().values(tenant=ALL, saved_through=0, turn=1))

    def check(self, results: Results) -> None:
        """Try to write these, and take it back."""
        try:
            with self._database.write() as connection:
                lock(connection, f"consumer:{CONSUMER}")
                self._results(connection, results)
                raise _TakenBack
        except _TakenBack:
            return

    def add(self, results: Results, still: Callable[[sa.Connection], bool]) -> bool:
        """What was found beside the log: one transaction, the place in the log stays.

        False where what it rests on does not hold any more: another process was first, and nothing is written.
        """
        with self._database.write() as connection:
            lock(connection, f"consumer:{CONSUMER}")
            if not still(connection):
                return False
            self._results(connection, results)
        return True

    def _results(self, connection: sa.Connection, results: Results) -> None:
        wall = self._system.now()
        for alarm, history in results.alarms:
            _keep_alarm(connection, alarm, history)
            log.append(connection, alarm.tenant, PREDICTIONS, alarm.device, encode(alarm), wall)
        for told_place in results.places:
            keep_place(connection, told_place)
        keep_groups(connection, [alarm for alarm, history in results.alarms if not history])
        for made in _grouped(connection, results.predictions):
            made = with_confirmation(connection, made)
            if _keep_prediction(connection, made):
                log.append(connection, made.tenant, PREDICTIONS, made.device, encode(made), wall)
        for told in results.told:
            audit.append(connection, told.tenant, told.at, ACTOR, told.action, told.diff)
        for p in results.points:
            key = {"tenant": p.tenant, "device": p.device, "at": from_us(p.at_us)}
            _put(connection, t.points, key, {"health": p.health, "score": p.score})
        for x in results.late:
            key = {"tenant": x.tenant, "device": x.device, "from_at": from_us(x.from_us)}
            _put(connection, t.late, key, {"to_at": from_us(x.to_us), "rows": x.rows, "peak": x.peak})
        for note in results.sensors:
            keep_sensor(connection, note)
        for entry in results.quiet:
            keep_quiet(connection, entry)
        for label in results.labels:
            _keep_label(connection, label)
        for missed in results.missed:
            _keep_missed(connection, missed)
        for machine in results.well:
            forget_trouble(connection, machine)
        for trouble in results.troubles:
            keep_trouble(connection, trouble)


def _saved(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Saved]:
    newest = newest_baselines(connection)
    return [
        Saved(
            r.tenant, r.device, r.model, _decoded(msgspec.msgpack.decode, r.memory),
            _decoded(msgspec.json.decode, r.picture) or {}, newest_baseline=newest.get((r.tenant, r.device), -1),
        )
        for r in connection.execute(sa.select(t.states).where(which))
    ]  # fmt: skip


def _decoded(decode: Callable[[Any], Any], x: bytes | str) -> Any:
    """None for what is damaged."""
    try:
        return decode(x)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _understood(entry: log.Entry) -> FromWork | None:
    try:
        found: FromWork = decode_from_work(entry.payload)
    except msgspec.DecodeError:
        logger.exception("entry %d of %s is not understood", entry.position, FINDINGS)
        return None
    return found if found.tenant == entry.tenant else None


def _put(connection: sa.Connection, table: sa.Table, key: dict[str, object], values: dict[str, object]) -> None:
    where = [table.c[name] == value for name, value in key.items()]
    if connection.execute(table.update().where(*where).values(**values)).rowcount == 0:
        connection.execute(table.insert().values(**key, **values))


def _save(connection: sa.Connection, one: Saved) -> None:
    if one.learned is not None:
        keep_baseline(connection, one.tenant, one.device, one.learned)
    _put(
        connection,
        t.states,
        {"tenant": one.tenant, "device": one.device},
        {
            "model": one.model,
            "memory": msgspec.msgpack.encode(one.memory),
            "picture": msgspec.json.encode(one.picture).decode(),
        },
    )


def _keep_label(connection: sa.Connection, label: Label) -> None:
    """The newest label of a case is in force, whichever comes first; the same again changes nothing."""
    values: dict[str, object] = {f.name: getattr(label, f.name) for f in fields(label)}
    key = {name: values.pop(name) for name in ("tenant", "device", "finding_id")}
    _put(connection, t.labels, key, values)
    c = t.labels.c
    same = sa.and_(c.tenant == label.tenant, c.device == label.device, c.case_id == label.case_id)
    rows = connection.execute(sa.select(c.finding_id).where(same).order_by(c.to_at.desc(), c.finding_id.desc()))
    newest, *older = rows.scalars().all()
    connection.execute(t.labels.update().where(same, c.finding_id == newest).values(corrected_by=None))
    if older:
        connection.execute(t.labels.update().where(same, c.finding_id.in_(older)).values(corrected_by=newest))


def _keep_missed(connection: sa.Connection, missed: Missed) -> None:
    """Kept as it was first heard, once a case: by a second time the baseline may be another."""
    c, k = t.missed.c, t.labels.c
    of = (k.tenant == missed.tenant, k.device == missed.device)
    case = sa.select(k.case_id).where(*of, k.finding_id == missed.finding_id).scalar_subquery()
    findings = sa.select(k.finding_id).where(*of, k.case_id == case)
    known = sa.or_(c.finding_id == missed.finding_id, c.finding_id.in_(findings))
    kept = sa.select(c.at).where(c.tenant == missed.tenant, c.device == missed.device, known)
    if connection.execute(kept).first():
        return
    values: dict[str, object] = {f.name: getattr(missed, f.name) for f in fields(missed)}
    values["state"] = None if missed.state is None else msgspec.msgpack.encode(missed.state)
    connection.execute(t.missed.insert().values(**values))


def _grouped(connection: sa.Connection, predictions: list[Prediction]) -> Iterable[Prediction]:
    """Predictions with the groups of their alarms."""
    for tenant in sorted({made.tenant for made in predictions}):
        mine = [made for made in predictions if made.tenant == tenant]
        group = groups_of(connection, tenant, [made.alarm_id for made in mine])
        for made in mine:
            yield msgspec.structs.replace(made, group=group[made.alarm_id]) if made.alarm_id in group else made


def _keep_prediction(connection: sa.Connection, made: Prediction) -> bool:
    """Predictions never change: one that is there already stays as it is."""
    p = t.predictions
    if connection.execute(sa.select(p.c.id).where(p.c.tenant == made.tenant, p.c.id == made.id)).first():
        return False
    connection.execute(
        p.insert().values(
            tenant=made.tenant, id=made.id, device=made.device, component=made.component, alarm_id=made.alarm_id,
            issued_at=made.issued_at, measured_at=made.measured_at, payload=encode(made),
        )
    )  # fmt: skip
    return True


def _keep_alarm(connection: sa.Connection, alarm: Alarm, history: bool) -> None:
    if alarm.change not in ("raised", "cleared"):
        return
    values: dict[str, object] = {"reason": alarm.reason}
    if alarm.change == "raised":
        values |= {
            "device": alarm.device, "component": alarm.component, "raised_at": alarm.raised_at, "cleared_at": None,
            "score": alarm.score, "history": history, "carriers": msgspec.json.encode(alarm.carriers).decode(),
        }  # fmt: skip
    else:
        values["cleared_at"] = alarm.at
    a = t.alarms
    done = connection.execute(a.update().where(a.c.tenant == alarm.tenant, a.c.id == alarm.id).values(**values))
    if done.rowcount == 0 and alarm.change == "raised":
        connection.execute(a.insert().values(tenant=alarm.tenant, id=alarm.id, **values))
