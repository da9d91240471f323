"""The web starts light, listens where it is told, and stops while somebody listens."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace

import httpx
import pytest

from api.settings import Settings
from api.wiring import WebServer
from plumbing.settings import BadSettings
from tests.api.company import Company
from tests.work_orders.world import DISPATCHER, TENANT
from work_orders.service import labels
from work_orders.service import work_tables as w

HEAVY = ("pandas", "scipy", "sklearn", "statsmodels", "duckdb", "influxdb_client", "amqtt", "ucumvert")


def test_no_analysis_library_is_loaded_to_serve_pages() -> None:
    say = f"import api.app, api.owners, api.wiring, sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_stops_although_a_stream_is_open(company: Company) -> None:
    company.web.settings = replace(company.web.settings, port=0)
    server = WebServer(company.web)
    server.start()
    assert server.healthy() == ""
    assert httpx.get(f"{server.url}/healthz", trust_env=False).status_code == 200
    headers = dict(company.program("engineer").headers)
    heard = threading.Event()

    def listen() -> None:
        with (
            httpx.Client(trust_env=False, timeout=20) as client,
            client.stream("GET", f"{server.url}/events", headers=headers) as stream,
        ):
            for _ in stream.iter_lines():
                heard.set()

    listener = threading.Thread(target=listen)
    listener.start()
    assert heard.wait(10)
    server.stop()
    listener.join(10)
    assert not listener.is_alive()
    assert server.healthy() == "stopped"


@pytest.mark.parametrize(("proxies", "counted"), [("127.0.0.0/8, ::1", "203.0.113.9"), ("10.0.0.0/8", "127.0.0.1")])
def test_who_asks_is_what_a_proxy_of_ours_says_and_nobody_else(company: Company, proxies: str, counted: str) -> None:
    read = Settings.of({"FOREWARN_HTTP_PROXIES": proxies}).proxies
    company.web.settings = replace(company.web.settings, port=0, proxies=read)
    server = WebServer(company.web)
    server.start()
    token = labels.label_of(company.shared, TENANT, "p1", DISPATCHER)
    headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}  # the first is what he said himself
    made = httpx.post(f"{server.url}/report/{token}", data={"symptom": "noise"}, headers=headers, trust_env=False)
    assert made.status_code == 303
    assert f"address:{counted}" in {r.who for r in company.world.rows(w.report_tries)}
    server.stop()


def test_a_proxy_that_is_no_network_is_a_fault() -> None:
    with pytest.raises(BadSettings, match="FOREWARN_HTTP_PROXIES"):
        Settings.of({"FOREWARN_HTTP_PROXIES": "proxy.example"})
