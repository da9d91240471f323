"""Learned models over HTTP: asked for, listed, refused in words."""

from __future__ import annotations

from tests.api.company import Company

ROOT = "/api/v1"


def test_a_training_is_asked_for_once_and_shown(company: Company) -> None:
    company.full()
    eva = company.program("engineer")
    asked = eva.post(f"{ROOT}/trainings", json={"asset_model": "pump"})
    assert (asked.status_code, asked.json()["state"]) == (201, "wanted")
    assert eva.post(f"{ROOT}/trainings", json={"asset_model": "pump"}).json()["id"] == asked.json()["id"]
    assert eva.get(f"{ROOT}/trainings/{asked.json()['id']}").json()["text"] == "it waits"
    no = eva.post(f"{ROOT}/trainings", json={"asset_model": "rocket"})
    assert (no.status_code, no.json()["field"]) == (422, "asset_model")
    assert company.program("dispatcher").post(f"{ROOT}/trainings", json={"asset_model": "pump"}).status_code == 403
    page = company.browser("engineer").get("/learned").text
    assert "it waits" in page
    assert "Nothing was learned yet" in page


def test_where_nothing_is_live_nothing_is_rolled_back(company: Company) -> None:
    eva = company.program("engineer")
    no = eva.post(f"{ROOT}/learned/rollback", json={"asset_model": "pump"})
    assert no.status_code == 409
    assert "degradation path" in no.json()["detail"]
    assert eva.get(f"{ROOT}/learned").json() == {"items": [], "next": None}
    assert eva.get(f"{ROOT}/learned/pump-1/card").status_code == 404
