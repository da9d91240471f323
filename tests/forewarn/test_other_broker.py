"""The product in one process beside a real Mosquitto that it writes the accounts for."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from forewarn.embedded import Embedded
from forewarn.environment import expand
from forewarn.product import Options
from forewarn.web import Web
from ingest.service.ledger import ledger
from plumbing.system_clock import SystemClock
from tests.conftest import MosquittoFactory

pytestmark = pytest.mark.mosquitto
PATIENCE_S = 60


def within(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def test_this_computer_reports_through_mosquitto_with_the_accounts_that_were_written(
    tmp_path: Path, mosquitto_factory: MosquittoFactory
) -> None:
    home = tmp_path / "home"
    folder = home / "broker"
    folder.mkdir(parents=True)
    passwd, acl = folder / "passwd", folder / "acl"
    for file in (passwd, acl):
        file.touch(0o600)
    broker = mosquitto_factory(passwd, acl)
    url = f"mqtt://ingest:quiet-water@127.0.0.1:{broker.port}"
    options = Options("127.0.0.1", 0, 0, True, None, lambda _: None)
    product = Embedded(home, expand({"FOREWARN_MQTT_URL": url}, str(home)), options, SystemClock())
    product.start()
    try:
        assert "local/this-computer:$7$101$" in passwd.read_text()
        assert "quiet-water" not in passwd.read_text() + acl.read_text()
        broker.reload()  # the command of the compose file does so when the files change
        assert product.mqtt == f"mqtt://127.0.0.1:{broker.port}"
        web = Web(product.http, product.key("local", "engineer"))
        assert within(lambda: ledger(product.shared.database, "local", "this-computer").sums()["stored"] >= 3)
        items = web.get("/api/v1/devices/local/this-computer/readings")["items"]
        assert "memory_used" in items[-1]["values"]

        added = web.post("/api/v1/devices", {"device": "pump-7", "model": "centrifugal-pump"})
        assert within(lambda: "local/pump-7:" in passwd.read_text())
        assert added["mqtt"] == product.mqtt
        web.close()
    finally:
        product.stop()
