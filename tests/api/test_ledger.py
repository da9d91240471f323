"""The ledger over HTTP, on pages, and for Prometheus."""

from __future__ import annotations

import msgspec

from contracts import wire
from ingest.service.intake import Intake
from ingest.service.tables import outages
from plumbing.ucum import UcumUnits
from tests.api.company import Company
from tests.api.test_quarantine import spoiled
from tests.ingest.conftest import Message

ROOT = "/api/v1"
AT = f"{ROOT}/devices/acme/p1/ledger"


def lost(company: Company) -> None:
    """The outbox says that its numbers 1 to 9 are over, two of them given up."""
    shared = company.shared
    intake = Intake(
        database=shared.database, store=shared.store, clocks=shared.clocks, system=shared.system, models=shared.models,
        units=UcumUnits(), publish=lambda _topic, _body: True,
    )  # fmt: skip
    state = wire.State(1, "9f3c01aa", 10, 9, [(5, 6, "age")])
    intake.take([Message("forewarn/v1/acme/p1/state", msgspec.json.encode(state))])
    intake.close()


def test_the_ledger_names_days_losses_and_signals(company: Company) -> None:
    company.full()
    spoiled(company, "vibration", "vib")
    lost(company)
    eva = company.program("engineer")
    told = eva.get(AT, params={"signals": True, "days": 30}).json()
    assert (told["sent"], told["stored"], told["quarantined"], told["discarded"], told["lost"]) == (9, 1, 1, 2, 5)
    assert [(x["first"], x["last"], x["reason"]) for x in told["losses"]] == [
        (7, 9, "gone"),
        (3, 4, "gone"),
        (5, 6, "age"),
    ]
    (day,) = told["days"]
    assert (day["stored"], day["quarantined"], day["discarded"], day["lost"]) == (1, 1, 2, 5)
    (signal,) = [s for s in told["signals"] if s["signal"] == "vibration"]
    assert signal["interval_s"] > 0
    assert sum(d["stored"] for d in told["signal_days"] if d["signal"] == "vibration") > 1
    assert [d["quarantined"] for d in told["signal_days"] if d["signal"] == "vib"] == [{"unknown_signal": 1}]
    assert eva.get(AT).json()["signal_days"] == []
    assert eva.get(AT, params={"days": 0}).status_code == 422
    assert eva.get(f"{ROOT}/devices/acme/nobody/ledger").status_code == 404


def test_pages_show_what_is_lost_for_good_and_why(company: Company) -> None:
    company.full()
    spoiled(company, "vibration", "vib")
    lost(company)
    for path in ("/devices/p1", "/assets/p1"):
        page = company.browser("engineer").get(path, headers={"accept": "text/html"}).text
        assert "Lost for good" in page
        assert "9f3c01aa 7–9" in page
    page = company.browser("customer").get("/assets/p1", headers={"accept": "text/html"}).text
    assert "Lost for good" not in page


def test_the_devices_page_says_who_is_off_line_and_with_whom(company: Company) -> None:
    company.full()
    with company.shared.database.write() as connection:
        connection.execute(
            outages.insert().values(
                tenant="acme", device="p1", behind='["p2"]', since=company.shared.clocks.of("acme").now()
            )
        )
    page = company.browser("engineer").get("/devices").text
    assert "Off line" in page
    assert "1 behind it" in page
    assert 'with <a href="/devices/p1">' in page
    items = {d["device"]: d["outage"] for d in company.program("engineer").get(f"{ROOT}/devices").json()["items"]}
    assert items["p2"]["device"] == "p1"


def test_prometheus_gets_each_device_with_a_key_and_sums_without_names_else(company: Company) -> None:
    company.full()
    spoiled(company, "vibration", "vib")
    mine = company.program("engineer").get("/metrics").text
    assert 'forewarn_ledger_samples{device="p1",state="quarantined",tenant="acme"} 1.0' in mine
    assert 'forewarn_ledger_refused_values{device="p1",reason="unknown_signal",tenant="acme"} 1.0' in mine
    assert 'forewarn_device_silent_seconds{device="p1",tenant="acme"}' in mine
    everybody = company.stranger().get("/metrics").text
    assert 'forewarn_ledger_samples{device="",state="stored",tenant=""} 1.0' in everybody
    assert "p1" not in everybody
    assert "acme" not in everybody
