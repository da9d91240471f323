"""The service report over HTTP: who gets it, as a page and as a PDF that the key verifies."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.owners.reports import WAITING, Reports
from api.problems import Problem
from api.roles import Principal, Role
from plumbing import audit_key
from plumbing.report_check import check
from tests.api.company import Company
from tests.work_orders.world import TECHNICIAN
from work_orders import service
from work_orders.adapters import report_pdf, service_report


def test_those_whose_job_it_is_get_a_report_that_verifies(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    key = audit_key.load({}, company.shared.home).public
    order = company.full()["order"]
    company.world.clock.at += timedelta(days=3)
    at = f"/api/v1/work-orders/{order}/report"
    calls: list[str] = []
    real = report_pdf.printed

    def counted(html: str, *more: Any) -> bytes:
        calls.append(html)
        return real(html, *more)

    monkeypatch.setattr("work_orders.adapters.service_report.printed", counted)
    for role, subject in (("customer", "waterworks"), ("technician", "tom"), ("dispatcher", "")):
        got = company.program(role, subject).get(at)
        assert (got.status_code, got.headers["content-type"]) == (200, "application/pdf"), role
        assert check(got.content, key).fault == ""
    assert len(calls) == 1
    for role, subject in (("customer", "brewery"), ("technician", "uwe")):
        assert company.program(role, subject).get(at).status_code == 404
    assert company.program("dispatcher", "", "other").get(at).status_code == 404


def test_few_wait_for_a_pdf_and_all_others_are_answered_at_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit_key.load({}, company.shared.home)
    order = company.full()["order"]
    reports = Reports(company.shared, "")
    who = Principal(company.world.tenant, Role.DISPATCHER, "", "ann", "Ann", None)
    inside, done = threading.Semaphore(0), threading.Event()

    def slow(_: service_report.Draft) -> str:
        inside.release()
        done.wait(20)
        return "x"

    monkeypatch.setattr(service_report.Draft, "fingerprint", slow)
    monkeypatch.setattr(service_report, "report", lambda *_: b"%PDF-")
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(reports.pdf(who, order))) for _ in range(WAITING)]
    for thread in threads:
        thread.start()
    assert all(inside.acquire(timeout=20) for _ in threads)
    with pytest.raises(Problem, match="Other reports") as refused:
        reports.pdf(who, order)
    assert refused.value.status == 503
    done.set()
    for thread in threads:
        thread.join()
    assert made == [b"%PDF-"] * WAITING
    assert reports.pdf(who, order) == b"%PDF-"


def test_without_pango_the_page_is_there_and_the_pdf_says_what_to_install(
    company: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    audit_key.load({}, company.shared.home)
    order = company.full()["order"]
    (tmp_path / "weasyprint.py").write_text("raise OSError('cannot load library libpango')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    browser = company.browser("customer")
    page = browser.get(f"/orders/{order}/report")
    assert page.status_code == 200
    assert "Service report" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    refused = browser.get(f"/orders/{order}/report.pdf")
    assert refused.status_code == 409
    assert "apt-get install libpango" in refused.json()["detail"]


def test_a_customer_finds_the_report_where_the_job_is_told(company: Company) -> None:
    order = company.full()["order"]
    company.world.clock.at += timedelta(hours=1)
    service.order_action(company.shared, company.world.tenant, order, "start", TECHNICIAN)
    customer = company.browser("customer")
    assert f"/orders/{order}/report" not in customer.get("/assets/p1").text
    service.order_action(company.shared, company.world.tenant, order, "finish", TECHNICIAN)
    assert f'href="/orders/{order}/report"' in customer.get("/assets/p1").text
    assert 'href="report.pdf"' in customer.get(f"/orders/{order}/report").text
    assert f"/orders/{order}/report.pdf" in company.browser("technician").get(f"/orders/{order}").text
