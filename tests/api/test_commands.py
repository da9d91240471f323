"""Commands over HTTP and on pages: sent, approved by a second person, refused in words; checks shown on the case."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.commands import Result
from contracts.commands import encode as encode_result
from contracts.records import (
    COMMAND_RESULTS,
    CommandEnded,
    CommandWanted,
    HoldReleased,
    HoldSet,
    decode_for_devices,
    encode,
)
from ingest.service import command_ledger
from ingest.service import commands as ledger
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
    shown = {"device": "p1", "choices": [], "guarded": False, "holds": [], "version": 0}
    assert eva.get(at).json() | {"choices": []} == shown
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


AT = f"{ROOT}/devices/acme/p1/commands"


def hear_holds(company: Company) -> None:
    """What ingest does with the holds that it hears of."""
    for entry in company.world.heard("device_commands"):
        of = decode_for_devices(entry.payload)
        with company.shared.database.write() as connection:
            if isinstance(of, HoldSet):
                ledger.set_hold(connection, of)
            elif isinstance(of, HoldReleased):
                ledger.release_hold(connection, of)


def test_a_technician_sends_read_commands_to_the_machines_of_his_jobs_alone(company: Company) -> None:
    ids = company.full()
    tom, uwe = company.program("technician"), company.program("technician", "uwe")
    company.program("engineer").post(f"{ROOT}/devices/acme/p2/commands", json={"name": "look"})
    sent = tom.post(AT, json={"name": "look", "why": "in front of it"})
    assert (sent.status_code, sent.json()["issued_by"], sent.json()["can"]) == (201, "technician:tom", [])
    assert tom.get(f"{ROOT}/commands/{sent.json()['id']}").json()["state"] == "queued"
    listed = tom.get(f"{ROOT}/commands").json()["items"]
    assert {c["device"] for c in listed} == {"p1"}
    may = {c["name"]: c["may"] for c in tom.get(AT).json()["choices"]}
    assert may == {"look": True, "move": False}
    no = tom.post(AT, json={"name": "move"})
    assert (no.status_code, no.json()["field"]) == (409, "role")
    assert tom.post(f"{ROOT}/commands/{sent.json()['id']}/cancel").status_code == 403
    assert tom.post(f"{ROOT}/devices/acme/p1/guarded", json={"on": True}).status_code == 403
    assert tom.post(f"{ROOT}/devices/acme/p2/commands", json={"name": "look"}).status_code == 404
    assert uwe.post(AT, json={"name": "look"}).status_code == 404
    assert uwe.get(f"{ROOT}/commands/{ids['command']}").status_code == 404
    assert uwe.get(f"{ROOT}/commands").json()["items"] == []


@pytest.mark.parametrize(
    ("role", "sees", "misses"),
    [
        ("engineer", ("Ask the machine", "Look", "Act on the machine", "switched off for this machine", "/cancel"), ()),
        ("admin", ("Ask the machine", "Act on the machine", 'action="/assets/p1/guarded"'), ()),
        ("dispatcher", ("Ask the machine", "Look"), ("Act on the machine", "/cancel", "/guarded")),
        ("technician", ("Ask the machine", "Look", "Asked of this machine"), ("Act on the machine", "/cancel")),
        ("customer", (), ("Ask the machine", "Asked of this machine")),
    ],
)
def test_the_machines_page_offers_what_the_role_may_ask(
    company: Company, role: str, sees: tuple[str, ...], misses: tuple[str, ...]
) -> None:
    company.full()
    page = company.browser(role).get("/assets/p1").text
    for words in sees:
        assert words in page
    for words in misses:
        assert words not in page


def test_a_form_sends_a_command_and_a_bad_one_is_shown_again_with_its_rule(company: Company) -> None:
    company.full()
    eva = company.browser("engineer")
    form = {"device": "p1", "name": "look", "arg.seconds": "3", "why": "a noise"}
    sent = eva.post("/assets/p1/commands", data=form, follow_redirects=False)
    assert (sent.status_code, sent.headers["location"]) == (303, "/assets/p1#remote")
    part = eva.get("/assets/p1/remote").text
    assert "a noise" in part
    assert "data-poll" in part
    for given, rule in (("9", "must lie between 1 and 5"), ("soon", "must be a number")):
        again = eva.post("/assets/p1/commands", data=form | {"arg.seconds": given})
        assert again.status_code == 422
        assert rule in again.text
        assert f'value="{given}"' in again.text
        assert 'data-refresh="/assets/p1?' in again.text
    for strange in ({"device": "p2"}, {"name": "format"}, {"device": "nowhere"}):
        assert eva.post("/assets/p1/commands", data=form | strange).status_code == 404


def test_on_the_page_a_guarded_command_shows_what_stands_against_it_and_goes_through_a_second_person(
    company: Company,
) -> None:
    ids = company.full()
    eva, anna = company.browser("engineer"), company.browser("admin")
    move = {"device": "p1", "name": "move", "why": "a test"}
    off = eva.post("/assets/p1/commands", data=move)
    assert off.status_code == 409
    assert "guarded commands are switched off" in off.text
    assert eva.post("/assets/p1/guarded", data={"device": "p1", "switch": "on"}).status_code == 200
    hold = anna.post(f"{ROOT}/assets/p1/holds", json={"kind": "lockout", "note": "Q3"}).json()["id"]
    hear_holds(company)
    assert "Not now: the machine is locked out; a work permit is open" in eva.get("/assets/p1").text
    for one in (hold, ids["hold"]):
        anna.post(f"{ROOT}/holds/{one}/release")
    hear_holds(company)
    asked = eva.post("/assets/p1/commands", data=move)
    assert (asked.status_code, "Waiting approval" in asked.text) == (200, True)
    id = next(c["id"] for c in eva.get(f"{ROOT}/commands").json()["items"] if c["name"] == "move")
    own = f"/commands/{id}/approve"
    assert own not in eva.get("/assets/p1").text
    assert own in anna.get("/assets/p1").text
    moved = anna.post(own, data={"next": "/assets/p1#remote"}, follow_redirects=False)
    assert moved.headers["location"] == "/assets/p1#remote"
    back = anna.post(f"/commands/{id}/cancel", data={"next": "//evil"}, follow_redirects=False)
    assert back.headers["location"] == "/commands"
    assert "Engineer, approved by Admin" in eva.get("/assets/p1/remote").text


def test_the_machines_page_shows_how_it_ended_and_what_it_showed(company: Company) -> None:
    ids = company.full()
    now, data = company.world.clock.at, {"values": {"vibration": 2.5}, "lines": ["one <b>", "two"], "ok": True}
    said = Result(1, ids["command"], "done", data=data)
    with company.shared.database.write() as connection:
        assert command_ledger.hear(connection, "acme", "p1", encode_result(said), now, now)
    part = company.browser("technician").get("/assets/p1/remote").text
    assert "Values · vibration</dt><dd>2.5" in part
    assert "one &lt;b&gt;\ntwo" in part
    assert "<dd>yes" in part
    assert "data-poll" not in part
