"""What anomaly lets go by age, a little at a time: points of charts, late rows, quiet days, faults of sensors that are
over, and alarms that ended, with their predictions and groups.

Ages are of the tenant's clock. Labels, missed breakdowns, baselines, learned models and what they have said stay by
their own rules; so does every alarm that stands or that a finding is about, with its predictions: models are compared
with them, and past cases are shown by them. Each portion is a transaction of its own, so that nobody waits for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from anomaly.service import condition_tables as c
from anomaly.service import group_tables as g
from anomaly.service import tables as t
from contracts.clock import Clocks
from plumbing.sql import Database

AT_ONCE = 500
MOST_PORTIONS = 20
"""Of each table and machine in one round; what is left waits for the next one."""
COMPARED_DAYS = 400.0
"""Predictions are kept at least as long as what learned models say: the two are held against each other."""


@dataclass(frozen=True, slots=True)
class Aged:
    """Rows of a machine that go: those of a table that are `old`."""

    table: sa.Table
    old: sa.ColumnElement[bool]


def keep_house(database: Database, clocks: Clocks, days: float, stopping: Callable[[], bool] = lambda: False) -> int:
    """One round over all machines; how many rows went."""
    gone = 0
    with database.read() as connection:
        machines = connection.execute(sa.select(t.states.c.tenant, t.states.c.device).order_by(*t.states.primary_key))
        known = [(str(tenant), str(device)) for tenant, device in machines]
    for tenant in dict.fromkeys(tenant for tenant, _ in known):
        now = clocks.of(tenant).now()
        before, long_ago = _earlier(now, days), _earlier(now, max(days, COMPARED_DAYS))
        for device in (device for of, device in known if of == tenant):
            if stopping():
                return gone
            for aged in _of_a_machine(before, long_ago):
                mine = sa.and_(aged.table.c.tenant == tenant, aged.table.c.device == device, aged.old)
                gone += _let_go(database, aged.table, mine)
        empty = ~sa.exists().where(g.members.c.tenant == g.groups.c.tenant, g.members.c.group_id == g.groups.c.id)
        gone += _let_go(database, g.groups, sa.and_(g.groups.c.tenant == tenant, g.groups.c.last_at < long_ago, empty))
    return gone


def _of_a_machine(before: datetime, long_ago: datetime) -> list[Aged]:
    a, p, label, m = t.alarms.c, t.predictions.c, t.labels.c, g.members.c
    found = sa.exists().where(
        label.tenant == a.tenant, label.device == a.device, label.from_at <= a.cleared_at, label.to_at >= a.raised_at
    )
    alarm_of = sa.exists().where(a.tenant == p.tenant, a.id == p.alarm_id)
    alarm_in = sa.exists().where(a.tenant == m.tenant, a.id == m.alarm_id)
    return [
        Aged(t.points, t.points.c.at < before),
        Aged(t.late, sa.and_(t.late.c.from_at < before, t.late.c.to_at < before)),
        Aged(c.quiet, c.quiet.c.day < before.date().isoformat()),
        Aged(c.sensor_faults, sa.and_(c.sensor_faults.c.since < before, c.sensor_faults.c.ended_at < before)),
        Aged(t.alarms, sa.and_(a.raised_at < long_ago, a.cleared_at < long_ago, ~found)),
        Aged(t.predictions, sa.and_(p.measured_at < long_ago, ~alarm_of)),
        Aged(g.members, sa.and_(m.raised_at < long_ago, ~alarm_in)),
    ]


def _let_go(database: Database, table: sa.Table, old: sa.ColumnElement[bool]) -> int:
    gone, key = 0, sa.tuple_(*table.primary_key.columns)
    for _ in range(MOST_PORTIONS):
        with database.read() as connection:
            rows = [tuple(row) for row in connection.execute(
                sa.select(*table.primary_key.columns).where(old).limit(AT_ONCE)
            )]  # fmt: skip
        if not rows:
            break
        with database.write() as connection:
            gone += connection.execute(table.delete().where(key.in_(rows), old)).rowcount
        if len(rows) < AT_ONCE:
            break
    return gone


def _earlier(now: datetime, days: float) -> datetime:
    try:
        return now - timedelta(days=days)
    except OverflowError:
        return datetime.min.replace(tzinfo=now.tzinfo)
