"""A device's identity on its page: who sees and may do what, codes and keys shown once, and how it looks."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from api import service as identity
from api.wiring import WebServer
from ingest.adapters.pki_folder import PkiFolder
from ingest.service.certificates import issue_certificate, list_certificates
from ingest.service.registry import add_device, find_device
from plumbing.pki import read
from tests.api.company import Company, found_company

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGE = "/devices/new-1"


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """With a device, and a folder for the authority."""
    made = found_company(
        tmp_path, url="http://platform.example", pki_dir=str(tmp_path / "pki"), host="127.0.0.1", port=0
    )
    add_device(made.shared.database, "acme", "new-1", "pump", now=made.world.clock.at)
    yield made
    made.world.database.close()


def post(client: TestClient, path: str, **form: str) -> tuple[int, str]:
    answer = client.post(f"{PAGE}{path}", data=form, follow_redirects=False, headers={"accept": "text/html"})
    return answer.status_code, answer.text


def state(company: Company) -> str:
    found = find_device(company.shared.database, "acme", "new-1")
    assert found is not None
    return str(found.state)


def test_an_administrator_suspends_resumes_and_revokes(company: Company) -> None:
    admin = company.browser("admin")
    for move, then, offered, gone in (
        ("/suspend", "suspended", "/resume", "/suspend"),
        ("/resume", "created", "/suspend", "/resume"),
        ("/revoke", "revoked", "kept out for good", "/revoke"),
    ):
        assert post(admin, move)[0] == 303
        page = admin.get(PAGE).text
        assert state(company) == then
        assert offered in page
        assert f'action="{PAGE}{gone}"' not in page
    assert f'action="{PAGE}/claim-code"' not in page
    assert f'action="{PAGE}/certificate"' not in page


def test_who_comes_second_is_told_and_changes_nothing(company: Company) -> None:
    admin = company.browser("admin")
    assert post(admin, "/suspend")[0] == 303
    status, page = post(admin, "/suspend")
    assert (status, state(company)) == (409, "suspended")
    assert "faster" in page
    assert post(admin, "/revoke")[0] == 303
    assert post(admin, "/resume")[0] == 409
    assert post(admin, "/claim-code")[0] == 409
    assert state(company) == "revoked"


def test_an_engineer_sees_it_and_makes_codes_but_shuts_nobody_out(company: Company) -> None:
    engineer = company.browser("engineer")
    page = engineer.get(PAGE).text
    assert "Identity" in page
    assert f'action="{PAGE}/claim-code"' in page
    for move in ("suspend", "resume", "revoke"):
        assert f'action="{PAGE}/{move}"' not in page
        assert post(engineer, f"/{move}")[0] == 403
    dispatcher = company.browser("dispatcher")
    assert "Identity" not in dispatcher.get(PAGE).text
    for what in ("/claim-code", "/certificate", "/suspend"):
        assert post(dispatcher, what)[0] == 403


def test_a_claim_code_is_shown_once_with_its_picture_and_is_good(company: Company) -> None:
    engineer = company.browser("engineer")
    answer = engineer.post(f"{PAGE}/claim-code", data={"minutes": "15"})
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    found = re.search(r"forewarn-agent claim http://platform\.example ([0-9A-Z-]+)<", answer.text)
    assert found is not None
    assert "15 minutes" in answer.text
    assert 'src="data:image/svg+xml' in answer.text
    assert found[1] not in engineer.get(PAGE).text
    assert company.stranger().post("/api/v1/claims", json={"code": found[1]}).status_code == 201
    for minutes in ("0", "99999999", "x"):
        assert post(engineer, "/claim-code", minutes=minutes)[0] == 422


def test_a_certificate_is_taken_away_once_and_stands_on_the_page(company: Company, tmp_path: Path) -> None:
    engineer = company.browser("engineer")
    answer = engineer.post(f"{PAGE}/certificate")
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert answer.headers["content-disposition"] == 'attachment; filename="new-1-certificate.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["device.crt", "device.key", "ca.crt"]
        certificate, key = archive.read("device.crt"), archive.read("device.key")
    assert read(certificate).name == "acme/new-1"
    assert b"PRIVATE KEY" in key
    page = engineer.get(PAGE).text
    assert re.search(r"36[45] days", page)
    assert "PRIVATE" not in page
    (kept,) = list_certificates(company.shared.database, "acme", "new-1")
    assert post(engineer, "/certificate/revoke", serial=kept.serial)[0] == 403
    admin = company.browser("admin")
    assert post(admin, "/certificate/revoke", serial=kept.serial)[0] == 303
    assert post(admin, "/certificate/revoke", serial=kept.serial)[0] == 409
    assert "revoked" in admin.get(PAGE).text


def test_days_left_warn_and_what_has_ended_is_named(company: Company, tmp_path: Path) -> None:
    now = company.web.wall()
    pki = PkiFolder(tmp_path / "pki")
    for ago, life in ((400, 30), (0, 10)):
        issue_certificate(
            company.shared.database, pki.authority(now), "acme", "new-1", now=now, wall=now - timedelta(days=ago),
            life=timedelta(days=life),
        )  # fmt: skip
    page = company.browser("engineer").get(PAGE).text
    assert "ends soon" in page
    assert "<td>ended</td>" in page


def test_a_device_of_others_or_none_is_not_here(company: Company) -> None:
    admin = company.browser("admin")
    for what in ("/suspend", "/claim-code", "/certificate"):
        assert admin.post(f"/devices/nobody{what}").status_code == 404
    add_device(company.shared.database, "other", "theirs", "pump", now=company.world.clock.at)
    assert admin.post("/devices/theirs/suspend").status_code == 404
    assert admin.post("/devices/theirs/claim-code").status_code == 404


def test_where_nothing_is_signed_no_certificate_is_offered(tmp_path: Path) -> None:
    made = found_company(tmp_path)
    add_device(made.shared.database, "acme", "new-1", "pump", now=made.world.clock.at)
    engineer = made.browser("engineer")
    assert f'action="{PAGE}/certificate"' not in engineer.get(PAGE).text
    assert post(engineer, "/certificate")[0] == 409
    made.world.database.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_and_the_code_fit_the_screen(
    company: Company, page: Page, screenshot: Callable[[str], Path], width: int, tmp_path: Path
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.set_viewport_size({"width": width, "height": 844})
    server = WebServer(company.web)
    server.start()
    try:
        link = identity.make_link(company.shared.database, company.web.wall(), "acme", "admin", "")
        page.goto(server.url + link)
        page.goto(server.url + PAGE)
        with page.expect_download() as taken:
            page.get_by_role("button", name="Issue a certificate").click()
        assert taken.value.suggested_filename == "new-1-certificate.zip"
        page.reload()

        def fits(name: str) -> None:
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{name} scrolls sideways"
            assert screenshot(f"{name}-{width}").exists()

        fits("identity")
        page.get_by_role("button", name="Make a claim code").click()
        picture = page.locator("img.qr")
        picture.wait_for()
        assert picture.evaluate("image => image.naturalWidth") > 0
        fits("claim-code")
        page.get_by_role("link", name="Back to the device").click()
        page.get_by_role("button", name="Suspend").click()
        page.get_by_role("button", name="Resume").wait_for()
        fits("suspended")
        assert not said
    finally:
        server.stop()
