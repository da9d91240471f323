"""The compose file and the image fit the checkout and each other; no container engine is needed."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from forewarn.arguments import parser
from ingest.adapters.mosquitto_files import Listeners, mosquitto_config

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = {name: s for name, s in COMPOSE["services"].items() if s.get("image", "").startswith("forewarn:")}


def test_every_copied_source_exists_and_every_package_is_copied() -> None:
    sources = [source for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]]
    assert [s for s in sources if not (ROOT / s).exists()] == []
    packages = {p.parent.name for p in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks", "deploy"}
    assert packages <= set(sources)


def test_the_image_is_made_with_a_target_of_the_makefile() -> None:
    targets = re.findall(r"^RUN make (\S+)$", DOCKERFILE, re.MULTILINE)
    assert targets == ["setup"]
    assert "setup:" in (ROOT / "Makefile").read_text()


def test_every_service_of_ours_runs_a_command_that_exists() -> None:
    for service in OURS.values():
        parser().parse_args([str(word) for word in service["command"]])
    assert {" ".join(s["command"][:2]) for s in OURS.values()} == {
        "migrate", "run ingest", "run anomaly", "run work-orders", "run api",
    }  # fmt: skip


def test_every_secret_is_made_by_the_script_and_every_volume_is_declared(tmp_path: Path) -> None:
    subprocess.run(["sh", ROOT / "deploy/compose/secrets.sh", tmp_path / "secrets"], check=True, capture_output=True)
    made = {p.name for p in (tmp_path / "secrets").iterdir()}
    assert set(COMPOSE["secrets"]) == made
    for service in COMPOSE["services"].values():
        assert set(service.get("secrets", [])) <= made
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"]
        for name, value in service.get("environment", {}).items():
            if name.startswith("FOREWARN") and name.endswith("_FILE"):
                assert Path(value).name in service["secrets"], f"{name} names a secret that is not mounted"


def test_secrets_are_kept_when_the_script_runs_again(tmp_path: Path) -> None:
    def run() -> dict[str, str]:
        subprocess.run(["sh", ROOT / "deploy/compose/secrets.sh", tmp_path], check=True, capture_output=True)
        return {p.name: p.read_text() for p in tmp_path.iterdir()}

    assert run() == run()


def test_every_service_has_a_health_check_and_ports_are_this_machines_alone() -> None:
    for service in COMPOSE["services"].values():
        assert "healthcheck" in service
        assert all(
            port.startswith(("${FOREWARN_LISTEN:-127.0.0.1}:", "127.0.0.1:")) for port in service.get("ports", [])
        )


def test_mqtt_without_tls_leaves_the_machine_on_no_setting() -> None:
    (plain,) = (port for port in COMPOSE["services"]["mosquitto"]["ports"] if port.endswith(":1883"))
    assert plain == "127.0.0.1:1883:1883"


def test_mosquitto_runs_with_what_ingest_generates() -> None:
    text = (ROOT / "deploy/compose/mosquitto.conf").read_text()
    assert text.partition("\n")[2] == mosquitto_config(Path("/var/lib/broker"), Listeners(1883, ""))
