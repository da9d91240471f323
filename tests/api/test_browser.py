"""Pages in a real browser: no fault in a script, nothing wider than the screen, charts drawn, one key one deed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from anomaly.service.tables import late
from api import service as identity
from api.wiring import WebServer
from tests.api.company import SUBJECTS, Company, found_company

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
WIDTHS = (1280, 390)


class Site:
    """A running company with its address."""

    def __init__(self, company: Company, url: str, ids: dict[str, str]) -> None:
        self.company, self.url, self.ids = company, url, ids

    def sign_in(self, page: Page, role: str, subject: str | None = None) -> None:
        """Open a one-time link."""
        of = SUBJECTS.get(role, "") if subject is None else subject
        shared = self.company.shared
        page.goto(self.url + identity.make_link(shared.database, self.company.web.wall(), "demo", role, of))

    def open(self, page: Page, path: str) -> None:
        """Load a page and wait for its charts."""
        page.goto(self.url + path)
        for chart in page.locator("[data-chart]:visible").all():
            chart.locator("canvas, .empty").first.wait_for()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The full demo company, served."""
    company = found_company(tmp_path_factory.mktemp("site"), "demo", simulated=True, host="127.0.0.1", port=0)
    ids = company.full()
    company.pace(3600.0)
    server = WebServer(company.web)
    server.start()
    yield Site(company, server.url, ids)
    server.stop()
    company.world.database.close()


VIEWS = (
    ("engineer", "fleet", "/fleet"),
    ("engineer", "asset", "/assets/{asset}"),
    ("engineer", "case", "/cases/{case}"),
    ("engineer", "cases", "/cases"),
    ("engineer", "connect", "/connect"),
    ("engineer", "devices", "/devices"),
    ("engineer", "device", "/devices/{device}"),
    ("engineer", "quarantine", "/quarantine"),
    ("engineer", "figures", "/figures"),
    ("engineer", "stories", "/demo"),
    ("admin", "people", "/people"),
    ("dispatcher", "inbox", "/inbox"),
    ("dispatcher", "order", "/orders/{order}"),
    ("dispatcher", "next", "/demo/next"),
    ("technician", "my-jobs", "/my-jobs"),
    ("technician", "job", "/orders/{order}"),
    ("customer", "my-machines", "/my-machines"),
    ("brewery", "notice", "/notices/{open_notice}"),
)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("role", "name", "path"), VIEWS, ids=[v[1] for v in VIEWS])
def test_a_page_fits_the_screen_and_its_scripts_run(
    site: Site, page: Page, screenshot: Callable[[str], Path], role: str, name: str, path: str, width: int
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.set_viewport_size({"width": width, "height": 844})
    site.sign_in(page, "customer" if role == "brewery" else role, "brewery" if role == "brewery" else None)
    site.open(page, path.format(**site.ids))
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "the page scrolls sideways"
    assert screenshot(f"{name}-{width}").exists()
    assert not said


@pytest.mark.parametrize("width", WIDTHS)
def test_readings_that_came_late_are_hatched(
    site: Site, page: Page, screenshot: Callable[[str], Path], width: int
) -> None:
    at, shared = site.company.world.clock.at, site.company.shared
    row = {"from_at": at - timedelta(hours=20), "to_at": at - timedelta(hours=14), "rows": 36, "peak": 2.5}
    with shared.database.write() as connection:
        connection.execute(sa.delete(late))
        connection.execute(sa.insert(late).values(tenant=site.company.world.tenant, device="p1", **row))
    page.set_viewport_size({"width": width, "height": 844})
    site.sign_in(page, "engineer")
    site.open(page, "/assets/p1?hours=72")
    said = page.locator(".came-late").first
    said.wait_for()
    assert "36 samples, highest score 2.50" in (said.text_content() or "")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert screenshot(f"late-{width}").exists()
    with shared.database.write() as connection:
        connection.execute(sa.delete(late))


def test_the_demo_bar_switches_the_role_with_one_click(site: Site, page: Page) -> None:
    site.sign_in(page, "engineer")
    page.goto(site.url + "/fleet")
    page.get_by_role("button", name="Technician").click()
    page.wait_for_url(re.compile("/my-jobs$"))
    page.get_by_role("button", name="Customer").click()
    page.wait_for_url(re.compile("/my-machines$"))


def test_the_clock_on_the_page_runs_with_the_stream(site: Site, page: Page) -> None:
    site.sign_in(page, "engineer")
    page.goto(site.url + "/figures")
    page.wait_for_function("document.getElementById('factor').textContent === 'x3600'")
    assert page.locator("#link-state").text_content() == ""


def test_a_machine_is_connected_and_the_page_waits_for_it(site: Site, page: Page) -> None:
    site.sign_in(page, "engineer")
    page.goto(site.url + "/connect")
    page.get_by_label("Name").fill("new-pump")
    page.get_by_role("button", name="Register it").click()
    page.get_by_text("Waiting for the first message").wait_for()
    commands = page.locator("pre.code").all_text_contents()
    assert any(c.startswith("mosquitto_pub") and "demo/new-pump" in c for c in commands)
    assert len(commands) == 3
    with page.expect_response(lambda answer: "/connect/" in answer.url) as looked:
        pass
    assert (looked.value.url, looked.value.status) == (f"{site.url}/connect/new-pump", 200)


def test_one_key_settles_what_waits_in_the_inbox(tmp_path: Path, page: Page) -> None:
    company = found_company(tmp_path, "demo", simulated=True, port=0)
    order = company.full()["order"]
    technician = company.program("technician")
    for action in ("start", "finish"):
        technician.post(f"/api/v1/work-orders/{order}/{action}")
    technician.post(f"/api/v1/work-orders/{order}/finding", json={"result": "prevented"})
    server = WebServer(company.web)
    server.start()
    site = Site(company, server.url, {})
    site.sign_in(page, "dispatcher")
    page.goto(server.url + "/inbox")
    page.locator("article.chore").first.wait_for()
    page.keyboard.press("1")
    page.wait_for_function("document.querySelectorAll('article.chore').length === 0")
    server.stop()
    (closed,) = company.program("dispatcher").get("/api/v1/work-orders?asset=p1").json()["items"]
    assert closed["state"] == "closed"
    company.world.database.close()
