"""The JSON API: lists, readings, problem details, limits, the road of an order."""

from __future__ import annotations

import pytest

from api.shield import MAX_BODY_BYTES
from tests.api.company import Company


def test_lists_are_items_and_next(company: Company) -> None:
    company.full()
    client = company.program("admin")
    for path in ("devices", "assets", "predictions", "cases", "work-orders", "notices", "findings", "quarantine"):
        assert client.get(f"/api/v1/{path}").json().keys() == {"items", "next"}


@pytest.mark.parametrize("path", ["devices", "assets", "predictions", "cases", "work-orders", "notices"])
def test_a_list_walked_page_by_page_is_the_whole_list(company: Company, path: str) -> None:
    company.full()
    client = company.program("admin")
    whole = client.get(f"/api/v1/{path}").json()["items"]
    assert len(whole) > 1
    walked, after = [], ""
    while True:
        page = client.get(f"/api/v1/{path}", params={"limit": 1, "after": after}).json()
        walked += page["items"]
        if page["next"] is None:
            break
        after = page["next"]
    assert walked == whole


def test_lists_are_filtered_by_asset_and_state(company: Company) -> None:
    ids = company.full()
    client = company.program("dispatcher")
    assert [c["id"] for c in client.get("/api/v1/cases?asset=p3").json()["items"]] == [ids["case3"]]
    assert [o["id"] for o in client.get("/api/v1/work-orders?state=dispatched").json()["items"]] == [ids["order"]]


def test_readings_come_in_time_order_and_are_continued(company: Company) -> None:
    company.full()
    client = company.program("engineer")
    at = "/api/v1/devices/acme/p1/readings"
    newest = client.get(at, params={"limit": 3}).json()
    assert len(newest["items"]) == 3
    assert newest["items"][0]["t"] < newest["items"][-1]["t"]
    assert newest["items"][0]["values"].keys() == {"vibration"}
    first = client.get(at, params={"limit": 2, "from": "2026-11-01T00:00:00Z"}).json()
    following = client.get(at, params={"limit": 2, "from": first["next"]}).json()
    assert following["items"][0]["t"] == first["next"]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"from": "yesterday"}, "from"), ({"to": "2026-11-22T10:00:00"}, "to"), ({"limit": "0"}, "limit")],
)
def test_a_field_that_cannot_be_taken_is_named_with_value_and_rule(
    company: Company, query: dict[str, str], field: str
) -> None:
    company.full()
    answer = company.program("engineer").get("/api/v1/devices/acme/p1/readings", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["field"] == field
    assert str(said["value"]) == query[field]
    assert said["rule"]


def test_a_body_with_a_wrong_field_is_a_problem(company: Company) -> None:
    ids = company.full()
    client = company.program("technician")
    answer = client.post(f"/api/v1/work-orders/{ids['order']}/finding", json={"result": "maybe", "more": 1})
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json()["errors"]} == {"result", "more"}
    broken = client.post(
        f"/api/v1/work-orders/{ids['order']}/finding", content=b"{", headers={"content-type": "application/json"}
    )
    assert broken.status_code == 422


def test_a_move_of_a_case_that_cannot_be_says_what_can(company: Company) -> None:
    company.full()
    desk = company.program("dispatcher")
    case = desk.post("/api/v1/requests", json={"kind": "phone", "asset": "p2", "text": "Loud"}).json()["case"]
    unknown = desk.post(f"/api/v1/cases/{case}/nonsense")
    assert (unknown.status_code, unknown.json()["field"]) == (404, "action")
    assert "approve, reject, order, solve, not-solved, merge, unmerge" in unknown.json()["rule"]
    early = desk.post(f"/api/v1/cases/{case}/approve").json()
    assert (early["status"], early["allowed"]) == (409, ["order", "solve", "merge"])
    alone = desk.post(f"/api/v1/cases/{case}/merge", json={})
    assert (alone.status_code, alone.json()["field"]) == (422, "into")


def test_an_order_goes_its_way_by_its_roles(company: Company) -> None:
    ids = company.full()
    technician, dispatcher = company.program("technician"), company.program("dispatcher")
    at = f"/api/v1/work-orders/{ids['order']}"
    refused = technician.post(f"{at}/finish")
    assert refused.status_code == 409
    assert refused.json()["state"] == "dispatched"
    assert "start" in refused.json()["allowed"]
    assert technician.post(f"{at}/start").json()["state"] == "in_progress"
    assert technician.post(f"{at}/finish").json()["state"] == "work_done"
    found = technician.post(f"{at}/finding", json={"result": "prevented", "as_found": "worn", "replaced": True})
    assert found.json()["state"] == "review"
    assert found.json()["finding"] == "prevented"
    assert technician.post(f"{at}/close").status_code == 403
    assert dispatcher.post(f"{at}/close").json()["state"] == "closed"
    (finding,) = technician.get("/api/v1/findings").json()["items"]
    assert (finding["order"], finding["replaced"]) == (ids["order"], True)


def test_the_customer_accepts_an_offered_half_day(company: Company) -> None:
    ids = company.full()
    client = company.program("customer", "brewery")
    (notice,) = client.get("/api/v1/notices").json()["items"]
    assert notice["open"]
    at = f"/api/v1/notices/{ids['open_notice']}"
    assert client.post(f"{at}/accept", json={"slot": "9"}).json()["field"] == "slot"
    done = client.post(f"{at}/accept", json={"slot": notice["slots"][0]["key"]})
    assert done.status_code == 200, done.text
    assert done.json()["booked"]
    assert client.post(f"{at}/accept", json={"slot": "1"}).status_code == 409


@pytest.mark.parametrize(
    ("reply", "body", "kind"),
    [
        ("decline", {"reason": "we mend it ourselves"}, "notice_declined"),
        ("propose", {"day": "2026-11-27", "half": "pm"}, "notice_proposed"),
        ("call-me", None, "notice_call_me"),
    ],
)
def test_the_customer_may_also(company: Company, reply: str, body: dict[str, str] | None, kind: str) -> None:
    ids = company.full()
    client = company.program("customer", "brewery")
    answer = client.post(f"/api/v1/notices/{ids['open_notice']}/{reply}", json=body)
    assert answer.status_code == 200, answer.text
    assert kind in company.world.actions()


def test_a_device_is_registered_and_its_secret_is_shown_once(company: Company) -> None:
    client = company.program("engineer")
    made = client.post("/api/v1/devices", json={"device": "p7", "model": "pump"})
    assert made.status_code == 201
    assert made.json()["topic"] == "forewarn/v1/acme/p7/telemetry"
    assert made.json()["password"] not in client.get("/api/v1/devices").text
    again = client.post("/api/v1/devices", json={"device": "p7", "model": "pump"})
    assert again.status_code == 409
    bad = client.post("/api/v1/devices", json={"device": "p/8", "model": "pump"})
    assert (bad.status_code, bad.json()["value"]) == (422, "p/8")
    ledger = client.get("/api/v1/devices/acme/p7/ledger").json()
    assert (ledger["sent"], ledger["waiting"]) == (0, 0)


def test_a_body_above_the_limit_is_refused(company: Company) -> None:
    client = company.program("engineer")
    answer = client.post("/api/v1/devices", content=b"x" * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    answer = client.post("/api/v1/devices", content=iter([b"x" * 600_000, b"x" * 600_000]))
    assert answer.status_code == 413


def test_every_answer_has_the_security_headers(company: Company) -> None:
    for path in ("/sign-in", "/api/v1/me", "/healthz", "/nowhere"):
        headers = company.stranger().get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_an_unknown_address_is_a_problem_for_programs_and_a_page_for_people(company: Company) -> None:
    client = company.stranger()
    assert client.get("/nowhere").headers["content-type"] == "application/problem+json"
    page = client.get("/nowhere", headers={"accept": "text/html"})
    assert page.status_code == 404
    assert "Back to the beginning" in page.text


def test_a_page_without_a_session_leads_to_sign_in(company: Company) -> None:
    answer = company.stranger().get("/fleet", headers={"accept": "text/html"}, follow_redirects=False)
    assert answer.headers["location"] == "/sign-in?next=/fleet"


def test_a_fault_shows_no_trace_to_the_client(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(company.web.owners, "models", broken)
    client = company.browser("dispatcher")
    with pytest.raises(RuntimeError):
        client.get("/incidents")


def test_a_body_that_is_no_json_is_named_as_the_body(company: Company) -> None:
    client = company.program("dispatcher")
    answer = client.post(
        "/api/v1/work-orders/WO-1/start", content=b'{"reason": "x"', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["field"] == "body"


LISTS = ("devices", "assets", "predictions", "cases", "work-orders", "notices", "findings", "quarantine")


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("field", ["state", "after"])
def test_a_filter_or_cursor_that_can_match_nothing_is_named(company: Company, name: str, field: str) -> None:
    answer = company.program("dispatcher").get(f"/api/v1/{name}", params={field: "no such thing"})
    assert answer.status_code == 422
    assert (answer.json()["field"], answer.json()["value"]) == (field, "no such thing")


@pytest.mark.parametrize("after", ["9999999999999999999_x", "-9999999999999999999_x"])
def test_a_cursor_outside_of_all_time_is_named(company: Company, after: str) -> None:
    answer = company.program("dispatcher").get("/api/v1/cases", params={"after": after})
    assert (answer.status_code, answer.json()["field"]) == (422, "after")


def test_a_list_goes_on_where_it_stopped_and_is_filtered_by_state(company: Company) -> None:
    company.full()
    client = company.program("dispatcher")
    for name in ("devices", "assets", "predictions", "cases", "work-orders", "notices"):
        everything = client.get(f"/api/v1/{name}").json()["items"]
        page = client.get(f"/api/v1/{name}", params={"limit": 1}).json()
        rest = client.get(f"/api/v1/{name}", params={"after": page["next"]}).json()["items"]
        assert [*page["items"], *rest] == everything
        state = everything[0]["state"]
        some = client.get(f"/api/v1/{name}", params={"state": state}).json()["items"]
        assert some == [i for i in everything if i["state"] == state]
    rule = client.get("/api/v1/work-orders", params={"state": "opened"}).json()["rule"]
    assert "draft, awaiting_approval, approved, planned" in rule


def test_the_description_names_the_answers_to_errors(company: Company) -> None:
    said = company.stranger().get("/openapi.json").json()
    move = said["paths"]["/api/v1/work-orders/{order}/{action}"]["post"]["responses"]
    assert {"200", "401", "403", "404", "409", "422"} <= move.keys()
    problem = {"$ref": "#/components/schemas/Problem"}
    assert all(r["content"]["application/problem+json"]["schema"] == problem for s, r in move.items() if s >= "400")
    assert "401" not in said["paths"]["/api/v1/claims"]["post"]["responses"]
    assert "409" not in said["paths"]["/api/v1/cases"]["get"]["responses"]
    shape = said["components"]["schemas"]["Problem"]["properties"]
    client = company.program("dispatcher")
    for answer in (
        company.stranger().get("/api/v1/cases"), client.get("/api/v1/cases?state=x"),
        client.post("/api/v1/work-orders/WO-none/start"), client.post("/api/v1/devices", json={}),
    ):  # fmt: skip
        assert answer.status_code >= 400
        assert answer.json().keys() <= shape.keys()
        assert said["components"]["schemas"]["Problem"]["required"] == ["type", "title", "status", "detail"]
        assert {"type", "title", "status", "detail"} <= answer.json().keys()


def test_what_machines_ask_is_open(company: Company) -> None:
    client = company.stranger()
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["status"] == "ready"
    assert b"forewarn_http_answers_total" in client.get("/metrics").content
    paths = client.get("/openapi.json").json()["paths"]
    assert "/api/v1/work-orders/{order}/{action}" in paths
    assert not [p for p in paths if not p.startswith(("/api/", "/healthz", "/readyz", "/metrics", "/events"))]


def test_readyz_names_what_is_not_ready(company: Company) -> None:
    company.web.unwell = lambda: {"ingest": "the broker is away"}
    answer = company.stranger().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["wrong"] == {"ingest": "the broker is away"}


def test_a_step_of_the_checklist_is_ticked_off_while_the_work_goes_on(company: Company) -> None:
    ids = company.full()
    client = company.program("technician")
    at = f"/api/v1/work-orders/{ids['order']}"
    assert client.post(f"{at}/tasks/1/do").status_code == 422
    client.post(f"{at}/start")
    assert client.post(f"{at}/tasks/1/do", json={"result": "quiet"}).json()["tasks"][0]["state"] == "done"
    assert client.post(f"{at}/tasks/99/do").status_code == 404
