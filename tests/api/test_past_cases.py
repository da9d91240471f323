"""An alarm's page names past cases that looked like it, with what was found."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from anomaly.domain.picture import picture_of
from anomaly.domain.watch import Watch
from anomaly.service import tables as t
from contracts.records import Carrier, Prediction, encode
from tests.api.company import TENANT, Company
from tests.work_orders.world import PUMP

PICTURE = msgspec.json.encode(picture_of(Watch(PUMP))).decode()


def test_past_cases_like_the_alarm_stand_beside_its_explanation(company: Company) -> None:
    company.full()
    database, now = company.shared.database, company.world.clock.at
    with database.write() as connection:
        connection.execute(
            t.states.insert().values(tenant=TENANT, device="old", model="pump", memory=b"", picture=PICTURE)
        )
        for device, days in (("old", 30), ("p1", 1)):
            at = now - timedelta(days=days)
            made = Prediction(
                1, f"{device}-1", TENANT, device, "pump", "1", "bearing", "bearing_wear", 0.9, at, at, f"{device}@1",
                at, 2.0, 1.8, 90.0, None, [], [], None, at, [Carrier("vibration", 1.0, "up")], "good", True,
            )  # fmt: skip
            connection.execute(t.predictions.insert().values(
                tenant=TENANT, id=made.id, device=device, component="bearing", alarm_id=made.alarm_id, issued_at=at,
                measured_at=at, payload=encode(made),
            ))  # fmt: skip
        connection.execute(t.labels.insert().values(
            tenant=TENANT, device="old", finding_id="F-1", case_id="C-old", asset="old", component="bearing",
            mode="bearing_wear", verdict="true", from_at=now - timedelta(days=31), to_at=now - timedelta(days=29),
            as_found="outer ring pitted", replaced=True, serial="",
        ))  # fmt: skip
        connection.execute(t.alarms.insert().values(
            tenant=TENANT, id="p1@1", device="p1", component="bearing", raised_at=now, score=2.0, reason="",
            history=False, carriers="[]",
        ))  # fmt: skip
    (past,) = company.program("engineer").get("/api/v1/assets/p1/explanation").json()["past"]
    assert (past["case"], past["title"], past["verdict"], past["likeness"]) == ("C-old", "Bearing wear", "true", 1.0)
    page = company.browser("dispatcher").get("/assets/p1").text
    assert "Cases that looked like this" in page
    assert "outer ring pitted" in page
    assert "outer ring pitted" not in company.browser("customer").get("/assets/p1").text
