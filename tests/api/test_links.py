"""Pages that a link from a message opens: looking changes nothing, pressing acts once, in the customer's language."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.api.company import TENANT, Company
from tests.work_orders.test_aftercare import mended
from work_orders.domain import signed_link
from work_orders.domain.machine import SYSTEM, Actor, Role
from work_orders.service import aftercare_tables as f
from work_orders.service import links
from work_orders.service import tables as t
from work_orders.service.addresses import set_way
from work_orders.service.contacts import card, set_contact
from work_orders.service.letter_tables import letters
from work_orders.service.mail_keys import key_of
from work_orders.service.unit import unit

OTTO = Actor("Otto", Role.CUSTOMER, "brewery")


def link(company: Company, kind: str, id: str, days: int = 30) -> str:
    """The address that a mail would hold."""
    with unit(company.shared, TENANT, SYSTEM) as work:
        until = work.wall + timedelta(days=days)
        return f"/{kind}/" + signed_link.make(key_of(work), kind, TENANT, id, until=until)


def answers(company: Company) -> list[tuple[str, str, str]]:
    return [(r.kind, r.actor, r.reason) for r in company.world.rows(t.answers) if r.actor != "Ida Kunde"]


ANSWERS = [
    ("accept", {"pick": "2026-11-24-pm"}, ""),
    ("decline", {"reason": "We repair it ourselves", "more": "soon"}, "We repair it ourselves: soon"),
    ("propose", {"day": "2026-12-01", "half": "pm"}, ""),
    ("call-me", {}, ""),
]


@pytest.mark.parametrize(("reply", "fields", "reason"), ANSWERS)
def test_a_notice_is_answered_from_its_link_once_and_by_pressing_alone(
    company: Company, reply: str, fields: dict[str, str], reason: str
) -> None:
    ids = company.full()
    stranger, at = company.stranger(), link(company, links.ANSWER, ids["open_notice"])
    for do in ("", "<script>", reply, "2026-11-24-am"):
        page = stranger.get(at, params={"do": do})
        assert page.status_code == 200
        assert "When may we come?" in page.text
        assert "<script>" not in page.text.split("<main")[1]
    notice = next(n for n in company.world.rows(t.notices) if n.id == ids["open_notice"])
    assert notice.state in ("sent", "delivered")  # not even read
    if reply == "accept":
        (slot, *_) = (s for s in company.world.rows(t.notice_slots) if s.notice_id == notice.id)
        fields = {"pick": f"{slot.day}-{slot.half}"}
    for _ in range(2):
        done = stranger.post(f"{at}/{reply}", data=fields)
        assert done.status_code == 200
        assert "Your answer" in done.text
    assert answers(company) == [(reply.replace("-", "_"), "Brewery", reason)]
    assert stranger.post(f"{at}/stop").status_code == 404  # that is the dispatcher's


def test_a_half_day_that_is_not_offered_books_nothing(company: Company) -> None:
    ids = company.full()
    stranger, at = company.stranger(), link(company, links.ANSWER, ids["open_notice"])
    assert stranger.post(f"{at}/accept", data={"pick": "2026-11-29-pm"}).status_code == 409
    assert "not free any more" in stranger.get(at, params={"do": "2026-11-29-pm"}).text
    assert answers(company) == []


def test_a_link_that_is_forged_over_another_kind_or_somebody_elses_opens_nothing(company: Company) -> None:
    ids = company.full()
    stranger, id = company.stranger(), ids["open_notice"]
    at = link(company, links.ANSWER, id)
    assert stranger.get(at[:-1] + ("a" if at[-1] != "a" else "b")).status_code == 404
    assert stranger.get(at.replace(f"/{TENANT}~", "/elsewhere~", 1).replace(f"/{TENANT}", "/x")).status_code == 404
    assert stranger.get(at.replace("/answer/", "/survey/")).status_code == 404
    over = link(company, links.ANSWER, id, days=-1)
    assert stranger.get(over).status_code == 410
    assert stranger.post(f"{over}/call-me").status_code == 410
    for role in ("technician", "dispatcher", "customer"):
        other = company.browser(role)  # the customer is another one
        assert other.get(at).status_code == 403
        assert other.post(f"{at}/call-me").status_code == 403
    assert company.browser("customer", "brewery").get(at).status_code == 200
    assert stranger.post(f"{at}/call-me", headers={"origin": "https://elsewhere.example"}).status_code == 403
    assert answers(company) == []


def test_a_survey_is_answered_from_its_link_and_by_no_technician(company: Company) -> None:
    order = mended(company.world)
    at, stranger = link(company, links.SURVEY, order), company.stranger()
    assert "How was the work?" in stranger.get(at).text
    assert company.browser("technician").post(at, data={"satisfied": "5"}).status_code == 403
    assert company.world.only(f.surveys).satisfied is None
    assert "Thank you" in stranger.post(at, data={"satisfied": "4", "words": "Fine"}).text
    row = company.world.only(f.surveys)
    assert (row.satisfied, row.words, row.actor) == (4, "Fine", "City waterworks")
    assert stranger.get(f"/surveys/{order}", headers={"accept": "application/json"}).status_code == 401


def test_an_address_is_confirmed_on_its_page_and_counts_from_then_on(company: Company) -> None:
    otto, stranger = company.browser("customer", "brewery"), company.stranger()
    otto.post("/contacts/brewery/ways", data={"channel": "mail", "address": "otto@example.org"})
    assert "otto@example.org is not confirmed yet" in otto.get("/contact").text
    program = company.program("customer", "brewery")
    said = program.get("/api/v1/contacts/brewery").json()
    assert [way["address"] for way in said["contact"]["ways"]] == ["brewery@example.org"]
    assert [w["address"] for w in said["waiting"]] == ["otto@example.org"]
    (letter,) = company.world.rows(letters)
    at = next(word for word in letter.text.split() if "/confirm/" in word).removeprefix("https://forewarn.invalid")
    assert "otto@example.org" in stranger.get(at).text
    assert [way["address"] for way in program.get("/api/v1/contacts/brewery").json()["contact"]["ways"]] != [
        "otto@example.org"
    ]
    assert "Thank you" in stranger.post(at).text
    assert program.get("/api/v1/contacts/brewery").json()["contact"]["ways"][0]["address"] == "otto@example.org"
    assert stranger.post(at).status_code == 404
    program.post("/api/v1/contacts/brewery/ways", json={"channel": "mail", "address": "else@example.org"})
    assert len(company.world.rows(letters)) == 2
    company.program("dispatcher").post(
        "/api/v1/contacts/brewery/ways", json={"channel": "mail", "address": "given@example.org"}
    )
    with company.shared.database.read() as connection:
        found = card(connection, TENANT, "brewery")
    assert found is not None
    assert [w.address for w in found.ways] == ["given@example.org"]


def test_whoever_opens_a_link_reads_the_language_of_its_customer(company: Company) -> None:
    ids = company.full()
    set_contact(company.shared, TENANT, "brewery", OTTO, name="Li", language="zh", time_zone="Asia/Shanghai")
    set_way(company.shared, TENANT, "brewery", "mail", "li@example.org", OTTO)
    (letter,) = company.world.rows(letters)
    confirm = next(w for w in letter.text.split() if "/confirm/" in w).partition("forewarn.invalid")[2]
    for at, says in (
        (link(company, links.ANSWER, ids["open_notice"]), "我们什么时候可以上门？"), (confirm, "这是您的地址吗？"),
    ):  # fmt: skip
        page = company.stranger().get(at).text
        assert '<html lang="zh">' in page
        assert says in page
