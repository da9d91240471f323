"""Figures with their formulas, and one view of a customer, as pages and as JSON."""

from __future__ import annotations

from tests.api.company import Company

ROOT = "/api/v1"


def test_figures_stand_with_their_formulas_and_by_groups_of_customers(company: Company) -> None:
    company.full()
    office = company.program("dispatcher")
    found = {f["name"]: f for f in office.get(f"{ROOT}/figures").json()["items"]}
    assert found["backlog"]["value"] >= 1
    assert all(f["formula"] and f["clock"] for f in found.values())
    shares = office.get(f"{ROOT}/figures/backlog", params={"by": "customer"}).json()["items"]
    assert sum(s["events"] for s in shares) == found["backlog"]["events"]
    assert sum(s["assets"] for s in shares) == 3
    page = company.browser("dispatcher").get("/figures", params={"figure": "backlog", "by": "region", "span": "all"})
    assert "Work orders that are open" in page.text
    assert "no country" in page.text


def test_what_there_is_no_figure_or_group_of_is_said(company: Company) -> None:
    office = company.program("dispatcher")
    assert office.get(f"{ROOT}/figures/luck").status_code == 404
    wrong = office.get(f"{ROOT}/figures/backlog", params={"by": "shoe size"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "by")
    assert office.get(f"{ROOT}/figures", params={"span": "century"}).json()["field"] == "span"


def test_a_customer_is_seen_whole_with_a_timeline_that_goes_on(company: Company) -> None:
    company.full()
    office = company.program("dispatcher")
    seen = office.get(f"{ROOT}/customers/waterworks").json()
    assert {a["id"] for a in seen["customer"]["assets"]} == {"p1", "p2"}
    assert set(seen["health"]) == {"p1", "p2"}
    first = office.get(f"{ROOT}/customers/waterworks/timeline", params={"limit": 2}).json()
    second = office.get(f"{ROOT}/customers/waterworks/timeline", params={"limit": 2, "after": first["next"]}).json()
    numbers = [item["event"]["seq"] for item in (*first["items"], *second["items"])]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 4
    page = company.browser("dispatcher").get("/customers/waterworks").text
    assert "Pump 1" in page
    assert "Pump 3" not in page
    assert office.get(f"{ROOT}/customers/nobody").status_code == 404
    assert company.browser("dispatcher").get("/customers/nobody").status_code == 404
    listed = office.get(f"{ROOT}/customers").json()["items"]
    assert [c["id"] for c in listed] == ["brewery", "waterworks"]


def test_customers_and_technicians_do_not_see_other_customers(company: Company) -> None:
    for role in ("customer", "technician"):
        assert company.program(role).get(f"{ROOT}/customers/brewery").status_code == 403
        assert company.program(role).get(f"{ROOT}/figures").status_code == 403
