"""The web starts light, listens where it is told, and stops while somebody listens."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace

import httpx

from api.wiring import WebServer
from tests.api.company import Company

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
