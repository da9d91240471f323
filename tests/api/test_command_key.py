"""Whoever connects a machine is handed the platform's key for commands, in a form that its agent takes as it is."""

from __future__ import annotations

import html
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from edge_agent import settings as agent
from ingest.service.claims import make_code
from plumbing import command_key
from tests.api.company import found_company

ROOT = "/api/v1"


def taken(text: str, environ: Mapping[str, str]) -> bytes | None:
    """The key that an agent with this agent.toml goes by."""
    folder = Path(environ["FOREWARN_HOME"])
    (folder / "readings.csv").write_text("t,vibration\n")
    return agent.read(tomllib.loads(text), environ, folder).commands.key


def test_connect_a_machine_and_a_claim_hand_out_the_key(tmp_path: Path) -> None:
    key = command_key.load({}, tmp_path).public
    company = found_company(tmp_path, command_key=lambda: key)
    eva = company.browser("engineer")
    page = html.unescape(eva.post("/connect", data={"device": "new-1", "model": "pump"}).text)
    recipe = re.search(r"# agent\.toml:.*?</pre>", page, re.DOTALL)
    assert recipe is not None
    url = re.search(r"FOREWARN_MQTT_URL='([^']+)'", recipe[0])
    assert url is not None
    raw = command_key.find_public({}, tmp_path)
    environ = {"FOREWARN_MQTT_URL": url[1], "FOREWARN_HOME": str(tmp_path)}
    found = taken(recipe[0].removesuffix("</pre>"), environ)
    assert found is not None
    assert found == taken(f'[host]\n[commands]\nkey = "{raw}"\n', environ)

    made = company.program("engineer").post(f"{ROOT}/devices", json={"device": "new-2", "model": "pump"}).json()
    assert made["command_key"] == key
    code = make_code(company.shared.database, "acme", "new-2", now=company.world.clock.at, wall=company.web.wall()).code
    claimed = company.stranger().post(f"{ROOT}/claims", json={"code": code})
    assert (claimed.status_code, claimed.json()["command_key"]) == (201, key)


def test_where_the_key_is_not_known_nothing_is_handed_out_and_none_is_made(tmp_path: Path) -> None:
    company = found_company(tmp_path, command_key=lambda: command_key.find_public({}, tmp_path))
    page = company.browser("engineer").post("/connect", data={"device": "new-1", "model": "pump"}).text
    assert "[csv]" in page
    assert "[commands]" not in page
    assert not (tmp_path / command_key.FILE).exists()
    assert command_key.find_public({command_key.PUBLIC_SETTING: "ed25519:x"}, tmp_path) == "ed25519:x"
