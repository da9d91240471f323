"""Promises and preventive plans over HTTP: what the desk sees, what the admin sets, what programs are given."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from contracts.asset_model_plans import SuggestedPlan
from tests.api.company import Company
from tests.work_orders.test_sla import MONDAY, reported
from tests.work_orders.world import PUMP
from work_orders.service.plan_tables import plans

ROOT = "/api/v1"


def test_the_desk_sees_what_is_due_next_and_says_that_it_answered(company: Company) -> None:
    for role in ("customer", "technician"):
        stranger = company.program(role)
        for path in (f"{ROOT}/sla", f"{ROOT}/plans", "/promises", "/plans"):
            assert stranger.get(path).status_code == 403
    case = reported(company.world)
    program = company.program("dispatcher")
    found = program.get(f"{ROOT}/sla").json()["items"]
    assert [(c["metric"], c["case_id"], c["state"]) for c in found] == [
        ("response", case, "running"), ("restore", case, "running"),
    ]  # fmt: skip
    assert program.get(f"{ROOT}/cases").json()["items"][0]["sla"][0]["due_at"] == "2026-11-23T17:00:00Z"
    browser = company.browser("dispatcher")
    assert "Promised, due next" in browser.get("/inbox").text
    assert "I have answered the customer" in browser.get(f"/cases/{case}").text
    assert browser.post(f"/cases/{case}/clock/answered", follow_redirects=False).status_code == 303
    assert browser.post(f"/cases/{case}/clock/wait", data={"reason": "weather"}).status_code == 200
    assert "weather" in browser.get("/promises").text
    after = program.post(f"{ROOT}/cases/{case}/clock/go-on").json()["items"]
    assert {(c["metric"], c["state"]) for c in after} == {("response", "met"), ("restore", "running")}
    assert program.post(f"{ROOT}/cases/{case}/clock/explode").status_code == 422
    assert program.post(f"{ROOT}/cases/none/clock/answered").status_code == 404


def test_the_admin_sets_what_is_promised_and_sees_it_before(company: Company) -> None:
    company.world.clock.at = MONDAY
    admin = company.program("admin")
    target = {"metric": "response", "minutes": 30, "steps": [{"who": "admin", "share": 0.5}]}
    rules = {"rules": [{"target": target, "kind": "complaint"}]}
    asked = {"kind": "complaint", "site": "waterworks-site", "policy": rules}
    (seen,) = admin.post(f"{ROOT}/sla/preview", json=asked).json()["items"]
    assert (seen["due_at"], seen["calendar"]) == ("2026-11-23T08:30:00Z", "standard")
    assert admin.get(f"{ROOT}/sla/policy").json()["version"] == 0
    first = admin.post(f"{ROOT}/sla/policy", json=rules, headers={"If-Match": '"0"'})
    assert (first.status_code, first.json()["version"]) == (201, 1)
    assert admin.post(f"{ROOT}/sla/policy", json=rules, headers={"If-Match": '"0"'}).status_code == 412
    wrong = {"rules": [{"target": {"metric": "response", "minutes": 30, "calendar": "moon"}}]}
    assert admin.post(f"{ROOT}/sla/policy", json=wrong).status_code == 422
    assert admin.post(f"{ROOT}/sla/policy", json={"rules": [{"target": {}}]}).status_code == 422
    hours = admin.post(f"{ROOT}/calendars/early", json={"week": {"mon": ["06:00-10:00"]}, "country": "DE-BY"})
    assert hours.json()["hours"]["week"] == {"mon": ["06:00-10:00"]}
    assert admin.post(f"{ROOT}/calendars/early", json={"week": {"mon": ["6-10"]}}).status_code == 422
    site = admin.post(f"{ROOT}/sites/waterworks-site/hours", json={"country": "AT", "calendar": "early"}).json()
    assert site == {
        "id": "waterworks-site", "name": "City waterworks, hall", "time_zone": "UTC", "country": "AT",
        "calendar": "early", "version": site["version"],
    }  # fmt: skip
    assert admin.post(f"{ROOT}/customers/waterworks/tier", json={"tier": "gold"}).json()["tier"] == "gold"
    assert company.program("dispatcher").post(f"{ROOT}/sla/policy", json=rules).status_code == 403


def test_the_admin_sets_rules_and_hours_on_the_page(company: Company) -> None:
    browser = company.browser("admin")
    rule = {"metric": "response", "minutes": "45", "version": "0", "kind": "report", "steps": "admin 50 %\nowner +60"}
    assert browser.post("/promises/rules", data=rule, follow_redirects=False).status_code == 303
    page = browser.get("/promises").text
    assert "45 min" in page
    assert "60 minutes after the deadline" in page
    assert browser.post("/promises/rules", data={**rule, "version": "1", "steps": "somebody"}).status_code == 422
    assert browser.post("/promises/rules/1/drop", data={"version": "1"}, follow_redirects=False).status_code == 303
    week = {"name": "nights", "sat": "22:00-06:00", "exceptions": "2026-12-24: 08:00-12:00\n2026-12-31: closed"}
    assert browser.post("/promises/calendars", data=week, follow_redirects=False).status_code == 303
    where = {"country": "DE", "calendar": "nights"}
    assert browser.post("/promises/sites/waterworks-site", data=where, follow_redirects=False).status_code == 303
    shown = browser.get("/promises?kind=breakdown&priority=urgent&site=waterworks-site").text
    assert "nights" in shown
    assert browser.post("/promises/calendars", data={**week, "mon": "whenever"}).status_code == 422


def test_a_plan_is_made_read_and_ended(company: Company) -> None:
    company.world.clock.at = MONDAY
    browser, program = company.browser("dispatcher"), company.program("dispatcher")
    form = {"title": "Grease", "tasks": "Grease it\nListen", "every_months": "6", "every_hours": "2000"}
    assert browser.post("/assets/p1/plans", data=form, follow_redirects=False).status_code == 303
    assert browser.post("/assets/p1/plans", data={**form, "every_months": "-1"}).status_code == 422
    (plan,) = program.get(f"{ROOT}/plans", params={"asset": "p1"}).json()["items"]
    assert (plan["words"], plan["due_at"]) == ("every 6 months or 2,000 running hours", "2027-05-23T08:00:00Z")
    assert "Grease" in browser.get("/assets/p1").text
    read = browser.post("/assets/p1/readings", data={"meter": "running_hours", "value": "100"})
    assert "Running hours: 100.0" in read.text
    assert "Grease" in browser.get("/plans").text
    company.world.clock.at += timedelta(days=1)
    program.post(f"{ROOT}/assets/p1/readings", json={"meter": "running_hours", "value": 124})
    (plan,) = program.get(f"{ROOT}/plans").json()["items"]
    assert plan["due_at"] < "2027-02-20"
    stale = program.post(f"{ROOT}/plans/{plan['id']}/pause", headers={"If-Match": "1"})
    assert stale.status_code == 412
    ended = program.post(f"{ROOT}/plans/{plan['id']}/end", headers={"If-Match": str(plan["version"])})
    assert (ended.json()["state"], program.get(f"{ROOT}/plans").json()["items"]) == ("ended", [])


def test_a_plan_among_many_is_found_by_its_id(company: Company) -> None:
    company.world.clock.at = MONDAY
    program = company.program("dispatcher")
    body = {"title": "Grease", "tasks": ["Grease it"], "every_months": 6}
    made = program.post(f"{ROOT}/assets/p1/plans", json=body).json()
    with company.world.database.write() as connection:
        row = connection.execute(sa.select(plans)).one()._asdict()
        connection.execute(plans.insert(), [row | {"id": f"PP-{n}", "due_at": MONDAY} for n in range(201)])
    ended = program.post(f"{ROOT}/plans/{made['id']}/end")
    assert (ended.status_code, ended.json()["state"]) == (200, "ended")
    assert program.post(f"{ROOT}/plans/{made['id']}/end", headers={b"If-Match": b"\xb2"}).status_code == 422


@pytest.mark.parametrize("field", ["every_hours", "limit"])
@pytest.mark.parametrize("number", ["nan", "inf"])
def test_what_is_no_number_makes_no_plan(company: Company, field: str, number: str) -> None:
    browser = company.browser("dispatcher")
    form = {"title": "Grease", "tasks": "Grease it", "every_months": "6", "meter": "pressure_drop", field: number}
    assert browser.post("/assets/p1/plans", data=form).status_code == 422
    assert browser.get("/plans").status_code == 200


def asked_twice(company: Company) -> None:
    """The same key makes one plan; a reading calls for its job."""
    program = company.program("dispatcher")
    body = {"title": "Grease", "tasks": ["Grease it"], "when": {"meter": "pressure_drop", "limit": 2.5}}
    made = [
        program.post(f"{ROOT}/assets/p1/plans", json=body, headers={"Idempotency-Key": "k1"}).json()["id"]
        for _ in range(2)
    ]
    assert made[0] == made[1]
    reading = {"meter": "pressure_drop", "value": 3}
    assert company.program("technician").post(f"{ROOT}/assets/p1/readings", json=reading).status_code == 404
    assert program.post(f"{ROOT}/assets/p1/readings", json=reading).status_code == 201
    found = program.get(f"{ROOT}/plans").json()["items"]
    assert [p["why"] for p in found if p["id"] == made[0]] == ["pressure drop at or above 2.5: 3"]


def test_what_the_model_suggests_and_what_is_asked_for_twice_is_made_a_plan_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    grease = SuggestedPlan("grease", "Grease", ("Grease it",), every_months=6)
    monkeypatch.setitem(PUMP.plans, "grease", grease)
    browser, program = company.browser("dispatcher"), company.program("dispatcher")
    assert "Make these plans" in browser.get("/assets/p1").text
    made = [program.post(f"{ROOT}/assets/p1/plans/suggested").json()["items"] for _ in range(2)]
    assert made[0] == made[1]
    assert [p["words"] for p in made[0]] == ["every 6 months"]
    assert browser.post("/assets/p1/plans/suggested", follow_redirects=False).status_code == 303
    assert "Make these plans" not in browser.get("/assets/p1").text
    assert program.post(f"{ROOT}/assets/none/plans/suggested").status_code == 404
    asked_twice(company)
