"""An MQTT 3.1.1 connection made for reading: several times less work a message than with paho.

One thread reads what there is, cuts it into messages and hands them over as a list; what is sent goes out in one piece.
Messages (QoS 1) are acknowledged by `acknowledge` only. What is published is not repeated after a broken connection:
whoever publishes here says it again anyway.
"""

import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence

from plumbing import mqtt_stream as packets
from plumbing.mqtt import BrokerAddress
from plumbing.mqtt_connecting import CONNECT_TIMEOUT_S, KEEPALIVE_S, Connecting
from plumbing.mqtt_stream import Incoming, Malformed, Stream
from plumbing.tls import TlsFiles, client_context

READ_BYTES = 256 * 1024
SHORT_BYTES = 32 * 1024
NAP_S = 0.005
"""After a short read: what comes meanwhile is read at once then, which nearly halves the work."""
TICK_S = 0.5
PING_EVERY_S = KEEPALIVE_S / 2
SILENT_S = KEEPALIVE_S + 5.0
SEND_TIMEOUT_S = 10.0
GOODBYE_S = 1.0
MOST_UNACKNOWLEDGED = 30_000
SUBSCRIBE_MID = 65_535

_WORDS = {
    1: "the broker does not speak MQTT 3.1.1",
    2: "the broker does not accept the client id",
    3: "the broker says that it is unavailable",
    4: "the broker does not know this user name, or the secret is wrong",
    5: "the broker does not let this account in: unknown, revoked, or the secret is wrong",
}
log = logging.getLogger(__name__)


class Ended(Exception):
    """The connection has ended, in words."""


class Connection:
    """One connection: sends from any thread, is read by one."""

    def __init__(self, sock: socket.socket, epoch: int) -> None:
        self.sock, self.epoch = sock, epoch
        self.unacknowledged: set[int] = set()
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._mid = 0

    def publish(self, topic: str, body: bytes) -> bool:
        """Put a message to what goes out with the next `send`; False when the broker has too many to acknowledge."""
        with self._lock:
            if len(self.unacknowledged) >= MOST_UNACKNOWLEDGED:
                return False
            while True:
                self._mid = self._mid % (SUBSCRIBE_MID - 1) + 1
                if self._mid not in self.unacknowledged:
                    break
            self.unacknowledged.add(self._mid)
            self._waiting.append(packets.publish(self._mid, topic, body))
            return True

    def send(self, more: bytes = b"") -> None:
        """Send all that waits, then `more`. A connection that takes nothing is broken: its reader will see it."""
        with self._lock:
            out = b"".join([*self._waiting, more])
            self._waiting.clear()
            if not out:
                return
            try:
                self.sock.sendall(out)
            except OSError:
                self._break()

    def receive(self, within_s: float) -> bytes | None:
        """What there is; empty when the other end has closed, None when nothing came. Raises OSError."""
        sock = self.sock
        if isinstance(sock, ssl.SSLSocket):
            # OpenSSL does not read and write one connection at the same time
            with self._lock:
                ahead = sock.pending()
            if not ahead and not _readable(sock, within_s):
                return None
            with self._lock:
                # this may be half a record, or a ticket: whoever waits here for more keeps others from sending
                sock.settimeout(0.0)
                try:
                    return sock.recv(READ_BYTES)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    return None
                finally:
                    sock.settimeout(SEND_TIMEOUT_S)
        return sock.recv(READ_BYTES) if _readable(sock, within_s) else None

    def finish(self) -> None:
        """Send what waits and say goodbye; the other end closes then."""
        self.send(packets.GOODBYE)
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def _break(self) -> None:
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def _readable(sock: socket.socket, within_s: float) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


class MqttReader(Connecting):
    """A connection to take messages in bulk, which are acknowledged when we have them.

    Parameters
    ----------
    url
        `mqtt://user:secret@host:port`, or `mqtts:` for TLS.
    client_id
        Client id; the brokers of the product use the user name instead.
    subscribe
        Topic filters, subscribed anew (QoS 1) after each connect.
    on_messages
        Is given what arrived, in order, on the reading thread.
    room
        Waits up to so many seconds until more may be read; nothing is read while it says False.
    clean
        False: the broker keeps subscriptions and messages while we are away.
    tls
        Files for a `mqtts:` URL, read at each connect.
    address
        Asked before each connect for the URL, where the account may change while it runs.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        *,
        subscribe: Sequence[str],
        on_messages: Callable[[list[Incoming]], None],
        room: Callable[[float], bool] = lambda within_s: True,
        clean: bool = False,
        tls: TlsFiles | None = None,
        address: Callable[[], str] | None = None,
    ) -> None:
        self._ask = address
        self._address, self._clean = BrokerAddress.of(url), clean
        super().__init__(client_id, self._address.user)
        self._subscribe, self._on_messages, self._room = list(subscribe), on_messages, room
        self._tls = tls or TlsFiles()
        self._current: Connection | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker has taken the connection and it has not ended since."""
        return self._current is not None

    def _hang_up(self) -> None:
        current = self._current
        if current is not None:
            current.finish()

    def publish(self, topic: str, body: bytes) -> bool:
        """Put a message (QoS 1) to what goes out with the next `acknowledge`, within half a second at the latest.

        False, and nothing is kept, when there is no connection. Thread-safe.
        """
        current = self._current
        return current is not None and current.publish(topic, body)

    def acknowledge(self, messages: Sequence[Incoming]) -> None:
        """Acknowledge messages to the broker and send what was published; thread-safe.

        Messages of an earlier connection are passed over: their identifiers mean others by now.
        """
        current = self._current
        if current is not None:
            epoch = current.epoch
            current.send(packets.acknowledgements([m.mid for m in messages if m.epoch == epoch]))

    def _one_connection(self) -> None:
        """Connect, and return when the connection has ended."""
        if self._ask is not None:
            self._address = BrokerAddress.of(self._ask())
        at, before = self._address, self.epoch
        where = f"{at.host}:{at.port}"
        try:
            sock = socket.create_connection((at.host, at.port), CONNECT_TIMEOUT_S)
        except OSError as problem:
            self._patience.nobody_listens()
            self._note(f"no broker answers at {where}: {problem}")
            return
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if at.tls:
                sock = client_context(self._tls).wrap_socket(sock, server_hostname=at.host)
            sock.settimeout(SEND_TIMEOUT_S)
            connection = Connection(sock, before + 1)
            self._open(connection)
            self._read(connection)
        except ssl.SSLError as problem:
            self._note(f"no TLS with the broker at {where}: {problem.reason or problem}")
        except (Ended, Malformed, OSError) as problem:
            if not self._stopping.is_set():
                self._note(f"the connection to the broker ended: {problem}")
        finally:
            self._current = None
            sock.close()
        if self.epoch > before and not self._stopping.is_set():
            self._patience.thrown_out()

    def _open(self, connection: Connection) -> None:
        at = self._address
        connection.send(
            packets.connect(self._client_id, at.user, at.secret, clean=self._clean, keepalive_s=KEEPALIVE_S)
        )

    def _read(self, connection: Connection) -> None:
        """Read until the end, which is an exception."""
        stream = Stream(connection.epoch)
        now = self._time.monotonic
        heard = pinged = now()
        taken = False
        while True:
            if self._stopping.is_set():
                if now() - heard > GOODBYE_S or not connection.receive(GOODBYE_S):
                    raise Ended("stopped")
                continue
            if now() - pinged >= PING_EVERY_S:
                pinged = now()
                connection.send(packets.PING)
            if taken and not self._room(TICK_S):
                heard = now()
                connection.send()
                continue
            data = connection.receive(TICK_S)
            if data is None:
                if now() - heard > (SILENT_S if taken else CONNECT_TIMEOUT_S):
                    raise Ended("the broker has gone silent")
                connection.send()
                continue
            if not data:
                raise Ended("the broker closed it" if taken else "the broker closed it before it was taken")
            heard = now()
            messages = stream.feed(data)
            if stream.control:
                taken = self._heed(connection, stream, taken)
            if messages:
                if not taken:
                    raise Malformed("a message before the connection was taken")
                self._on_messages(messages)
            if len(data) < SHORT_BYTES:
                time.sleep(NAP_S)

    def _heed(self, connection: Connection, stream: Stream, taken: bool) -> bool:
        """Act on packets that are no messages; returns whether the connection is taken."""
        for kind, content in stream.control:
            if kind == packets.PUBACK and len(content) == 2:
                connection.unacknowledged.discard(content[0] << 8 | content[1])
            elif kind == packets.CONNACK and len(content) == 2 and not taken:
                if content[1]:
                    raise Ended(_WORDS.get(content[1], f"the broker refuses it with code {content[1]}"))
                taken = True
                self._taken(connection)
            elif kind == packets.SUBACK and len(content) > 2:
                if packets.REFUSED in content[2:]:
                    raise Ended("the broker does not let this account subscribe")
            elif kind != packets.PINGRESP:
                raise Malformed(f"a packet of type {kind} that makes no sense here")
        stream.control.clear()
        return taken

    def _taken(self, connection: Connection) -> None:
        self.epoch, self.problem = connection.epoch, ""
        if self._subscribe:
            connection.send(packets.subscribe(SUBSCRIBE_MID, self._subscribe))
        self._current = connection
        log.info("connected to the broker at %s:%s", self._address.host, self._address.port)
