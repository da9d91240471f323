"""Past jobs and people to talk to, out of other systems and out of this one into the next."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.records import FINDINGS, Finding, decode_from_work
from plumbing import audit
from tests.work_orders.test_base_import import sheet, taken
from tests.work_orders.world import TECHNICIAN, TENANT, World, open_world
from work_orders import service
from work_orders.adapters.sheets import sheets_in
from work_orders.domain.base_fields import FIELDS, Sheet, matched, table_of
from work_orders.domain.past_jobs import amount, moment
from work_orders.queries.installed import TABLES, base_table
from work_orders.queries.measured import measured
from work_orders.service import history_tables as h
from work_orders.service import tables as t

PAST = (
    {"asset": "p1", "date": "2024-12-24", "failure_mode": "bearing_wear", "result": "true", "replaced": "yes",
     "found": "Cage broken", "work": "Both bearings", "cost": "1.234,50", "currency": "EUR", "technician": "Ada",
     "minutes": "90"},
    {"id": "J-7", "asset": "Pump 1", "date": "24.03.2025", "component": "seal", "result": "false"},
    {"asset": "p3", "date": "2025-06-01T08:30:00+02:00", "found": "Cleaned"},
)  # fmt: skip
WHO = (
    {"customer": "waterworks", "name": "Eva Boss", "role": "Head of works", "email": "eva@example.org"},
    {"customer": "City waterworks", "name": "Kim", "site": "waterworks-site", "phone": "+49 30 5"},
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2024-12-24", datetime(2024, 12, 24, 12, tzinfo=UTC)), ("24.12.2024", datetime(2024, 12, 24, 12, tzinfo=UTC)),
        ("2024年12月24日", datetime(2024, 12, 24, 12, tzinfo=UTC)), ("2024/1/2", datetime(2024, 1, 2, 12, tzinfo=UTC)),
        ("2024-12-24 08:30:00", datetime(2024, 12, 24, 8, 30, tzinfo=UTC)),
        ("2024-12-24T08:30:00+02:00", datetime(2024, 12, 24, 6, 30, tzinfo=UTC)),
        ("04/05/2024", None), ("31.02.2024", None), ("yesterday", None), ("", None), ("2024-12-24T99:00", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)  # fmt: skip
def test_days_are_read_as_people_write_them(text: str, wanted: datetime | None) -> None:
    assert moment(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("1234.5", 1234.5), ("1234,50", 1234.5), ("1.234,50", 1234.5), ("1,234,567.89", 1234567.89), ("12 000", 12000.0),
     ("0", 0.0), ("1.234", None), ("1,234", None), ("free", None), ("-5", None), ("", None), ("1e9", None)],
)  # fmt: skip
def test_amounts_are_read_or_refused_where_they_could_be_two(text: str, wanted: float | None) -> None:
    assert amount(text) == wanted


def test_a_service_book_in_german_comes_in_by_its_headers() -> None:
    text = "Auftragsnummer;Maschine;Datum;Fehler;Befund;Beschreibung;Kosten;Techniker;Dauer\n7;p1;1.2.2024;;;;;;\n"
    (found,) = sheets_in("Export.csv", text.encode())
    assert table_of(found.name, found.headers) == "history"
    assert matched("history", found.headers) == {
        "Auftragsnummer": "id", "Maschine": "asset", "Datum": "date", "Fehler": "failure_mode", "Befund": "result",
        "Beschreibung": "found", "Kosten": "cost", "Techniker": "technician", "Dauer": "minutes",
    }  # fmt: skip
    assert matched("contacts", ["Kunde", "Ansprechpartner", "Telefon"]).keys() == {
        "Kunde",
        "Ansprechpartner",
        "Telefon",
    }


def test_past_jobs_are_labels_and_count_for_no_figure_of_ours(any_world: World) -> None:
    world = any_world
    done = taken(world, sheet("history", *PAST), sheet("contacts", *WHO))
    assert (done.faults, done.added) == ([], {"contacts": 2, "history": 3})
    first = next(r for r in world.rows(h.history) if r.found == "Cage broken")
    assert (first.component, first.replaced, first.cost, first.minutes) == ("bearing", True, 1234.5, 90)
    heard = [decode_from_work(e.payload) for e in world.heard(FINDINGS)]
    told = {(f.device, f.component, f.result, f.history) for f in heard if isinstance(f, Finding)}
    assert told == {("p1", "bearing", "true", True), ("p1", "seal", "false", True)}
    assert not world.rows(t.cases) + world.rows(t.orders) + world.rows(t.findings)
    with world.database.read() as connection:
        assert {m.name for m in measured(connection, TENANT, world.clock.at) if m.events} == set()
        assert audit.verify(connection, TENANT) is None
    assert world.actions().count("history_taken") == 2  # a line for each machine
    count = len(world.actions())
    again = taken(world, sheet("history", *PAST), sheet("contacts", *WHO))
    assert (again.added, again.changed, again.same) == ({}, {}, {"contacts": 2, "history": 3})
    changed = taken(world, sheet("history", PAST[1] | {"found": "Dry"}), sheet("contacts", WHO[1] | {"role": "Porter"}))
    assert changed.changed == {"contacts": 1, "history": 1}
    assert len(world.actions()) == count + 2


def test_every_fault_of_a_past_job_is_told_by_row_field_and_rule(world: World) -> None:
    rows = (
        {"asset": "p9"}, {"date": "04/05/2024"}, {"date": "2031-01-01"}, {"failure_mode": "tired"},
        {"component": "wing"}, {"failure_mode": "bearing_wear", "component": "seal"}, {"result": "perhaps"},
        {"cost": "1.234"}, {"minutes": "two"}, {"currency": "Euro"},
    )  # fmt: skip
    done = taken(world, sheet("history", *({"asset": "p1", "date": "2024-12-24"} | row for row in rows)), dry_run=True)
    assert {(f.row, f.field) for f in done.faults} == {
        (2, "asset"), (3, "date"), (4, "date"), (5, "failure_mode"), (6, "component"), (7, "component"), (8, "result"),
        (9, "cost"), (10, "minutes"), (11, "currency"),
    }  # fmt: skip
    people = ({"customer": "brewery", "name": "X", "site": "waterworks-site"}, {"customer": "nobody", "name": "X"})
    assert [f.field for f in taken(world, sheet("contacts", *people)).faults] == ["site", "customer"]


def told_of(world: World) -> dict[str, list[dict[str, str]]]:
    with world.database.read() as connection:
        return {name: rows for name in TABLES if (rows := base_table(connection, TENANT, name))}


def test_what_goes_out_is_the_same_in_another_installation(world: World, tmp_path: Path) -> None:
    order = world.booked()
    for action in ("start", "finish"):
        service.order_action(world.shared, TENANT, order, action, TECHNICIAN)
    service.record_finding(world.shared, TENANT, order, "prevented", TECHNICIAN, as_found="Worn,\r\nnearly through")
    taken(world, sheet("history", *PAST), sheet("contacts", *WHO))
    gone = told_of(world)
    assert sorted(r["result"] for r in gone["history"]) == ["false", "prevented", "true", "unknown"]
    back = [Sheet(name, tuple(rows[0]), [list(r.values()) for r in rows]) for name, rows in gone.items()]
    here = taken(world, *back)
    assert (here.faults, here.added, here.changed) == ([], {}, {})  # what was found here stays what it is
    mine = next(r for r in gone["history"] if r["result"] == "prevented")
    (fault,) = taken(world, sheet("history", mine | {"result": "false"})).faults
    assert (fault.field, "made here" in fault.rule) == ("id", True)
    (tmp_path / "other").mkdir()
    other = open_world(f"sqlite:///{tmp_path}/other/forewarn.db", tmp_path / "other", world.clock.at)
    other.shared.clocks.add_wall(TENANT)
    there = taken(other, *back)
    assert (there.faults, there.added) == ([], {name: len(rows) for name, rows in gone.items()})
    assert {k: sorted(map(str, v)) for k, v in told_of(other).items()} == {
        k: sorted(map(str, v)) for k, v in gone.items()
    }
    assert set(gone) == set(FIELDS)
    assert not other.rows(t.findings)
    other.database.close()
