"""Conversations, contacts, templates and loose mail on pages and as JSON."""

from __future__ import annotations

import re
from datetime import timedelta

import sqlalchemy as sa

from api import access
from ingest.service.tables import devices
from tests.api.company import Company
from tests.api.test_access import STREAM, address
from work_orders.service import message_tables as m
from work_orders.service.conversation import Mail, take_mail

SECRET = "he-never-pays-on-time"


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_customer_and_the_dispatcher_talk_on_their_pages_and_loose_mail_finds_its_case(company: Company) -> None:
    ids = company.full()
    ida, dora = company.browser("customer"), company.browser("dispatcher")
    page = plain(ida.get("/my-machines").text)
    assert "What is going on" in page
    assert ida.get(f"/my-cases/{ids['case']}").status_code == 200
    assert ida.post(f"/my-cases/{ids['case']}/messages", data={"text": "Is <b>it</b> loud?"}).status_code == 200
    inbox = dora.get("/inbox").text
    assert "City waterworks wrote" in inbox
    assert f"/cases/{ids['case']}#conversation" in inbox
    case = dora.get(f"/cases/{ids['case']}").text
    assert "Is &lt;b&gt;it&lt;/b&gt; loud?" in case
    assert "City waterworks, hall" in case  # what is known already
    dora.post(f"/conversations/{ids['case']}/messages", data={"text": "It should not be."})
    assert "City waterworks wrote" not in dora.get("/inbox").text
    seen = plain(ida.get(f"/my-cases/{ids['case']}").text)
    assert "It should not be." in seen
    assert "✓ We saw a change in Pump 1." in seen
    assert dora.get(f"/my-cases/{ids['case']}").status_code == 403
    api, at = company.program("customer"), f"/api/v1/conversations/{ids['case']}"
    for _ in range(2):
        api.post(f"{at}/messages", json={"text": "Once."}, headers={"Idempotency-Key": "k1"})
    assert [s["text"] for s in api.get(at).json()["said"]].count("Once.") == 1
    take_mail(company.shared, company.world.tenant, Mail("<1@x>", "x@example.com", "Pump", "It is loud"))
    assert "1 mail without a case" in dora.get("/inbox").text
    page = dora.get("/mail").text
    (mail,) = re.findall(r"/mail/([^/]+)/assign", page)
    assert dora.post(f"/mail/{mail}/assign", data={"case": "C-nothing"}).status_code == 404
    dora.post(f"/mail/{mail}/assign", data={"case": ids["case"]})
    assert "No mail waits" in dora.get("/mail").text
    assert "It is loud" in company.browser("customer").get(f"/my-cases/{ids['case']}").text


def test_no_page_and_no_answer_shows_a_note_to_a_customer(company: Company) -> None:
    ids = company.full()
    dora = company.browser("dispatcher")
    dora.post(f"/conversations/{ids['case']}/notes", data={"text": SECRET})
    dora.post(f"/conversations/{ids['case']}/messages", data={"text": "We come."})
    assert SECRET in dora.get(f"/cases/{ids['case']}").text
    customer = company.browser("customer")
    looked = 0
    for name, roles in access.TABLE.items():
        method, path = name.split(" ")
        if method != "GET" or name == STREAM or (roles is not None and "customer" not in {str(r) for r in roles}):
            continue
        if any(of in path for of in ("{token}", "{link}", "{permit}", "{plan}", "{attachment}")):
            continue
        answer = customer.get(address(path, ids, company.world.tenant, True))
        assert SECRET not in answer.text, name
        looked += answer.status_code == 200
    assert looked > 10
    api = company.program("customer")
    assert SECRET not in api.get(f"/api/v1/conversations/{ids['case']}").text
    assert api.get(f"/api/v1/conversations/{ids['case']}/notes").status_code == 403
    with company.shared.database.read() as connection:
        for row in connection.execute(sa.select(m.messages)):
            assert SECRET not in repr(row)


def test_a_notice_tells_its_record_and_the_price_of_waiting(company: Company) -> None:
    ids = company.full()
    page = plain(company.browser("customer", "brewery").get(f"/notices/{ids['open_notice']}").text)
    assert "on your machines: no record yet; for this kind of fault: no record yet" in page
    assert "Waiting until then costs you" in page
    assert "We propose: Replace both bearings, before" in page
    assert "What was sent" in page
    assert "template forecast, version 0, en" in page
    silent = plain(company.browser("customer").get("/my-machines").text)
    for seen, says in (
        (timedelta(minutes=4), "Last heard 4 min ago."),
        (timedelta(hours=5), "Not heard from for 5.0 h"),
    ):
        assert says not in silent
        with company.shared.database.write() as connection:
            connection.execute(devices.update().values(last_seen=company.world.clock.at - seen))
        silent = plain(company.browser("customer").get("/my-machines").text)
        assert says in silent


def test_a_customer_says_how_he_is_told_and_nobody_else_does(company: Company) -> None:
    ida, otto = company.browser("customer"), company.browser("customer", "brewery")
    assert "waterworks@example.org" in ida.get("/contact").text
    assert 'value="waterworks@example.org"' in ida.get("/assets/p1/report").text  # nobody asks again
    fields = {"name": "Ida", "language": "zh", "time_zone": "Asia/Shanghai", "quiet_from": "21:00", "quiet_to": "08:00"}
    assert ida.post("/contacts/waterworks", data=fields).status_code == 200
    assert otto.post("/contacts/waterworks", data=fields).status_code == 404
    assert otto.get("/contacts/waterworks").status_code == 404
    given = {"purpose": "forecast", "channel": "mail", "given": "no"}
    ida.post("/contacts/waterworks/consents", data=given)
    key = company.program("dispatcher")
    contact = key.get("/api/v1/contacts/waterworks").json()
    assert contact["contact"]["language"] == "zh"
    assert [(c["purpose"], c["given"], c["by"]) for c in contact["said"]] == [("forecast", False, "City waterworks")]
    stale = key.post("/api/v1/contacts/waterworks", json={"language": "en"}, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    fine = key.post("/api/v1/contacts/waterworks", json={"language": "en"}, headers={"If-Match": '"1"'})
    assert fine.json()["contact"]["version"] == 2
    for wrong in ({"time_zone": "Mars"}, {"quiet_from": "9"}, {"language": "tlh"}, {"cap_per_day": 999}):
        assert key.post("/api/v1/contacts/waterworks", json=wrong).status_code == 422
    for channel in ("", "a b", "c" * 33, "mail\0"):
        wrong = {"purpose": "forecast", "channel": channel, "given": "yes"}
        assert ida.post("/contacts/waterworks/consents", data=wrong).status_code == 422


FAULTS = [
    ("text", "{{ nothing }} {{ link }}", "is undefined"),
    ("text", "{{ link.__class__ }}", "unsafe"),
    ("text", "{% for x in link %}", "line"),
    ("text", "no way to answer", "must hold {{ link }}"),
    ("html", "<script>alert(1)</script>", "has no place"),
    ("html", "<p onclick=x>", "has no place"),
    ("html", "<svg/onload=x>", "has no place"),
    ("subject", " ", "must not be empty"),
]


def test_a_template_is_checked_and_the_next_version_is_used(company: Company) -> None:
    anna = company.program("admin")
    at = "/api/v1/templates/forecast/en"
    good = anna.get(at).json()["words"]
    for part, source, says in FAULTS:
        refused = anna.post(at, json={**good, part: source})
        assert (refused.status_code, refused.json()["field"]) == (422, part)
        assert says in refused.json()["rule"]
        assert says in anna.post(f"{at}/preview", json={**good, part: source}).json()["fault"]
    mine = {**good, "subject": "Dear {{ customer }}: {{ letter.title }}"}
    assert anna.post(at, json=mine, headers={"If-Match": "0"}).json() == {"version": 1}
    assert anna.post(at, json=mine, headers={"If-Match": "0"}).status_code == 412
    assert company.program("dispatcher").post(at, json=mine).status_code == 403
    company.full()
    with company.shared.database.read() as connection:
        told = connection.execute(sa.select(m.messages).where(m.messages.c.template == "forecast")).first()
    assert told is not None
    assert told.subject == "Dear City waterworks: Pump 1: bearing wear is growing"
    assert told.template_version == 1
    page = company.browser("admin").post("/templates/forecast/en", data={**mine, "do": "preview"})
    assert "Dear City waterworks" in page.text
    assert "<iframe" in page.text
    assert "version 1" in company.browser("admin").get("/templates").text
