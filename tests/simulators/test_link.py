"""The simulated devices' side of the contract, on the embedded broker, against a slow, obvious platform."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from contracts import wire
from plumbing.broker import EmbeddedBroker
from plumbing.mqtt import MqttLink
from simulators.link import SimDevice, SimLink
from tests.edge_agent.at_the_broker import Ingest, open_broker
from tests.edge_agent.platform import Account

BOOT = "00c0ffee"


class Machine:
    """Sample k is k."""

    def sample(self, seq: int) -> wire.Sample:
        return wire.Sample({"x": float(seq)}, seq * 1000)

    def check(self, name: str, args: dict[str, Any]) -> dict[str, Any] | None:
        return None


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
def link(broker: EmbeddedBroker) -> Iterator[SimLink]:
    made = SimLink("127.0.0.1", broker.port, time.monotonic, window=200)
    made.start()
    yield made
    made.stop()


def device(name: str, boot_id: str = BOOT) -> SimDevice:
    return SimDevice("acme", name, "secret", boot_id, Machine())


def exactly(n: int) -> dict[int, float]:
    return {seq: float(seq) for seq in range(1, n + 1)}


def test_several_devices_on_one_thread_send_all_that_exists_once(ingest: Ingest, link: SimLink) -> None:
    for i in range(5):
        link.add(device(f"pump-{i}", f"0000000{i}"), newest=300)
    assert link.drained(30)
    link.advance(("acme", "pump-2"), 450)
    assert link.drained(30)
    for i in range(5):
        account = ingest.platform.accounts[f"0000000{i}"]
        assert account.settled == exactly(450 if i == 2 else 300)
        assert account.repeats == 0
        assert next(kind for name, kind in ingest.order if name == f"pump-{i}") == "state"
    assert (link.totals().sent, link.totals().settled, link.totals().resent) == (1650, 1650, 0)
    assert link.problems() == {}


def test_no_more_than_the_window_is_in_flight_while_nothing_is_settled(ingest: Ingest, link: SimLink) -> None:
    link.add(device("pump"), newest=1)
    assert link.drained(10)
    ingest.deaf = True
    link.advance(("acme", "pump"), 1001)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        assert link.counters(("acme", "pump")).sent <= 201
        time.sleep(0.05)
    assert link.counters(("acme", "pump")).sent == 201


def test_what_is_lost_on_the_way_is_asked_for_and_sent_again(ingest: Ingest, link: SimLink) -> None:
    ingest.forget = frozenset({3, 4, 9, 15})
    link.add(device("pump"), newest=150)
    assert link.drained(20)
    assert ingest.platform.accounts[BOOT].settled == exactly(150)
    assert link.totals().resent == 40
    assert ingest.platform.accounts[BOOT].repeats == 0


def test_a_restarted_device_sends_only_what_the_platform_lacks(broker: EmbeddedBroker, ingest: Ingest) -> None:
    ingest.platform.accounts[BOOT] = Account(settled=exactly(40) | {50: 50.0, 51: 51.0})
    link = SimLink("127.0.0.1", broker.port, time.monotonic)
    link.add(device("pump"), newest=100)
    link.start()
    assert link.drained(20)
    link.stop()
    assert ingest.platform.accounts[BOOT].settled == exactly(100)
    assert ingest.platform.accounts[BOOT].repeats == 0
    assert link.totals().sent == 58


def test_a_broker_that_restarts_costs_nothing_but_time(broker: EmbeddedBroker) -> None:
    """Many devices: their sockets end at once, and the new ones get the old numbers in another order."""
    names = [f"pump-{i:02}" for i in range(30)]
    ingest = Ingest(broker)
    link = SimLink("127.0.0.1", broker.port, time.monotonic)
    for i, name in enumerate(names):
        link.add(device(name, f"{i:08}"), newest=20)
    link.start()
    assert link.drained(20)
    ingest.deaf = True
    for name in names:
        link.advance(name_of(name), 100)
    time.sleep(0.5)
    broker.stop()
    assert not link.drained(1.5)
    assert link.problems().keys() == {name_of(name) for name in names}
    ingest.deaf = False
    broker.start()
    assert link.drained(40)
    link.stop()
    ingest.link.stop()
    for i, _ in enumerate(names):
        assert ingest.platform.accounts[f"{i:08}"].settled == exactly(100)
    assert link.totals().connects >= 60


def name_of(name: str) -> tuple[str, str]:
    return ("acme", name)


def test_a_stopped_link_says_that_it_is_off_line(ingest: Ingest, broker: EmbeddedBroker) -> None:
    link = SimLink("127.0.0.1", broker.port, time.monotonic)
    link.add(device("pump"), newest=10)
    link.start()
    assert link.drained(20)
    said: list[bytes] = []
    watcher = MqttLink(
        f"mqtt://watcher:x@127.0.0.1:{broker.port}", "watcher", subscribe=["forewarn/v1/acme/pump/state"],
        on_connect=lambda: None, on_message=lambda m: said.append(m.body),
    )  # fmt: skip
    link.stop()
    watcher.start()
    until = time.monotonic() + 10
    while not said and time.monotonic() < until:
        time.sleep(0.02)
    watcher.stop()
    assert said == [wire.OFFLINE]
