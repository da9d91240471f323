"""Sharing when a technician arrives, on his page and the customer's."""

from __future__ import annotations

from tests.api.company import Company
from tests.work_orders.world import TECHNICIAN
from work_orders import service
from work_orders.service import tables as t
from work_orders.service.order_steps import visit_action


def test_the_technician_shares_and_the_customer_reads_minutes(company: Company) -> None:
    order = company.world.booked()
    technician, customer = company.browser("technician"), company.browser("customer")
    page = technician.get(f"/orders/{order}")
    assert "When you arrive" not in page.text
    assert "geolocation=()" in page.headers["permissions-policy"]
    for action in ("accept", "set_out"):
        visit_action(company.shared, company.world.tenant, order, action, TECHNICIAN)
    page = technician.get(f"/orders/{order}")
    assert "is not on record" in page.text
    assert "geolocation=()" in page.headers["permissions-policy"]
    with company.world.database.write() as connection:
        connection.execute(t.sites.update().values(latitude=52.52, longitude=13.4))
    page = technician.get(f"/orders/{order}")
    assert "Share when I arrive" in page.text
    assert "geolocation=(self)" in page.headers["permissions-policy"]
    at = f"/orders/{order}/position"
    assert company.browser("dispatcher").post(at, data={"latitude": "52.4", "longitude": "13.1"}).status_code == 403
    wrong = technician.post(at, data={"latitude": "52.3912345", "longitude": "nan"})
    assert wrong.status_code == 422
    assert "52.39" not in wrong.text
    told = technician.post(at, data={"latitude": "52.39", "longitude": "13.06"}).json()["words"]
    case = company.world.only(t.cases).id
    assert f"is on the way, {told}" in customer.get(f"/my-cases/{case}").text
    assert "Share when I arrive" not in company.browser("dispatcher").get(f"/orders/{order}").text
    technician.post(f"/orders/{order}/arrival", data={"minutes": "25"})
    assert "in about 20 to 35 minutes" in customer.get(f"/my-cases/{case}").text
    technician.post(f"/orders/{order}/arrival", data={"minutes": ""})
    assert "minutes" not in customer.get(f"/my-cases/{case}").text
    version = company.world.only(t.orders).version
    program = company.program("technician")
    said = program.post(
        f"/api/v1/work-orders/{order}/arrival", json={"minutes": 25}, headers={"If-Match": f'"{version}"'}
    )
    assert said.json() == {"words": "in about 20 to 35 minutes"}
    seen = {"If-Match": f'"{version - 1}"'}
    assert program.post(f"/api/v1/work-orders/{order}/arrival", json={}, headers=seen).status_code == 412
    assert "in about 20 to 35 minutes" in customer.get(f"/my-cases/{case}").text
    service.order_action(company.shared, company.world.tenant, order, "start", TECHNICIAN)
    assert technician.post(at, data={"latitude": "52.39", "longitude": "13.06"}).status_code == 409
