"""Every change by a program may say which request it is, and which version of a thing it is meant for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from api import access
from api.owners import versions
from tests.api.company import Company, found_company
from tests.api.test_access import address

CHANGES = [name for name in access.TABLE if not name.startswith(("GET ", "HEAD ")) and " /api/" in name]
API = "/api/v1"
NEW, NOTHING, MANY = "puts something new on record", "changes nothing", "acts on what a selection or a file names"
WITHOUT_VERSION = {
    "POST /api/v1/claims": "exchanges a one-time code, before anybody is known: the code is its key",
    "POST /api/v1/devices": NEW,
    "POST /api/v1/devices/{tenant}/{device}/claim-code": NEW,
    "POST /api/v1/devices/{tenant}/{device}/commands": NEW,
    "POST /api/v1/devices/{tenant}/{device}/history": MANY,
    "POST /api/v1/replays": NEW,
    "POST /api/v1/requests": NEW,
    "POST /api/v1/assets/{asset}/breakdown": NEW,
    "POST /api/v1/assets/{asset}/holds": NEW,
    "POST /api/v1/assets/{asset}/plans": NEW,
    "POST /api/v1/assets/{asset}/plans/suggested": NEW,
    "POST /api/v1/assets/{asset}/readings": NEW,
    "POST /api/v1/assets/{asset}/sensors/{signal}/checked": NEW,
    "POST /api/v1/conversations/{case}/messages": NEW,
    "POST /api/v1/conversations/{case}/notes": NEW,
    "POST /api/v1/trainings": NEW,
    "POST /api/v1/webhooks": NEW,
    "POST /api/v1/base": MANY,
    "POST /api/v1/quarantine/replay": MANY,
    "POST /api/v1/quarantine/expire": MANY,
    "POST /api/v1/sla/preview": NOTHING,
    "POST /api/v1/templates/{name}/{language}/preview": NOTHING,
}
"""Changes that take no `If-Match`, and why."""


def fields(client: TestClient, name: str, ids: dict[str, str], **headers: str) -> set[str]:
    """Which fields are refused when a route is called with these headers."""
    method, path = name.split(" ")
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    answer = client.request(method, address(path, ids, "acme", possible=True), json={}, headers=named)
    said: dict[str, Any] = answer.json()
    return {str(said.get("field"))} | {str(e.get("field")) for e in said.get("errors", ())}


def test_every_change_may_carry_a_key_and_a_version(company: Company) -> None:
    ids = company.full()
    clients = {role: company.program(role) for role in ("admin", "dispatcher", "customer", "technician")}
    keyless, unmatched = set(), set()
    for name in CHANGES:
        roles = access.TABLE[name]
        client = next(c for role, c in clients.items() if roles is None or role in roles)
        if "Idempotency-Key" not in fields(client, name, ids, Idempotency_Key="k" * 161):
            keyless.add(name)
        if "If-Match" not in fields(client, name, ids, If_Match="soon"):
            unmatched.add(name)
    assert not keyless
    assert unmatched == set(WITHOUT_VERSION)


RULE = {"kind": "signal", "name": "vib", "to": "vibration"}
THINGS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    # what: (where it is shown, which of a list by which field, who changes it, with what)
    "case": ("cases/{case3}", "", "cases/{case3}/clock/answered", {}),
    "visit": ("work-orders/{order}", "", "work-orders/{order}/visit/accept", {}),
    "order": ("work-orders/{order}", "", "work-orders/{order}/start", {}),
    "notice": ("notices/{open_notice}", "", "notices/{open_notice}/call-me", {}),
    "incident": ("incidents", "kind=recall", "incidents/{incident}/dissolve", {}),
    "recall": ("incidents/{incident}", "name=batch 7", "recalls", {"name": "batch 7", "model": "pump"}),
    "request": ("requests", "channel=api", "requests/{request}/place", {"asset": "p2"}),
    "calendar": ("calendars", "name=early", "calendars/early", {"week": {"mon": ["06:00-14:00"]}}),
    "site": ("sites", "id=waterworks-site", "sites/waterworks-site/hours", {"country": "DE"}),
    "tier": ("customers", "id=waterworks", "customers/waterworks/tier", {"tier": "gold"}),
    "autonomy": ("autonomy", "customer_id=", "autonomy", {"model": "pump", "action": "stop"}),
    "switch": ("devices/acme/p1/commands", "", "devices/acme/p1/guarded", {"on": True}),
    "command": ("commands/{command}", "", "commands/{command}/cancel", {}),
    "device": ("devices", "device=p1", "devices/acme/p1/suspend", {}),
    "hold": ("assets/p1/holds", "id={hold}", "holds/{hold}/release", {}),
    "rules": ("mappings", "owner=p1", "mappings", {"owner": "p1", "rules": [RULE]}),
    "ways": ("contacts/waterworks", "ways", "contacts/waterworks/ways", {"channel": "sms", "address": "+4930"}),
    "consents": ("contacts/waterworks", "consents", "contacts/waterworks/consents",
                 {"purpose": "survey", "channel": "sms", "given": True}),
}  # fmt: skip


def shown(client: TestClient, at: str, which: str) -> int:
    """The version that a thing is shown with; its ETag where the answer is the thing."""
    answer = client.get(f"{API}/{at}")
    assert answer.status_code == 200, answer.text
    said = answer.json()
    if not which:
        assert answer.headers["ETag"] == f'"{said["version"]}"'
        return int(said["version"])
    if "versions" in said:
        return int(said["versions"][which])
    field, _, value = which.partition("=")
    items = [{**item, **item.get("standing", {})} for item in said.get("items", said.get("recalls"))]
    return next((int(item["version"]) for item in items if item[field] == value), 0)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Company, dict[str, str]]]:
    """A company where much goes on, and what it is called."""
    company = found_company(tmp_path_factory.mktemp("busy"))
    ids, dora = company.full(), company.program("dispatcher")
    ids["incident"] = dora.post(f"{API}/recalls", json={"name": "batch 7", "model": "pump"}).json()["incident"]
    ids["request"] = dora.post(f"{API}/requests", json={"kind": "phone", "text": "It is loud."}).json()["request"]
    yield company, ids
    company.world.database.close()


@pytest.mark.parametrize("what", THINGS)
def test_a_thing_is_changed_only_in_the_version_that_was_seen(busy: tuple[Company, dict[str, str]], what: str) -> None:
    company, ids = busy
    anna, dora = company.program("admin"), company.program("dispatcher")
    show, which, path, body = THINGS[what]
    show, which, at = show.format(**ids), which.format(**ids), f"{API}/{path.format(**ids)}"
    client = company.browser("engineer") if what == "autonomy" else dora if what == "case" else anna
    version = shown(client, show, which)
    stale = client.post(at, json=body, headers={"If-Match": '"123456789"'})
    assert (stale.status_code, stale.json().get("version")) == (412, version), stale.text
    assert shown(client, show, which) == version
    done = client.post(at, json=body, headers={"If-Match": f'"{version}"'})
    assert done.status_code < 300, done.text
    assert shown(client, show, which) != version, "the change made another version of it"
    assert client.post(at, json=body, headers={"If-Match": f'"{version}"'}).status_code == 412


def test_what_is_not_there_has_version_0(company: Company) -> None:
    things = [thing for thing in vars(versions).values() if isinstance(thing, versions.Thing)]
    with company.shared.database.read() as connection:
        assert {thing.one(connection, "acme", *["none"] * len(thing.keys)) for thing in things if thing.keys} == {0}
