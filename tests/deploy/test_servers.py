"""The real servers start, die, come back with their data, and say why when they cannot."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from deploy.servers.launch import (
    InfluxAccess,
    InfluxDB,
    Mosquitto,
    PostgreSQL,
    Server,
    ServerFailed,
    free_port,
    path_of,
)
from tests.conftest import MosquittoFactory

if TYPE_CHECKING:
    from playwright.sync_api import Page

DEVICE, SECRET = "acme/pump-1", "a secret of the test"


@pytest.fixture
def accounts(tmp_path: Path) -> tuple[Path, Path]:
    """Write a password file and an ACL with one device, by Mosquitto's own tool."""
    passwd, acl = tmp_path / "passwd", tmp_path / "acl"
    passwd.touch(mode=0o600)
    tool = path_of("mosquitto").parent.parent / "bin" / "mosquitto_passwd"
    subprocess.run([tool, "-b", passwd, DEVICE, SECRET], check=True)
    acl.write_text("pattern readwrite forewarn/v1/%u/#\n")
    acl.chmod(0o600)
    return passwd, acl


def publish(broker: Mosquitto, secret: str, *options: str) -> int:
    """Publish one message as a device does; 0 is success."""
    arguments = ["-h", "127.0.0.1", "-p", str(broker.port), "-u", DEVICE, "-P", secret, "-q", "1"]
    topic = f"forewarn/v1/{DEVICE}/state"
    done = subprocess.run(
        ["mosquitto_pub", *arguments, "-t", topic, "-m", "hello", *options],
        capture_output=True,
        timeout=20,
        check=False,
    )
    return done.returncode


def received(broker: Mosquitto) -> str:
    """Return the retained message of the device's state topic, or nothing."""
    arguments = ["-h", "127.0.0.1", "-p", str(broker.port), "-u", DEVICE, "-P", SECRET, "-W", "2", "-C", "1"]
    done = subprocess.run(
        ["mosquitto_sub", *arguments, "-t", f"forewarn/v1/{DEVICE}/state"], capture_output=True, timeout=20, check=False
    )
    return done.stdout.decode().strip()


def test_mosquitto_lets_in_who_knows_the_secret_and_nobody_else(
    mosquitto_factory: MosquittoFactory, accounts: tuple[Path, Path]
) -> None:
    broker = mosquitto_factory(*accounts)

    assert publish(broker, SECRET, "-r") == 0
    assert publish(broker, "wrong") != 0
    assert received(broker) == "hello"


def test_mosquitto_keeps_its_port_through_a_kill_and_its_messages_through_a_clean_restart(
    mosquitto_factory: MosquittoFactory, accounts: tuple[Path, Path]
) -> None:
    broker = mosquitto_factory(*accounts)
    port, pid = broker.port, broker.pid

    broker.kill()
    assert publish(broker, SECRET) != 0
    broker.start()
    assert broker.port == port
    assert broker.pid != pid
    assert publish(broker, SECRET, "-r") == 0
    broker.restart()
    assert received(broker) == "hello"


def test_a_revoked_device_is_out_after_a_reload(
    mosquitto_factory: MosquittoFactory, accounts: tuple[Path, Path]
) -> None:
    broker = mosquitto_factory(*accounts)
    assert publish(broker, SECRET) == 0

    accounts[0].write_text("")
    broker.reload()

    assert publish(broker, SECRET) != 0


def write_point(access: InfluxAccess, value: float) -> None:
    """Write one point of line protocol."""
    url = f"{access.url}/api/v2/write?org={access.org}&bucket={access.bucket}"
    body = f"telemetry,device=pump-1 vibration={value} 1700000000000000000".encode()
    request = urllib.request.Request(url, body, {"Authorization": f"Token {access.token}"})
    urllib.request.urlopen(request, timeout=10).close()


def points(access: InfluxAccess) -> list[str]:
    """Return the values of all points of a bucket, as InfluxDB prints them."""
    flux = f'from(bucket: "{access.bucket}") |> range(start: 0) |> keep(columns: ["_value"])'
    headers = {"Authorization": f"Token {access.token}", "Content-Type": "application/vnd.flux"}
    request = urllib.request.Request(f"{access.url}/api/v2/query?org={access.org}", flux.encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        lines = answer.read().decode().split()
    return [line.rpartition(",")[2] for line in lines if not line.endswith("_value")]


def test_influxdb_still_holds_after_a_kill_what_it_acknowledged(influxdb_factory: Callable[[], InfluxDB]) -> None:
    server = influxdb_factory()
    write_point(server.access, 2.5)

    server.kill()
    with pytest.raises(OSError, match="refused"):
        write_point(server.access, 3.5)
    server.start()

    assert points(server.access) == ["2.5"]


def test_each_test_gets_an_empty_bucket(influxdb_server: InfluxDB, influxdb: InfluxAccess) -> None:
    write_point(influxdb, 1.5)

    other = influxdb_server.fresh_bucket()

    assert points(influxdb) == ["1.5"]
    assert points(other) == []


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run one statement and return its rows, if it gives any."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True, connect_timeout=5) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_postgresql_still_holds_after_a_kill_what_it_committed(postgres_factory: Callable[[], PostgreSQL]) -> None:
    server = postgres_factory()
    url = server.create_database()
    rows(url, "CREATE TABLE parts AS SELECT 'seal' AS name")

    with psycopg.connect(url.replace("+psycopg", "")) as open_session:
        open_session.execute("INSERT INTO parts VALUES ('never committed')")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            open_session.execute("SELECT 1")
    server.start()

    assert rows(url, "SELECT name FROM parts") == [("seal",)]
    server.restart()
    assert rows(url, "SELECT name FROM parts") == [("seal",)]


def test_each_test_gets_an_empty_database(postgres_server: PostgreSQL, postgres_url: str) -> None:
    rows(postgres_url, "CREATE TABLE parts (name text)")

    other = postgres_server.create_database()

    tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'parts'"
    assert rows(postgres_url, tables) == [(1,)]
    assert rows(other, tables) == [(0,)]
    postgres_server.drop_database(other)


@pytest.mark.mosquitto
def test_a_server_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, tmp_path / "no passwd", tmp_path / "no acl")

    with pytest.raises(ServerFailed, match="Unable to open pwfile"):
        broker.start()

    assert not broker.running


class Deaf(Server):
    """A process that runs and never answers."""

    name = "deaf"

    def _command(self) -> list[str]:
        return ["sleep", "600"]

    def _ready(self) -> bool:
        return False


def test_a_server_that_never_answers_is_given_up_and_ended(tmp_path: Path) -> None:
    server = Deaf(tmp_path, ready_within=0.2)

    with pytest.raises(ServerFailed, match=r"not ready within 0\.2 s"):
        server.start()

    assert not server.running


def test_free_ports_are_below_those_of_outgoing_connections() -> None:
    assert all(1024 < free_port() < 32_768 for _ in range(100))


def test_a_page_runs_scripts_and_has_its_picture_taken(page: Page, screenshot: Callable[[str], Path]) -> None:
    page.set_content("<h1>pump</h1><script>document.querySelector('h1').textContent += ' 1'</script>")

    assert page.inner_text("h1") == "pump 1"
    assert screenshot("a pump").read_bytes().startswith(b"\x89PNG")
