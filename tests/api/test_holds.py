"""Permits and lock-outs on the machine's page, the same rows as over HTTP; what was refused says what helps."""

from __future__ import annotations

import pytest

from api.command_views import HINTS
from contracts.commands import REFUSALS
from tests.api.company import Company
from tests.api.test_commands import hear_holds

ROOT = "/api/v1"


def released(company: Company, ids: dict[str, str]) -> None:
    """The permit that the world begins with is closed."""
    assert company.program("admin").post(f"{ROOT}/holds/{ids['hold']}/release").json()["released"]


@pytest.mark.parametrize("role", ["technician", "dispatcher", "engineer", "admin"])
def test_on_the_page_a_permit_is_put_on_record_and_closed(company: Company, role: str) -> None:
    released(company, company.full())
    who = company.browser(role)
    assert "None is open" in who.get("/assets/p1").text
    put = who.post("/assets/p1/holds", data={"kind": "lockout", "note": "lock 7"}, follow_redirects=False)
    assert (put.status_code, put.headers["location"]) == (303, "/assets/p1#holds")
    hear_holds(company)
    page = who.get("/assets/p1").text
    assert "lock 7" in page
    assert company.program("engineer").get(f"{ROOT}/devices/acme/p1/commands").json()["holds"] == ["lockout"]
    (at,) = [part.partition('"')[0] for part in page.split('action="') if part.startswith("/assets/p1/holds/")]
    assert who.post(at, follow_redirects=False).status_code == 303
    hear_holds(company)
    assert "None is open" in who.get("/assets/p1").text
    assert company.program("engineer").get(f"{ROOT}/devices/acme/p1/commands").json()["holds"] == []
    assert who.post(at).status_code == 404


def test_a_technician_reaches_the_machines_of_his_jobs_alone(company: Company) -> None:
    ids = company.full()
    uwe, tom = company.browser("technician", "uwe"), company.program("technician")
    assert uwe.post("/assets/p1/holds", data={"kind": "permit"}).status_code == 404
    assert tom.post(f"{ROOT}/assets/p2/holds", json={"kind": "permit"}).status_code == 404
    assert company.program("technician", "uwe").post(f"{ROOT}/holds/{ids['hold']}/release").status_code == 404
    assert tom.post(f"{ROOT}/assets/p1/holds", json={"kind": "permit"}).status_code == 201
    assert tom.post(f"{ROOT}/holds/{ids['hold']}/release").json()["released"]
    assert company.browser("customer").post("/assets/p1/holds", data={"kind": "permit"}).status_code == 403
    assert company.program("admin").post(f"{ROOT}/assets/nowhere/holds", json={"kind": "permit"}).status_code == 404


@pytest.mark.parametrize("form", [{}, {"kind": "party"}, {"kind": "permit", "note": "x" * 301}])
def test_what_is_neither_a_permit_nor_a_lock_out_is_refused(company: Company, form: dict[str, str]) -> None:
    company.full()
    assert company.browser("dispatcher").post("/assets/p1/holds", data=form).status_code == 422


def test_what_stands_against_a_command_says_what_helps(company: Company) -> None:
    company.full()
    eva = company.browser("engineer")
    assert eva.post("/assets/p1/guarded", data={"device": "p1", "switch": "on"}).status_code == 200
    hear_holds(company)
    assert HINTS["on_hold"] in eva.get("/assets/p1").text
    assert HINTS.keys() <= REFUSALS.keys()


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"state": "unheard-of"}, "state"),
        ({"after": "no-such-command"}, "after"),
        ({"after": "%"}, "after"),
        ({"limit": 0}, "limit"),
    ],
)
def test_a_list_of_commands_refuses_filters_and_cursors_that_are_none(
    company: Company, params: dict[str, str], field: str
) -> None:
    company.full()
    eva = company.program("engineer")
    no = eva.get(f"{ROOT}/commands", params=params)
    assert (no.status_code, no.json()["field"]) == (422, field)
    assert company.browser("engineer").get("/commands", params=params).status_code == 422
    items = eva.get(f"{ROOT}/commands", params={"limit": 1}).json()
    if items["next"]:
        assert eva.get(f"{ROOT}/commands", params={"after": items["next"], "state": "queued"}).status_code == 200


def test_diagnoses_refuse_what_they_do_not_filter_by(company: Company) -> None:
    company.full()
    for params in ({"state": "confirmed"}, {"after": "x"}):
        assert company.program("engineer").get(f"{ROOT}/diagnoses", params=params).status_code == 422
