"""The quarantine over HTTP and on pages: looked at, mended, replayed, expired; who may."""

from __future__ import annotations

import msgspec

from ingest.service.intake import Intake
from ingest.service.ledger import ledger
from plumbing.ucum import UcumUnits
from tests.api.company import Company
from tests.ingest.conftest import Message

ROOT = "/api/v1"


def spoiled(company: Company, *names: str) -> None:
    """One message a name, each with one sample."""
    shared = company.shared
    now = shared.clocks.of("acme").now().isoformat()
    intake = Intake(
        database=shared.database, store=shared.store, clocks=shared.clocks, system=shared.system, models=shared.models,
        units=UcumUnits(), publish=lambda _topic, _body: True,
    )  # fmt: skip
    bodies = [
        {"v": 1, "boot_id": "9f3c01aa", "seq": n, "samples": [{"t": now, "values": {name: 1.5}}]}
        for n, name in enumerate(names, 1)
    ]
    intake.take([Message("forewarn/v1/acme/p1/telemetry", msgspec.json.encode(b)) for b in bodies])
    intake.close()


def test_a_message_is_mended_and_replayed_over_http(company: Company) -> None:
    company.full()
    spoiled(company, "vib", "vib", "oil")
    eva = company.program("engineer")
    items = eva.get(f"{ROOT}/quarantine", params={"asset": "p1"}).json()["items"]
    assert [(i["reason"], i["state"]) for i in items] == [("unknown_signal", "kept")] * 3
    one = eva.get(f"{ROOT}/quarantine/{items[0]['id']}").json()
    assert (one["refusals"], one["refused"], one["seq"]) == ([["samples[0].values.oil", "unknown_signal"]], 1, 3)
    bad = eva.post(
        f"{ROOT}/mappings", json={"owner": "p1", "rules": [{"kind": "unit", "name": "vibration", "to": "x"}]}
    )
    assert (bad.status_code, bad.json()["field"]) == (422, "unit")
    rule = {"kind": "signal", "name": "vib", "to": "vibration"}
    kept = eva.post(f"{ROOT}/mappings", json={"owner": "p1", "rules": [rule]}).json()["items"]
    assert [(r["owner"], r["kind"], r["name"], r["to"], r["from_now_on"]) for r in kept] == [
        ("p1", "signal", "vib", "vibration", False)
    ]
    done = eva.post(f"{ROOT}/quarantine/replay", json={"device": "p1"}).json()
    assert (done["samples"], done["replayed"], done["kept"], done["next"]) == (2, 2, 1, None)
    assert done["items"][2]["words"] == "still refused: unknown_signal at samples[0].values.oil"
    assert eva.post(f"{ROOT}/quarantine/replay", json={"device": "p1"}).json()["samples"] == 0
    sums = ledger(company.shared.database, "acme", "p1").sums()
    assert (sums["sent"], sums["stored"], sums["quarantined"]) == (3, 2, 1)
    assert eva.post(f"{ROOT}/quarantine/expire", json={"ids": [items[0]["id"]]}).json() == {"expired": 1}
    assert eva.get(f"{ROOT}/quarantine/{items[0]['id']}").json()["state"] == "expired"
    gone = {"owner": "p1", "kind": "signal", "name": "vib"}
    assert eva.post(f"{ROOT}/mappings/drop", json=gone).json()["items"] == []
    assert eva.post(f"{ROOT}/mappings/drop", json=gone).status_code == 404


def test_only_the_workshop_mends_and_only_its_own_tenant(company: Company) -> None:
    company.full()
    spoiled(company, "vib")
    dora = company.program("dispatcher")
    id = dora.get(f"{ROOT}/quarantine").json()["items"][0]["id"]
    assert dora.get(f"{ROOT}/quarantine/{id}").status_code == 200
    for path, body in (
        ("quarantine/replay", {}),
        ("quarantine/expire", {}),
        ("mappings", {"owner": "p1", "rules": []}),
    ):
        assert dora.post(f"{ROOT}/{path}", json=body).status_code == 403
    assert company.program("customer").get(f"{ROOT}/quarantine/{id}").status_code == 403
    eva = company.program("engineer")
    for unknown in ("0", "x", "9" * 30):
        assert eva.get(f"{ROOT}/quarantine/{unknown}").status_code == 404
    assert eva.post(f"{ROOT}/quarantine/replay", json={"ids": ["x"]}).json()["field"] == "ids"


def test_the_page_shows_a_message_keeps_a_rule_and_replays_all_of_the_device(company: Company) -> None:
    company.full()
    spoiled(company, "vib", "vib")
    eva = company.browser("engineer")
    listed = eva.get("/quarantine", headers={"accept": "text/html"}).text
    assert 'href="/quarantine/1"' in listed
    page = eva.get("/quarantine/1", headers={"accept": "text/html"}).text
    assert "Mend and replay" in page
    assert "samples[0].values.vib" in page
    fields = {"csrf": eva.headers["x-csrf-token"], "kind": "signal", "name": "vib", "to": "vibration", "all": "yes"}
    done = eva.post("/quarantine/1/replay", data=fields, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, "/quarantine/1")
    page = eva.get("/quarantine/2", headers={"accept": "text/html"}).text
    assert "Mend and replay" not in page
    assert "1 samples" in page
    assert ledger(company.shared.database, "acme", "p1").sums()["stored"] == 2
