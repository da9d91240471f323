"""What grew old goes, and nothing that somebody still needs."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from anomaly.adapters.keeping_house import AT_ONCE, keep_house
from anomaly.service import condition_tables as c
from anomaly.service import group_tables as g
from anomaly.service import tables as t
from tests.anomaly.bench import WALL, Bench

DAY = timedelta(days=1)


def days(n: float) -> datetime:
    return WALL + n * DAY


def alarm(raised: float, cleared: float | None) -> list[tuple[sa.Table, dict[str, object]]]:
    """An alarm with a prediction and a group, all named after the day on which it was raised."""
    name = f"p1@{raised:g}"
    return [
        (t.alarms, {"id": name, "device": "p1", "component": "bearing", "raised_at": days(raised), "reason": "",
                    "cleared_at": None if cleared is None else days(cleared), "score": 2.0, "history": False,
                    "carriers": "[]"}),
        (t.predictions, {"id": f"{name}/x", "device": "p1", "component": "bearing", "alarm_id": name,
                         "issued_at": days(raised), "measured_at": days(raised), "payload": b""}),
        (g.groups, {"id": f"G{name}", "site": "s", "first_at": days(raised), "last_at": days(raised), "cause": "p1",
                    "alarms": 1}),
        (g.members, {"alarm_id": name, "group_id": f"G{name}", "device": "p1", "raised_at": days(raised)}),
    ]  # fmt: skip


def finding(begin: float, end: float) -> tuple[sa.Table, dict[str, object]]:
    return (t.labels, {"device": "p1", "finding_id": f"f{begin:g}", "case_id": "c", "asset": "p1", "component": "",
                       "mode": "", "verdict": "true", "from_at": days(begin), "to_at": days(end), "as_found": "",
                       "replaced": False, "serial": "", "corrected_by": None})  # fmt: skip


def fault(since: float, ended: float | None) -> tuple[sa.Table, dict[str, object]]:
    return (c.sensor_faults, {"id": f"{since:g}", "device": "p1", "signal": "x", "kind": "stuck", "text": "",
                              "since": days(since), "noted_at": days(since), "history": False,
                              "ended_at": None if ended is None else days(ended)})  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    put(bench, [(t.states, {"device": "p1", "model": "m", "memory": b"", "picture": "{}"})])
    return bench


def put(bench: Bench, rows: list[tuple[sa.Table, dict[str, object]]]) -> None:
    with bench.database.write() as connection:
        for table, values in rows:
            connection.execute(table.insert().values(tenant="acme", **values))


def left(bench: Bench, table: sa.Table, column: str) -> list[object]:
    with bench.database.read() as connection:
        return list(connection.execute(sa.select(table.c[column]).order_by(table.c[column])).scalars())


def keep(bench: Bench, now: float, keep_days: float = 100.0) -> int:
    bench.clocks.clock.at = days(now)
    return keep_house(bench.database, bench.clocks, keep_days)


def test_points_late_rows_quiet_days_and_mended_sensors_go_by_age(bench: Bench) -> None:
    for n in range(10):
        put(bench, [
            (t.points, {"device": "p1", "at": days(n), "health": 90.0, "score": 0.1}),
            (t.late, {"device": "p1", "from_at": days(n), "to_at": days(n + 2), "rows": 1, "peak": None}),
            (c.quiet, {"device": "p1", "day": days(n).date().isoformat(), "text": "", "figures": "{}"}),
            fault(n, n + 3),
        ])  # fmt: skip
    put(bench, [fault(-50, None)])
    assert keep(bench, 99) == 0
    assert keep(bench, 105) == 5 + 3 + 5 + 2
    assert left(bench, t.points, "at") == [days(n) for n in range(5, 10)]
    assert left(bench, t.late, "from_at") == [days(n) for n in range(3, 10)]
    assert left(bench, c.quiet, "day") == [f"2026-01-{n + 1:02}" for n in range(5, 10)]
    assert left(bench, c.sensor_faults, "since") == [days(n) for n in (-50, *range(2, 10))]
    assert keep(bench, 105) == 0
    assert keep(bench, 5000) == 5 + 7 + 5 + 8


@pytest.mark.parametrize(
    ("what", "now", "stays"),
    [
        (alarm(0, 5), 405, True),
        (alarm(0, 5), 405.1, False),
        (alarm(0, 300), 650, True),
        (alarm(0, None), 5000, True),
        ([*alarm(0, 5), finding(0, 20)], 5000, True),
        ([*alarm(0, 5), finding(4, 6)], 5000, True),
        ([*alarm(0, 5), finding(6, 9)], 5000, False),
        ([*alarm(0, 5), finding(-30, -1)], 5000, False),
    ],
    ids=["compared", "old", "ended_lately", "stands", "found", "found_in_part", "found_later", "found_before"],
)
def test_an_alarm_goes_with_all_that_belongs_to_it_or_stays(
    bench: Bench, what: list[tuple[sa.Table, dict[str, object]]], now: float, stays: bool
) -> None:
    put(bench, what)
    keep(bench, now)
    for table, name in ((t.alarms, "p1@0"), (t.predictions, "p1@0/x"), (g.groups, "Gp1@0")):
        assert left(bench, table, "id") == ([name] if stays else [])
    assert len(left(bench, g.members, "alarm_id")) == stays
    assert len(left(bench, t.labels, "finding_id")) == sum(table is t.labels for table, _ in what)


def test_much_goes_in_portions_and_others_stay(bench: Bench) -> None:
    minutes = [{"tenant": "acme", "device": "p1", "at": WALL + n * DAY / 1440, "health": 1.0, "score": 0.0}
               for n in range(2 * AT_ONCE + 7)]  # fmt: skip
    with bench.database.write() as connection:
        connection.execute(t.points.insert(), [*minutes, minutes[0] | {"device": "p2"}])
    assert keep(bench, 200) == 2 * AT_ONCE + 7
    assert left(bench, t.points, "device") == ["p2"]
