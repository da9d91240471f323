"""Findings become labels of the readings before them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from anomaly.queries.labels import LabelRow, labels
from anomaly.service import tables as t
from contracts.records import Finding
from plumbing import migrate
from plumbing.sql import Database
from tests.anomaly.bench import HOUR, WALL, Bench

DAY = timedelta(days=1)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def finding(id: str, result: str, case: str = "C-1", **more: Any) -> Finding:
    given: dict[str, Any] = {"at": WALL + 40 * DAY, "replaced": False, "device": "pump", **more}
    return Finding(1, id, "acme", given.pop("device"), "bearing", case, "WO-1", result, "wear", "as it was",
                   given.pop("replaced"), given.pop("at"), **given)  # fmt: skip


def of(bench: Bench, **wanted: Any) -> list[LabelRow]:
    return list(labels(bench.database, "acme", **wanted).items)


@pytest.mark.parametrize("verdict", ["false", "prevented"])
def test_a_finding_labels_the_time_from_its_first_alarm(bench: Bench, verdict: str) -> None:
    since = WALL + 30 * DAY
    bench.tell(finding("F-1", verdict, since=since, asset="P-101", serial="SN 7", replaced=True))
    bench.run()
    (label,) = of(bench)
    assert (label.verdict, label.mode, label.component) == (verdict, "wear", "bearing")
    assert (label.from_at, label.to_at) == (since, WALL + 40 * DAY)
    assert (label.asset, label.device, label.serial, label.replaced) == ("P-101", "pump", "SN 7", True)
    assert label.as_found == "as it was"


def test_a_missed_breakdown_labels_the_month_before_it(bench: Bench) -> None:
    bench.tell(finding("F-1", "missed"))
    bench.run()
    assert of(bench)[0].from_at == WALL + 10 * DAY


def test_a_finding_of_an_earlier_system_is_a_label_and_nothing_else(bench: Bench) -> None:
    bench.tell(finding("H-1", "missed", replaced=True, history=True))
    bench.run()
    assert [(x.finding, x.verdict) for x in of(bench)] == [("H-1", "missed")]
    with bench.database.read() as connection:
        assert connection.execute(sa.select(t.missed)).all() == []


def test_the_same_finding_again_is_one_label(bench: Bench) -> None:
    for _ in range(2):
        bench.tell(finding("F-1", "prevented"))
    bench.run()
    assert len(of(bench, corrected=True)) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_later_finding_of_the_case_corrects_the_earlier_one(bench: Bench, order: tuple[int, int]) -> None:
    said = [finding("F-1", "false"), finding("F-2", "true", at=WALL + 41 * DAY)]
    for i in order:
        bench.tell(said[i])
    bench.run()
    assert [label.finding for label in of(bench)] == ["F-2"]
    assert {x.finding: x.corrected_by for x in of(bench, corrected=True)} == {"F-1": "F-2", "F-2": None}


def test_labels_are_listed_newest_first_page_by_page(bench: Bench) -> None:
    for n in range(5):
        bench.tell(finding(f"F-{n}", "true" if n % 2 else "false", f"C-{n}", at=WALL + n * HOUR))
    bench.run()
    first = labels(bench.database, "acme", limit=3)
    assert [x.finding for x in first.items] == ["F-4", "F-3", "F-2"]
    rest = labels(bench.database, "acme", limit=3, after=first.next)
    assert [x.finding for x in rest.items] == ["F-1", "F-0"]
    assert rest.next is None
    assert [x.finding for x in of(bench, verdict="true")] == ["F-3", "F-1"]
    assert of(bench, device="another") == []


def tables_agree(database: Database) -> None:
    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or (name or "") in t.metadata.tables

    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours, "compare_type": True})
        assert compare_metadata(context, t.metadata) == []
        assert all("tenant" in table.primary_key.columns for table in t.metadata.tables.values())
        assert set(t.metadata.tables) <= set(sa.inspect(connection).get_table_names())


def test_the_migrations_and_the_tables_are_one(bench: Bench) -> None:
    tables_agree(bench.database)


@pytest.mark.postgres
def test_they_are_one_on_postgresql(postgres_url: str) -> None:
    database = Database(postgres_url)
    migrate.upgrade(database, ["plumbing", "anomaly"])
    tables_agree(database)
    database.close()
