"""How a machine is judged: faulty sensors, quiet days and its baseline on its page, in the inbox and as JSON."""

from __future__ import annotations

from datetime import datetime, timedelta

from anomaly.adapters.sql_condition import keep_baseline, keep_quiet, keep_sensor
from anomaly.adapters.sql_groups import keep_groups, keep_place
from anomaly.adapters.sql_troubles import keep_trouble
from anomaly.service.port import BaselineLearned, QuietEntry, SensorNote, Trouble
from contracts.records import FINDINGS, Alarm, AssetPlaced, SensorChecked, decode_from_work
from plumbing import log
from plumbing.sql import to_us
from tests.api.company import Company

ROOT = "/api/v1"
TEXT = "Vibration is stuck: look whether the sensor still follows the machine"


def judged(company: Company) -> None:
    """p1 has a stuck sensor, a quiet day and a baseline."""
    company.full()
    now = to_us(company.world.clock.at)
    tenant = company.world.tenant
    with company.shared.database.write() as connection:
        note = SensorNote(tenant, "p1", "vibration", "stuck", now - 10**10, now, True, TEXT, False)
        keep_sensor(connection, note)
        keep_quiet(
            connection, QuietEntry(tenant, "p1", "2026-01-02", "On Friday nothing held long enough.", {"peak": 2})
        )
        keep_quiet(connection, QuietEntry(tenant, "p1", "2026-01-05", "On Monday it was hot.", {"peak": 1}))
        keep_baseline(connection, tenant, "p1", BaselineLearned(0, "learned", now, {}))


def test_a_faulty_sensor_waits_in_the_inbox_and_shows_on_its_machines_page(company: Company) -> None:
    judged(company)
    dora = company.browser("dispatcher")
    inbox = dora.get("/inbox").text
    assert "check a sensor" in inbox
    assert TEXT in inbox
    page = dora.get("/assets/p1").text
    assert "no work on the machine follows from it" in page
    assert TEXT not in dora.get("/assets/p2").text
    assert TEXT not in company.browser("customer").get("/assets/p1").text
    office = company.program("engineer")
    (fault,) = office.get(f"{ROOT}/sensor-faults", params={"asset": "p1", "state": "standing"}).json()["items"]
    assert (fault["asset"], fault["signal"], fault["kind"], fault["ended_at"]) == ("p1", "vibration", "stuck", None)
    assert office.get(f"{ROOT}/sensor-faults", params={"state": "ended"}).json()["items"] == []
    assert office.get(f"{ROOT}/sensor-faults", params={"state": "odd"}).status_code == 422


def test_a_machine_that_is_set_aside_is_not_shown_as_well(company: Company) -> None:
    company.full()
    at, tenant = company.world.clock.at, company.world.tenant
    with company.shared.database.write() as connection:
        keep_trouble(connection, Trouble(tenant, "p2", "pump", at, "KeyError: x", 2, -1, 0, 0, "", 1, []))
    page = company.browser("dispatcher").get("/assets/p2").text
    words = f"Its readings cannot be judged since {at:%Y-%m-%d %H:%M} UTC, the program fails; they are kept."
    assert words in page
    assert "KeyError" not in page
    (shown,) = [a for a in company.program("engineer").get(f"{ROOT}/assets").json()["items"] if a["id"] == "p2"]
    assert (shown["state"], shown["why"]) == ("not known yet", words)


def test_machines_that_share_a_cause_are_shown_with_the_first_one_first(company: Company) -> None:
    company.full()
    tenant, now = company.world.tenant, company.world.clock.at
    with company.shared.database.write() as connection:
        for device, site in (("p1", "works"), ("p2", "works"), ("p3", "works")):
            keep_place(connection, AssetPlaced(1, tenant, device, device, site))
        for hours, first, second in ((5, "p3", "p1"), (2, "p2", "p1")):
            at = now - timedelta(hours=hours)
            keep_groups(connection, [risen(tenant, first, at), risen(tenant, second, at + timedelta(seconds=9))])
    dora = company.browser("dispatcher")
    page, fleet = dora.get("/alarm-groups").text, dora.get("/fleet").text
    names = {a["id"]: a["name"] for a in company.program("engineer").get(f"{ROOT}/assets").json()["items"]}
    assert page.index(f">{names['p2']}</a> first, then 1 more") < page.index(f">{names['p3']}</a> first, then 1 more")
    assert f"{names['p2']} first, then 1 more" in fleet
    office = company.program("engineer")
    got = office.get(f"{ROOT}/alarm-groups", params={"limit": 1}).json()
    (newest,) = got["items"]
    assert (newest["cause"], newest["others"], newest["machines"]) == (["p2", names["p2"]], [["p1", names["p1"]]], 2)
    older = office.get(f"{ROOT}/alarm-groups", params={"after": got["next"]}).json()
    assert [(g["cause"][0], older["next"]) for g in older["items"]] == [("p3", None)]
    (of_p3,) = office.get(f"{ROOT}/alarm-groups", params={"asset": "p3"}).json()["items"]
    assert of_p3["id"] == older["items"][0]["id"]
    assert company.browser("customer").get("/alarm-groups").status_code == 403


def risen(tenant: str, device: str, at: datetime) -> Alarm:
    return Alarm(1, f"{device}-{at:%H%M%S}", tenant, device, "raised", at, at)


def test_who_looked_at_a_sensor_says_so_once_and_anomaly_hears_it(company: Company) -> None:
    judged(company)
    eva = company.browser("engineer")
    sent = eva.post("/assets/p1/sensors/vibration/checked", follow_redirects=False)
    assert (sent.status_code, sent.headers["location"]) == (303, "/assets/p1#sensors")
    with company.shared.database.read() as connection:
        heard = [decode_from_work(e.payload) for e in log.read(connection, FINDINGS, 0, 100)]
    (record,) = [r for r in heard if isinstance(r, SensorChecked)]
    assert (record.device, record.signal) == ("p1", "vibration")
    assert eva.post("/assets/p1/sensors/nonsense/checked").status_code == 404
    assert company.browser("technician").post("/assets/p1/sensors/vibration/checked").status_code == 403


def test_a_baseline_is_confirmed_with_one_click_by_an_engineer(company: Company) -> None:
    judged(company)
    eva = company.browser("engineer")
    page = eva.get("/assets/p1").text
    assert "Learned, not confirmed" in page
    assert page.count("Confirm that this is how the machine runs when healthy") == 2
    assert "runs like this when healthy" not in company.browser("dispatcher").get("/assets/p1").text
    assert eva.post("/assets/p1/baseline/confirm", follow_redirects=False).status_code == 303
    page = eva.get("/assets/p1").text
    assert "Confirmed" in page
    assert "Learned, not confirmed" not in page
    assert "Confirm that this is how" not in page
    office = company.program("engineer")
    (learned,) = office.get(f"{ROOT}/assets/p1/explanation").json()["baselines"]
    assert learned["state"] == "confirmed"
    assert office.post(f"{ROOT}/assets/p1/baseline/confirm").json() == {"confirmed": False}
    assert office.post(f"{ROOT}/assets/nowhere/baseline/confirm").status_code == 404


def test_the_quiet_log_is_read_page_by_page(company: Company) -> None:
    judged(company)
    office = company.program("dispatcher")
    first = office.get(f"{ROOT}/assets/p1/quiet", params={"limit": 1}).json()
    assert [d["day"] for d in first["items"]] == ["2026-01-05"]
    rest = office.get(f"{ROOT}/assets/p1/quiet", params={"after": first["next"]}).json()
    assert [d["text"] for d in rest["items"]] == ["On Friday nothing held long enough."]
    assert rest["next"] is None
    assert office.get(f"{ROOT}/assets/nowhere/quiet").status_code == 404
    assert "On Monday it was hot." in company.browser("dispatcher").get("/assets/p1").text
