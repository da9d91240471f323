"""The MQTT driver by TLS: its files are tried before anything connects, and a real Mosquitto asks for them."""

import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.servers.launch import free_port
from edge_agent.adapters.mqtt_driver import MqttDriver
from plumbing.mqtt import MqttLink
from plumbing.pki import Authority
from plumbing.system_clock import SystemClock
from tests.conftest import MosquittoFactory
from tests.edge_agent.live import Agent, checked, made

TOPICS: dict[str, Any] = {"hall/x": {"signals": {"x": {}}}}


@dataclass
class Files:
    """An authority of the hall, the broker's certificate, the agent's, and those of somebody else."""

    folder: Path

    def __post_init__(self) -> None:
        now = SystemClock().now()
        for whose in ("hall", "other"):
            fresh = Authority.fresh(now)
            authority = Authority(fresh.certificate, fresh.key)
            self._write(f"{whose}-ca.crt", fresh.certificate)
            agent = authority.for_client("agent", now, timedelta(days=1))
            self._write(f"{whose}.crt", agent.certificate.encode())
            self._write(f"{whose}.key", (agent.key or "").encode())
            broker = authority.for_server(["127.0.0.1"], now)
            self._write(f"{whose}-broker.crt", broker.certificate.encode())
            self._write(f"{whose}-broker.key", (broker.key or "").encode())
        self._write("notes.txt", b"no certificate at all\n")

    def _write(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)
        (self.folder / name).chmod(0o600)


def says(agent: Agent, words: str) -> None:
    agent.until(lambda: re.search(words, agent.problem) is not None)


@pytest.mark.parametrize(
    ("connection", "where", "rule"),
    [
        ({"ca": "nowhere.crt"}, "ca", "cannot be read"),
        ({"ca": "notes.txt"}, "ca", "no certificate"),
        ({"certificate": "hall.crt"}, "key", "is missing"),
        ({"key": "hall.key"}, "certificate", "is missing"),
        ({"certificate": "hall.crt", "key": "other.key"}, "certificate", "does not belong"),
        ({"certificate": "notes.txt", "key": "hall.key"}, "certificate", "no certificate"),
        ({"ca": "hall-ca.crt", "tls": False}, "tls", "cannot be false"),
        ({"tls": "yes"}, "tls", "must be"),
    ],
)
def test_the_files_are_tried_before_anything_connects(
    tmp_path: Path, connection: dict[str, Any], where: str, rule: str
) -> None:
    Files(tmp_path)
    _, faults = checked("mqtt", tmp_path, {"connection": connection, "topics": TOPICS})
    assert [f.field for f in faults] == [f"mqtt: mqtt.yaml: connection.{where}"]
    assert rule in faults[0].rule


def test_what_is_by_tls_says_so_and_has_the_port_of_tls(tmp_path: Path) -> None:
    Files(tmp_path)
    connection = {"ca": "hall-ca.crt", "certificate": "hall.crt", "key": "hall.key", "user": "agent"}
    options, faults = checked("mqtt", tmp_path, {"connection": connection, "topics": TOPICS})
    assert faults == []
    assert MqttDriver.plan(options).lines[0] == "mqtt broker 127.0.0.1:8883 as agent, TLS with a certificate"


@pytest.mark.mosquitto
def test_a_mosquitto_that_asks_for_certificate_and_account_is_read_and_a_wrong_one_named(
    tmp_path: Path, mosquitto_factory: MosquittoFactory
) -> None:
    Files(tmp_path)
    passwd, acl, port = tmp_path / "passwd", tmp_path / "acl", free_port()
    passwd.write_text("agent:hunter2\nsensor:x\n")
    passwd.chmod(0o600)
    tool = shutil.which("mosquitto_passwd")
    assert tool, "mosquitto_passwd comes with the broker"
    subprocess.run([tool, "-U", str(passwd)], check=True)
    acl.write_text("user agent\ntopic read hall/#\nuser sensor\ntopic write hall/#\n")
    acl.chmod(0o600)
    broker = mosquitto_factory(
        passwd, acl, f"listener {port} 127.0.0.1", f"cafile {tmp_path}/hall-ca.crt", "require_certificate true",
        f"certfile {tmp_path}/hall-broker.crt", f"keyfile {tmp_path}/hall-broker.key", "tls_version tlsv1.2",
    )  # fmt: skip
    link = MqttLink(
        f"mqtt://sensor:x@127.0.0.1:{broker.port}", "sensor", subscribe=[], on_connect=lambda: None,
        on_message=lambda _m: None,
    )  # fmt: skip
    link.start()
    good = {
        "port": port, "ca": "hall-ca.crt", "certificate": "hall.crt", "key": "hall.key", "user": "agent",
        "password": "hunter2",
    }  # fmt: skip
    agent = Agent(made("mqtt", tmp_path, {"connection": good, "topics": TOPICS}))

    def heard() -> bool:
        link.publish("hall/x", b"2")
        time.sleep(0.05)
        return 2.0 in agent.values("x")

    agent.until(heard, 30.0)
    agent.driver.close()
    for wrong, words in (
        ({"ca": "other-ca.crt"}, "CERTIFICATE_VERIFY_FAILED"),
        ({"certificate": "other.crt", "key": "other.key"}, "ended the connection"),
        ({"password": "wrong"}, "let this account in|secret is wrong"),
    ):
        stranger = Agent(made("mqtt", tmp_path, {"connection": {**good, **wrong}, "topics": TOPICS}))
        says(stranger, words)
        stranger.driver.close()
    link.stop()
