"""Commands over HTTP and on pages: sent, approved by a second person, refused in words; checks shown on the case."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.records import COMMAND_RESULTS, CommandEnded, CommandWanted, decode_for_devices, encode
from plumbing import log
from tests.api.company import Company, found_company
from tests.work_orders.test_diagnosing import checked
from work_orders.adapters import consumer
from work_orders.service import tables as t

ROOT = "/api/v1"


def test_a_command_is_sent_listed_and_cancelled(company: Company) -> None:
    company.full()
    eva = company.program("engineer")
    sent = eva.post(f"{ROOT}/devices/acme/p1/commands", json={"name": "look", "args": {"seconds": 3}, "why": "a noise"})
    assert sent.status_code == 201
    made = sent.json()
    assert (made["state"], made["risk"], made["args"], made["can"]) == ("queued", "read", {"seconds": 3.0}, ["cancel"])
    listed = eva.get(f"{ROOT}/commands", params={"asset": "p1"}).json()["items"]
    assert made["id"] in {c["id"] for c in listed}
    assert eva.post(f"{ROOT}/commands/{made['id']}/cancel").json()["state"] == "cancelled"
    again = eva.post(f"{ROOT}/commands/{made['id']}/cancel")
    assert (again.status_code, again.json()["state"]) == (409, "cancelled")


def test_a_bad_command_is_refused_by_field_and_rule(company: Company) -> None:
    company.full()
    eva, dora = company.program("engineer"), company.program("dispatcher")
    at = f"{ROOT}/devices/acme/p1/commands"
    assert eva.post(at, json={"name": "format"}).json()["field"] == "name"
    assert eva.post(at, json={"name": "look", "args": {"seconds": 9}}).json()["field"] == "args.seconds"
    assert eva.post(at, json={"name": "look", "lifetime_s": 1e9}).json()["field"] == "lifetime_s"
    assert eva.post(f"{ROOT}/devices/acme/p7/commands", json={"name": "look"}).status_code == 404
    no = dora.post(at, json={"name": "move"})
    assert (no.status_code, no.json()["field"]) == (409, "role")


def test_a_guarded_command_needs_the_switch_a_second_person_and_no_hold(company: Company) -> None:
    ids = company.full()
    eva, anna = company.program("engineer"), company.program("admin")
    at = f"{ROOT}/devices/acme/p1/commands"
    assert eva.get(at).json() | {"choices": []} == {"device": "p1", "choices": [], "guarded": False, "holds": []}
    assert eva.post(at, json={"name": "move"}).json()["reason"] == "guarded_off"
    assert eva.post(f"{ROOT}/devices/acme/p1/guarded", json={"on": True}).json()["guarded"]
    sent = eva.post(at, json={"name": "move"}).json()
    assert (sent["state"], sent["can"]) == ("waiting_approval", ["cancel"])
    own = eva.post(f"{ROOT}/commands/{sent['id']}/approve")
    assert (own.status_code, own.json()["field"]) == (409, "person")
    page = company.browser("admin")
    assert f"/commands/{sent['id']}/approve" in page.get("/commands").text
    assert f"/commands/{sent['id']}/approve" not in company.browser("dispatcher").get("/commands").text
    approved = anna.post(f"{ROOT}/commands/{sent['id']}/approve").json()
    assert approved["state"] == "queued"
    assert approved["approved_by"] != approved["issued_by"]
    hold = anna.post(f"{ROOT}/assets/p1/holds", json={"kind": "lockout", "note": "Q3"}).json()["id"]
    assert anna.post(f"{ROOT}/holds/{hold}/release").json()["released"]
    assert anna.post(f"{ROOT}/holds/{ids['hold']}/release").json()["released"]


def test_the_case_shows_what_the_checks_showed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.work_orders.world.models", checked)
    company = found_company(tmp_path)
    world = company.world
    world.take(1)
    found = next(d for d in world.rows(t.diagnoses) if d.case_id)
    wanted = next(
        w for e in world.heard("device_commands")
        if isinstance(w := decode_for_devices(e.payload), CommandWanted) and w.case_id == found.case_id
    )  # fmt: skip
    ended = CommandEnded(
        1, wanted.id, "acme", wanted.device, wanted.name, "done", "", "", {"line": 9.0}, world.clock.at
    )
    with world.database.write() as connection:
        log.append(connection, "acme", COMMAND_RESULTS, wanted.device, encode(ended), world.clock.at)
    consumer.take_results(world.shared, 50)
    consumer.examine(world.shared)
    page = company.browser("dispatcher").get(f"/cases/{found.case_id}").text
    assert "Remote checks" in page
    assert "a clear line" in page
    assert "× 10" in page
    assert "engineering estimate" in page
    items = company.program("engineer").get(f"{ROOT}/diagnoses", params={"asset": found.device}).json()["items"]
    assert items[0]["checks"][0]["value"] == 9.0
    assert items[0]["after"]["Bearing wear"] > items[0]["before"]["Bearing wear"]
