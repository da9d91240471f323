"""A whole agent in its thread, on the embedded broker."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts import wire
from edge_agent import settings, wiring
from edge_agent.adapters.outbox import Limits, OutboxInUse, SqliteOutbox
from plumbing.broker import EmbeddedBroker
from tests.edge_agent.at_the_broker import Ingest, open_broker

ROWS = 500


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    made = open_broker()
    yield made
    made.stop()


@pytest.fixture
def ingest(broker: EmbeddedBroker) -> Iterator[Ingest]:
    made = Ingest(broker)
    yield made
    made.link.stop()


@pytest.fixture
def agent(tmp_path: Path, broker: EmbeddedBroker) -> wiring.AgentService:
    (tmp_path / "in.csv").write_text("time,x\n" + "".join(f"{i},{i}\n" for i in range(ROWS)))
    table = {"drivers": {"csv": {"path": "in.csv", "rate": 0}}, "outbox": {"path": "outbox.sqlite"}}
    environ = {"FOREWARN_MQTT_URL": f"mqtt://acme%2Fpump:x@127.0.0.1:{broker.port}"}
    return wiring.build(settings.read(table, environ, tmp_path))


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def settled(ingest: Ingest) -> dict[int, float]:
    return {k: v for a in ingest.platform.accounts.values() for k, v in a.settled.items()}


def test_a_file_reaches_the_platform_once_and_a_clean_stop_says_so(
    tmp_path: Path, ingest: Ingest, agent: wiring.AgentService
) -> None:
    agent.start()
    assert within(20, lambda: len(settled(ingest)) == ROWS)
    assert within(5, lambda: agent.healthy() == "")
    with pytest.raises(OutboxInUse):
        SqliteOutbox(tmp_path / "outbox.sqlite", Limits(), time.monotonic)
    assert within(5, lambda: agent.agent is not None and agent.agent.outbox.waiting == 0)
    agent.stop()
    assert agent.healthy() == "not running"
    assert settled(ingest) == {i + 1: float(i) for i in range(ROWS)}
    assert sum(account.repeats for account in ingest.platform.accounts.values()) == 0
    assert ingest.order[0] == ("pump", "state")
    assert within(5, lambda: ingest.states[-1] == wire.OFFLINE)


def test_what_waits_when_it_is_stopped_goes_out_after_the_next_start(
    tmp_path: Path, ingest: Ingest, agent: wiring.AgentService
) -> None:
    ingest.deaf = True
    agent.start()
    assert within(10, lambda: agent.agent is not None and agent.agent.counters.read == ROWS)
    agent.stop()
    assert settled(ingest) == {}
    ingest.deaf = False
    agent.start()
    assert within(20, lambda: len(settled(ingest)) == ROWS)
    agent.stop()
    assert len(ingest.platform.accounts) == 1


def test_an_agent_survives_a_broker_that_comes_late(tmp_path: Path, broker: EmbeddedBroker) -> None:
    (tmp_path / "in.csv").write_text("time,x\n1,1\n")
    port = broker.port
    broker.stop()
    table = {"drivers": {"csv": {"path": "in.csv", "rate": 0}}, "outbox": {"path": "outbox.sqlite"}}
    agent = wiring.build(
        settings.read(table, {"FOREWARN_MQTT_URL": f"mqtt://acme%2Fpump:x@127.0.0.1:{port}"}, tmp_path)
    )
    agent.start()
    assert within(10, lambda: "no broker answers" in agent.healthy())
    broker.start()
    ingest = Ingest(broker)
    assert within(20, lambda: len(settled(ingest)) == 1)
    agent.stop()
    ingest.link.stop()
