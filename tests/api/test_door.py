"""Reports from a label without an account, calls typed in, files, incidents, and a job's page."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from tests.api.company import Company
from tests.work_orders.test_jobs import JPEG, PNG
from tests.work_orders.world import DISPATCHER, TECHNICIAN, TENANT
from work_orders import service
from work_orders.service import door_tables as d
from work_orders.service import labels, reports
from work_orders.service import tables as t
from work_orders.service import work_tables as w
from work_orders.service.reports import TRIES_LABEL


def label_of(company: Company, asset: str = "p1", **more: bool) -> str:
    return labels.label_of(company.shared, TENANT, asset, DISPATCHER, **more)


def tap(client: TestClient, token: str, once: str = "", **fields: str) -> str:
    """Report from a label; where the answer leads."""
    form = {"symptom": "noise", "text": "Since this morning", "contact": "+49 1", "once": once, **fields}
    answer = client.post(f"/report/{token}", data=form, files={"photo": ("x.exe", JPEG)}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_a_fault_is_reported_in_one_tap_without_an_account(company: Company) -> None:
    token, client = label_of(company), company.stranger()
    page = client.get(f"/report/{token}")
    assert "Pump 1" in page.text
    assert "It stands still" in page.text
    link = tap(client, token, "abc")
    assert tap(client, token, "abc") == link
    shown = client.get(link)
    assert "We have your report" in shown.text
    assert company.world.only(d.requests).id in shown.text
    case = company.world.only(t.cases)
    desk = company.browser("dispatcher")
    said = desk.get(f"/cases/{case.id}").text
    assert "Since this morning" in said
    (file,) = set(re.findall(r"/files/(A-\w+)", said))
    answer = desk.get(f"/files/{file}")
    assert answer.content == JPEG
    assert answer.headers["content-type"] == "image/jpeg"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert company.browser("customer").get(f"/files/{file}").status_code == 200
    for other in (company.browser("customer", "brewery"), company.browser("technician")):
        assert other.get(f"/files/{file}").status_code == 404
    desk.post(f"/cases/{case.id}/order")
    assert "We are arranging a visit" in client.get(link).text


def test_a_void_or_forged_label_leads_nowhere(company: Company) -> None:
    old, client = label_of(company), company.stranger()
    new = label_of(company, renew=True)
    assert client.get(f"/report/{new}").status_code == 200
    payload, _, mac = new.partition(".")
    for bad in (old, payload, f"{payload}.{mac[::-1]}", f"{label_of(company, 'p3').partition('.')[0]}.{mac}", "x.y"):
        assert client.get(f"/report/{bad}").status_code == 404
        assert client.post(f"/report/{bad}", data={"symptom": "noise"}).status_code == 404
    assert client.get(f"/reports/{new}").status_code == 404
    assert not company.world.rows(d.requests)


def test_a_label_takes_so_many_reports_an_hour(company: Company) -> None:
    token, client = label_of(company), company.stranger()
    for n in range(TRIES_LABEL):
        tap(client, token, f"n{n}")
    assert client.post(f"/report/{token}", data={"symptom": "noise"}).status_code == 429
    assert len(company.world.rows(d.requests)) == TRIES_LABEL


@pytest.mark.parametrize(("symptom", "photo", "status"), [("wish", JPEG, 422), ("noise", b"<svg/>", 422)])
def test_what_a_label_does_not_take_leaves_nothing(company: Company, symptom: str, photo: bytes, status: int) -> None:
    form = {"symptom": symptom}
    answer = company.stranger().post(f"/report/{label_of(company)}", data=form, files={"photo": ("x", photo)})
    assert answer.status_code == status
    assert not company.world.rows(d.requests)
    assert not company.world.rows(t.cases)


def test_a_dispatcher_types_a_call_in_and_says_later_which_machine(company: Company) -> None:
    desk = company.browser("dispatcher")
    desk.post("/requests", data={"text": "The pump leaks", "caller": "Ida", "once": "1"})
    request = company.world.only(d.requests)
    assert "The pump leaks" in desk.get("/requests").text
    answer = desk.post(f"/requests/{request.id}/place", data={"asset": "p2"}, follow_redirects=False)
    assert answer.headers["location"] == f"/cases/{company.world.only(t.cases).id}"
    desk.post(f"/cases/{company.world.only(t.cases).id}/solve", data={"reason": "A valve was shut"})
    assert company.world.only(t.cases).outcome == "remote"


def test_a_customer_reports_his_own_machine_and_complains(company: Company) -> None:
    mine = company.browser("customer")
    assert mine.post("/assets/p1/report", data={"symptom": "leak"}, follow_redirects=False).status_code == 303
    mine.post("/assets/p1/report", data={"symptom": "other", "text": "Nobody comes", "complaint": "true"})
    assert {r.kind for r in company.world.rows(t.cases)} == {"report", "complaint"}
    assert company.browser("customer", "brewery").post("/assets/p1/report", data={}).status_code == 404


def test_a_program_brings_a_request_once(company: Company) -> None:
    client = company.program("dispatcher")
    body = {"kind": "external", "asset": "p1", "component": "seal", "text": "From the ERP"}
    first = client.post("/api/v1/requests", json=body, headers={"Idempotency-Key": "k1"})
    again = client.post("/api/v1/requests", json=body, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["request"] == again.json()["request"]
    assert client.get("/api/v1/requests").json()["items"][0]["text"] == "From the ERP"


def test_a_recall_is_one_incident_on_a_page(company: Company) -> None:
    desk = company.browser("dispatcher")
    page = desk.post("/incidents", data={"name": "R1", "text": "Check the seals", "model": "pump"})
    assert page.status_code == 200
    assert "Recall R1" in page.text
    assert "3 cases, 3 open" in page.text
    listed = company.program("engineer").get("/api/v1/incidents").json()["items"]
    assert [i["kind"] for i in listed] == ["recall"]
    shown = company.program("engineer").get(f"/api/v1/incidents/{listed[0]['id']}").json()
    assert len(shown["cases"]) == 3


def test_two_cases_are_merged_and_parted_on_their_pages(company: Company) -> None:
    desk, world = company.browser("dispatcher"), company.world
    company.browser("customer").post("/assets/p1/report", data={"symptom": "noise"})
    world.take(1)
    report = next(r.id for r in world.rows(t.cases) if r.kind == "report")
    forecast = next(r.id for r in world.rows(t.cases) if r.kind == "forecast")
    assert f'value="{forecast}"' in desk.get(f"/cases/{report}").text
    desk.post(f"/cases/{report}/merge", data={"into": forecast})
    assert "It is louder, or shakes" in desk.get(f"/cases/{forecast}").text
    assert "Take it out again" in desk.get(f"/cases/{report}").text
    desk.post(f"/cases/{report}/unmerge")
    assert "It is louder, or shakes" not in desk.get(f"/cases/{forecast}").text


def test_a_technicians_page_has_what_a_job_needs(company: Company) -> None:
    order, world = company.world.booked(), company.world
    with world.database.write() as connection:
        connection.execute(t.orders.update().values(permits='["lockout"]'))
        connection.execute(
            t.tasks.update().where(t.tasks.c.n == 2).values(needs="reading", unit="mm/s", high=4.5, required=True)
        )
        connection.execute(t.tasks.update().where(t.tasks.c.n == 1).values(needs="signature"))
    tom = company.browser("technician")
    page = tom.get(f"/orders/{order}").text
    assert "Lockout is needed" in page
    assert "I set out" not in page
    tom.post(f"/orders/{order}/visit/accept")
    assert "I set out" in tom.get(f"/orders/{order}").text
    assert tom.post(f"/orders/{order}/start").status_code == 409
    tom.post(f"/orders/{order}/permits", data={"name": "lockout", "note": "Switch 3"})
    tom.post(f"/orders/{order}/start")
    assert "at most 4.5 mm/s" in tom.get(f"/orders/{order}").text
    tom.post(f"/orders/{order}/tasks/2/do", data={"result": "2.2"})
    fields = {"purpose": "signature", "step": "1"}
    tom.post(f"/orders/{order}/files", data=fields, files={"file": ("s.png", PNG)})
    tom.post(f"/orders/{order}/tasks/1/do")
    page = tom.get(f"/orders/{order}").text
    assert "2.2 mm/s" in page
    assert "Signature of step 1" in page
    permit = re.findall(r"/permits/(P-\w+)/release", page)[0]
    tom.post(f"/orders/{order}/permits/{permit}/release")
    tom.post(f"/orders/{order}/finish")
    assert tom.post(f"/orders/{order}/actuals", data={"work_minutes": "nan"}).status_code == 422
    tom.post(f"/orders/{order}/actuals", data={"work_minutes": "80", "parts_cost": "12,50", "km": "31,5"})
    shown = tom.get(f"/orders/{order}").text
    assert "12.50" in shown
    assert "31.5 km" in shown
    assert company.browser("technician", "uwe").post(f"/orders/{order}/visit/accept").status_code == 404


def test_the_review_queue_and_the_promotion_stand_on_one_screen_each(company: Company) -> None:
    world, desk = company.world, company.browser("dispatcher")
    service.set_autonomy(world.shared, TENANT, "propose", model="pump")
    world.take(3)
    page = desk.get("/review").text
    for words in ("Pump 1: Bearing wear", "City waterworks", "If it fails", "A visit for nothing", "Approve"):
        assert words in page
    order = world.only(t.orders)
    desk.post(f"/orders/{order.id}/approve", data={"version": str(order.version), "next": "/review"})
    assert "Nothing waits for you." in desk.get("/review").text
    shown = desk.get("/autonomy").text
    assert "Visits for nothing" in shown
    assert 'value="0,0,0,0,1"' in shown
    form = {"model": "pump", "customer": "waterworks", "action": "promote", "seen": "9,0,0,0,1"}
    assert desk.post("/autonomy", data=form).status_code == 409
    assert desk.post("/autonomy", data={**form, "seen": "0,0,0,0,1"}).status_code == 200
    assert "having seen 0 right" in desk.get("/autonomy").text
    levels = company.program("engineer").get("/api/v1/autonomy").json()["items"]
    assert {(x["standing"]["customer_id"], x["standing"]["mode"]) for x in levels} == {
        ("", "propose"), ("waterworks", "automatic"), ("brewery", "propose"),
    }  # fmt: skip
    replayed = company.program("engineer").get("/api/v1/decisions/replay").json()
    assert (replayed["decisions"], replayed["same"], replayed["differing"]) == (3, 3, [])


def test_the_customer_alone_says_how_the_work_was(company: Company) -> None:
    world = company.world
    order = world.booked()
    for action in ("start", "finish"):
        service.order_action(world.shared, TENANT, order, action, TECHNICIAN)
    service.record_finding(world.shared, TENANT, order, "prevented", TECHNICIAN)
    service.order_action(world.shared, TENANT, order, "close", DISPATCHER)
    mine = company.browser("customer")
    assert "How was the work at Pump 1?" in mine.get("/my-machines").text
    assert mine.post(f"/surveys/{order}", data={"recommends": "9"}).status_code == 422
    assert mine.post(f"/surveys/{order}", data={"satisfied": "²"}).status_code == 422
    form = {"satisfied": "4", "recommends": "9", "words": "Friendly"}
    assert "You gave it 4 of 5" in mine.post(f"/surveys/{order}", data=form).text
    assert "How was the work at" not in mine.get("/my-machines").text
    assert company.browser("customer", "brewery").get(f"/surveys/{order}").status_code == 404
    assert company.browser("technician").post(f"/surveys/{order}", data=form).status_code == 403
    said = company.program("dispatcher").get("/api/v1/surveys").json()["figures"]
    assert said == {"asked": 1, "answered": 1, "satisfied": 4.0, "promoters": 100.0, "effort": None}
    case = world.only(t.cases).id
    assert "After 30 days" in company.browser("dispatcher").get(f"/cases/{case}").text


def test_a_photo_that_is_none_takes_the_whole_report_back(company: Company) -> None:
    customer = company.browser("customer")
    form = {"symptom": "noise", "once": "abc"}
    assert customer.post("/assets/p1/report", data=form, files={"photo": ("x", b"none")}).status_code == 422
    assert not company.world.rows(d.requests)
    for _ in range(2):
        customer.post("/assets/p1/report", data=form, files={"photo": ("x", JPEG)})
    assert len(company.world.rows(d.requests)) == len(company.world.rows(w.attachments)) == 1


def test_old_tries_are_forgotten_whoever_made_them(company: Company) -> None:
    token, client = label_of(company), company.stranger()
    long_ago = company.shared.system.now() - timedelta(days=2)
    with company.world.database.write() as connection:
        connection.execute(w.report_tries.insert().values(tenant=TENANT, who="address:gone", n=1, at=long_ago))
    tap(client, token)
    assert "address:gone" not in {r.who for r in company.world.rows(w.report_tries)}


def test_photos_of_strangers_have_a_budget_a_day_for_a_label_a_site_and_all(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = company.stranger()
    for name, fits in (("BYTES_LABEL", 2), ("BYTES_SITE", 3), ("BYTES_ALL", 4)):
        monkeypatch.setattr(reports, name, fits * len(JPEG))

    def photo(asset: str) -> int:
        files = {"photo": ("x", JPEG)}
        made = client.post(f"/report/{label_of(company, asset)}", data={"symptom": "noise"}, files=files)
        return int(made.status_code)

    assert [photo(a) for a in ("p1", "p1", "p1")] == [200, 200, 429]  # the label's
    assert [photo(a) for a in ("p2", "p2")] == [200, 429]  # the site's
    assert [photo(a) for a in ("p3", "p3")] == [200, 429]  # all of them
    assert client.post(f"/report/{label_of(company)}", data={"symptom": "noise"}).status_code == 200
    with company.world.database.write() as connection:
        connection.execute(w.report_tries.update().values(at=company.shared.system.now() - timedelta(days=2)))
    assert photo("p1") == 200


def test_nobody_can_take_the_number_of_a_recall_for_himself(company: Company) -> None:
    said = {"kind": "report", "asset": "p1", "text": "x", "source": "recall", "external": "R-7/p1"}
    assert company.program("customer").post("/api/v1/requests", json=said).status_code == 201
    assert company.program("dispatcher").post("/api/v1/requests", json=said).status_code == 422
    assert company.world.only(d.requests).source.startswith("key:")
    late = {"kind": "report", "asset": "p1", "at": "2026-11-22T10:00:00"}
    assert company.program("dispatcher").post("/api/v1/requests", json=late).status_code == 422
