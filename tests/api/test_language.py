"""A Chinese customer reads Chinese on his pages; every word has its translation, and none stands for nothing."""

from __future__ import annotations

import re
import string
from html import unescape

import pytest

from api.chinese import WORDS
from api.language import of_browser, speaker
from api.owners.conversations import PURPOSES
from api.owners.service_work import ANSWERS
from api.pages.aftercare import FACES
from api.pages.customer import DECLINE_REASONS
from api.roles import Role
from api.web import HERE, menu_of
from api.words import sentence
from tests.api.company import TENANT, Company
from tests.api.test_links import OTTO, link
from work_orders.domain.case_states import NoticeState
from work_orders.domain.machine import Actor
from work_orders.domain.machine import Role as Actors
from work_orders.domain.progress import WORDS as STEPS
from work_orders.domain.report_words import SYMPTOMS
from work_orders.service import labels, links
from work_orders.service.contacts import set_contact
from work_orders.service.conversation import write_message

PAGES = (
    "answer", "answering", "base", "confirm", "contact", "macros", "my_case", "my_machines", "notice", "notices",
    "problem", "report", "reported", "sign_in", "survey", "talk",
)  # fmt: skip
SAID = re.compile(r"""\b_\(\s*(["'])((?:(?!\1).)+)\1""")


def keys() -> set[str]:
    """All English words that customers' pages say through the catalogue."""
    found = {m.group(2) for name in PAGES for m in SAID.finditer((HERE / "templates" / f"{name}.html").read_text())}
    found |= set(re.findall(r'say\(\s*"([^"]+)"', (HERE / "owners" / "machines.py").read_text()))
    menu = {words for tab in menu_of(Role.CUSTOMER, "/") for words in (tab.title, *(w for _, w in tab.pages))}
    states = {sentence(str(state)) for state in NoticeState} | {"No reply", "Waits for an answer"}
    names = {sentence(str(role)) for role in (Role.CUSTOMER,)}
    return found | menu | states | names | {
        *SYMPTOMS.values(), *DECLINE_REASONS, *(words for _, words in FACES), *PURPOSES.values(), *ANSWERS.values(),
    }  # fmt: skip


def test_every_word_has_its_chinese_with_the_same_facts_in_it() -> None:
    assert len(keys()) > 120
    assert keys() - WORDS.keys() == set()
    for english, chinese in WORDS.items():
        facts = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (english, chinese)]
        assert facts[0] == facts[1], english
    assert STEPS["en"].keys() == STEPS["zh"].keys()
    assert all(STEPS["en"][k].count("{}") == STEPS["zh"][k].count("{}") for k in STEPS["en"])


def test_the_browser_says_what_a_stranger_reads() -> None:
    asked = ("zh-CN,zh;q=0.9,en;q=0.8", "zh", "en-US,zh;q=0.5", "de", "", "*")
    assert [of_browser(x) for x in asked] == ["zh", "zh", "en", "en", "en", "en"]
    assert speaker("zh")("no such words") == "no such words"


def texts(page: str) -> list[str]:
    """What a page says: its texts, and the names of what is only seen by its name."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", "", page, flags=re.DOTALL)
    named = re.findall(r'(?:aria-label|placeholder|alt|title)="([^"]*)"', body)
    return [unescape(x).strip() for x in [*re.split(r"<[^>]+>", body), *named] if x.strip()]


NAMES = re.compile(
    r"mail, sms, push, chat|Forewarn|Brewery(, hall)?|City waterworks(, hall)?|Pump( \d)?|[Bb]earing( wear)?|Vibration"
    r"|Replace both bearings|EUR|UTC|Your service partner|forecast|zh|en|web|mail|Li|[Tt]om|[Uu]we|mm/s|Asia/Shanghai"
    r"|English|/notices/\S+|\S+@example\.org|R-\w+|forewarn link ROLE|Loud"
)  # fmt: skip
"""Names of people, machines and places, words of the asset model, and what people wrote: these stay as they are."""


def english_in(page: str) -> list[str]:
    return [text for text in texts(page) if re.search(r"[A-Za-z]{2,}", NAMES.sub("", text))]


@pytest.fixture
def chinese(company: Company) -> tuple[Company, dict[str, str]]:
    """A company whose customers both read Chinese."""
    for id, actor in (("brewery", OTTO), ("waterworks", Actor("Ida", Actors.CUSTOMER, "waterworks"))):
        set_contact(company.shared, TENANT, id, actor, name="Li", language="zh", time_zone="Asia/Shanghai")
    return company, company.full()


def test_a_chinese_customer_finds_no_english_on_his_pages(chinese: tuple[Company, dict[str, str]]) -> None:
    company, ids = chinese
    write_message(company.shared, TENANT, ids["case"], "Loud", Actor("Li", Actors.CUSTOMER, "waterworks"))
    stranger = company.stranger()
    label = labels.label_of(company.shared, TENANT, "p3", Actor("Eva", Actors.ENGINEER))
    reported = stranger.post(f"/report/{label}", data={"symptom": "leak", "text": "Loud", "once": "1"})
    found = {
        "answer": stranger.get(link(company, links.ANSWER, ids["open_notice"]), params={"do": "decline"}).text,
        "report": stranger.get(f"/report/{label}").text,
        "reported": reported.text,
        "sign in": stranger.get("/sign-in", headers={"accept-language": "zh-CN"}).text,
        "link": stranger.get("/answer/none", headers={"accept-language": "zh", "accept": "text/html"}).text,
    }
    otto, ida = company.browser("customer", "brewery"), company.browser("customer")
    found["offered"] = otto.get(f"/notices/{ids['open_notice']}").text
    for browser, path in (
        (otto, "/my-machines"), (otto, "/notices"), (otto, "/contact"), (otto, "/assets/p3/report"),
        (otto, f"/my-cases/{ids['case3']}"), (ida, f"/my-cases/{ids['case']}"), (ida, f"/notices/{ids['notice']}"),
    ):  # fmt: skip
        found[path] = browser.get(path).text
    otto.post(f"/notices/{ids['open_notice']}/propose", data={"day": "2026-12-01", "half": "am"})
    found["proposed"] = otto.get(f"/notices/{ids['open_notice']}").text
    for name, page in found.items():
        assert '<html lang="zh">' in page, name
    chart = otto.get(f"/charts/notices/{ids['open_notice']}").json()
    assert [s["name"] for s in chart["series"]] == ["Vibration", "作出预测时的正常值"]
    assert [words for _, _, words in chart["spans"]] == ["报警"]
    left = [f"{name}: {words}" for name, page in found.items() for words in english_in(page)]
    assert not left, "\n".join(left)
    seen = company.browser("dispatcher").get(f"/notices/{ids['open_notice']}").text  # colleagues read English
    assert '<html lang="en">' in seen
    assert "How likely" in seen
