"""Commands through the whole product: from the API over the broker to an agent and back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent import settings, wiring
from forewarn import home as homes
from forewarn.__main__ import main
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


def send(eva: Web, name: str, device: str = "this-computer", **args: Any) -> dict[str, Any]:
    """A command to a computer, and how it ended."""
    at = f"/api/v1/devices/local/{device}/commands"
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


def test_an_agent_that_is_set_up_by_what_it_was_handed_takes_commands_at_once(
    product: Embedded, tmp_path: Path
) -> None:
    eva = Web(product.http, product.key("local", "engineer"))
    made = eva.post("/api/v1/devices", {"device": "second", "model": "host-computer"})
    host = made["mqtt"].removeprefix("mqtt://")
    url = f"mqtt://{made['username'].replace('/', '%2F')}:{made['password']}@{host}"
    table = {"host": {}, "commands": {"key": made["command_key"]}}
    agent = wiring.build(settings.read(table, {"FOREWARN_MQTT_URL": url, "FOREWARN_HOME": str(tmp_path / "second")}))
    agent.start()
    try:
        assert send(eva, "self_test", device="second")["state"] == "done"
    finally:
        agent.stop()


def test_another_person_approves_with_a_key_of_his_own(
    product: Embedded, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ["--data-dir", str(tmp_path)]
    homes.write(tmp_path, homes.Running(os.getpid(), product.http, product.mqtt, {}, product.key("local", "admin")))
    assert main(["command", "guarded", "this-computer", "on", *home]) == 0
    capsys.readouterr()
    assert main(["command", "send", "this-computer", "restart", "--json", *home]) == 0
    asked = json.loads(capsys.readouterr().out)["id"]
    assert main(["command", "approve", asked, *home]) == 1
    assert "--key-file" in capsys.readouterr().err
    file = tmp_path / "anna.key"
    for bad in ("", "two words"):
        file.write_text(bad)
        assert main(["command", "approve", asked, "--key-file", str(file), *home]) == 2
    assert main(["command", "approve", asked, "--key-file", str(tmp_path / "nowhere"), *home]) == 2
    file.write_text(product.key("local", "admin") + "\n")
    capsys.readouterr()
    assert main(["command", "approve", asked, "--key-file", str(file), "--json", *home]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["approved_by"] not in ("", said["issued_by"])
    monkeypatch.setenv("FOREWARN_API_KEY_FILE", str(file))
    assert main(["command", "show", asked, "--json", *home]) == 0
    assert main(["command", "send", "this-computer", "snapshot", "--json", *home]) == 0
    capsys.readouterr()
    monkeypatch.delenv("FOREWARN_API_KEY_FILE")
    monkeypatch.setenv("FOREWARN_API_KEY", "fw_wrong")
    assert main(["command", "show", asked, *home]) == 1
