"""An agent behind TLS, by secret and by certificate: what `agent.toml` says, and that readings arrive."""

from pathlib import Path
from urllib.parse import quote

import pytest

from contracts import topics
from edge_agent import settings, wiring
from tests.security.brokers import Fortress, until


def agent_toml(folder: Path, url: str, **files: str) -> Path:
    """Settings of an agent that reads a CSV file of two rows."""
    (folder / "rows.csv").write_text("time,vibration\n2026-11-22T10:00:00Z,2.0\n2026-11-22T10:00:01Z,2.1\n")
    path = folder / "agent.toml"
    lines = [f'mqtt = "{url}"', *(f'{name} = "{value}"' for name, value in files.items())]
    path.write_text("\n".join([*lines, "[csv]", 'path = "rows.csv"', 'time = "time"']) + "\n")
    return path


@pytest.mark.parametrize("by", ["secret", "certificate"])
def test_an_agent_connects_by_tls(house: Fortress, tmp_path: Path, by: str) -> None:
    secret, user = house.device("p1"), quote("acme/p1", safe="")
    (tmp_path / "ca.crt").write_bytes(house.ca.read_bytes())
    if by == "secret":
        path = agent_toml(tmp_path, f"mqtts://{user}:{secret}@127.0.0.1:{house.secret_port}", ca="ca.crt")
    else:
        made = house.certificate("p1")
        (tmp_path / "device.crt").write_text(made.certificate)
        (tmp_path / "device.key").write_text(made.key or "")
        url = f"mqtts://{user}@127.0.0.1:{house.certificate_port}"
        path = agent_toml(tmp_path, url, ca="ca.crt", certificate="device.crt", key="device.key")
    service = wiring.build(settings.load(path, {"FOREWARN_HOME": str(tmp_path / "agent")}))
    service.start()
    try:
        state = topics.topic("acme", "p1", "state")
        until(lambda: any(m.topic == state and b"boot_id" in m.body for m in house.ingest.heard))
    finally:
        service.stop()


@pytest.mark.parametrize(
    ("scheme", "files", "named"),
    [
        ("mqtts", {"ca": "missing.crt"}, {"ca"}),
        ("mqtts", {"certificate": "there.pem"}, {"key"}),
        ("mqtt", {"ca": "there.pem"}, {"ca"}),
    ],
)
def test_files_that_cannot_be_are_named_before_anything_connects(
    tmp_path: Path, scheme: str, files: dict[str, str], named: set[str]
) -> None:
    (tmp_path / "there.pem").write_text("x")
    path = agent_toml(tmp_path, f"{scheme}://acme%2Fp1:a-secret@127.0.0.1", **files)
    with pytest.raises(settings.BadSettings) as said:
        settings.load(path, {})
    assert {fault.field for fault in said.value.faults} == named
    assert "a-secret" not in str(said.value)
