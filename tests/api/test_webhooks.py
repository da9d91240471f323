"""Webhooks over HTTP: for admins alone; the secret is shown once; changes carry versions and keys."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DataError

from tests.api.company import Company
from work_orders.service.webhook_tables import webhooks

URL = "https://hooks.example.org/in"
AT = "/api/v1/webhooks"


def test_a_program_adds_moves_and_removes_a_webhook(company: Company) -> None:
    admin = company.program("admin")
    made = admin.post(AT, json={"url": URL, "types": ["case.*"]}, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    again = admin.post(AT, json={"url": URL, "types": ["case.*"]}, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["secret"]) == (200, None)
    (row,) = admin.get(AT).json()["items"]
    assert (row["url"], row["types"], row["state"]) == (URL, ["case.*"], "active")
    assert "secret" not in row
    at = f"{AT}/{row['id']}"
    assert admin.post(f"{at}/pause", headers={"If-Match": '"9"'}).status_code == 412
    paused = admin.post(f"{at}/pause", headers={"If-Match": f'"{row["version"]}"'})
    assert paused.json()["webhook"]["state"] == "paused"
    assert admin.post(f"{at}/rotate").json()["secret"] not in ("", made.json()["secret"])
    assert admin.post(f"{at}/explode").status_code == 422
    assert admin.get(f"{at}/deliveries?state=dead").json() == {"items": [], "next": None}
    assert admin.get(f"{at}/deliveries?state=odd").status_code == 422
    assert company.program("admin", tenant="other").get(f"{at}/deliveries").status_code == 404
    assert admin.post(f"{at}/remove").json() == {"webhook": None}
    assert admin.post(f"{at}/pause").status_code == 404


def test_bad_addresses_and_types_are_named(company: Company) -> None:
    admin = company.program("admin")
    for body, field in (({"url": "ftp://x"}, "url"), ({"url": URL, "types": ["message.*"]}, "types")):
        refused = admin.post(AT, json=body)
        assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert company.program("dispatcher").get(AT).status_code == 403


def test_a_disabled_webhook_stands_in_the_inbox_of_admins(company: Company) -> None:
    admin = company.program("admin")
    id = admin.post(AT, json={"url": URL}).json()["webhook"]["id"]
    since = company.world.clock.at
    with company.shared.database.write() as connection:
        connection.execute(webhooks.update().values(state="disabled", failing_since=since, last_error="answered 500"))
    browser = company.browser("admin")
    page = browser.get("/inbox").text
    assert f"No more events go to {URL}" in page
    assert "answered 500" in page
    assert f"No more events go to {URL}" not in company.browser("dispatcher").get("/inbox").text
    browser.post(f"/webhooks/{id}/resume", data={"version": "1"})
    assert f"No more events go to {URL}" not in browser.get("/inbox").text


def test_what_no_database_keeps_is_refused_as_bad_input(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise DataError("INSERT", {}, ValueError("NUL"))

    monkeypatch.setattr("api.owners.webhooks.webhook_rows", refuse)
    told = company.program("admin").get(AT)
    assert (told.status_code, told.json()["field"]) == (422, "body")


def test_an_admin_does_the_same_on_the_page(company: Company) -> None:
    admin = company.browser("admin")
    shown = admin.post("/webhooks", data={"url": URL, "types": "case.* order.closed"})
    assert "whsec_" in shown.text
    page = admin.get("/webhooks").text
    assert "whsec_" not in page
    assert "case.*, order.closed" in page
    assert "must be https" in admin.post("/webhooks", data={"url": "nothing", "types": "*"}).text
    private = admin.post("/webhooks", data={"url": "https://10.0.0.1/in", "types": "*"})
    assert "private network" in private.text
    id = company.program("admin").get(AT).json()["items"][0]["id"]
    assert "Resume" in admin.post(f"/webhooks/{id}/pause", data={"version": "1"}).text
    assert admin.post(f"/webhooks/{id}/resume", data={"version": "1"}).status_code == 412
