"""The MQTT connection of a service or an agent, on paho, MQTT 3.1.1, QoS 1.

Every connection has a paho client of its own: a client that reconnects publishes its un-acknowledged messages again,
besides the resend of whoever published them. Messages are tagged with their connection (`epoch`), since after a
reconnect the same packet identifier may name another message.
"""

import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from plumbing.mqtt_connecting import CONNECT_TIMEOUT_S, KEEPALIVE_S, NOT_YET, STOP_TIMEOUT_S, Connecting
from plumbing.mqtt_stream import Incoming as Incoming
from plumbing.tls import TlsFiles, client_context

if TYPE_CHECKING:
    from plumbing.paho_client import BulkClient

DEFAULT_PORT = 1883
DEFAULT_TLS_PORT = 8883

_WORDS = {
    "Unsupported protocol version": "the broker does not speak MQTT 3.1.1",
    "Client identifier not valid": "the broker does not accept the client id",
    "Server unavailable": "the broker says that it is unavailable",
    "Bad user name or password": "the broker does not know this user name, or the secret is wrong",
    "Not authorized": "the broker does not let this account in: unknown, revoked, or the secret is wrong",
}
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and who we are there."""

    host: str
    port: int
    user: str
    secret: str = field(repr=False)
    tls: bool = False

    @classmethod
    def of(cls, url: str) -> "BrokerAddress":
        """From `mqtt://tenant%2Fdevice:secret@host:port` (`mqtts` = TLS). Raises ValueError, without the secret."""
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError("an MQTT URL is mqtt://tenant%2Fdevice:secret@host:port, or mqtts: for TLS")
        try:
            port = parts.port
        except ValueError as problem:
            raise ValueError("the port of an MQTT URL is a number from 1 to 65535") from problem
        tls = parts.scheme == "mqtts"
        default = DEFAULT_TLS_PORT if tls else DEFAULT_PORT
        return cls(
            parts.hostname, port or default, unquote(parts.username or ""), unquote(parts.password or ""), tls
        )  # fmt: skip


class MqttLink(Connecting):
    """A connection to hear and to say things; the broker is told at once that a message came.

    Parameters
    ----------
    url
        `mqtt://tenant%2Fdevice:secret@host:port`, port 1883 by default.
    client_id
        Client id; the brokers of the product use the user name instead.
    subscribe
        Topic filters, subscribed anew (QoS 1) after each connect.
    on_connect, on_message
        Run on the network thread: must return at once and not block. What they raise is logged.
    will
        Topic and body (QoS 1, retained) that the broker publishes when the connection breaks.
    clean
        False: the broker keeps subscriptions and messages while we are away.
    on_refused
        Told in words when the broker refuses the connection, or when another program with the same account throws
        this one out. Runs on the link's threads.
    tls
        Files for a `mqtts:` URL, read at each connect; ours alone are trusted where a CA is named, else the system's.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        *,
        subscribe: Sequence[str],
        on_connect: Callable[[], None],
        on_message: Callable[[Incoming], None],
        will: tuple[str, bytes] | None = None,
        clean: bool = True,
        on_refused: Callable[[str], None] | None = None,
        tls: TlsFiles | None = None,
    ) -> None:
        self._address = BrokerAddress.of(url)
        super().__init__(client_id, self._address.user)
        self._tls = tls or TlsFiles()
        self._subscribe = list(subscribe)
        self._on_connect, self._on_message, self._on_refused = on_connect, on_message, on_refused
        self._will, self._clean = will, clean
        self._current: BulkClient | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker has taken the connection and it has not ended since."""
        return self._current is not None

    def _hang_up(self) -> None:
        current = self._current
        if current is not None:
            current.disconnect()

    def publish(self, topic: str, body: bytes, retain: bool = False) -> bool:
        """Hand a message (QoS 1) to the connection; False (and nothing is kept) when there is none. Thread-safe."""
        current = self._current
        if current is None:
            return False
        return bool(current.publish(topic, body, qos=1, retain=retain).rc == 0)

    def _one_connection(self) -> None:
        """Connect, and return when the connection has ended."""
        ended = threading.Event()
        client = self._fresh_client(ended)
        where = f"{self._address.host}:{self._address.port}"
        try:
            if self._address.tls:
                client.tls_set_context(client_context(self._tls))
            client.connect(self._address.host, self._address.port, keepalive=KEEPALIVE_S)
        except ssl.SSLError as problem:
            self._refused(f"no TLS with the broker at {where}: {problem.reason or problem}")
            return
        except OSError as problem:
            self._patience.nobody_listens()
            self._note(f"no broker answers at {where}: {problem}")
            return
        client.loop_start()
        while not ended.wait(0.5):
            if self._stopping.is_set():
                client.disconnect()
                if not ended.wait(STOP_TIMEOUT_S) and (broken := client.socket()) is not None:
                    broken.close()
                break
        client.loop_stop()

    def _fresh_client(self, ended: threading.Event) -> "BulkClient":
        from paho.mqtt.enums import CallbackAPIVersion

        from plumbing.paho_client import BulkClient

        client = BulkClient(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=self._clean,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)
        if self._address.user:
            client.username_pw_set(self._address.user, self._address.secret)
        if self._will:
            client.will_set(self._will[0], self._will[1], qos=1, retain=True)
        epoch = self.epoch + 1
        taken = False
        on_message = self._on_message

        def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            nonlocal taken
            if reason.is_failure:
                self._refused(_WORDS.get(str(reason), str(reason)))
                return
            taken = True
            self.epoch = epoch
            self.problem = ""
            if self._subscribe:
                client.subscribe([(name, 1) for name in self._subscribe])
            self._current = client
            log.info("connected to the broker at %s:%s", self._address.host, self._address.port)
            try:
                self._on_connect()
            except Exception:
                log.exception("what runs at a connect failed")

        def disconnected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            self._current = None
            if taken and not self._stopping.is_set():
                self._patience.thrown_out()
                self._note(f"the connection to the broker ended: {reason}")
            elif not taken and self.problem in ("", NOT_YET):
                self._note(f"the broker ended the connection before it was taken: {reason}")
            ended.set()

        def message(_client: Any, _data: Any, m: Any) -> None:
            try:
                on_message(Incoming(epoch, m.mid, m.topic, m.payload, m.retain))
            except Exception:
                log.exception("a message of %d bytes, packet identifier %d, could not be taken", len(m.payload), m.mid)

        client.on_connect = connected
        client.on_disconnect = disconnected
        client.on_message = message
        return client

    def _refused(self, words: str) -> None:
        super()._refused(words)
        if self._on_refused is not None:
            self._on_refused(words)
