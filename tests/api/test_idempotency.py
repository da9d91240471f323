"""A change that is sent twice with the same key is made once; a change that somebody else has overtaken is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from api import idempotency
from api.problems import Problem
from api.tables import answers
from plumbing import audit
from tests.api.company import Company
from tests.work_orders.world import DISPATCHER, TENANT
from work_orders import service
from work_orders.service import tables as t

KEY = {"Idempotency-Key": "k-1"}


def proposal(company: Company) -> str:
    """A case whose order waits for a yes."""
    service.set_autonomy(company.shared, TENANT, "propose", model="pump")
    company.world.take(3)
    return str(company.world.only(t.orders).id)


def test_the_same_key_gets_the_same_answer_and_one_change(company: Company) -> None:
    at, desk = f"/api/v1/work-orders/{proposal(company)}/approve", company.program("dispatcher")
    first, again = desk.post(at, headers=KEY), desk.post(at, headers=KEY)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert desk.post(at).status_code == 409
    assert company.program("dispatcher").post(at, headers=KEY).status_code == 409  # another caller's key is another
    assert company.world.actions().count("order_approved") == 1
    other = desk.post(at, headers=KEY, json={"reason": "x"})
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")


def test_what_was_refused_may_be_sent_again(company: Company) -> None:
    order, desk = proposal(company), company.program("dispatcher")
    assert desk.post(f"/api/v1/work-orders/{order}/start", headers=KEY).status_code == 409
    assert desk.post(f"/api/v1/work-orders/{order}/approve", headers=KEY).status_code == 200


def test_if_match_refuses_what_somebody_else_has_changed(company: Company) -> None:
    at, desk = f"/api/v1/work-orders/{proposal(company)}/approve", company.program("dispatcher")
    version = company.world.only(t.orders).version
    assert desk.post(at, headers={"If-Match": '"999"'}).status_code == 412
    assert desk.post(at, headers={"If-Match": "soon"}).status_code == 422
    assert desk.post(at, headers={"If-Match": f'"{version}"'}).status_code == 200


def test_a_claim_is_taken_over_when_its_process_died(company: Company) -> None:
    database, wall = company.shared.database, company.web.wall()
    claim = idempotency.Claim(TENANT, "key:1", "k", "print", wall)
    assert idempotency.take(database, claim) is None
    with pytest.raises(Problem, match="still being worked on"):
        idempotency.take(database, claim)
    assert idempotency.take(database, replace(claim, at=wall + timedelta(minutes=2))) is None
    assert idempotency.take(database, replace(claim, at=wall + timedelta(days=2))) is None  # forgotten after a day


CREATIONS: dict[str, tuple[str, dict[str, object]]] = {
    "note": ("conversations/{case}/notes", {"text": "Mind the dog."}),
    "breakdown": ("assets/p2/breakdown", {"failure_mode": "bearing_wear"}),
    "device": ("devices", {"device": "new", "model": "pump"}),
    "command": ("devices/acme/p1/commands", {"name": "look"}),
    "hold": ("assets/p1/holds", {"kind": "permit"}),
    "recall": ("recalls", {"name": "batch 7", "model": "pump"}),
    "move": ("cases/{case3}/clock/answered", {}),
}


class Dead(Exception):
    """The process dies here."""


def test_who_dies_between_the_change_and_its_answer_has_changed_it_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, admin = company.full(), company.program("admin")

    def die(*_: object) -> None:
        raise Dead

    for key, (path, body) in CREATIONS.items():
        at, headers, before = f"/api/v1/{path.format(**full)}", {"Idempotency-Key": key}, len(company.world.actions())
        with monkeypatch.context() as patch:
            patch.setattr(idempotency, "settle", die)
            with pytest.raises(Dead):
                admin.post(at, json=body, headers=headers)
        entries = company.world.actions()
        assert len(entries) > before, "the change itself is there"
        assert "still being worked on" in admin.post(at, json=body, headers=headers).json()["detail"]
        company.world.clock.at += timedelta(minutes=2)
        again = admin.post(at, json=body, headers=headers)
        assert (again.status_code, again.json()["made"][0]["action"]) == (409, entries[before])
        assert company.world.actions() == entries, f"and nothing was done twice: {key}"


def test_who_was_overtaken_changes_nothing_any_more(company: Company) -> None:
    """A process so slow that its request was begun anew by another one."""
    database, order = company.shared.database, proposal(company)
    slow = idempotency.Claim(TENANT, "key:1", "k", "print", company.web.wall())
    fast = replace(slow, at=slow.at + timedelta(minutes=2))
    assert idempotency.take(database, slow) is None
    assert idempotency.take(database, fast) is None
    heard = audit.heard_by.set(slow.made)
    try:
        with pytest.raises(Problem, match="begun anew"):
            service.approve_proposal(company.shared, TENANT, order, DISPATCHER)
    finally:
        audit.heard_by.reset(heard)
    assert company.world.only(t.orders).state == "awaiting_approval"
    idempotency.settle(database, slow, None)  # nor does it forget whose claim it is now
    with database.read() as connection:
        assert [r.at for r in connection.execute(sa.select(answers))] == [fast.at]


@pytest.mark.parametrize("headers", [{"content-length": "2000000"}, {"transfer-encoding": "chunked"},
                                     {"content-type": "multipart/form-data"}, {"content-length": "x"}])  # fmt: skip
def test_what_is_too_large_to_keep_is_refused_unread(headers: dict[str, str]) -> None:
    with pytest.raises(Problem):
        idempotency.check_size(headers)


def test_a_secret_is_told_once_and_not_kept_with_its_key(company: Company) -> None:
    office, hook = company.program("admin"), {"url": "https://hooks.example.org/in"}
    made = office.post("/api/v1/webhooks", json=hook).json()["webhook"]["id"]
    at = f"/api/v1/webhooks/{made}/rotate"
    first = office.post(at, headers=KEY)
    assert (first.status_code, bool(first.json()["secret"])) == (200, True)
    again = office.post(at, headers=KEY)
    assert (again.status_code, "was made" in again.text) == (409, True)
    with company.shared.database.read() as connection:
        assert [r.body for r in connection.execute(sa.select(answers))] == [None]
    assert office.post(f"{at}?x=1", headers=KEY).status_code == 422
