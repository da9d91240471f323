"""A change that is sent twice with the same key is made once; a change that somebody else has overtaken is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from api import idempotency
from api.problems import Problem
from api.tables import answers
from tests.api.company import Company
from tests.work_orders.world import TENANT
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
    assert desk.post(at, headers={"If-Match": '"999"'}).status_code == 409
    assert desk.post(at, headers={"If-Match": "soon"}).status_code == 422
    assert desk.post(at, headers={"If-Match": f'"{version}"'}).status_code == 200


def test_a_claim_is_taken_over_when_its_process_died(company: Company) -> None:
    database, wall = company.shared.database, company.web.wall()
    claim = idempotency.Claim(TENANT, "key:1", "k", "print")
    assert idempotency.take(database, wall, claim) is None
    with pytest.raises(Problem, match="still being worked on"):
        idempotency.take(database, wall, claim)
    assert idempotency.take(database, wall + timedelta(minutes=2), claim) is None
    assert idempotency.take(database, wall + timedelta(days=2), claim) is None  # forgotten after a day


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
