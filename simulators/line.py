"""One simulated device on its connection: states, telemetry within the window, what is asked for again."""

import selectors
import socket
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from contracts import wire
from contracts.topics import topic
from simulators.obeying import Obeying

KEEPALIVE_S = 20
CONNECT_TIMEOUT_S = 5.0
RETRY_S = (0.5, 1.0, 2.0, 3.0)
TURN_MESSAGES = 20
"""Most messages of one device before the others have their turn."""
STANDSTILL_S, GAP_S, AGAIN_S = 10.0, 1.0, (20.0, 40.0, 60.0)

Key = tuple[str, str]


class Source(Protocol):
    """A machine whose samples can be made again."""

    def sample(self, seq: int) -> wire.Sample:
        """Sample number `seq` (from 1 on), the same each time."""
        ...

    def check(self, name: str, args: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a read command; None = there is no such command here."""
        ...


@dataclass(frozen=True)
class SimDevice:
    """One simulated device with its account (user name `tenant/device`)."""

    tenant: str
    device: str
    secret: str = field(repr=False)
    boot_id: str
    source: Source

    @property
    def key(self) -> Key:
        """Tenant and device."""
        return (self.tenant, self.device)


@dataclass
class Counters:
    """In samples: sent for the first time by this process, sent again, settled (as the platform says)."""

    sent: int = 0
    resent: int = 0
    settled: int = 0
    states: int = 0
    connects: int = 0


class Line:
    """One device on its connection. Everything but `newest` belongs to the link's thread."""

    def __init__(self, device: SimDevice, newest: int, window: int, batch: int) -> None:
        self.device, self.newest = device, newest
        self.window, self.batch = window, batch
        self.counters = Counters()
        self._obeying = Obeying("/".join(device.key), device.source)
        self.client: Any = None
        self.problem = "not connected yet"
        self.retry_at, self._failures = 0.0, 0
        self.through, self._next = 0, 1
        self._settled: list[wire.Range] = []
        self._up = self._answered = False
        self._asked: dict[int, int] = {}
        self._still_since, self._questions = 0.0, 0
        self._watched: tuple[socket.socket, int] | None = None
        self._misc_at = 0.0
        self._now = 0.0

    @property
    def is_drained(self) -> bool:
        """Whether all that exists is settled."""
        return self.through >= self.newest

    def connect(self, host: str, port: int, now: float) -> None:
        """Open a connection of its own kind: a paho client that reconnects would publish again by itself."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        device = self.device
        user = f"{device.tenant}/{device.device}"
        client = Client(CallbackAPIVersion.VERSION2, client_id=user, clean_session=True, reconnect_on_failure=False)
        client.username_pw_set(user, device.secret)
        client.will_set(topic(*device.key, "state"), wire.OFFLINE, qos=1, retain=True)
        client.max_inflight_messages_set(0)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._now, self._misc_at = now, now
        try:
            client.connect(host, port, keepalive=KEEPALIVE_S)
        except OSError as failure:
            self._down(f"no broker answers at {host}:{port}: {failure}")
            return
        self.client = client

    def unwatch(self, selector: selectors.BaseSelector) -> None:
        """Take a socket that ended, or that waits for something else now, out of the selector's books."""
        if self._watched is not None and self._wanted() != self._watched:
            for key in [k for k in selector.get_map().values() if k.fileobj is self._watched[0]]:
                selector.unregister(key.fileobj)
            self._watched = None

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Tell the selector which socket to watch, and for what."""
        wanted = self._wanted()
        if wanted is not None and self._watched is None:
            selector.register(wanted[0], wanted[1], self)
            self._watched = wanted

    def _wanted(self) -> tuple[socket.socket, int] | None:
        sock = self.client.socket() if self.client is not None else None
        if sock is None or sock.fileno() < 0:
            return None
        return sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.client.want_write() else 0)

    def serve(self, events: int, now: float) -> None:
        """Read and write what the socket is ready for."""
        self._now = now
        if self.client is not None and events & selectors.EVENT_READ:
            self.client.loop_read()
        if self.client is not None and events & selectors.EVENT_WRITE:
            self.client.loop_write()

    def work(self, now: float) -> bool:
        """Keep the connection alive, ask and send; True when there is more to send at once."""
        self._now = now
        if self.client is not None and now - self._misc_at >= 1.0:
            self._misc_at = now
            self.client.loop_misc()
        if self.is_drained:
            self._still_since, self._questions = now, 0
        if not self._up:
            return False
        if now - self._still_since >= self._patience():
            self._questions += 1
            self._state()
        return self._answered and self._send()

    def leave(self) -> None:
        """Say good-bye."""
        if self._up:
            self._up = False
            self.client.publish(topic(*self.device.key, "state"), wire.OFFLINE, qos=1, retain=True)
        if self.client is not None:
            self.client.disconnect()

    def _patience(self) -> float:
        if self._questions:
            return AGAIN_S[min(self._questions, len(AGAIN_S)) - 1]
        return GAP_S if self._answered and self._settled else STANDSTILL_S

    def _on_connect(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.problem = f"the broker refuses: {reason}"
            return
        self._up, self._answered, self.problem, self._failures = True, False, "", 0
        self._asked.clear()
        self._questions = 0
        self.counters.connects += 1
        client.subscribe([(topic(*self.device.key, kind), 1) for kind in ("stored", "command")])
        self._state()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._down(self.problem or f"the connection ended: {reason}")

    def _down(self, problem: str) -> None:
        self.client = None
        self._up = self._answered = False
        self.problem = problem
        self.retry_at = self._now + RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        if message.topic.endswith("/command"):
            for body in self._obeying.hear(message.payload):
                self._publish("result", body, False)
            return
        try:
            stored = wire.decode_stored(message.payload)
        except msgspec.MsgspecError as failure:
            self.problem = f"a stored message cannot be read: {failure}"
            return
        if stored.boot_id == self.device.boot_id:
            self._hear(stored)

    def _state(self) -> None:
        # numbers above what was heard of exist as long as the source does: nothing is ever given up
        first, last = self.through + 1, max(self.newest, self.through)
        state = wire.State(wire.VERSION, self.device.boot_id, first, last, agent="forewarn simulators")
        self._publish("state", wire.encode(state), True)
        self._asked.setdefault(last, self._next - 1)
        self._still_since = self._now
        self.counters.states += 1

    def _hear(self, stored: wire.Stored) -> None:
        first_answer, self._answered = not self._answered, True
        if stored.through > self.through or first_answer:
            self._still_since, self._questions = self._now, 0
        self.through = max(self.through, stored.through)
        self._next = max(self._next, self.through + 1)
        self._settled = [(a, b) for a, b in stored.settled if b > self.through]
        self.counters.settled = self.through + sum(b - max(a - 1, self.through) for a, b in self._settled)
        if stored.ask:
            top = stored.ask[-1][1]
            answered = [last for last in sorted(self._asked) if last >= top and self._all_settled(top + 1, last)]
            if answered:
                mark = self._asked[answered[0]]
                self._asked.clear()  # later answers to earlier states would ask for the same again
                for a, b in stored.ask:
                    self._resend(max(a, self.through + 1), min(b, mark))

    def _all_settled(self, a: int, b: int) -> bool:
        for first, last in self._settled:
            if first <= a <= last:
                a = last + 1
        return a > b

    def _resend(self, a: int, b: int) -> None:
        while a <= b:
            until = self._telemetry(a, min(b, a + self.batch - 1))
            self.counters.resent += until - a + 1
            a = until + 1

    def _send(self) -> bool:
        for _ in range(TURN_MESSAGES):
            if self.client is None or self.client.want_write():
                return False  # the broker does not read: its socket says when it does
            stop = self.newest
            for first, last in self._settled:
                if first <= self._next <= last:
                    self._next = last + 1
                elif first > self._next:
                    stop = min(stop, first - 1)
                    break
            ahead = self._next - 1 - self.through - sum(b - a + 1 for a, b in self._settled if b < self._next)
            until = min(stop, self._next + min(self.batch, self.window - ahead) - 1)
            if until < self._next:
                return False
            until = self._telemetry(self._next, until)
            self.counters.sent += until - self._next + 1
            self._next = until + 1
        return True

    def _telemetry(self, a: int, b: int) -> int:
        """Publish a..b, or as many of them as a message may hold; the last number that went out."""
        while True:
            samples = [self.device.source.sample(seq) for seq in range(a, b + 1)]
            body = wire.encode(wire.Telemetry(wire.VERSION, samples, self.device.boot_id, a))
            if len(body) <= wire.MAX_SENT_BYTES or a == b:
                break
            b = (a + b) // 2
        self._publish("telemetry", body, False)
        return b

    def _publish(self, kind: str, body: bytes, retain: bool) -> None:
        if self.client is not None:  # a publish may find the connection broken
            self.client.publish(topic(*self.device.key, kind), body, qos=1, retain=retain)
