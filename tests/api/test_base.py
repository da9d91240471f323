"""The installed base on its page and as JSON."""

from __future__ import annotations

import html
import re

from tests.api.company import Company

ROOT = "/api/v1"
SHEET = "Firma;Telefon;Sprache\nDairy;+49 30 1;de\n"


def kept_in(page: str) -> dict[str, str]:
    """What the form of the preview would send, as it stands."""
    (kept,) = re.findall(r'<textarea name="kept" hidden>(.*?)</textarea>', page, re.DOTALL)
    fields = {"kept": html.unescape(kept), **dict(re.findall(r'type="hidden" name="(was-\d+)" value="(\w*)"', page))}
    for name, body in re.findall(r'<select name="([\w-]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.findall(r'<option(?: value="(\w*)")? selected>(\w*)', body)
        fields[name] = (chosen[0][0] or chosen[0][1]) if chosen else ""
    return fields


def test_a_spreadsheet_is_shown_as_it_is_understood_corrected_and_taken_in(company: Company) -> None:
    dora = company.browser("dispatcher")
    csrf = {"csrf": dora.headers["x-csrf-token"]}
    page = dora.post("/installed-base", files={"file": ("customers.csv", SHEET.encode(), "text/csv")}, data=csrf)
    assert "This would be taken in" in page.text
    fields = kept_in(page.text)
    assert (fields["field-0-0"], fields["field-0-1"], fields["field-0-2"]) == ("name", "phone", "locale")
    without = dora.post("/installed-base/sheets", data=fields | csrf | {"field-0-0": ""})
    assert (without.status_code, "no column says this" in without.text) == (422, True)
    names = [c["name"] for c in company.program("engineer").get(f"{ROOT}/base/customers").json()["items"]]
    assert "Dairy" not in names
    done = dora.post("/installed-base/sheets", data=fields | csrf | {"do": "take"})
    assert "It is on record" in done.text
    (dairy,) = (
        c for c in company.program("engineer").get(f"{ROOT}/base/customers").json()["items"] if c["name"] == "Dairy"
    )
    assert (dairy["phone"], dairy["locale"]) == ("+49 30 1", "de")


def test_one_more_is_added_by_hand_and_what_is_wrong_is_said_beside_what_was_typed(company: Company) -> None:
    dora = company.browser("dispatcher")
    csrf = {"csrf": dora.headers["x-csrf-token"]}
    wrong = dora.post("/installed-base/sites", data=csrf | {"name": "Hall 9", "customer": "nobody", "country": "XQ"})
    assert wrong.status_code == 422
    assert 'value="Hall 9"' in wrong.text
    assert "the id or name of a customer on record" in wrong.text
    right = csrf | {"name": "Hall 9", "customer": "brewery", "country": "DE-BY"}
    assert dora.post("/installed-base/sites", data=right, follow_redirects=False).status_code == 303
    sites = company.program("dispatcher").get(f"{ROOT}/base/sites").json()["items"]
    assert [s["country"] for s in sites if s["id"] == "hall-9"] == ["DE-BY"]


def test_a_program_puts_rows_on_record_and_hears_every_fault(company: Company) -> None:
    office = company.program("dispatcher")
    rows = {"customers": [{"name": "Dairy"}], "assets": [{"name": "Mixer", "model": "pump", "customer": "Dairy"}]}
    tried = office.post(f"{ROOT}/base", json=rows | {"dry_run": True}).json()
    assert (tried["added"], tried["written"]) == ({"customers": 1, "assets": 1}, False)
    assert office.post(f"{ROOT}/base", json=rows).json()["written"] is True
    assert office.post(f"{ROOT}/base", json=rows).json()["same"] == {"customers": 1, "assets": 1}
    bad = office.post(f"{ROOT}/base", json={"sites": [{"name": "X", "customer": "Nobody"}]})
    assert (bad.status_code, bad.json()["faults"][0]["row"], bad.json()["faults"][0]["field"]) == (422, 2, "customer")
    odd = office.post(f"{ROOT}/base", json={"sites": [{"shoe": "9"}]})
    assert (odd.status_code, odd.json()["field"]) == (422, "sites.shoe")
    assert company.program("technician").post(f"{ROOT}/base", json=rows).status_code == 403


def test_a_file_without_a_table_is_refused_in_a_sentence(company: Company) -> None:
    dora = company.browser("dispatcher")
    data = {"csrf": dora.headers["x-csrf-token"]}
    page = dora.post("/installed-base", files={"file": ("x.xlsx", b"PK no", "application/zip")}, data=data)
    assert (page.status_code, "cannot be read as a spreadsheet" in page.text) == (422, True)


def test_people_and_past_jobs_are_seen_where_they_are_needed(company: Company) -> None:
    office, body = company.program("dispatcher"), {
        "contacts": [{"customer": "waterworks", "name": "Eva Boss", "role": "Head of works", "phone": "+49 30 5"}],
        "history": [{"asset": "p1", "date": "2024-12-24", "failure_mode": "bearing_wear", "result": "true",
                     "found": "Cage broken", "cost": "1234.50", "currency": "EUR"}],
    }  # fmt: skip
    assert office.post(f"{ROOT}/base", json=body).json()["added"] == {"contacts": 1, "history": 1}
    (job,) = office.get(f"{ROOT}/base/history").json()["items"]
    assert (job["component"], job["date"]) == ("bearing", "2024-12-24T12:00:00+00:00")
    dora = company.browser("dispatcher")
    page = dora.get("/assets/p1").text
    assert ("Cage broken" in page, "1,234.50 EUR" in page) == (True, True)
    assert "Head of works" in dora.get("/customers/waterworks").text
    assert "Cage broken" not in company.browser("customer").get("/assets/p1").text
