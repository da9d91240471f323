"""The figures' views on both databases, beside the same figures counted row by row."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from contracts.asset_model import Cost
from plumbing import migrate
from plumbing.sql import Database, UtcTime
from tests.oracles import service_figures
from work_orders.domain.money import Costs
from work_orders.queries.measured import SIDES, fairness, measured
from work_orders.service import aftercare_tables, door_tables, message_tables, plan_tables, sla_tables, work_tables
from work_orders.service import tables as t
from work_orders.service.measures import MEASURES, PREFIX, views

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TENANT = "acme"
FILLERS = {int: 0, bool: False, float: 0.0, date: START.date()}
TABLES = {
    "customers": t.customers, "sites": t.sites, "assets": t.assets, "technicians": t.technicians, "cases": t.cases,
    "orders": t.orders, "findings": t.findings, "visits": t.visits, "notices": t.notices, "answers": t.answers,
    "requests": door_tables.requests, "conversations": message_tables.conversations,
    "messages": message_tables.messages, "clocks": sla_tables.clocks, "escalations": sla_tables.escalations,
    "checks": aftercare_tables.verify_checks, "surveys": aftercare_tables.surveys,
    "actuals": work_tables.actuals, "plans": plan_tables.plans, "jobs": plan_tables.jobs,
}  # fmt: skip


class Years:
    """Made-up rows of many cases; what a test does not care for is filled in by its type."""

    def __init__(self, seed: int) -> None:
        self.some = random.Random(seed)
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        for n, tier in enumerate(("gold", "silver")):
            self.add("customers", id=f"k{n}", name=f"Customer {n}", tier=tier)
            self.add("sites", id=f"s{n}", customer_id=f"k{n}", country="DE" if n else "")
        for n in range(6):
            self.add("assets", id=f"a{n}", customer_id=f"k{n % 2}", site_id=f"s{n % 2}", added_at=self.when())
            for k in range(2):
                self.add("plans", id=f"p{n}-{k}", asset_id=f"a{n}")
        self.add("technicians", id="tom")
        for n in range(60):
            self.case(n)

    def add(self, table: str, **values: Any) -> dict[str, Any]:
        row: dict[str, Any] = {"tenant": TENANT}
        for column in TABLES[table].columns:
            if column.name in values or column.name == "tenant" or column.nullable:
                row.setdefault(column.name, values.get(column.name))
                continue
            kind = column.type.python_type
            row[column.name] = START if isinstance(column.type, UtcTime) else FILLERS.get(kind, "")
        self.rows[table].append(row | {"tenant": TENANT})
        return self.rows[table][-1]

    def when(self, after: datetime = START, days: float = 60) -> datetime:
        return after + timedelta(minutes=self.some.randint(1, int(days * 1440)))

    def maybe(self, p: float, after: datetime, days: float = 5) -> datetime | None:
        return self.when(after, days) if self.some.random() < p else None

    def case(self, n: int) -> None:
        pick, opened = self.some.choice, self.when(days=200)
        a, b, d = (Cost(*self.some.sample(range(1000), 2)) for _ in range(3))
        costs = Costs("EUR", a, b, d, True)
        c = self.add(
            "cases", id=f"c{n}", asset_id=f"a{n % 6}", component=f"part {n}", state=pick(("closed", "work_ordered")),
            prediction_id=pick((None, f"f{n}")), decided_by=pick((None, f"f{n}")),
            opened_at=opened, closed_at=self.maybe(0.8, opened),
            decided_at=self.maybe(0.6, opened), would_have_opened_at=self.maybe(0.2, opened),
            broke_down_at=self.maybe(0.3, opened),
            outcome=pick(("failed", "prevented", "found_nothing", "cleared", "running", "remote")),
            costs=msgspec.json.encode(costs).decode(),
        )  # fmt: skip
        orders = []
        for k in range(self.some.randint(0, 2)):
            begun = self.maybe(0.7, opened)
            ended = self.maybe(0.8, opened)
            orders.append(f"o{n}-{k}")
            self.add(
                "orders", id=orders[k], case_id=c["id"], asset_id=c["asset_id"], opened_at=opened,
                follows=orders[0] if k else None, started_at=begun, finished_at=begun and self.maybe(0.8, begun),
                state=pick(("closed", "cannot_complete", "cancelled")) if ended or k else pick(("draft", "ready")),
                technician_id=pick((None, "tom")),
                ended_at=ended or (self.when(opened) if k else None),
            )  # fmt: skip
            self.add(
                "actuals", order_id=orders[k], km=pick((None, 12.5, 40.0 + n)) if n % 6 else None,
                parts_cost=pick((None, 80.0 + n)), other_cost=pick((None, 12.5)),
            )  # fmt: skip
            for rides in range(self.some.randint(0, 2)):
                self.add(
                    "jobs", plan_id=f"p{n % 6}-{rides}", n=10 * n + k, order_id=orders[k], ended_at=self.when(opened),
                    first_task=pick((None, 3 + rides)), result=pick(("done", "done", "missed")),
                )  # fmt: skip
            for v in range(self.some.randint(0, 2)):
                at = self.when(opened)
                self.add(
                    "visits", id=f"v{n}-{k}-{v}", order_id=orders[k], technician_id="tom", start=at, end=at,
                    state=pick(("done", "no_access", "cancelled")), ended_at=at,
                )  # fmt: skip
        for k in range(self.some.randint(0, 2)):
            self.add(
                "findings", id=f"f{n}-{k}", case_id=c["id"], order_id=pick([None, *orders]), at=self.when(opened, 20),
                result=pick(("true", "false", "prevented", "missed", "unknown")),
                superseded_at=self.maybe(0.2, opened),
            )  # fmt: skip
        self.people(n, c, opened)

    def people(self, n: int, c: dict[str, Any], opened: datetime) -> None:
        pick = self.some.choice
        sent = self.maybe(0.8, opened)
        self.add("notices", id=f"n{n}", case_id=c["id"], sent_at=sent, read_at=sent and self.maybe(0.5, sent))
        for k in range(self.some.randint(0, 2)):
            at = self.when(opened)
            self.add(
                "answers", notice_id=f"n{n}", n=k, kind=pick(("accept", "call_me", "propose")), at=at,
                handled_at=self.maybe(0.7, at, 1),
            )  # fmt: skip
        for k in range(self.some.randint(0, 2)):
            self.add(
                "requests", id=f"r{n}-{k}", case_id=c["id"], kind=pick(("phone", "report", "email", "forecast")),
                taken_at=self.when(opened - timedelta(days=2), 4),
            )  # fmt: skip
        self.add("conversations", id=f"t{n}", case_id=c["id"])
        for k in range(self.some.randint(0, 4)):
            self.add(
                "messages", id=f"m{n}-{k}", conversation_id=f"t{n}", case_id=c["id"], at=self.when(opened),
                incoming=pick((True, False)), template=pick(("reply", "progress")),
            )  # fmt: skip
        order = next((o["id"] for o in self.rows["orders"] if o["case_id"] == c["id"]), None)
        if order is not None:
            wasted = pick((None, 0.25, 1.5))
            for days in (7, 30):
                done = self.maybe(0.7, opened)
                self.add(
                    "checks", order_id=order, days=days, case_id=c["id"], done_at=done, wasted_kw=wasted,
                    verdict=pick(("stayed_fixed", "came_back", "unknown")) if done else "",
                )  # fmt: skip
            self.add(
                "surveys", order_id=order, case_id=c["id"], answered_at=self.maybe(0.6, opened),
                satisfied=self.some.randint(1, 5), recommends=self.some.randint(0, 10),
                effort=pick((None, self.some.randint(1, 7))),
            )  # fmt: skip
        state = pick(("met", "breached", "running"))
        self.add("clocks", id=f"k{n}", case_id=c["id"], state=state, decided_at=self.when(opened))
        if self.some.random() < 0.4:
            self.add("escalations", clock_id=f"k{n}", step="dispatcher", case_id=c["id"])

    def into(self, database: Database) -> None:
        with database.write() as connection:
            for name, table in TABLES.items():
                connection.execute(sa.insert(table), self.rows[name])


@pytest.mark.parametrize("seed", [1, 2])
def test_every_figure_is_what_counting_row_by_row_gives(any_database: Database, seed: int) -> None:
    years = Years(seed)
    years.into(any_database)
    with any_database.read() as connection:
        found = {m.name: m.value for m in measured(connection, TENANT, NOW)}
    wanted = service_figures.figures(years.rows, NOW)
    assert found.keys() == {m.name for m in MEASURES} == wanted.keys()
    assert {name: round(value, 6) for name, value in found.items() if value is not None} == {
        name: round(float(value), 6) for name, value in wanted.items() if value is not None
    }
    assert sum(value is not None for value in found.values()) == len(MEASURES)  # every formula had rows to count


def test_months_and_groups_add_up_to_the_whole(database: Database) -> None:
    Years(3).into(database)
    with database.read() as connection:
        for m in measured(connection, TENANT, NOW):
            assert not m.months or sum(month.events for month in m.months) == m.events
            for side in SIDES:
                shares = fairness(connection, TENANT, m.name, side, NOW)
                assert sum(s.events for s in shares) == m.events
                assert sum(s.assets for s in shares) == 6
        (gold, silver) = fairness(connection, TENANT, "false_orders", "tier", NOW)
    assert (gold.group, silver.group) == ("gold", "silver")


def test_as_many_questions_are_asked_for_many_groups_as_for_few(database: Database) -> None:
    Years(3).into(database)
    counts = {}
    with database.read() as connection:
        (whole,) = [m for m in measured(connection, TENANT, NOW) if m.name == "mtbf"]
        asked: list[str] = []
        sa.event.listen(connection, "before_cursor_execute", lambda *given: asked.append(given[2]))
        for side in ("tier", "customer"):
            asked.clear()
            shares = fairness(connection, TENANT, "mtbf", side, NOW)
            counts[len(shares)] = len(asked)
            hours = sum((s.value or 0.0) * s.events for s in shares)
            assert round(hours, 3) == round((whole.value or 0.0) * whole.events, 3) > 0
    assert set(counts.values()) == {3}


def test_two_customers_of_one_name_stay_two(database: Database) -> None:
    years = Years(3)
    for row in years.rows["customers"]:
        row["name"] = "Dairy"
    years.into(database)
    with database.read() as connection:
        shares = fairness(connection, TENANT, "backlog", "customer", NOW)
    assert [(s.group, s.assets) for s in shares] == [("Dairy (k0)", 3), ("Dairy (k1)", 3)]


def test_only_what_lies_between_since_and_now_counts(database: Database) -> None:
    Years(4).into(database)
    with database.read() as connection:
        whole = {m.name: m.events for m in measured(connection, TENANT, NOW)}
        part = {m.name: m.events for m in measured(connection, TENANT, NOW, since=START + timedelta(days=100))}
        none = measured(connection, TENANT, START)
    assert all(part[name] <= whole[name] for name in whole)
    assert sum(part.values()) < sum(whole.values())
    assert [m.events for m in none] == [0] * len(MEASURES)


def test_an_empty_company_has_no_figures_yet(database: Database) -> None:
    with database.read() as connection:
        assert {m.name: m.value for m in measured(connection, TENANT, NOW) if m.value is not None} == {
            "backlog": 0, "visits_saved": 0, "would_have_opened": 0,
        }  # fmt: skip


def test_views_are_made_anew_when_they_change(any_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{PREFIX}backlog"
    changed = dict.fromkeys([name], "SELECT 'acme' AS tenant")
    monkeypatch.setattr("work_orders.migrations.views", lambda dialect: changed)
    migrate.upgrade(any_database, ["work_orders"])
    with any_database.read() as connection:
        names = sa.inspect(connection).get_view_names()
        assert [n for n in names if n.startswith(PREFIX)] == [name]
        assert connection.exec_driver_sql(f"SELECT tenant FROM {name}").scalar() == "acme"
    monkeypatch.undo()
    migrate.upgrade(any_database, ["work_orders"])
    with any_database.read() as connection:
        names = [n for n in sa.inspect(connection).get_view_names() if n.startswith(PREFIX)]
    assert sorted(names) == sorted(views("sqlite"))
