"""Every page renders, for an empty company and for a full one, and says what it must."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from api import access
from contracts.records import Carrier
from edge_agent import settings as agent
from tests.api.company import ROLES, Company, found_company
from work_orders import queries

HOSTILE = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"
JSON_ROUTES = ("/api/", "/charts/", "/events", "/metrics", "/openapi", "/healthz", "/readyz")


def pages(role: str, ids: dict[str, str]) -> list[str]:
    """Addresses of the pages that a role may load."""
    out = []
    for name, roles in access.TABLE.items():
        method, path = name.split(" ")
        if method != "GET" or path.startswith(JSON_ROUTES) or "{link}" in path or path.startswith("/demo"):
            continue
        if roles is not None and role not in roles:
            continue
        out.append(re.sub(r"{(\w+)}", lambda part: ids.get(part[1], "none"), path))
    return out


@pytest.mark.parametrize("role", ROLES)
def test_pages_render_before_anything_has_happened(company: Company, role: str) -> None:
    client = company.browser(role)
    for path in pages(role, {"asset": "p1"}):
        answer = client.get(path)
        hidden = "none" in path or (role == "technician" and path.startswith("/assets/p1"))
        assert answer.status_code == (404 if hidden else 200), path


@pytest.mark.parametrize("role", ROLES)
def test_pages_render_when_much_has_happened(company: Company, role: str) -> None:
    ids = company.full()
    client = company.browser(role)
    for path in pages(role, ids):
        answer = client.get(path, headers={"accept": "text/html"})
        if "none" in path or path.startswith("/surveys/"):  # nothing was refused, no job is finished
            assert answer.status_code == 404
            continue
        if path.endswith(".pdf"):  # the job is not done yet
            assert answer.status_code == 409
            continue
        assert answer.status_code == 200, (path, answer.text[:400])
        assert "</html>" in answer.text or 'id="heard"' in answer.text or 'id="remote"' in answer.text


def test_the_notice_says_all_that_a_customer_must_know(company: Company) -> None:
    ids = company.full()
    page = company.browser("customer", "brewery").get(f"/notices/{ids['open_notice']}").text
    for words in ("bearing wear is growing", "in 10", "most likely last", "your maintenance contract covers it"):
        assert words in page
    assert "If nobody comes" in page
    assert page.count('class="primary slot"') == 2
    for answer in ("accept", "decline", "propose", "call-me"):
        assert f"/notices/{ids['open_notice']}/{answer}" in page


def test_hostile_names_are_shown_as_text(company: Company) -> None:
    company.hostile(HOSTILE)
    client = company.browser("engineer")
    for path in ("/fleet", "/assets/p9", "/cases", "/devices"):
        assert "<script>alert" not in client.get(path).text
        assert "<img src=x" not in client.get(path).text
    assert "&lt;script&gt;alert" in client.get("/fleet").text


@pytest.mark.parametrize("path", ["/fleet", "/assets/p3"])
def test_the_bar_of_health_has_the_colour_of_the_state(company: Company, path: str) -> None:
    company.full()
    page = company.browser("dispatcher").get(path).text
    assert "Maintenance required" in page
    assert 'class="bar-maint"' in page
    assert 'class="bar-ok"' not in page
    assert 'class="bar-bad"' not in page


def test_a_case_shows_what_speaks_for_its_failure_alone(company: Company) -> None:
    odd = Carrier("leakage", 0.6, "down", 1.58, 1.59, (1.5, 1.7))
    grown = Carrier("vibration", 0.4, "up", 4.2, 2.1, (1.9, 2.3))
    company.world.take(3, carriers=[odd, grown])
    with company.shared.database.read() as connection:
        case = queries.cases(connection, company.world.tenant, asset_id="p1").items[0].id
    page = company.browser("dispatcher").get(f"/cases/{case}").text
    assert "Vibration is higher than expected (4.2 mm/s; usual now: 1.9 to 2.3 mm/s)" in page
    assert "1.58" not in page


def test_a_notice_that_waits_for_an_answer_says_so(company: Company) -> None:
    ids = company.full()
    client = company.browser("customer", "brewery")
    assert client.get(f"/notices/{ids['open_notice']}").status_code == 200
    assert company.program("dispatcher").get("/api/v1/notices", params={"state": "read"}).json()["items"]
    for path in (f"/notices/{ids['open_notice']}", "/notices"):
        page = client.get(path).text
        assert "Waits for an answer</span>" in page
        assert "Read</span>" not in page


def test_the_page_of_an_approved_order_books_its_visit(company: Company) -> None:
    ids = company.full()
    at = f"/orders/{ids['order3']}"
    assert f'action="{at}/book"' not in company.browser("engineer").get(at).text
    client = company.browser("dispatcher")
    page = client.get(at).text
    assert "Book a visit" in page
    fields = dict(re.findall(r'type="hidden" name="(agreed_by|version)" value="([^"]*)"', page))
    done = client.post(f"{at}/book", data={**fields, "csrf": client.headers["x-csrf-token"]}, follow_redirects=False)
    assert done.status_code == 303
    page = client.get(at).text
    assert "not agreed yet" not in page
    assert "Move the visit" in page


def test_what_happened_to_a_machine_is_told_by_names(company: Company) -> None:
    ids = company.full()
    page = company.browser("dispatcher").get(f"/assets/{ids['asset']}").text
    told = page[page.index("What happened") :]
    assert "City waterworks" in told
    assert "waterworks" not in told.replace("City waterworks", "")
    assert "Device p1 " in told


def test_a_page_of_a_simulated_tenant_says_so(demo: Company) -> None:
    page = demo.browser("dispatcher").get("/fleet").text
    assert "demo clock" in page
    assert "x3600" in page
    assert "are simulated" in page


def test_a_real_tenant_has_no_demo_bar(company: Company) -> None:
    page = company.browser("dispatcher").get("/fleet").text
    assert "simulated" not in page
    assert "/demo/as/" not in page


def test_stories_show_both_bills_and_cannot_break_out_of_their_data(demo: Company) -> None:
    page = demo.browser("engineer").get("/demo").text
    assert "6,500 + 2,500" in page
    assert "1,500 EUR" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("role", ["customer", "technician", "dispatcher"])
def test_whoever_sees_a_story_reaches_its_machine(demo: Company, role: str) -> None:
    client = demo.browser(role)
    page = client.get("/demo").text
    if role == "dispatcher":
        assert client.get("/assets/p2").status_code == 200
        assert 'href="/assets/p2"' in page
        return
    assert 'href="/assets/p2"' not in page
    answer = client.post("/demo/as/dispatcher", data={"next": "/assets/p2"})
    assert answer.status_code == 200
    assert str(answer.url).endswith("/assets/p2")


def test_one_expected_value_is_not_drawn_over_other_times(company: Company) -> None:
    ids = company.full()
    chart = company.browser("engineer").get(f"/charts/cases/{ids['case']}").json()
    measured, expected = chart["series"]
    assert expected["name"] == "Usual for it, when the forecast was made"
    assert measured["t"][0] < expected["t"][0] <= expected["t"][-1]


def test_every_form_carries_the_token_of_the_session(company: Company) -> None:
    ids = company.full()
    client = company.browser("admin")
    for path in pages("admin", ids):
        if path == "/sign-in":
            continue  # nobody has a session there
        page = client.get(path).text
        assert page.count('method="post"') <= page.count('name="csrf"'), path


def test_a_machine_is_connected_by_tls_where_the_broker_has_it(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\nabc\n")
    company = found_company(tmp_path, mqtt="mosquitto:1883", mqtts="plant.example:8883", pki_dir=str(tmp_path))
    client = company.browser("engineer")
    said = client.post("/connect", data={"device": "p7", "model": "pump", "csrf": client.headers["x-csrf-token"]})
    page = html.unescape(said.text)
    assert said.status_code == 201
    assert "-h plant.example -p 8883 --cafile ca.crt" in page
    assert "client.tls_set('ca.crt')" in page
    assert "FOREWARN_MQTT_URL='mqtts://acme%2Fp7:" in page
    assert 'ca = "ca.crt"' in page
    assert "BEGIN CERTIFICATE" in page
    assert "mosquitto:1883" not in page
    assert 'data-poll="/connect/p7"' in page
    company.world.database.close()


def test_the_recipe_of_the_agent_is_a_file_that_the_agent_takes(company: Company, tmp_path: Path) -> None:
    client = company.browser("engineer")
    said = client.post("/connect", data={"device": "p7", "model": "pump", "csrf": client.headers["x-csrf-token"]})
    (recipe,) = re.findall(r"(# agent\.toml.*?)</pre>", html.unescape(said.text), re.DOTALL)
    (tmp_path / "readings.csv").write_text("t,vibration\n2026-11-22T10:00:00Z,2.1\n")
    (tmp_path / "agent.toml").write_text(recipe)
    url = re.search(r"FOREWARN_MQTT_URL='([^']*)'", recipe)
    assert url is not None
    taken = agent.load(tmp_path / "agent.toml", {"FOREWARN_MQTT_URL": url[1], "FOREWARN_HOME": str(tmp_path)})
    assert (taken.tenant, taken.device, list(taken.drivers)) == ("acme", "p7", ["csv"])
