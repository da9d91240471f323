"""Customers, sites, machines and technicians out of people's spreadsheets."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from plumbing import audit
from tests.work_orders.world import ADMIN, CUSTOMER, DISPATCHER, TENANT, World
from work_orders.adapters.sheets import MOST_CELLS, MOST_COLUMNS, MOST_UNPACKED, BadSheet, apart, sheets_in
from work_orders.domain.base_fields import FIELDS, Fault, Sheet, id_from, matched, read, table_of
from work_orders.domain.machine import NotPermitted
from work_orders.queries.installed import TABLES, base_table
from work_orders.service import tables as t
from work_orders.service.base_import import take_base
from work_orders.service.base_plan import Taken


def sheet(table: str, *rows: dict[str, str]) -> Sheet:
    headers = tuple(dict.fromkeys(k for r in rows for k in r))
    return Sheet(table, headers, [[r.get(h, "") for h in headers] for r in rows])


def taken(world: World, *sheets: Sheet, dry_run: bool = False) -> Taken:
    return take_base(world.shared, TENANT, sheets, DISPATCHER, dry_run=dry_run)


WHOLE = (
    sheet("assets", {"name": "Booster", "model": "pump", "serial": "S-77", "site": "Hall 1", "devices": "b1; b2"}),
    sheet("customers", {"name": "Dairy Müller & Söhne", "phone": "+49 30 1", "email": "it@dairy.example"}),
    sheet("sites", {"name": "Hall 1", "customer": "Dairy Müller & Söhne", "time_zone": "Europe/Berlin"}),
    sheet("technicians", {"name": "Ada", "skills": "mechanical, electrical", "weekdays": "0,1,2"}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("table", "headers", "wanted"),
    [
        ("customers", ["Company", "Tel.", "E-Mail"], {"Company": "name", "Tel.": "phone", "E-Mail": "email"}),
        ("customers", ["Kundennummer", "Firma"], {"Kundennummer": "id", "Firma": "name"}),
        ("customers", ["客户编号", "公司", "电话"], {"客户编号": "id", "公司": "name", "电话": "phone"}),
        ("assets", ["Serial Nr", "Modell", "Standort"], {"Serial Nr": "serial", "Modell": "model", "Standort": "site"}),
        ("assets", ["Sreial number", "Asset model (YAML)"], {"Sreial number": "serial", "Asset model (YAML)": "model"}),
        ("sites", ["Shoe size", "Moon phase"], {}),
    ],
)  # fmt: skip
def test_headers_are_understood_as_people_write_them(table: str, headers: list[str], wanted: dict[str, str]) -> None:
    assert matched(table, headers) == wanted


def test_what_a_person_says_of_a_header_counts_first() -> None:
    assert matched("customers", ["Name", "Alias"], {"Alias": "name", "Name": ""}) == {"Alias": "name"}
    assert matched("customers", ["Name", "Customer"]) == {"Name": "name"}  # no field twice


def test_a_sheet_is_known_by_its_name_or_its_headers() -> None:
    assert table_of("All our Customers 2026", []) == "customers"
    assert table_of("Tabelle1", ["Modell", "Seriennummer", "Standort"]) == "assets"
    assert table_of("Tabelle1", ["a", "b"]) == ""


def test_the_whole_base_comes_in_whatever_the_order_of_its_sheets(world: World) -> None:
    done = taken(world, *WHOLE)
    assert (done.faults, done.written) == ([], True)
    assert done.added == dict.fromkeys(("customers", "sites", "assets", "technicians"), 1)
    (made,) = (r for r in world.rows(t.assets) if r.serial == "S-77")
    assert (made.id, made.customer_id, made.site_id) == ("booster", "dairy-muller-sohne", "hall-1")
    assert {r.device for r in world.rows(t.asset_devices) if r.asset_id == "booster"} == {"b1", "b2"}


def test_the_same_again_changes_nothing_and_a_change_is_told(world: World) -> None:
    taken(world, *WHOLE)
    count = len(world.actions())
    again = taken(world, *WHOLE)
    assert (again.added, again.changed, sum(again.same.values())) == ({}, {}, 4)
    assert len(world.actions()) == count
    moved = taken(world, sheet("technicians", {"name": "Ada", "phone": "112 0"}))
    assert moved.changed == {"technicians": 1}
    assert world.actions()[-1] == "technician_changed"


def test_a_dry_run_finds_the_same_and_writes_nothing(world: World) -> None:
    before = len(world.actions())
    tried = taken(world, *WHOLE, dry_run=True)
    assert (tried.written, tried.added) == (False, dict.fromkeys(("customers", "sites", "assets", "technicians"), 1))
    assert len(world.actions()) == before
    assert {r.id for r in world.rows(t.customers)} == {"waterworks", "brewery"}
    with world.database.read() as connection:
        assert audit.verify(connection, TENANT) is None


def test_with_one_fault_nothing_is_written_and_every_fault_is_told(world: World) -> None:
    done = taken(
        world,
        sheet("customers", {"name": "Good"}, {"name": "", "phone": "x"}, {"name": "Bad", "email": "nobody"}),
        sheet(
            "assets", {"model": "rocket"}, {"model": "pump", "site": "nowhere"}, {"model": "pump", "devices": "p1"},
            {"model": "pump", "customer": "brewery", "site": "waterworks-site"}, {"model": "pump", "criticality": "D"},
        ),
        sheet("sites", {"name": "X", "customer": "brewery", "time_zone": "Mars/Base"}, {"customer": "brewery"}),
        sheet("technicians", {"phone": "110 0"}),
    )  # fmt: skip
    told = {(f.table, f.row, f.field) for f in done.faults}
    assert told == {
        ("customers", 3, "name"), ("customers", 3, "phone"), ("customers", 4, "email"), ("assets", 2, "model"),
        ("assets", 3, "site"), ("assets", 4, "devices"), ("assets", 5, "site"), ("assets", 6, "criticality"),
        ("sites", 2, "time_zone"), ("sites", 3, "name"), ("technicians", 1, "name"),
    }  # fmt: skip
    assert not done.written
    assert all(r.name != "Good" for r in world.rows(t.customers))


def test_of_several_of_one_name_an_id_is_asked_for(world: World) -> None:
    taken(world, sheet("sites", {"id": "h1", "name": "Hall", "customer": "brewery"}))
    taken(world, sheet("sites", {"id": "h2", "name": "Hall", "customer": "brewery"}))
    (fault,) = taken(world, sheet("assets", {"model": "pump", "site": "Hall", "name": "P"})).faults
    assert (fault.field, "h1, h2" in fault.rule) == ("site", True)


def test_what_goes_out_comes_in_again_unchanged(world: World) -> None:
    taken(world, *WHOLE)
    with world.database.read() as connection:
        told = {name: base_table(connection, TENANT, name) for name in TABLES}
    back = [sheet(name, *rows) for name, rows in told.items() if rows]
    again = taken(world, *back)
    assert (again.faults, again.added, again.changed) == ([], {}, {})
    assert sum(again.same.values()) == sum(map(len, told.values()))


def test_a_customer_may_not_change_the_installed_base(world: World) -> None:
    with pytest.raises(NotPermitted):
        take_base(world.shared, TENANT, WHOLE, CUSTOMER)
    assert take_base(world.shared, TENANT, WHOLE, ADMIN, dry_run=True).faults == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("customers.csv", "Name;Phone\nDairy;+49 30 1\n".encode("utf-16")),
        ("customers.csv", "\ufeffName,Phone\r\nDairy,+49 30 1\r\n".encode()),
        ("customers.tsv", b"Name\tPhone\nDairy\t+49 30 1\n"),
        ("customers.csv", b"Our customers\n\nName,Phone\nDairy,+49 30 1\n"),
        ("x.json", json.dumps({"customers": [{"Name": "Dairy", "Phone": "+49 30 1"}]}).encode()),
        ("customers.json", json.dumps([{"Name": "Dairy", "Phone": "+49 30 1"}]).encode()),
    ],
)
def test_files_of_many_kinds_say_the_same(name: str, data: bytes) -> None:
    (found,) = sheets_in(name, data)
    assert table_of(found.name, found.headers) == "customers"
    rows, faults = read(Sheet("customers", found.headers, found.cells))
    assert (faults, [dict(r.values) for r in rows]) == ([], [{"name": "Dairy", "phone": "+49 30 1"}])
    assert rows[0].number in (2, 4)


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.csv", b""), ("a.csv", b"Name\n"), ("a.json", b"{"), ("a.json", b'{"x": 1}'), ("a.xlsx", b"PK no"),
     ("a.csv", b'Name,Phone\n"open,1\n'), ("a.csv", b"\0\xff\0"), ("a.json", b"[" * 100_000),
     ("a.json", json.dumps([{str(n): 1} for n in range(MOST_COLUMNS + 1)]).encode())],
)  # fmt: skip
def test_a_file_that_holds_no_table_is_refused_in_a_sentence(name: str, data: bytes) -> None:
    with pytest.raises(BadSheet, match=r"a\.(csv|json|xlsx)"):
        sheets_in(name, data)


def test_every_required_field_that_no_column_says_is_one_fault() -> None:
    rows, faults = read(Sheet("sites", ("Address",), [["Street 1"]]))
    assert rows == []
    assert {(f.row, f.field) for f in faults} == {(1, "customer"), (1, "name")}
    assert isinstance(faults[0], Fault)
    wanted: dict[str, Any] = {f.name: f for f in FIELDS["sites"] if f.required}
    assert wanted.keys() == {"customer", "name"}


@pytest.mark.parametrize("many", [0, 1, 2, 3, 7, 8, 5000])
def test_an_identifier_for_the_next_of_one_name_is_found_in_few_steps(many: int) -> None:
    asked: list[str] = []

    def taken(id: str) -> bool:
        asked.append(id)
        return int(id.partition("-")[2] or 1) <= many

    assert id_from("Pump", taken) == ("pump" if many == 0 else f"pump-{many + 1}")
    assert len(asked) < 30


def test_a_number_without_end_is_a_text_like_any_other() -> None:
    (found,) = sheets_in("a.json", b'[{"Name": 1e999, "Phone": NaN, "Floor": 7.0}]')
    assert found.cells == [["inf", "nan", "7"]]


def test_a_book_that_unpacks_to_too_much_is_not_unpacked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book, book.open("sheet1.xml", "w") as part:
        for _ in range(MOST_UNPACKED // 10_000_000 + 1):
            part.write(b" " * 10_000_000)
    assert len(out.getvalue()) < 1_000_000
    with pytest.raises(BadSheet, match="unpacks to more"):
        sheets_in("a.xlsx", out.getvalue())


def book(cells: str) -> bytes:
    """An Excel file whose sheet holds these cells."""
    main, of = (
        "http://schemas.openxmlformats.org",
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{main}/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{main}/package/2006/relationships"><Relationship Id="a"'
        f' Type="{of}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}/spreadsheetml/2006/main" xmlns:r="{of}"><sheets>'
        '<sheet name="Customers" sheetId="1" r:id="b"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{main}/package/2006/relationships"><Relationship Id="b"'
        f' Type="{of}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}/spreadsheetml/2006/main"><sheetData>{cells}</sheetData>'
        "</worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, text in parts.items():
            packed.writestr(name, text)
    return out.getvalue()


def cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def test_a_book_that_stands_for_gigabytes_of_cells_is_refused_and_harms_nobody() -> None:
    head = f'<row r="1">{cell("A1", "Name")}{cell("B1", "Phone")}</row>'
    plain = head + f'<row r="2">{cell("A2", "Dairy")}{cell("B2", "110")}</row>'
    (found,) = apart("customers.xlsx", book(plain))
    assert (found.headers, found.cells) == (("Name", "Phone"), [["Dairy", "110"]])
    with pytest.raises(BadSheet, match="more memory or time"):
        apart("customers.xlsx", book(head + f'<row r="1048576">{cell("XFD1048576", "far")}</row>'))


def test_too_many_cells_are_refused_while_they_are_read() -> None:
    with pytest.raises(BadSheet, match="more than 5,000,000 cells"):
        sheets_in("a.csv", b"," * (MOST_CELLS + 1))
    named = b"{" + b",".join(b'"%d":1' % n for n in range(MOST_COLUMNS)) + b"}"
    with pytest.raises(BadSheet, match="more than 5,000,000 cells"):  # one row names them, all others are given them
        sheets_in("a.json", b"[" + named + b",{}" * (MOST_CELLS // MOST_COLUMNS) + b"]")


def test_a_machine_does_not_stand_at_a_site_of_somebody_else(world: World) -> None:
    taken(world, sheet("customers", {"id": "dairy", "name": "Dairy"}))
    done = taken(world, sheet("assets", {"id": "p1", "model": "pump", "customer": "dairy"}))
    assert [(f.field, "name its new site" in f.rule) for f in done.faults] == [("customer", True)]
    rows = ({"id": "hall", "name": "Hall", "customer": "dairy"}, {"id": "p1", "model": "pump", "site": "hall"})
    done = taken(world, sheet("sites", rows[0]), sheet("assets", rows[1]))
    assert (done.faults, done.changed) == ([], {"assets": 1})


def test_a_folder_of_time_zones_is_no_time_zone(world: World) -> None:
    done = taken(world, sheet("sites", {"name": "Hall", "customer": "waterworks", "time_zone": "Europe"}))
    assert [(f.row, f.field) for f in done.faults] == [(2, "time_zone")]


def test_it_comes_in_changes_and_moves_on_both_databases(any_world: World) -> None:
    world = any_world
    assert taken(world, *WHOLE).written
    rows = ({"name": "Hall 2", "customer": "dairy-muller-sohne"}, {"id": "booster", "model": "pump", "site": "Hall 2"})
    more = {"id": "p1", "model": "pump", "criticality": "A", "devices": "p1, b3"}
    mail = {"id": "dairy-muller-sohne", "name": "Dairy", "email": "new@dairy.example"}
    done = taken(world, sheet("sites", rows[0]), sheet("assets", rows[1], more), sheet("customers", mail))
    assert (done.added, done.changed) == ({"sites": 1}, {"assets": 2, "customers": 1})
    made = {r.id: r for r in world.rows(t.assets)}
    assert (made["booster"].site_id, made["p1"].criticality) == ("hall-2", "A")
    assert {r.device for r in world.rows(t.asset_devices) if r.told_at is None} == {"b1", "b2"}
    assert {r.asset_id for r in world.rows(t.asset_devices) if r.device == "b3"} == {"p1"}
    with world.database.read() as connection:
        (dairy,) = (c for c in base_table(connection, TENANT, "customers") if c["name"] == "Dairy")
        assert audit.verify(connection, TENANT) is None
    assert dairy["email"] == "new@dairy.example"


@pytest.mark.parametrize(
    ("rows", "dry_run"), [(WHOLE, True), ((sheet("assets", {"model": "rocket"}),), False), (None, False)]
)
def test_nobody_is_kept_from_writing_while_it_is_checked(
    world: World, monkeypatch: pytest.MonkeyPatch, rows: tuple[Sheet, ...] | None, dry_run: bool
) -> None:
    taken(world, *WHOLE)
    monkeypatch.setattr(type(world.database), "write", None)
    done = taken(world, *(rows or WHOLE), dry_run=dry_run)  # the same again has nothing to write
    assert done.written is (rows is None)


def test_what_others_changed_while_it_was_checked_is_looked_at_again(world: World) -> None:
    def told(done: int, total: int) -> None:
        if done == total:
            taken(world, sheet("assets", {"id": "theirs", "model": "pump", "devices": "b1"}))

    done = take_base(world.shared, TENANT, WHOLE, DISPATCHER, progress=told)
    assert [(f.field, f.rule) for f in done.faults] == [("devices", "device b1 watches theirs already")]
    assert not done.written
    assert all(r.name != "Dairy Müller & Söhne" for r in world.rows(t.customers))
