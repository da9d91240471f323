"""The slow, obvious platform, connected to a real broker."""

import time
from dataclasses import dataclass, field

from contracts import topics
from plumbing.broker import EmbeddedBroker
from plumbing.mqtt import Incoming, MqttLink
from tests.edge_agent.platform import Platform


def open_broker() -> EmbeddedBroker:
    """An embedded broker that lets everybody in."""
    made = EmbeddedBroker(
        "127.0.0.1", 0, authenticate=lambda _u, _s: True, may_publish=lambda _u, _t: True,
        may_receive=lambda _u, _t: True, on_refused=lambda _u, _t: None,
    )  # fmt: skip
    made.start()
    return made


@dataclass
class Ingest:
    """The platform at the broker; `deaf` loses what arrives, `forget` names telemetry messages that are lost."""

    broker: EmbeddedBroker
    platform: Platform = field(default_factory=Platform)
    deaf: bool = False
    forget: frozenset[int] = frozenset()
    messages: int = 0
    order: list[tuple[str, str]] = field(default_factory=list)
    states: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.link = MqttLink(
            f"mqtt://ingest:x@127.0.0.1:{self.broker.port}", "ingest", subscribe=["forewarn/v1/+/+/+"],
            on_connect=lambda: None, on_message=self.take,
        )  # fmt: skip
        self.link.start()
        until = time.monotonic() + 10
        while not self.link.connected and time.monotonic() < until:
            time.sleep(0.01)

    def take(self, message: Incoming) -> None:
        address = topics.parse(message.topic)
        if address is None or address.kind not in topics.UP or self.deaf:
            return
        self.order.append((address.device, address.kind))
        if address.kind == "state":
            self.states.append(message.body)
        self.messages += address.kind == "telemetry"
        if address.kind == "telemetry" and self.messages in self.forget:
            return
        answer = self.platform.take(address.kind, message.body)
        if answer is not None:
            self.link.publish(topics.topic(address.tenant, address.device, "stored"), answer)
