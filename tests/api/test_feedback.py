"""Actions from feedback on their page and for programs."""

from __future__ import annotations

from tests.api.company import Company
from work_orders.service import feedback_tables as f


def test_a_complaint_is_seen_given_and_done(company: Company) -> None:
    asked = {"kind": "complaint", "asset": "p1", "text": "Nobody calls back"}
    assert company.program("customer").post("/api/v1/requests", json=asked).status_code == 201
    desk = company.browser("dispatcher")
    row = company.world.only(f.feedback_actions)
    assert "nobody sees to it yet" in desk.get("/inbox").text
    page = desk.get("/feedback").text
    assert "Nobody calls back" in page
    assert company.browser("engineer").get("/feedback").status_code == 403
    given = desk.post(f"/feedback/{row.id}/give", data={"due": "2026-12-01"}, follow_redirects=False)
    assert given.status_code == 303
    assert company.world.only(f.feedback_actions).owner != ""
    assert desk.post(f"/feedback/{row.id}/give", data={"due": "soon"}).status_code == 422
    program = company.program("dispatcher")
    (item,) = program.get("/api/v1/feedback", params={"state": "open"}).json()["items"]
    assert (item["overdue"], item["version"]) == (False, 2)
    at = f"/api/v1/feedback/{row.id}"
    assert program.post(f"{at}/finish", json={"text": "x"}, headers={"If-Match": '"1"'}).status_code == 412
    done = program.post(f"{at}/finish", json={"text": "We called him."}, headers={"If-Match": '"2"'})
    assert (done.status_code, done.json()["state"], done.json()["done"]) == (200, "done", "We called him.")
    assert program.post(f"{at}/finish", json={"text": "Again"}, headers={"If-Match": '"3"'}).status_code == 409
    case = company.browser("customer").get(f"/my-cases/{row.case_id}").text
    assert "We called him." in case
    assert "We called him." in desk.get("/feedback").text


def test_an_admin_says_whose_new_ones_are(company: Company) -> None:
    admin = company.browser("admin")
    assert admin.post("/feedback", data={"owner": "Hanna", "days": "0"}).status_code == 422
    assert admin.post("/feedback", data={"owner": "Hanna", "days": "5"}, follow_redirects=False).status_code == 303
    assert "New ones are for Hanna, within 5 days." in company.browser("dispatcher").get("/feedback").text
