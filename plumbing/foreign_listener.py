"""Takes MQTT connections of foreign devices: versions 3.1, 3.1.1 and 5, a token as user name, wills.

No broker: what a device publishes goes to the door, with the account that published it, and nobody else hears it. A
message of QoS 1 or 2 is acknowledged when the door says that it is done with it, so what a device was told is kept is
kept. While the door takes nothing, nothing more is read from the socket.
"""

import asyncio
import contextlib
import logging
import ssl
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from plumbing import foreign_packets as mqtt
from plumbing.foreign_packets import BadPacket, Hello

MAX_PACKET_BYTES = 16 * 1024 * 1024
MAX_CONNECT_BYTES = 1024 * 1024
MAX_FILTERS = 100
MAX_CONNECTIONS = 2000
CONNECT_TIMEOUT_S = 10.0
TAKE_OVER_TIMEOUT_S = 5.0
FULL_S = 0.05
LOOK_S = 0.01
START_TIMEOUT_S = 20.0
MAX_UNSENT_BYTES = 4 * 1024 * 1024
log = logging.getLogger(__name__)


HERE, GONE = "$here", "$gone"
"""Topics of no client, by which the door hears that an account came, and that its connection broke."""


class Door(Protocol):
    """To whom the listener speaks. All but `admit` answer from memory, on the listener's loop."""

    def admit(self, user: str, secret: str | None) -> str | None:
        """The account that signs in so; None refuses. Runs in a worker thread."""
        ...

    def claims(self, user: str, secret: str | None) -> bool:
        """Whether this user name is of an account that may come in here, given the right secret."""
        ...

    def may_publish(self, account: str, topic: str) -> bool:
        """Whether the account may publish there."""
        ...

    def may_receive(self, account: str, filter_: str) -> bool:
        """Whether the account may subscribe to that."""
        ...

    def offer(self, account: str, topic: str, body: bytes, done: Callable[[], None]) -> bool:
        """Take a message, and call `done` (from any thread) when it is kept; False: not now, ask again."""
        ...

    def retained(self) -> list[tuple[str, bytes]]:
        """What every account hears that may and wants to."""
        ...

    def refused(self, account: str, topic: str) -> None:
        """A publish that was not permitted; topic "": a sign-in."""
        ...


class NotListening(Exception):
    """The listener cannot listen; the text says where and why."""


class _Connection:
    """One connection that was admitted."""

    def __init__(self, account: str, hello: Hello, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.account, self.version, self.will = account, hello.version, hello.will
        self.patience_s = hello.keep_alive_s * 1.5 or None
        self.reader, self.writer = reader, writer
        self.loop = asyncio.get_running_loop()
        self.filters: dict[str, None] = {}
        self.halfway: set[int] = set()
        self.ended = False

    def write(self, data: bytes) -> None:
        """Send, unless the connection is gone or the client reads nothing."""
        transport = self.writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.warning("%s reads too slowly: its connection ends", self.account)
            transport.abort()
        elif data:
            self.writer.write(data)

    def write_soon(self, data: bytes) -> None:
        """Send, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the connection with it
            self.loop.call_soon_threadsafe(self.write, data)

    def wants(self, topic: str) -> bool:
        """Whether a filter of the client names the topic."""
        return any(mqtt.matches(f, topic) for f in self.filters)


class ForeignListener:
    """Listens in a thread of its own; `serve` also takes connections that came elsewhere."""

    def __init__(self, host: str, port: int, door: Door) -> None:
        self._host, self.port, self._door = host, port, door
        self._tls: ssl.SSLContext | None = None
        self._connections: dict[str, _Connection] = {}
        self._open = 0
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None

    def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen, with TLS where there is a context. Raises NotListening."""
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="foreign listener", daemon=True)
        self._thread.start()
        try:
            self._call(self._listen())
        except OSError as problem:
            self._end_loop()
            raise NotListening(
                f"the foreign listener cannot listen on {self._host}:{self.port}: {problem.strerror or problem}"
            ) from problem

    async def _listen(self) -> None:
        patience = None if self._tls is None else CONNECT_TIMEOUT_S
        self._server = await asyncio.start_server(
            self._connected, self._host, self.port, ssl=self._tls, ssl_handshake_timeout=patience
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """End all connections and stop to listen; what the door did not take is not acknowledged."""
        self._closing = True
        if self._loop is not None:
            self._call(self._close())
            self._end_loop()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        connections = list(self._connections.values())
        for connection in connections:
            connection.will = None  # the platform goes, not the device
        await asyncio.gather(*(self._end(c, mqtt.SHUTTING_DOWN) for c in connections))

    def disconnect(self, account: str) -> None:
        """End an account's connection: it was revoked. Any thread but the loop's may call."""
        connection = self._connections.get(account)
        if connection is not None:
            work = self._end(connection, mqtt.NOT_AUTHORIZED)
            asyncio.run_coroutine_threadsafe(work, connection.loop).result(TAKE_OVER_TIMEOUT_S * 2)

    def send(self, account: str, topic: str, body: bytes) -> None:
        """Give a message to an account that is here and subscribed to it. Thread-safe."""
        connection = self._connections.get(account)
        if connection is not None and connection.wants(topic):
            connection.write_soon(mqtt.publish(connection.version, topic, body))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= MAX_CONNECTIONS:
            writer.close()
            return
        self._open += 1
        try:
            kind, _, body = await asyncio.wait_for(_next(reader, MAX_CONNECT_BYTES), CONNECT_TIMEOUT_S)
            if kind != mqtt.CONNECT:
                raise BadPacket("something that does not begin with CONNECT")
            await self.serve(body, reader, writer)
        except (BadPacket, TimeoutError, asyncio.IncompleteReadError, OSError) as problem:
            log.info("a connection to the foreign listener is not taken: %s", problem)
        finally:
            self._open -= 1
            writer.close()

    def claims(self, connect: bytes) -> bool:
        """Whether a CONNECT (without fixed header) is of an account that is the door's."""
        try:
            hello = mqtt.read_connect(connect)
        except BadPacket:
            return False
        return self._door.claims(hello.user, hello.secret)

    async def serve(self, connect: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its CONNECT (without fixed header) to its end. Raises BadPacket."""
        hello = mqtt.read_connect(connect)
        account = await asyncio.to_thread(self._door.admit, hello.user, hello.secret)
        if account is None:
            log.warning(
                "refused from %s: unknown or revoked account, or a wrong secret", writer.get_extra_info("peername")
            )
            writer.write(mqtt.connack_refused(hello.version))
            await writer.drain()
            return
        earlier = self._connections.get(account)
        if earlier is not None:
            await self._end(earlier, mqtt.TAKEN_OVER)
        connection = self._connections[account] = _Connection(account, hello, reader, writer)
        if connection.will and not self._door.may_publish(account, connection.will[0]):
            self._door.refused(account, connection.will[0])
            connection.will = None
        connection.write(mqtt.connack(hello.version, account))
        # beside: while ingest takes nothing, the client's pings are answered all the same
        here, broke = asyncio.create_task(self._offer(connection, HERE, b"", lambda: None)), True
        try:
            await self._packets(connection)
            connection.will, broke = None, False
        except (BadPacket, UnicodeDecodeError) as problem:
            log.warning("%s sends what is no MQTT, its connection ends: %s", account, problem)
        except TimeoutError:
            log.info("%s was silent for too long: its connection ends", account)
        except (asyncio.IncompleteReadError, OSError) as problem:
            log.info("the connection of %s broke: %s", account, problem)
        finally:
            here.cancel()
            if connection.will:
                await self._offer(connection, *connection.will, lambda: None)
            if broke and not self._closing:
                await self._offer(connection, GONE, b"", lambda: None)
            if self._connections.get(account) is connection:
                del self._connections[account]
            connection.ended = True

    async def _packets(self, connection: _Connection) -> None:
        """Take packets until the client says that it goes."""
        version = connection.version
        while True:
            kind, flags, body = await asyncio.wait_for(
                _next(connection.reader, MAX_PACKET_BYTES), connection.patience_s
            )
            match kind:
                case mqtt.PUBLISH:
                    await self._publish(connection, flags, body)
                case mqtt.PUBREL:
                    mid = int.from_bytes(body[:2], "big")
                    connection.halfway.discard(mid)
                    connection.write(mqtt.ack(mqtt.PUBCOMP, version, mid))
                case mqtt.SUBSCRIBE:
                    self._subscribe(connection, body)
                case mqtt.UNSUBSCRIBE:
                    mid, filters = mqtt.read_filters(version, body, with_options=False)
                    for a_filter, _ in filters:
                        connection.filters.pop(a_filter, None)
                    connection.write(mqtt.unsuback(version, mid, len(filters)))
                case mqtt.PINGREQ:
                    connection.write(mqtt.packet(mqtt.PINGRESP, b""))
                case mqtt.DISCONNECT:
                    if version == mqtt.V5 and body[:1] == b"\x04":
                        raise ConnectionResetError("it asks for its will")
                    return
                case mqtt.PUBACK:
                    pass
                case _:
                    raise BadPacket(f"a packet of kind {kind}, which a client does not send")

    async def _publish(self, connection: _Connection, flags: int, body: bytes) -> None:
        told = mqtt.read_publish(connection.version, flags, body)
        account, answer = connection.account, b""
        kind = mqtt.PUBACK if told.qos == 1 else mqtt.PUBREC
        if told.qos:
            answer = mqtt.ack(kind, connection.version, told.mid)
        if told.qos == 2 and told.mid in connection.halfway:
            connection.write(answer)
            return
        if not self._door.may_publish(account, told.topic):
            self._door.refused(account, told.topic)
            if told.qos:
                connection.write(mqtt.ack(kind, connection.version, told.mid, mqtt.NOT_AUTHORIZED))
            return
        if told.qos == 2:
            connection.halfway.add(told.mid)
        await self._offer(connection, told.topic, told.body, lambda: connection.write_soon(answer))

    async def _offer(self, connection: _Connection, topic: str, body: bytes, done: Callable[[], None]) -> None:
        while not self._door.offer(connection.account, topic, body, done) and not self._closing:
            await asyncio.sleep(FULL_S)

    def _subscribe(self, connection: _Connection, body: bytes) -> None:
        mid, filters = mqtt.read_filters(connection.version, body, with_options=True)
        codes, fresh = [], []
        for a_filter, qos in filters:
            if len(connection.filters) < MAX_FILTERS and self._door.may_receive(connection.account, a_filter):
                connection.filters[a_filter] = None
                fresh.append(a_filter)
                codes.append(min(qos, 1))
            else:
                codes.append(0x80)
        connection.write(mqtt.suback(connection.version, mid, codes))
        for topic, kept in self._door.retained():
            if any(mqtt.matches(f, topic) for f in fresh):
                connection.write(mqtt.publish(connection.version, topic, kept, retained=True))

    async def _end(self, connection: _Connection, reason: int) -> None:
        """End a connection and wait until its will is out; may be called on another loop than the connection's."""
        connection.write_soon(mqtt.disconnect(connection.version, reason))
        with contextlib.suppress(RuntimeError):
            connection.loop.call_soon_threadsafe(connection.writer.close)
        for _ in range(int(TAKE_OVER_TIMEOUT_S / LOOK_S)):
            if connection.ended:
                return
            await asyncio.sleep(LOOK_S)
        connection.loop.call_soon_threadsafe(connection.writer.transport.abort)

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_TIMEOUT_S)

    def _end_loop(self) -> None:
        assert self._loop is not None
        assert self._thread is not None
        loop, self._loop = self._loop, None
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(START_TIMEOUT_S)
        if not self._thread.is_alive():
            loop.close()


async def _next(reader: asyncio.StreamReader, most: int) -> tuple[int, int, bytes]:
    """(kind, flags, body) of the next packet. Raises BadPacket, IncompleteReadError."""
    head, byte = await reader.readexactly(2)
    size, shift = byte & 127, 0
    while byte > 127:
        shift += 7
        if shift > 21:
            raise BadPacket("a packet of impossible length")
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 127) << shift
    if size > most:
        raise BadPacket(f"a packet of {size} bytes, at most {most} may come")
    return head >> 4, head & 15, await reader.readexactly(size)
