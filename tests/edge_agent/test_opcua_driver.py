"""The OPC UA driver against asyncua's own server: security, accounts, times, what cannot be read."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.edge_agent.live import Agent, checked, made
from tests.edge_agent.opcua_server import OpcuaServer

SECRET = "correct-horse-battery"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpcuaServer]:
    running = OpcuaServer(tmp_path)
    running.start()
    yield running
    running.end()


def file(server: OpcuaServer, signals: dict[str, object], **more: object) -> dict[str, object]:
    return {"connection": {"url": server.url, "timeout": 2.0}, "every": 0.1, "signals": signals, **more}


@pytest.mark.parametrize("mode", ["sign", "sign_and_encrypt"])
@pytest.mark.parametrize("pinned", [True, False])
def test_certificates_and_an_account_are_let_in_and_a_wrong_password_is_not(
    tmp_path: Path, mode: str, pinned: bool
) -> None:
    server = OpcuaServer(tmp_path, "agent", SECRET, ("Basic256Sha256_Sign", "Basic256Sha256_SignAndEncrypt"))
    certificate, key = server.certify("agent")
    trusted, _ = server.certify("server")
    server.start()
    security = {"policy": "Basic256Sha256", "mode": mode, "certificate": certificate.name, "key": key.name}
    if pinned:
        security["server_certificate"] = trusted.name
    connection: dict[str, object] = {
        "url": server.url, "user": "agent", "password": SECRET, "security": security
    }  # fmt: skip
    content = {"connection": connection, "every": 0.1, "signals": {"x": {"node": "ns=2;s=x"}}}
    agent = Agent(made("opcua", tmp_path, content))
    agent.until(lambda: bool(agent.readings))
    agent.driver.close()
    connection["password"] = "wrong"
    stranger = Agent(made("opcua", tmp_path, content))
    stranger.until(lambda: "does not let this account in" in stranger.problem)
    stranger.driver.close()
    connection["password"] = SECRET
    connection["security"] = {}
    open_one = Agent(made("opcua", tmp_path, content))
    open_one.until(lambda: open_one.problem != "")
    open_one.driver.close()
    assert not open_one.readings
    assert SECRET not in "".join(agent.problems + stranger.problems + open_one.problems)
    server.end()


def test_another_server_than_the_pinned_one_is_not_trusted(tmp_path: Path) -> None:
    server = OpcuaServer(tmp_path, policies=("Basic256Sha256_SignAndEncrypt",))
    certificate, key = server.certify("agent")
    server.certify("server")
    other, _ = server.certify("other")
    server.start()
    security = {
        "policy": "Basic256Sha256", "mode": "sign_and_encrypt", "certificate": certificate.name, "key": key.name,
        "server_certificate": other.name,
    }  # fmt: skip
    content = {"connection": {"url": server.url, "security": security}, "signals": {"x": {"node": "ns=2;s=x"}}}
    agent = Agent(made("opcua", tmp_path, content))
    agent.until(lambda: agent.problem != "")
    agent.driver.close()
    assert not agent.readings
    server.end()


def test_readings_have_the_servers_time_and_changes_of_one_moment_are_one_reading(
    server: OpcuaServer, tmp_path: Path
) -> None:
    signals: dict[str, object] = {
        "x": {"node": "ns=2;s=x", "scale": 2, "offset": 1, "unit": "Cel"}, "on": {"node": "ns=2;s=on"}
    }  # fmt: skip
    server.set("on", True)
    agent = Agent(made("opcua", tmp_path, file(server, signals)))
    agent.until(lambda: bool(agent.values("x")))
    at = datetime(2026, 11, 22, 10, 0, 0, 125_000, tzinfo=UTC)
    server.set("x", 20.0, at)
    server.set("on", False, at)
    agent.until(lambda: 41.0 in agent.values("x") and False in agent.values("on"))
    agent.driver.close()
    last = agent.readings[-1]
    assert (last.t, dict(last.values)) == ("2026-11-22T10:00:00.125000Z", {"x": 41.0, "on": False})


def test_a_value_that_did_not_change_while_the_link_was_down_is_not_told_twice(
    server: OpcuaServer, tmp_path: Path
) -> None:
    agent = Agent(made("opcua", tmp_path, file(server, {"x": {"node": "ns=2;s=x"}})))
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    server.set("x", 5.0, at)
    agent.until(lambda: 5.0 in agent.values("x"))
    agent.driver.close()
    server.set("y", 2.0)
    agent.until(lambda: agent.problem == "" and not agent.driver.poll("", at, 0.0, 0).readings)
    server.set("x", 6.0, at)
    agent.until(lambda: 6.0 in agent.values("x"))
    agent.driver.close()
    assert agent.values("x").count(5.0) == 1


def test_nodes_that_are_missing_bad_or_no_numbers_are_named_and_the_others_go_on(
    server: OpcuaServer, tmp_path: Path
) -> None:
    server.set("text", "hello")
    server.set("nan", float("nan"))
    server.set("sensor", 1.0, bad=True)
    names = ("x", "text", "nan", "sensor", "gone")
    agent = Agent(made("opcua", tmp_path, file(server, {name: {"node": f"ns=2;s={name}"} for name in names})))
    agent.until(lambda: len(agent.problem.split("; ")) == 4 and bool(agent.values("x")))
    agent.driver.close()
    assert agent.problem.startswith("gone: the server has no such node; nan: nan is no finite number; sensor: the ser")
    assert "and 1 more" in agent.problem
    assert agent.values("sensor") == agent.values("text") == agent.values("nan") == [None]
    assert agent.values("x") == [0.0]


@pytest.mark.parametrize(
    ("content", "where", "rule"),
    [
        ({"signals": {"x": {"node": "ns=2;s=x"}}}, "connection", "is missing"),
        ({"connection": {"url": "http://a"}, "signals": {"x": {"node": "i=1"}}}, "connection.url", "opc.tcp://"),
        ({"connection": {"url": "opc.tcp://a:hunter2@b"}, "signals": {"x": {"node": "i=1"}}}, "connection.url",
         "no account"),
        ({"connection": {"url": "opc.tcp://a", "password": "hunter2"}, "signals": {"x": {"node": "i=1"}}},
         "connection.user", "account"),
        ({"connection": {"url": "opc.tcp://a"}, "signals": {"x": {"node": "Chiller1"}}}, "signals.x.node",
         "ns=NUMBER"),
        ({"connection": {"url": "opc.tcp://a"}, "time": "mine", "signals": {"x": {"node": "i=1"}}}, "time",
         "server, source"),
        ({"connection": {"url": "opc.tcp://a", "security": {"policy": "Basic256"}}, "signals": {"x": {"node": "i=1"}}},
         "connection.security.policy", "Basic256Sha256"),
        ({"connection": {"url": "opc.tcp://a", "security": {"certificate": "opcua.yaml"}},
          "signals": {"x": {"node": "i=1"}}}, "connection.security.policy", "for certificates to be used"),
    ],
)  # fmt: skip
def test_the_file_is_checked_before_anything_connects(tmp_path: Path, content: object, where: str, rule: str) -> None:
    _, faults = checked("opcua", tmp_path, content)
    assert [f.field for f in faults] == [f"opcua: opcua.yaml: {where}"]
    assert rule in faults[0].rule
    assert "hunter2" not in str(faults[0])


def test_a_policy_needs_its_mode_a_certificate_and_a_key(tmp_path: Path) -> None:
    connection = {"url": "opc.tcp://a", "security": {"policy": "Basic256Sha256", "certificate": "none.der"}}
    _, faults = checked("opcua", tmp_path, {"connection": connection, "signals": {"x": {"node": "i=1"}}})
    where = "opcua: opcua.yaml: connection.security"
    assert {(f.field, f.rule.split(":")[0]) for f in faults} == {
        (f"{where}.mode", "is missing"), (f"{where}.certificate", "cannot be read"), (f"{where}.key", "is missing")
    }  # fmt: skip
