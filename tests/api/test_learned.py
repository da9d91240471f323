"""Learned models over HTTP: asked for, listed, refused in words."""

from __future__ import annotations

from datetime import timedelta

from anomaly.domain.learned_states import Kind, LearnedAction
from anomaly.service import tables as t
from anomaly.service.hazard_tables import hazard_said
from anomaly.training.registry import enter, move
from tests.api.company import TENANT, Company

ROOT = "/api/v1"
DAY = timedelta(days=1)


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


def test_each_kind_shows_what_became_of_it_and_is_rolled_back_by_itself(company: Company) -> None:
    database, now = company.web.shared.database, company.world.clock.at
    life = {"rmse_hours": 10.0, "rmse_of_a_constant_hours": 20.0}
    errors = {f"brier_{h}{x}": 0.1 for h in ("24h", "7d", "30d") for x in ("", "_of_a_constant")}
    for n, (kind, metrics) in enumerate(((Kind.LIFE, life), (Kind.EVENTS, errors))):
        facts = {"asset_model": "pump", "sha256": "s", "card_sha256": "c", "data_sha256": "d", "lives": 9,
                 "failures": 9, "kind": kind, "metrics": metrics}  # fmt: skip
        enter(database, TENANT, f"pump-{n + 1}", facts, "1", now - 20 * DAY, "eva")
        for action in (LearnedAction.TRY, LearnedAction.PROMOTE):
            move(database, TENANT, f"pump-{n + 1}", action, now - (15 - n) * DAY, "eva", "good")
    said = {"tenant": TENANT, "learned": "pump-2", "component": "bearing", "p_24h": 0.5, "p_7d": 0.8, "p_30d": 0.9}
    with database.write() as connection:
        connection.execute(hazard_said.insert(), [{**said, "device": d, "at": now - 10 * DAY} for d in ("p1", "p2")])
        connection.execute(t.labels.insert().values(
            tenant=TENANT, device="p1", finding_id="F-1", case_id="C-1", asset="p1", component="bearing", mode="wear",
            verdict="true", from_at=now - 9 * DAY, to_at=now - 7 * DAY, as_found="", replaced=True, serial="",
        ))  # fmt: skip
    page = company.browser("engineer").get("/learned").text
    for words in (
        "hazard of components",
        "remaining life by readings",
        "50 % of 2",
        "100 % of failures warned of, 72 h before",
    ):
        assert words in page
    eva = company.program("engineer")
    shown = eva.get(f"{ROOT}/learned/pump-2").json()
    assert shown["model"]["kind"] == "events"
    assert (shown["since"]["precision"], shown["since"]["recall"], shown["since"]["lead_hours_p50"]) == (0.5, 1.0, 72.0)
    gone = eva.post(f"{ROOT}/learned/rollback", json={"asset_model": "pump", "kind": "life"})
    assert gone.json() == {"retired": "pump-1", "live": None}
    assert eva.post(f"{ROOT}/learned/rollback", json={"asset_model": "pump"}).json()["retired"] == "pump-2"
