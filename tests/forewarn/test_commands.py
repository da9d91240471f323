"""Commands through the whole product: from the API over the broker to an agent and back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forewarn.embedded import Embedded
from forewarn.product import Options
from forewarn.web import Web, WebError
from plumbing.system_clock import SystemClock


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Embedded]:
    options = Options(http_port=0, mqtt_port=0, say=lambda _words: None)
    made = Embedded(tmp_path, {}, options, SystemClock())
    made.start()
    yield made
    made.stop()


def send(eva: Web, name: str, **args: Any) -> dict[str, Any]:
    """A command to this computer, and how it ended."""
    at = "/api/v1/devices/local/this-computer/commands"
    made: dict[str, Any] = eva.post(at, {"name": name, "args": args, "lifetime_s": 60})
    assert within(40, lambda: bool(eva.get(f"/api/v1/commands/{made['id']}")["ended_at"]))
    found: dict[str, Any] = eva.get(f"/api/v1/commands/{made['id']}")
    return found


def test_this_computer_answers_commands_and_refuses_guarded_ones(product: Embedded) -> None:
    eva = Web(product.http, product.key("local", "engineer"))
    anna = Web(product.http, product.key("local", "admin"))
    tested = send(eva, "self_test")
    assert (tested["state"], tested["result"]["faults"]) == ("done", 0)
    assert within(20, lambda: bool(send(eva, "snapshot")["result"]["values"]))
    burst = send(eva, "burst", signals=["memory_used"], seconds=1, rate=10)
    assert burst["result"]["signals"]["memory_used"]["n"] >= 5
    paced = send(eva, "set_sampling", source="host", seconds=2)
    assert (paced["risk"], paced["state"]) == ("safe", "done")
    assert "lines" in send(eva, "log_excerpt")["result"]

    with pytest.raises(WebError, match="switched off"):
        eva.post("/api/v1/devices/local/this-computer/commands", {"name": "restart"})
    eva.post("/api/v1/devices/local/this-computer/guarded", {"on": True})
    asked = eva.post("/api/v1/devices/local/this-computer/commands", {"name": "restart"})
    anna.post(f"/api/v1/commands/{asked['id']}/approve")
    assert within(40, lambda: bool(eva.get(f"/api/v1/commands/{asked['id']}")["ended_at"]))
    found = eva.get(f"/api/v1/commands/{asked['id']}")
    assert (found["state"], found["reason"]) == ("refused", "guarded_off")  # the agent has the last word
