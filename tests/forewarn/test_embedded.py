"""What the product in one process makes for itself: the way to its broker or to another one, and keys."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from api import service as identity
from forewarn.embedded import Embedded
from forewarn.environment import expand
from forewarn.product import Options
from plumbing.system_clock import SystemClock


def made(home: Path, host: bool = False, **environ: str) -> Embedded:
    """Made and not started."""
    options = Options("127.0.0.1", 0, 0, host, None, lambda _: None)
    return Embedded(home, expand(environ, str(home)), options, SystemClock())


def put_away(product: Embedded) -> None:
    product.shared.store.close()
    product.shared.database.close()


def good_keys(home: Path) -> int:
    with closing(sqlite3.connect(home / "forewarn.sqlite")) as database:
        found: int = database.execute("select count(*) from api_keys where revoked_at is null").fetchone()[0]
    return found


def test_keys_of_a_run_that_was_killed_are_revoked_by_the_next_and_those_of_people_are_not(tmp_path: Path) -> None:
    first = made(tmp_path)
    first.running({}, "local")
    first.key("local", "dispatcher")
    identity.create_key(first.shared.database, SystemClock().now(), "local", "engineer")
    put_away(first)
    assert good_keys(tmp_path) == 3
    put_away(made(tmp_path))
    assert good_keys(tmp_path) == 1


def test_with_another_broker_devices_and_this_computer_are_sent_there(tmp_path: Path) -> None:
    product = made(tmp_path, host=True, FOREWARN_MQTT_URL="mqtt://ingest:quiet@broker.example:2883")
    try:
        assert product.mqtt == "mqtt://broker.example:2883"
        assert product.web.web.settings.mqtt == "broker.example:2883"
        agent = urlsplit(product.host_agent().mqtt_url)
        assert (agent.hostname, agent.port, agent.username) == ("broker.example", 2883, "local%2Fthis-computer")
        assert "broker accounts" in [service.name for service in product.product.services]
        assert "broker" not in [service.name for service in product.product.services]
    finally:
        put_away(product)
