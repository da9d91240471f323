"""The unit of the agent on a small Linux box."""

import configparser
import shutil
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "forewarn-agent.service"
PROGRAM = "/opt/forewarn/bin/forewarn-agent"


def fields() -> dict[str, list[str]]:
    """Every field with all its values."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in UNIT.read_text().splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found[name].append(value)
    return found


def test_it_starts_the_command_that_the_project_installs_with_the_file_that_the_page_names() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["forewarn-agent"] == "edge_agent.__main__:main"
    assert fields()["ExecStart"] == [f"{PROGRAM} run --config /etc/forewarn/agent.toml"]
    page = (ROOT / "docs" / "drivers.md").read_text()
    for named in (PROGRAM.rpartition("/")[0], "/etc/forewarn/agent.toml", "/etc/forewarn/mqtt_url", UNIT.name):
        assert named in page


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Restart", "always"), ("StartLimitIntervalSec", "0"), ("DynamicUser", "yes"), ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"), ("ProtectHome", "yes"), ("PrivateTmp", "yes"), ("CapabilityBoundingSet", ""),
        ("StateDirectory", "forewarn-agent"), ("UMask", "0077"), ("MemoryDenyWriteExecute", "yes"),
    ],
)  # fmt: skip
def test_it_comes_back_for_ever_and_may_do_nothing_that_it_does_not_need(name: str, value: str) -> None:
    assert fields()[name] == [value]


def test_its_outbox_lies_where_it_may_write_and_its_secret_is_a_credential() -> None:
    found = fields()
    assert f"FOREWARN_HOME=/var/lib/{found['StateDirectory'][0]}" in found["Environment"]
    name, _, path = found["LoadCredential"][0].partition(":")
    assert path == "/etc/forewarn/mqtt_url"
    assert f"FOREWARN_MQTT_URL_FILE=%d/{name}" in found["Environment"]


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:  # then it is at least a unit file by its shape
        parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
        parser.read(UNIT)
        assert parser.sections() == ["Unit", "Service", "Install"]
        return
    program = tmp_path / "forewarn-agent"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(PROGRAM, str(program)))
    ran = subprocess.run([tool, "verify", str(copy)], capture_output=True, text=True, check=False)
    said = [line for line in (ran.stdout + ran.stderr).splitlines() if UNIT.name in line]
    assert (ran.returncode, said) == (0, [])
