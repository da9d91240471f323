"""What people's words say, on the case's page, for programs, and for whoever said it."""

from __future__ import annotations

from tests.api.company import Company
from work_orders.service import tables as t


def test_urgent_words_are_shown_and_a_person_is_offered(company: Company) -> None:
    text = "Flames and smoke at the motor, fire!"
    asked = {"kind": "report", "asset": "p1", "text": text}
    assert company.program("customer").post("/api/v1/requests", json=asked).status_code == 201
    case = company.world.only(t.cases)
    assert case.urgent == "danger"
    mine = company.browser("customer").get(f"/my-cases/{case.id}").text
    assert "This sounds urgent." in mine
    assert "+49 30 123" in mine
    desk = company.browser("dispatcher")
    page = desk.get(f"/cases/{case.id}").text
    assert "people may be in danger" in page
    assert "Priority raised" in page
    assert "urgent, report" in desk.get("/inbox").text
    said = company.program("engineer").get(f"/api/v1/cases/{case.id}/words").json()
    assert (said["urgent"], said["raised"], "fire" in said["urgent_words"]) == ("people may be in danger", True, True)
    assert desk.post(f"/cases/{case.id}/calm", follow_redirects=False).status_code == 303
    assert "Priority raised" not in desk.get(f"/cases/{case.id}").text
    assert "This sounds urgent." not in company.browser("customer").get(f"/my-cases/{case.id}").text


def test_a_customer_who_reports_something_urgent_is_led_to_a_person(company: Company) -> None:
    mine = company.browser("customer")
    for asset, text, page in (
        ("p2", "Fire and smoke!", "/my-cases/"),
        ("p1", "a little louder than before", "/assets/"),
    ):
        form = {"symptom": "other", "text": text, "once": asset}
        answer = mine.post(f"/assets/{asset}/report", data=form, follow_redirects=False)
        assert answer.headers["location"].startswith(page)


def test_who_reports_by_a_label_is_offered_a_person_too(company: Company) -> None:
    desk = company.browser("dispatcher")
    token = desk.get("/assets/p1/label").text.split("/report/")[1].split('"')[0].split("<")[0].strip()
    form = {"symptom": "other", "text": "A man is injured and bleeding", "once": "x"}
    shown = company.stranger().post(f"/report/{token}", data=form, headers={"accept": "text/html"})
    assert "This sounds urgent." in shown.text
    form = {"symptom": "noise", "text": "a little louder than before", "once": "y"}
    shown = company.stranger().post(f"/report/{token}", data=form, headers={"accept": "text/html"})
    assert shown.status_code == 200
