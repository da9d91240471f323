"""The shell scripts that find and install real servers, as far as they go without installing anything."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from deploy.servers.launch import SERVERS, available, mosquitto_config, path_of

SCRIPTS = Path(__file__).resolve().parents[2] / "deploy" / "servers"


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of the scripts with a few variables set."""
    return subprocess.run(
        [SCRIPTS / script, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("script", sorted(path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*.sh")))
def test_a_script_is_valid_bash(script: str) -> None:
    done = subprocess.run(["bash", "-n", SCRIPTS / script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_every_server_is_either_there_or_has_a_reason() -> None:
    found = available()

    assert set(found) == set(SERVERS)
    assert all(state.detail for state in found.values())
    assert all(state.path is None or state.path.exists() for state in found.values())


@pytest.mark.parametrize("script", ["find.sh", "install.sh"])
def test_an_unknown_server_is_wrong_use(script: str) -> None:
    done = run(script, "oracle")

    assert done.returncode == 2
    assert "mosquitto" in done.stderr


def test_a_missing_server_is_told_with_its_reason_and_exit_code_1(tmp_path: Path) -> None:
    fake = tmp_path / "influxd"
    fake.write_text("#!/bin/sh\necho InfluxDB 1.8\n")
    fake.chmod(0o755)

    done = run("find.sh", "influxdb", FOREWARN_INFLUXD=str(fake))

    assert done.returncode == 1
    assert done.stdout == f"influxdb\t-\t{fake} is no InfluxDB 2 (InfluxDB 1.8)\n"


def test_a_server_of_ones_own_wins(tmp_path: Path) -> None:
    own = tmp_path / "influxd"
    own.write_text("#!/bin/sh\necho InfluxDB v2.7.99\n")
    own.chmod(0o755)

    assert run("find.sh", "influxdb", FOREWARN_INFLUXD=str(own)).stdout == f"influxdb\t{own}\tInfluxDB v2.7.99\n"


@pytest.mark.browser
def test_installing_what_is_there_changes_nothing_and_says_where_it_is() -> None:
    done = run("install.sh", "chromium")

    assert done.returncode == 0
    assert done.stdout.startswith(f"chromium: {path_of('chromium')} (")


def test_the_influxdb_that_is_built_is_the_one_whose_sums_are_pinned() -> None:
    version = re.search(r"^influxdb_version=(\S+)", (SCRIPTS / "versions.sh").read_text(), re.MULTILINE)
    pinned = re.findall(r"influxdata/influxdb/v2 v(\S+)", (SCRIPTS / "influxd" / "go.mod").read_text())

    assert version is not None
    assert pinned == [version[1]]


@pytest.mark.parametrize(
    "line",
    [
        "listener 21000 127.0.0.1",
        "allow_anonymous false",
        "password_file /d/passwd",
        "acl_file /d/acl",
        "use_username_as_clientid true",
        "max_queued_messages 0",
        "max_inflight_messages 0",
        "message_size_limit 16777216",
        "persistence true",
        "persistence_location /d/store/",
        "user ingest",
    ],
)
def test_mosquitto_is_configured_as_the_device_link_needs_it(line: str) -> None:
    text = mosquitto_config(21_000, Path("/d/passwd"), Path("/d/acl"), Path("/d/store"), "ingest")

    assert line in text.splitlines()
