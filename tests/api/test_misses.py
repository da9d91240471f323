"""A breakdown is reported on the machine's page, and what was missed of it shows there by itself."""

from __future__ import annotations

import pytest

from anomaly.adapters.sql import SqlTables
from anomaly.service.rounds import Rounds
from anomaly.service.watching import Watching
from plumbing.system_clock import SystemClock
from tests.api.company import Company

AT = "/api/v1/assets/{}/breakdown"


def anomaly_hears(company: Company) -> None:
    """Let anomaly take what work_orders says."""
    shared = company.shared
    rounds = Rounds(
        SqlTables(shared.database, SystemClock()), lambda: Watching(shared.models, shared.clocks, shared.store),
        lambda: 0.0, 1.0, 10,
    )  # fmt: skip
    while rounds.round():
        pass


def test_a_breakdown_that_nothing_called_for_is_missed_and_its_page_says_so(company: Company) -> None:
    company.full()
    tom = company.browser("technician")
    said = tom.post("/assets/p1/breakdown", data={"failure_mode": "bearing_wear"}, follow_redirects=False)
    assert said.status_code == 303  # p1 has an order: it becomes corrective, nothing was missed
    dora = company.browser("dispatcher")
    form = {"failure_mode": "bearing_wear", "as_found": "seized"}
    assert dora.post("/assets/p2/breakdown", data=form, follow_redirects=False).status_code == 303
    anomaly_hears(company)
    office = company.program("engineer")
    (label,) = office.get("/api/v1/labels", params={"asset": "p2"}).json()["items"]
    assert (label["verdict"], label["mode"], label["as_found"]) == ("missed", "bearing_wear", "seized")
    (miss,) = office.get("/api/v1/misses", params={"asset": "p2"}).json()["items"]
    report = office.get(f"/api/v1/misses/{miss['finding']}").json()
    assert report["visible"] is None
    assert report["sentence"]
    page = dora.get("/assets/p2").text
    assert "Missed breakdown" in page
    assert report["sentence"] in page
    assert "Missed breakdown" not in dora.get("/assets/p1").text
    assert "Missed breakdown" not in company.browser("customer").get("/assets/p2").text
    chart = dora.get(f"/charts/assets/p2/missed:{miss['finding']}:vibration")
    assert chart.status_code == 200
    assert dora.get(f"/charts/assets/p1/missed:{miss['finding']}").status_code == 404


def test_the_same_breakdown_is_one_however_often_it_is_reported_until_somebody_was_there(company: Company) -> None:
    company.full()
    office = company.program("dispatcher")
    cases = {office.post(AT.format("p2"), json={"failure_mode": "bearing_wear"}).json()["case"] for _ in range(2)}
    assert len(cases) == 1
    company.world.later(hours=30)
    assert office.post(AT.format("p2"), json={"failure_mode": "bearing_wear"}).json()["case"] in cases
    assert office.get(f"/api/v1/cases/{cases.pop()}").json()["state"] == "triaging"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"failure_mode": "rust"}, "failure_mode"),
        ({"failure_mode": "bearing_wear", "at": "yesterday"}, "at"),
        ({"failure_mode": "bearing_wear", "at": "2026-01-01T10:00:00"}, "at"),
        ({"failure_mode": "bearing_wear", "at": "2999-01-01T10:00:00Z"}, "at"),
    ],
)
def test_a_report_that_cannot_be_is_refused_by_field(company: Company, body: dict[str, str], field: str) -> None:
    company.full()
    no = company.program("dispatcher").post(AT.format("p2"), json=body)
    assert (no.status_code, no.json()["field"]) == (422, field)


def test_a_customer_reports_of_his_own_machines_alone(company: Company) -> None:
    company.full()
    his = company.program("customer")
    assert his.post(AT.format("p2"), json={"failure_mode": "bearing_wear"}).status_code == 201
    assert his.post(AT.format("p3"), json={"failure_mode": "bearing_wear"}).status_code == 404
    assert his.get("/api/v1/misses").status_code == 403
