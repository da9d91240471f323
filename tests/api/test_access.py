"""Who may call what: every route, every role, other tenants and other customers, forms from elsewhere."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from api import access
from tests.api.company import ROLES, Company

STREAM = "GET /events"
IDS = {
    "{asset}": "asset", "{case}": "case", "{order}": "order", "{notice}": "notice", "{device}": "device",
    "{command}": "command", "{hold}": "hold",
}  # fmt: skip
BODIES: dict[str, dict[str, object]] = {
    "POST /api/v1/devices": {"device": "x", "model": "nothing"},
    "POST /api/v1/clock": {"action": "pause"},
    "POST /api/v1/devices/{tenant}/{device}/commands": {"name": "nothing"},
    "POST /api/v1/devices/{tenant}/{device}/guarded": {"on": False},
    "POST /api/v1/learned/rollback": {"asset_model": "pump"},
    "POST /api/v1/trainings": {"asset_model": "rocket"},
    "POST /api/v1/assets/{asset}/breakdown": {"failure_mode": "rust"},
    "POST /api/v1/assets/{asset}/holds": {"kind": "permit"},
    "POST /api/v1/assets/{asset}/plans": {"title": "Grease", "tasks": ["Grease it"], "every_days": 30},
    "POST /api/v1/assets/{asset}/readings": {"meter": "running_hours", "value": 1},
    "POST /api/v1/work-orders/{order}/finding": {"result": "unknown"},
}


def address(path: str, ids: dict[str, str], tenant: str, possible: bool) -> str:
    """A route's path with identifiers in it."""
    for name, what in IDS.items():
        path = path.replace(name, ids[what])
    for name, value in (
        ("{tenant}", tenant), ("{signal}", "vibration"), ("{link}", "none"), ("{role}", "engineer"),
        ("{account}", "nobody"), ("{action}", "approve" if possible else "nothing"),
        ("{reply}", "call-me" if possible else "nothing"), ("{n}", "1"),
        ("{request_id}", "none"), ("{incident}", "none"), ("{attachment}", "none"), ("{token}", "none"),
        ("{mail}", "none"), ("{name}", "forecast"), ("{language}", "en"),
        ("{permit}", "none"), ("{webhook}", "none"), ("{figure}", "backlog"), ("{table}", "sites"),
        ("{site}", "none"), ("{calendar}", "early"), ("{plan}", "none"), ("{customer}", "waterworks"),
        ("{entry}", "1"), ("{finding}", "none"), ("{learned}", "none"), ("{training}", "none"),
        ("{trial}", "none"), ("{file}", "page"), ("{feedback}", "none"),
    ):  # fmt: skip
        value = "do" if name == "{action}" and possible and "/tasks/" in path else value
        path = path.replace(name, value)
    assert "{" not in path
    return path


def call(client: TestClient, name: str, ids: dict[str, str], tenant: str, possible: bool = False) -> int:
    """The status of a call to a route, with a deed that is possible, or with none that there is."""
    method, path = name.split(" ")
    at = address(path, ids, tenant, possible)
    if method == "POST" and path.startswith("/api/"):
        return int(client.post(at, json=BODIES.get(name, {}), follow_redirects=False).status_code)
    forms = {
        "rollback": {"asset_model": "pump"},
        "train": {"asset_model": "rocket"},
        "finding": {"result": "unknown"},
        "breakdown": {"failure_mode": "rust"},
        "holds": {"kind": "permit"},
        "plans": {"title": "Grease", "tasks": "Grease it", "every_days": "30"},
        "readings": {"meter": "running_hours", "value": "1"},
        "position": {"latitude": "52.5", "longitude": "13.4"},
    }
    form = forms.get(path.rpartition("/")[2])
    return int(client.request(method, at, data=form, follow_redirects=False).status_code)


def test_every_route_asks_the_table_for_every_role(company: Company) -> None:
    ids = company.full()
    wrong: list[str] = []
    for role in ROLES:
        client = company.program(role)
        for name, roles in access.TABLE.items():
            if name == STREAM:
                continue  # it never ends; see test_live.py
            status = call(client, name, ids, company.world.tenant)
            refused = status == 403 and "/demo" not in name and name != "POST /api/v1/clock"
            refused = refused and name not in ("GET /sign-in/link/{link}", "POST /account/password")
            may = roles is None or role in roles
            if status == 401 or status >= 500 or refused is may:
                wrong.append(f"{role} {name}: {status}")
    assert not wrong


def test_nobody_without_a_session_gets_past_the_open_routes(company: Company) -> None:
    ids = company.full()
    client = company.stranger()
    for name, roles in access.TABLE.items():
        status = call(client, name, ids, company.world.tenant)
        assert (status == 401) is (roles is not None), (name, status)


@pytest.mark.parametrize("role", ROLES)
def test_what_belongs_to_another_tenant_is_not_there(company: Company, role: str) -> None:
    ids = company.full()
    foreign = company.program(role, tenant="elsewhere")
    for name, roles in access.TABLE.items():
        named = [part for part in (*IDS, "{tenant}") if part in name]
        if not named or roles is None or role not in roles:
            continue
        status = call(foreign, name, ids, company.world.tenant, possible=True)
        assert status == 404, (name, status)


@pytest.mark.parametrize(("role", "subject"), [("customer", "brewery"), ("technician", "uwe")])
def test_what_belongs_to_another_customer_or_technician_is_not_there(company: Company, role: str, subject: str) -> None:
    ids = company.full()
    other = company.program(role, subject)
    for name, roles in access.TABLE.items():
        named = [part for part in IDS if part in name]
        if named and roles is not None and role in roles:
            status = call(other, name, ids, company.world.tenant, possible=True)
            assert status == 404, (name, status)
    for path in ("/assets", "/notices", "/work-orders", "/findings"):
        answer = other.get(f"/api/v1{path}")
        if answer.status_code == 200:
            assert ids["order"] not in answer.text
            assert '"id":"p1"' not in answer.text


def test_an_unlisted_route_keeps_the_app_from_starting() -> None:
    with pytest.raises(access.RoutesDiffer, match="GET /surprise"):
        access.check([("GET", "/surprise")])
    assert access.allowed("GET", "/surprise") == frozenset()


def test_a_form_without_the_sessions_token_is_refused(company: Company) -> None:
    ids = company.full()
    client = company.browser("customer", "brewery")
    path = f"/notices/{ids['open_notice']}/call-me"
    token = client.headers.pop("x-csrf-token")
    assert client.post(path).status_code == 403
    assert client.post(path, data={"csrf": "guess"}).status_code == 403
    assert client.post(path, data={"csrf": token}, headers={"origin": "https://evil.example"}).status_code == 403
    assert client.post(path, data={"csrf": token}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.post(path, data={"csrf": token}, follow_redirects=False).status_code == 303


def test_another_sessions_token_does_not_fit(company: Company) -> None:
    one, other = company.browser("admin"), company.browser("admin")
    one.headers["x-csrf-token"] = other.headers["x-csrf-token"]
    assert one.post("/sign-out").status_code == 403


def test_the_demo_lets_anybody_switch_and_writes_it_down(demo: Company) -> None:
    client = demo.browser("customer", "brewery")
    token = client.headers["x-csrf-token"]
    answer = client.post("/demo/as/engineer", data={"csrf": token}, follow_redirects=False)
    assert answer.headers["location"] == "/fleet"
    assert client.get("/api/v1/me").json()["role"] == "engineer"
    assert "demo_role_switched" in demo.world.actions()


def test_no_other_tenant_can_switch_roles(company: Company) -> None:
    client = company.browser("customer")
    assert client.post("/demo/as/admin").status_code == 403
    assert client.get("/api/v1/me").json()["role"] == "customer"
    assert client.post("/api/v1/clock", json={"action": "pause"}).status_code == 403


def test_the_demos_clock_can_be_paused_and_goes_on(demo: Company) -> None:
    client = demo.program("customer", "brewery")
    assert client.post("/api/v1/clock", json={"action": "pause"}).status_code == 200
    demo.world.clock.at = demo.world.clock.at.replace(minute=demo.world.clock.at.minute + 1)
    demo.shared.clocks.refresh()
    assert client.get("/api/v1/clock").json()["factor"] == 0
    client.post("/api/v1/clock", json={"action": "factor", "factor": 60})
    demo.world.clock.at = demo.world.clock.at.replace(minute=demo.world.clock.at.minute + 1)
    assert client.get("/api/v1/clock").json()["factor"] == 60
    assert demo.world.actions().count("clock_changed") == 2


def test_two_tenants_in_one_database_share_nothing(company: Company) -> None:
    company.full()
    foreign = company.program("admin", tenant="elsewhere")
    for path in ("devices", "assets", "predictions", "cases", "work-orders", "notices", "findings", "quarantine"):
        assert foreign.get(f"/api/v1/{path}").json() == {"items": [], "next": None}
